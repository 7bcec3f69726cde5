"""What the endpoint was asked on the last day, compared with what the model is trained on.

Fails where it drifted, and then Databricks writes. Too few rows are no drift: that is told, and
it does not fail. What has another form than the two that are read is counted and told; where
nothing else was asked, it fails. A request that the table does not hold (null) is not seen.
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
HELD = "request is not null"


def rows(request: str) -> list[dict] | None:
    """The rows of a request, in either form that names its columns; None for another form."""
    try:
        body = json.loads(request)
    except ValueError:
        return None
    if isinstance(body, dict) and "dataframe_split" in body:
        table = body["dataframe_split"]
        return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]
    return body.get("dataframe_records") if isinstance(body, dict) else None


def main(table: str) -> None:
    """The job, with the table into which the endpoint writes."""
    spark = SparkSession.builder.getOrCreate()
    if not spark.catalog.tableExists(table):
        print(f"{table} is not there yet: nothing was asked")
        return
    found = spark.table(table).where(ANSWERED).where(LAST_DAY).where(HELD).select("request")
    requests = [rows(line["request"]) for line in found.collect()]
    other = requests.count(None)
    if other:
        print(f"{other} of {len(requests)} requests have another form: they are not compared")
        if other == len(requests):
            raise SystemExit(1)
    asked = [row for request in requests for row in request or []]
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
