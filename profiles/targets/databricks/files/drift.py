"""What the endpoint was asked on the last day, compared with what the model is trained on.

Fails where it drifted, and then Databricks writes. Too few rows are no drift: that is told, and
it does not fail.
"""

import json
import pathlib
import sys
import tempfile

import pandas
from pyspark.sql import SparkSession

from «(parameters.package or parameters.name|replace("-", "_"))|word» import drift
from «(parameters.package or parameters.name|replace("-", "_"))|word».data import FEATURES
from «(parameters.package or parameters.name|replace("-", "_"))|word».model import split

ANSWERED = "status_code = 200"
LAST_DAY = "request_time >= current_timestamp() - interval 1 day"


def rows(body: dict) -> list[dict]:
    """The rows of a request, in either form that the endpoint takes."""
    if "dataframe_split" in body:
        table = body["dataframe_split"]
        return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    return body.get("dataframe_records", [])


def main(table: str) -> None:
    """The job, with the table into which the endpoint writes."""
    spark = SparkSession.builder.getOrCreate()
    if not spark.catalog.tableExists(table):
        print(f"{table} is not there yet: nothing was asked")
        return
    found = spark.table(table).where(ANSWERED).where(LAST_DAY).select("request")
    asked = [row for line in found.collect() for row in rows(json.loads(line["request"]))]
    with tempfile.TemporaryDirectory() as folder:
        reference, current = pathlib.Path(folder, "reference.csv"), pathlib.Path(folder, "asked")
        current.mkdir()
        split()[0][FEATURES].to_csv(reference, index=False)
        pandas.DataFrame(asked, columns=FEATURES).to_csv(current / "asked.csv", index=False)
        code = drift.main(["--reference", str(reference), "--current", str(current)])
    # A task that ends by `sys.exit(0)` may count as failed there.
    if code == 1:
        raise SystemExit(code)


main(*sys.argv[1:])
