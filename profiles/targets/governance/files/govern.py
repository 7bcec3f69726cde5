"""Governs the model of this project.

    govern.py check                          do the data keep their contract?
    govern.py train                          a challenger whose data, code and lock are on record
    govern.py card [VERSION]                 what that version is: cards/VERSION.md
    govern.py approve TO --by --why          that the challenger may go there: staging or prod
    govern.py promote TO                     there it goes, if somebody has approved it
    govern.py trace [VERSION|ANSWER]         from an answer back to data, code and lock

Promotions are lines of promotions.jsonl. Each has the hash of the one before, so that what
is changed above the last one is seen; the last one git guards.
"""

import argparse
import datetime
import hashlib
import json
import pathlib

import contract
import lineage
import mlflow
from lineage import NAME, ROOT

from «(parameters.package or parameters.name|replace("-", "_"))|word» import model, promote, train
from «(parameters.package or parameters.name|replace("-", "_"))|word».data import FEATURES, TARGET

HERE = pathlib.Path(__file__).parent
RECORD = HERE / "promotions.jsonl"
# What a version is called in the registry where it is in use.
ALIASES = {"staging": "staging", "prod": "champion"}


def records() -> list[dict]:
    """All promotions and approvals, if none is missing and none was changed."""
    before, found = "", []
    for line in RECORD.read_text().splitlines() if RECORD.exists() else []:
        record = json.loads(line)
        if record["before"] != before:
            raise SystemExit(f"{RECORD} was changed before {record['at']}")
        before = hashlib.sha256(line.encode()).hexdigest()
        found.append(record)
    return found


def record(**facts: str) -> dict:
    """Writes one more."""
    records()
    lines = RECORD.read_text().splitlines() if RECORD.exists() else []
    before = hashlib.sha256(lines[-1].encode()).hexdigest() if lines else ""
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    written = facts | {"at": now, "before": before}
    with RECORD.open("a") as file:
        file.write(json.dumps(written) + "\n")
    return written


def sha256(version: str) -> str:
    """The hash of a version's model, as the registry has it."""
    folder = mlflow.artifacts.download_artifacts(f"models:/{NAME}/{version}")
    return hashlib.sha256((pathlib.Path(folder) / "model.skops").read_bytes()).hexdigest()


def challenger() -> str:
    """The version that was trained last."""
    found = promote.version("challenger")
    if found is None:
        raise SystemExit(f"no version of {NAME} is the challenger: train one first")
    return str(found.version)


def rows():
    """The data, if they keep their contract and it speaks of what the model sees."""
    table = model.load()
    if unknown := {*FEATURES, TARGET} - set(contract.columns()):
        raise SystemExit(f"the data contract does not speak of {sorted(unknown)}")
    contract.hold(table)
    return table


def trained(algorithm: str, source: str = "data.py") -> str:
    """The number of a new version, and on record what it was trained on."""
    table = rows()
    # What was checked is what is trained on.
    model.load = lambda: table
    with lineage.told("challenger", {source: lineage.hashed(table)}, {}) as outputs:
        version = train.tracked(algorithm)
        outputs[f"{NAME}/{version}"] = sha256(version)
    return version


def approve(to: str, by: str, why: str) -> dict:
    """That somebody lets the challenger go there, for a reason."""
    version = challenger()
    return record(what="approved", version=version, to=to, by=by, why=why, sha256=sha256(version))


def moved(to: str) -> dict:
    """The challenger is in use there from now on, if somebody has approved just this model."""
    version, known = challenger(), records()
    facts = {"version": version, "sha256": sha256(version)}

    def is_there(what: str, where: str) -> list[dict]:
        asked = facts | {"what": what, "to": where}
        return [one for one in known if asked.items() <= one.items()]

    approvals = is_there("approved", to)
    if not approvals:
        raise SystemExit(f"nobody has approved version {version} for {to}: govern.py approve {to}")
    if to == "prod" and not is_there("promoted", "staging"):
        raise SystemExit(f"version {version} was not in staging: govern.py promote staging")
    if to == "prod":
        if promote.promote(0.0) != version:
            raise SystemExit(f"version {version} is worse than the champion, which stays")
        promote.export("champion", ROOT / "model")
    else:
        mlflow.MlflowClient().set_registered_model_alias(NAME, ALIASES[to], version)
    by, why = approvals[-1]["by"], approvals[-1]["why"]
    return record(what="promoted", to=to, by=by, why=why, **facts)


