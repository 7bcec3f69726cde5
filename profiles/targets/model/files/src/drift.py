"""Compares what was asked lately with what the model was trained on.

Ends with 0, with 1 where it drifted, and with 3 where there are too few rows to say anything.
"""

import argparse
import json
import pathlib
import time

import pandas
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway, write_to_textfile

from . import NAME
from .data import FEATURES

GAUGES = {
    "rows": "Rows that were compared",
    "share": "Share of the columns that drifted",
    "limit": "Share from which on it is an alarm",
    "last_run_timestamp_seconds": "When drift was measured last",
}


def current(folder: pathlib.Path, hours: float) -> pandas.DataFrame:
    """The rows that were asked in the last hours."""
    since = time.time() - hours * 3600
    files = [path for path in sorted(folder.glob("*.csv")) if path.stat().st_mtime >= since]
    tables = [pandas.read_csv(path) for path in files]
    return pandas.concat(tables or [pandas.DataFrame(columns=FEATURES)], ignore_index=True)


def measure(reference: pandas.DataFrame, rows: pandas.DataFrame, limit: float):
    """Evidently's report, how many columns drifted, and their share."""
    columns = DataDefinition(numerical_columns=FEATURES)
    report = Report([DataDriftPreset(drift_share=limit)]).run(
        Dataset.from_pandas(rows[FEATURES], columns),
        Dataset.from_pandas(reference[FEATURES], columns),
    )
    metrics = json.loads(report.json())["metrics"]
    drifted = next(m["value"] for m in metrics if "DriftedColumnsCount" in m["metric_name"])
    return report, int(drifted["count"]), drifted["share"]


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reference", type=pathlib.Path, default="model/reference.csv")
    parser.add_argument("--current", type=pathlib.Path, required=True, metavar="FOLDER")
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--rows", type=int, default=50, help="fewer say nothing")
    parser.add_argument("--limit", type=float, default=0.5, help="share of columns that may drift")
    parser.add_argument("--report", type=pathlib.Path, metavar="FILE.html")
    parser.add_argument("--gateway", metavar="HOST:PORT", help="Prometheus' push gateway")
    parser.add_argument("--textfile", metavar="FILE.prom", help="for Prometheus' node exporter")
    parser.add_argument("--only-tell", action="store_true", help="end with 0 once it is told")
    args = parser.parse_args(argv)

    rows = current(args.current, args.hours)
    said = {"rows": len(rows), "limit": args.limit, "last_run_timestamp_seconds": time.time()}
    code = 3
    if len(rows) < args.rows:
        print(f"{len(rows)} rows: too few to say anything")
    else:
        report, count, said["share"] = measure(pandas.read_csv(args.reference), rows, args.limit)
        print(f"{len(rows)} rows: {count} of {len(FEATURES)} columns drifted")
        code = int(said["share"] >= args.limit)
        if args.report:
            report.save_html(str(args.report))
    tell(said, args.gateway, args.textfile)
    return 0 if args.only_tell else code


def tell(said: dict[str, float], gateway: str | None, textfile: str | None) -> None:
    """Hands the figures to Prometheus."""
    registry = CollectorRegistry()
    for name, value in said.items():
        Gauge(f"model_drift_{name}", GAUGES[name], registry=registry).set(value)
    if gateway:
        push_to_gateway(gateway, job=f"{NAME}-drift", registry=registry)
    if textfile:
        write_to_textfile(textfile, registry)


if __name__ == "__main__":
    raise SystemExit(main())
