"""Moves what MLflow has in SQLite into PostgreSQL: all rows of all tables, or nothing. `mlflow-move.py SQLITE POSTGRESQL`."""

import sys

import sqlalchemy as sa
from mlflow.store.db.utils import _initialize_tables

source, target = (sa.create_engine(url) for url in sys.argv[1:])
_initialize_tables(target)
tables = sa.MetaData()
# The types are those of the target: SQLite has no truth values and no times.
tables.reflect(target)
with source.connect() as old, target.begin() as new:
    had = set(sa.inspect(old).get_table_names())
    revision = [engine.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() for engine in (old, new)]
    if revision[0] != revision[1]:
        sys.exit(f"the tables are of {revision[0]} here and of {revision[1]} there: `mlflow db upgrade` first")
    for table in reversed(tables.sorted_tables):
        new.execute(table.delete())
    for table in tables.sorted_tables:
        if table.name not in had:
            continue
        rows = old.execution_options(yield_per=1000).execute(sa.select(table))
        count = 0
        for part in rows.mappings().partitions():
            new.execute(table.insert(), [dict(row) for row in part])
            count += len(part)
        print(f"{table.name}: {count}")
        for column in table.columns:
            # What counts by itself goes on where it was.
            sequence = new.scalar(sa.text("SELECT pg_get_serial_sequence(:t, :c)"), {"t": f'"{table.name}"', "c": column.name})
            highest = new.scalar(sa.select(sa.func.max(column))) if sequence else None
            if highest is not None:
                new.execute(sa.text("SELECT setval(:s, :v)"), {"s": sequence, "v": highest})
