"""The pipeline as Dagster sees it: rows, a warehouse by dbt, a challenger, the champion."""

import json
import os
import pathlib

import dagster
import duckdb
import govern
from dbt.cli.main import dbtRunner
from lineage import hashed, told

from «(parameters.package or parameters.name|replace("-", "_"))|word» import model
from «(parameters.package or parameters.name|replace("-", "_"))|word».data import FEATURES, TARGET

ROOT = pathlib.Path(__file__).parent.parent
WAREHOUSE = os.environ.setdefault("WAREHOUSE", str(ROOT / "warehouse.duckdb"))


@dagster.asset
def rows_seen() -> dagster.MaterializeResult:
    """What data.py loads, as it comes."""
    came = govern.rows()
    rows, inputs = came.reset_index(names="id"), {"data.py": hashed(came)}
    made = {"raw.rows_seen": hashed(rows)}
    with told("rows_seen", inputs, made), duckdb.connect(WAREHOUSE) as warehouse:
        warehouse.execute("create schema if not exists raw")
        warehouse.register("came", rows)
        warehouse.execute("create or replace table raw.rows_seen as select * from came")
    return dagster.MaterializeResult(metadata={"rows": len(rows)})


@dagster.asset(deps=[rows_seen])
def features() -> None:
    """What the model is trained on; nothing goes on where a test of the data fails."""
    words = ["build", "--project-dir", str(ROOT / "dbt"), "--profiles-dir", str(ROOT / "dbt")]
    known = json.dumps({"features": FEATURES, "target": TARGET})
    with told("features", {"raw.rows_seen": ""}, {"marts.features": ""}):
        done = dbtRunner().invoke([*words, "--vars", known, "--no-use-colors"])
        if not done.success:
            raise dagster.Failure("dbt build has failed: its log is in dbt/logs")


def from_warehouse() -> None:
    """The model is trained and judged on the warehouse, in the place of what data.py loads."""
    with duckdb.connect(WAREHOUSE) as warehouse:
        rows = warehouse.sql("select * exclude (id) from marts.features order by id").df()
    model.load = lambda: rows


@dagster.asset(deps=[features])
def challenger() -> dagster.MaterializeResult:
    """A new version in the registry."""
    from_warehouse()
    version = govern.trained(os.environ.get("ALGORITHM", "forest"), "marts.features")
    return dagster.MaterializeResult(metadata={"version": version})


@dagster.asset(deps=[challenger])
def champion() -> dagster.MaterializeResult:
    """The best version, and the folder that the service serves."""
    from_warehouse()
    version = govern.by_rule("pipeline/definitions.py")
    return dagster.MaterializeResult(metadata={"version": version})


definitions = dagster.Definitions(assets=[rows_seen, features, challenger, champion])
