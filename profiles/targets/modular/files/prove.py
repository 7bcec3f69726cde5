"""The whole on this machine: the pipeline by Dagster, the service, an answer, its lineage."""

import csv
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import dagster

ROOT = pathlib.Path(__file__).parent.parent
os.environ.setdefault("DAGSTER_HOME", str(ROOT / ".dagster"))
os.environ.setdefault("MLFLOW_TRACKING_URI", f"sqlite:///{ROOT}/mlflow.db")
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DAGSTER_DISABLE_TELEMETRY": "true"}
os.environ |= {"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
pathlib.Path(os.environ["DAGSTER_HOME"]).mkdir(exist_ok=True)
# What may wait for the variables above comes after them.
import definitions  # noqa: E402
import govern  # noqa: E402


def pipeline() -> str:
    """One run of all assets; the version that is the champion."""
    assets = [getattr(definitions, n) for n in ("rows_seen", "features", "challenger", "champion")]
    with dagster.DagsterInstance.get() as instance:
        done = dagster.materialize(assets, instance=instance, raise_on_error=False)
    if not done.success:
        raise SystemExit("the pipeline has failed: the champion is what it was")
    facts = json.loads((ROOT / "model/facts.json").read_text())
    return facts["version"]


def answer() -> dict:
    """What the service says of the first row that the model has seen."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    package = definitions.model.__package__
    more = {"HOST": "127.0.0.1", "PORT": str(port), "MODEL_DIR": str(ROOT / "model")}
    command = [sys.executable, "-c", f"from {package}.serve import main; main()"]
    service = subprocess.Popen(command, env=os.environ | more)  # noqa: S603
    try:
        with (ROOT / "model/reference.csv").open() as file:
            row = {key: float(value) for key, value in next(csv.DictReader(file)).items()}
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/predict",
            json.dumps({"rows": [row]}).encode(),
            {"content-type": "application/json"},
        )
        for _ in range(600):
            try:
                return json.load(urllib.request.urlopen(request))  # noqa: S310
            except urllib.error.URLError:
                time.sleep(0.5)
                if service.poll() is not None:
                    break
        raise SystemExit("the service does not answer")
    finally:
        service.terminate()
        service.wait()


def main() -> None:
    """The command; `pipeline` is its first half alone."""
    print(f"the champion is version {pipeline()}")
    if sys.argv[1:] != ["pipeline"]:
        said = answer()
        print(json.dumps({"answer": said, "trace": govern.trace(said["version"])}))


if __name__ == "__main__":
    main()