def by_rule(by: str) -> str:
    """The champion, once the challenger is it if it is no worse; that is on record as well."""
    version = challenger()
    champion = promote.promote(0.0)
    promote.export("champion", ROOT / "model")
    if champion == version:
        why = "no worse than the champion on the rows that are held out"
        record(what="promoted", version=version, to="prod", by=by, why=why, sha256=sha256(version))
    return champion


def trace(version: str) -> dict:
    """Where a version comes from, who let it go where, and what has changed since."""
    steps = lineage.chain(f"{NAME}/{version}")
    now = {"code": lineage.digest(lineage.CODE), "lock": lineage.digest(lineage.LOCK)}
    first = steps[0]
    return {
        "model": {"name": NAME, "version": version, "sha256": sha256(version)},
        "promotions": [one for one in records() if one["version"] == version],
        "steps": steps,
        "changed since": [key for key, value in now.items() if first.get(key, value) != value],
    }


def card(version: str) -> pathlib.Path:
    """Writes what a version is, for whoever is to rely on it."""
    client = mlflow.MlflowClient()
    run = client.get_run(client.get_model_version(NAME, version).run_id).data
    told, about = trace(version), contract.read()["description"]
    step = told["steps"][0]
    lines = [f"# {NAME}, version {version}", "", about["purpose"], "", "| | |", "|---|---|"]
    facts = {"sha256": told["model"]["sha256"], **run.params, **run.metrics}
    facts |= {"trained": step.get("at", "not on record"), "data": step.get("of", {})}
    facts |= {key: step.get(key, "not on record") for key in ("code", "lock")}
    lines += [f"| {key} | {value} |" for key, value in facts.items()]
    lines += ["", "## What it is for", "", about["usage"]]
    lines += ["", "## What it does not do", "", about["limitations"]]
    lines += ["", "## What it sees", "", *(f"- {name}" for name in FEATURES)]
    lines += ["", "## Who let it go where", ""]
    for one in told["promotions"]:
        lines.append(f"- {one['at']}: {one['what']} for {one['to']} by {one['by']}: {one['why']}")
    path = HERE / "cards" / f"{version}.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def meant(words: str | None) -> str:
    """The version that is meant: a number, an answer of the service's, or the champion."""
    if words and not words.isdigit():
        return str(json.loads(words)["version"])
    if words:
        return words
    found = promote.version("champion") or promote.version("challenger")
    if found is None:
        raise SystemExit(f"the registry has no version of {NAME}")
    return str(found.version)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("check")
    steps.add_parser("train").add_argument(
        "--algorithm", choices=model.ALGORITHMS, default="forest"
    )
    for step in ("card", "trace"):
        steps.add_parser(step).add_argument("version", nargs="?")
    for step in ("approve", "promote"):
        steps.add_parser(step).add_argument("to", choices=ALIASES)
    for flag in ("--by", "--why"):
        steps.choices["approve"].add_argument(flag, required=True)
    args = parser.parse_args()
    if args.step == "check":
        print(f"{len(rows())} rows keep the contract")
    elif args.step == "train":
        version = trained(args.algorithm)
        print(f"{NAME} version {version} is the challenger: {card(version)}")
    elif args.step == "card":
        print(card(meant(args.version)))
    elif args.step == "trace":
        print(json.dumps(trace(meant(args.version)), indent=2))
    elif args.step == "approve":
        print(json.dumps(approve(args.to, args.by, args.why)))
    else:
        done = moved(args.to)
        print(f"version {done['version']} is in {args.to}: {card(done['version'])}")


if __name__ == "__main__":
    main()
