"""What runs inside of Snowflake: the project's own training, its registry and answers in tables."""

import base64
import hashlib
import json
import zlib

import pandas
import skops.io

from «(parameters.package or parameters.name|replace("-", "_"))|word» import model
from «(parameters.package or parameters.name|replace("-", "_"))|word».data import FEATURES, TARGET

# Rows that one statement brings.
BATCH = 500


def fill(session) -> str:
    """What data.py loads, into the table `known`; nothing where that has rows already."""
    if session.sql("select count(*) from known").collect()[0][0]:
        return "it has rows already"
    table = model.load()
    rows = [
        (number, json.dumps({name: float(row[name]) for name in FEATURES}), int(row[TARGET]))
        for number, (_, row) in enumerate(table.iterrows())
    ]
    insert(session, "known (id, features, target)", rows)
    asked = [(number, features) for number, features, _ in rows]
    insert(session, "asked (id, features)", asked)
    return f"{len(rows)} rows"


def insert(session, into: str, rows: list[tuple]) -> None:
    """Rows into a table, some hundred at a time."""
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        values = ", ".join("(" + ", ".join("?" * len(row)) + ")" for row in part)
        # The names of the columns are the program's own, the values are bound.
        statement = f"insert into {into} values {values}"  # noqa: S608
        session.sql(statement, params=[value for row in part for value in row]).collect()


def known(session) -> pandas.DataFrame:
    """The table `known`, as data.py would load it."""
    rows = session.sql("select features, target from known order by id").collect()
    return pandas.DataFrame([json.loads(row[0]) | {TARGET: row[1]} for row in rows])


def train(session, algorithm: str) -> str:
    """A new version in the registry: the candidate, or the stable one where there is none yet."""
    model.load = lambda: known(session)
    rows, held_out = model.split()
    trained = model.ALGORITHMS[algorithm]().fit(rows[FEATURES], rows[TARGET])
    written = skops.io.dumps(trained)
    version = session.sql("select coalesce(max(version), 0) + 1 from models").collect()[0][0]
    insert(
        session,
        "models (version, algorithm, f1, sha256, model)",
        [
            (
                int(version),
                algorithm,
                model.score(trained, held_out),
                hashlib.sha256(written).hexdigest(),
                base64.b64encode(written).decode(),
            )
        ],
    )
    name = "candidate" if variants(session) else "stable"
    session.sql("delete from variants where name = ?", params=[name]).collect()
    share = «parameters.weight|int if parts.ab else 0» if name == "candidate" else 100
    insert(session, "variants (name, version, share)", [(name, int(version), share)])
    return f"version {version} is the {name} one"


def variants(session) -> dict[str, tuple[int, int]]:
    """The versions that answer, with their shares."""
    rows = session.sql("select name, version, share from variants").collect()
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}


def loaded(session, version: int):
    """A version out of the registry, if it is the one that was put there."""
    row = session.sql("select model, sha256 from models where version = ?", params=[version])
    text, sha256 = row.collect()[0]
    written = base64.b64decode(text)
    if hashlib.sha256(written).hexdigest() != sha256:
        raise RuntimeError(f"version {version} is not the model that was registered")
    return skops.io.loads(written, trusted=model.TRUSTED)


def promote(session) -> str:
    """The candidate becomes the stable one if it is no worse: both are judged on the same rows."""
    model.load = lambda: known(session)
    _, held_out = model.split()
    there = variants(session)
    if "candidate" not in there:
        return f"version {there['stable'][0]} is the stable one"
    (stable, _), (candidate, _) = there["stable"], there["candidate"]
    merit = {one: model.score(loaded(session, one), held_out) for one in (stable, candidate)}
    better = candidate if merit[candidate] >= merit[stable] else stable
    session.sql("delete from variants").collect()
    insert(session, "variants (name, version, share)", [("stable", better, 100)])
    return f"version {better} is the stable one"


def predict(session) -> str:
    """Answers every row of `asked` that has none yet; a row stays with its variant."""
    rows = session.sql(
        "select id, features from asked where id not in (select id from answers)"
    ).collect()
    there = variants(session)
    share = there.get("candidate", (0, 0))[1]
    parts: dict[str, list] = {name: [] for name in there}
    for number, features in rows:
        bucket = zlib.crc32(str(number).encode()) % 100
        parts["candidate" if bucket < share else "stable"].append((number, json.loads(features)))
    for name, part in parts.items():
        if part:
            version = there[name][0]
            table = pandas.DataFrame([features for _, features in part])[FEATURES]
            said = loaded(session, version).predict(table)
            answers = [
                (int(one[0]), name, version, int(answer))
                for one, answer in zip(part, said, strict=True)
            ]
            insert(session, "answers (id, variant, version, answer)", answers)
    return f"{len(rows)} rows are answered"
