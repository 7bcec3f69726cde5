"""The lakehouse on this machine, each step on record.

    pipeline.py up           tables, their contract, features, a model, answers, a catalogue
    pipeline.py ask ROW      the answer to a row, from the features that are ready
    pipeline.py trace ROW    from that row's answer back to data, code and lock
    pipeline.py catalogue    what is there: catalogue/README.md

run.sh sees to it that the project's package is found.
"""

import argparse
import json
import os

import catalogue
import contract
import features
import govern
import lakehouse
import lineage
import pandas
from deltalake import DeltaTable
from lineage import NAME, ROOT

from «(parameters.package or parameters.name|replace("-", "_"))|word» import model, promote
from «(parameters.package or parameters.name|replace("-", "_"))|word».data import FEATURES, TARGET


def at(table: str) -> dict[str, str]:
    """A table with the version that it has: Delta keeps that one."""
    return {table: str(DeltaTable(f"{lakehouse.LAKE}/{table}").version())}


def step(table: str, inputs: dict[str, str], make, *given) -> None:
    """Makes a table, and tells of what."""
    with lineage.told(table, inputs, {}) as outputs:
        make(*given)
        outputs.update(at(table))
    print(f"{table}: version {at(table)[table]}")


def gold(spark) -> None:
    """What is trained on; nothing goes there that breaks the contract."""
    rows = lakehouse.read(spark, "silver").select("id", *FEATURES, TARGET)
    contract.hold(rows.drop("id").toPandas())
    lakehouse.write(rows, "gold")


def up(algorithm: str) -> None:
    """All of it."""
    with lakehouse.session() as spark:
        step("bronze", {"data.py": lineage.hashed(model.load())}, lakehouse.bronze, spark)
        step("silver", at("bronze"), lakehouse.silver, spark)
        step("gold", at("silver"), gold, spark)
        rows = lakehouse.read(spark, "gold").toPandas().sort_values("id", ignore_index=True)
        known = pandas.DataFrame()
        with lineage.told("features", at("gold"), {}) as outputs:
            features.materialize(rows)
            known = features.to_train(rows)
            outputs["features"] = lineage.hashed(known)
        # The model is trained and judged on the features, in the place of what data.py loads.
        model.load = lambda: known
        version = govern.trained(algorithm, "features")
        champion = govern.by_rule("lakehouse/pipeline.py")
        print(f"version {version} is trained, {champion} is the champion: {govern.card(champion)}")
        models = {f"{NAME}/{one}": "" for one in {champion, *answering()}}
        step("answers", at("gold") | models, lakehouse.score, spark)
    print(catalogue.write())


def answering() -> list[str]:
    """The challenger, where it gets a share of the rows."""
    found = promote.version("challenger") if lakehouse.SHARE else None
    return [str(found.version)] if found else []


def ask(row: int) -> dict:
    """The answer of the champion to a row, as the service would give it."""
    known, facts = model.unpack(ROOT / "model")
    asked = pandas.DataFrame([features.to_answer(row)], columns=FEATURES)
    return {"row": row, "answer": int(known.predict(asked)[0]), "version": facts["version"]}


def trace(row: int) -> dict:
    """Where the answer to a row is from."""
    answers = DeltaTable(f"{lakehouse.LAKE}/answers").to_pandas()
    found = answers[answers["id"] == row]
    if found.empty:
        raise SystemExit(f"nobody has answered row {row}")
    said = json.loads(found.iloc[0].to_json(date_format="iso"))
    steps = {"steps": lineage.chain("answers")}
    return {"answer": said} | govern.trace(said["version"]) | steps


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    for name in ("up", "catalogue"):
        steps.add_parser(name)
    for name in ("ask", "trace"):
        steps.add_parser(name).add_argument("row", type=int)
    args = parser.parse_args()
    if args.step == "up":
        up(os.environ.get("ALGORITHM", "forest"))
    elif args.step == "catalogue":
        print(catalogue.write())
    else:
        print(json.dumps({"ask": ask, "trace": trace}[args.step](args.row), indent=2))


if __name__ == "__main__":
    main()
