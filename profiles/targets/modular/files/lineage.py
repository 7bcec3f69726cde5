"""Which step made what of what, as OpenLineage events, and the way back to data, code and lock.

They go to lineage.jsonl, or to the server that OPENLINEAGE_URL names (Marquez, DataHub …).
"""

import contextlib
import datetime
import hashlib
import json
import os
import pathlib
import sys
import uuid

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import tags_run

from «(parameters.package or parameters.name|replace("-", "_"))|word» import NAME

ROOT = pathlib.Path(__file__).parent.parent
LOG = ROOT / "lineage.jsonl"
CODE = ["src/**/*.py", "pipeline/*.py", "dbt/**/*.sql", "dbt/**/*.yml"]


def digest(*patterns: str) -> str:
    """One hash of all files that fit, with their names."""
    files = {path for pattern in patterns for path in ROOT.glob(pattern)}
    whole = hashlib.sha256()
    for path in sorted(path for path in files if "target" not in path.parts):
        whole.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()[:16]


def client() -> OpenLineageClient:
    """One that writes to the file, unless a server is named."""
    if "OPENLINEAGE_URL" not in os.environ:
        os.environ["OPENLINEAGE__TRANSPORT__TYPE"] = "file"
        os.environ["OPENLINEAGE__TRANSPORT__LOG_FILE_PATH"] = str(LOG)
        os.environ["OPENLINEAGE__TRANSPORT__APPEND"] = "true"
    return OpenLineageClient()


@contextlib.contextmanager
def told(step: str, inputs: list[str], outputs: list[str]):
    """Tells that a step begins, and how it ended; what it makes may be added while it runs."""
    tags = {"code": digest(*CODE), "lock": digest("poetry.lock")}
    fields = [tags_run.TagsRunFacetFields(key, value, "project") for key, value in tags.items()]
    run = Run(runId=str(uuid.uuid4()), facets={"tags": tags_run.TagsRunFacet(tags=fields)})

    def tell(state: RunState) -> None:
        event = RunEvent(
            eventType=state,
            eventTime=datetime.datetime.now(datetime.UTC).isoformat(),
            run=run,
            job=Job(namespace=NAME, name=step),
            producer=f"urn:{NAME}",
            inputs=[InputDataset(namespace=NAME, name=name) for name in inputs],
            outputs=[OutputDataset(namespace=NAME, name=name) for name in outputs],
        )
        client().emit(event)

    tell(RunState.START)
    try:
        yield outputs
    except BaseException:
        tell(RunState.FAIL)
        raise
    tell(RunState.COMPLETE)


def chain(made: str) -> list[dict]:
    """The steps that led to something, the last first."""
    events = [json.loads(line) for line in LOG.read_text().splitlines()]
    wanted, before, steps = [made], "~", []
    while wanted:
        name = wanted.pop(0)
        fits = [
            event
            for event in events
            if event["eventType"] == "COMPLETE"
            and event["eventTime"] < before
            and name in [output["name"] for output in event["outputs"]]
        ]
        if fits:
            last = max(fits, key=lambda event: event["eventTime"])
            before = last["eventTime"]
            wanted += [source["name"] for source in last["inputs"]]
            tags = {tag["key"]: tag["value"] for tag in last["run"]["facets"]["tags"]["tags"]}
            steps.append({"made": name, "by": last["job"]["name"], "at": before} | tags)
        else:
            steps.append({"made": name, "by": "you"})
    return steps


if __name__ == "__main__":
    facts = json.loads((ROOT / "model/facts.json").read_text())
    made = sys.argv[1] if sys.argv[1:] else f"{NAME}/{facts['version']}"
    print(json.dumps(chain(made), indent=2))
