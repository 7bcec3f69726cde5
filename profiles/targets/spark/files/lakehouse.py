"""A lakehouse in Delta tables: bronze as it came, silver cleaned, gold to train on, and answers.

    lakehouse.py build      bronze, silver and gold
    lakehouse.py train      a challenger, trained on gold, tracked and registered; --algorithm
    lakehouse.py promote    the challenger becomes the champion, if it is no worse on gold
    lakehouse.py score      gold's rows, answered by the champion«% if parts.ab %» and the challenger«% endif %»

    lakehouse.py history    what was done to each table

The project's package has to be found: run.sh sees to that. It speaks Spark
Connect: with the server that SPARK_REMOTE names, else with Sail in this process.
LAKE is where the tables lie: a folder, or what every machine of that server reaches.
"""

import argparse
import contextlib
import os

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from «(parameters.package or parameters.name|replace("-", "_"))|word» import NAME, model, promote, train
from «(parameters.package or parameters.name|replace("-", "_"))|word».data import FEATURES, TARGET

TABLES = ["bronze", "silver", "gold", "answers"]
LAKE = os.environ.get("LAKE", "lake").rstrip("/")
SHARE = int(os.environ.get("SHARE", «parameters.weight if parts.ab else "0"»))


@contextlib.contextmanager
def session():
    """A session with Spark; without a server, Sail is one as long as this lasts."""
    remote, server = os.environ.get("SPARK_REMOTE"), None
    if not remote:
        from pysail.spark import SparkConnectServer

        server = SparkConnectServer("127.0.0.1", 0)
        server.start(background=True)
        remote = f"sc://127.0.0.1:{server.listening_address[1]}"
    spark = SparkSession.builder.remote(remote).getOrCreate()
    try:
        yield spark
    finally:
        spark.stop()
        if server:
            server.stop()


def read(spark: SparkSession, table: str) -> DataFrame:
    """A table of the lake."""
    return spark.read.format("delta").load(f"{LAKE}/{table}")


def write(rows: DataFrame, table: str, mode: str = "overwrite") -> None:
    """A new version of a table; the one before stays in its history."""
    rows.write.format("delta").mode(mode).option("overwriteSchema", mode == "overwrite").save(
        f"{LAKE}/{table}"
    )


def bronze(spark: SparkSession) -> None:
    """What data.py loads, as it comes."""
    came = model.load().reset_index(names="id")
    write(spark.createDataFrame(came).withColumn("came", F.current_timestamp()), "bronze", "append")


def silver(spark: SparkSession) -> None:
    """Each row once, in its latest state, without what cannot be."""
    bronze = read(spark, "bronze")
    latest = bronze.groupBy("id").agg(F.max("came").alias("came"))
    silver = bronze.join(latest, ["id", "came"]).dropDuplicates(["id"]).dropna()
    for name in FEATURES:
        silver = silver.where(~F.isnan(F.col(name).cast("double")))
    write(silver, "silver")


def build(spark: SparkSession) -> None:
    """What data.py loads, as it comes, then without what cannot be, then as it is trained on."""
    bronze(spark)
    silver(spark)
    write(read(spark, "silver").select("id", *FEATURES, TARGET), "gold")
    for table in TABLES[:3]:
        print(f"{table}: {read(spark, table).count()} rows")


def gold(spark: SparkSession):
    """What is trained on, in an order that stays."""
    return read(spark, "gold").toPandas().sort_values("id", ignore_index=True).drop(columns="id")


def answering(alias: str):
    """What answers a part of the rows with the version that has an alias; nothing without one."""
    import mlflow

    found = promote.version(alias)
    if found is None:
        return None
    known = mlflow.sklearn.load_model(f"models:/{NAME}@{alias}")

    def answer(parts):
        for part in parts:
            yield part[["id", "variant"]].assign(
                answer=known.predict(part[FEATURES]).astype("int64"), version=str(found.version)
            )

    return answer


def score(spark: SparkSession) -> None:
    """Answers every row; one row stays with one variant as long as the shares stay."""
    by = {"stable": answering("champion"), "candidate": answering("challenger") if SHARE else None}
    if by["stable"] is None:
        raise SystemExit("no version is the champion: lakehouse.py train, lakehouse.py promote")
    bucket = F.pmod(F.crc32(F.col("id").cast("string")), F.lit(100))
    share = SHARE if by["candidate"] else 0
    rows = read(spark, "gold").withColumn(
        "variant", F.when(bucket < share, F.lit("candidate")).otherwise(F.lit("stable"))
    )
    schema = "id long, variant string, answer long, version string"
    parts = [
        rows.where(F.col("variant") == variant).mapInPandas(answer, schema)
        for variant, answer in by.items()
        if answer
    ]
    answers = parts[0] if len(parts) == 1 else parts[0].unionByName(parts[1])
    write(answers.withColumn("at", F.current_timestamp()), "answers")
    read(spark, "answers").groupBy("variant", "version").count().orderBy("variant").show()


def history() -> None:
    """Every version of every table, as the tables say it themselves."""
    from deltalake import DeltaTable

    for table in TABLES:
        for row in reversed(DeltaTable(f"{LAKE}/{table}").history()):
            print(table, row["version"], row["timestamp"], row["operation"])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=["build", "train", "promote", "score", "history"])
    parser.add_argument("--algorithm", choices=model.ALGORITHMS, default="forest")
    args = parser.parse_args()
    if args.step == "history":
        return history()
    with session() as spark:
        if args.step in ("build", "score"):
            {"build": build, "score": score}[args.step](spark)
        else:
            # The model is trained and judged on gold, in the place of what data.py loads.
            rows = gold(spark)
            model.load = lambda: rows
            if args.step == "train":
                train.main(["--algorithm", args.algorithm])
            else:
                promote.main(["--export", "model"])
    return None


if __name__ == "__main__":
    main()
