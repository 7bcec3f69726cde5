"""Which step made what of what, as OpenLineage events, and the way back to data, code and lock.

They go to lineage.jsonl, and to the server that OPENLINEAGE_URL names (Marquez, DataHub …).
"""

import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import urllib.request
import uuid

import pandas

from «(parameters.package or parameters.name|replace("-", "_"))|word» import NAME

ROOT = pathlib.Path(__file__).parent.parent
LOG = ROOT / "governance/lineage.jsonl"
CODE = ["src/**/*.py", "governance/*.py", "pipeline/*.py", "lakehouse/*.py", "spark/*.py"]
CODE += ["dbt/**/*.sql", "dbt/**/*.yml", "governance/contract.yaml"]
LOCK = ["poetry.lock", "lakehouse/requirements.txt", "spark/requirements.txt"]
SPEC = "https://openlineage.io/spec"


def digest(patterns: list[str]) -> str:
    """One hash of all files that fit, with their names."""
    files = {path for pattern in patterns for path in ROOT.glob(pattern)}
    whole = hashlib.sha256()
    for path in sorted(path for path in files if "target" not in path.parts):
        whole.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:16]


def hashed(rows: pandas.DataFrame) -> str:
    """A hash of rows: the same rows have the same, in whatever table they are."""
    values = pandas.util.hash_pandas_object(rows, index=False).to_numpy()
    return hashlib.sha256(",".join(rows.columns).encode() + values.tobytes()).hexdigest()[:16]


def send(event: dict) -> None:
    """To the file; where a server is named, to that as well."""
    line = json.dumps(event)
    with LOG.open("a") as file:
        file.write(line + "\n")
    if server := os.environ.get("OPENLINEAGE_URL"):
        address = f"{server.rstrip('/')}/api/v1/lineage"
        asked = urllib.request.Request(  # noqa: S310
            address, line.encode(), {"content-type": "application/json"}
        )
        urllib.request.urlopen(asked, timeout=10).close()  # noqa: S310


def facet(name: str, **fields) -> dict:
    """A facet, as OpenLineage names its schema."""
    schema = f"{SPEC}/facets/{name}.json#/$defs/{name.split('/')[1]}"
    return {"_producer": f"urn:{NAME}", "_schemaURL": schema} | fields


def dataset(name: str, version: str) -> dict:
    """A table, a file or a model, with the hash of what it was where that is known."""
    known = facet("1-0-1/DatasetVersionDatasetFacet", datasetVersion=version)
    return {"namespace": NAME, "name": name, "facets": {"version": known} if version else {}}


@contextlib.contextmanager
def told(step: str, inputs: dict[str, str], outputs: dict[str, str]):
    """Tells that a step begins, and how it ended; what it makes may be added while it runs."""
    tags = {"code": digest(CODE), "lock": digest(LOCK)}
    fields = [{"key": key, "value": value, "source": "project"} for key, value in tags.items()]
    facets = {"tags": facet("1-0-0/TagsRunFacet", tags=fields)}
    run = {"runId": str(uuid.uuid4()), "facets": facets}

    def tell(state: str) -> None:
        send(
            {
                "eventType": state,
                "eventTime": datetime.datetime.now(datetime.UTC).isoformat(),
                "producer": f"urn:{NAME}",
                "schemaURL": f"{SPEC}/2-0-2/OpenLineage.json#/$defs/RunEvent",
                "run": run,
                "job": {"namespace": NAME, "name": step},
                "inputs": [dataset(*one) for one in inputs.items()],
                "outputs": [dataset(*one) for one in outputs.items()],
            }
        )

    tell("START")
    try:
        yield outputs
    except BaseException:
        tell("FAIL")
        raise
    tell("COMPLETE")


def chain(made: str) -> list[dict]:
    """The steps that led to something, the last first."""
    lines = LOG.read_text().splitlines() if LOG.exists() else []
    events = [event for event in map(json.loads, lines) if event["eventType"] == "COMPLETE"]
    wanted, steps, seen = [(made, "~")], [], set()
    while wanted:
        name, before = wanted.pop(0)
        if name in seen:
            continue
        seen.add(name)
        fits = [
            event
            for event in events
            if event["eventTime"] < before
            and name in [output["name"] for output in event["outputs"]]
        ]
        if fits:
            last = max(fits, key=lambda event: event["eventTime"])
            before = last["eventTime"]
            wanted += [(source["name"], before) for source in last["inputs"]]
            tags = {tag["key"]: tag["value"] for tag in last["run"]["facets"]["tags"]["tags"]}
            versions = {
                source["name"]: source["facets"].get("version", {}).get("datasetVersion", "")
                for source in last["inputs"]
            }
            step = {"made": name, "by": last["job"]["name"], "at": before, "of": versions}
            steps.append(step | tags)
        else:
            steps.append({"made": name, "by": "you"})
    return steps
