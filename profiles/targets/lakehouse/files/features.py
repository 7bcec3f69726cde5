"""The features, as Feast keeps them: all to train on, the latest of each row to answer with."""

import datetime
import os
import pathlib

import pandas
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64

from «(parameters.package or parameters.name|replace("-", "_"))|word».data import FEATURES, TARGET

FOLDER = pathlib.Path(os.environ.get("LAKE", "lake")).resolve() / "feast"
NAMES = [f"features:{name}" for name in FEATURES]


def store() -> FeatureStore:
    """Feast with its stores in files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    config = RepoConfig(
        project="«(parameters.package or parameters.name|replace("-", "_"))|word»",
        provider="local",
        registry=str(FOLDER / "registry.db"),
        online_store={"type": "sqlite", "path": str(FOLDER / "online.db")},
        offline_store={"type": "file"},
        entity_key_serialization_version=3,
    )
    return FeatureStore(config=config)


def materialize(rows: pandas.DataFrame) -> None:
    """Gold's rows become features: all of them to train on, the latest to answer with."""
    now = datetime.datetime.now(datetime.UTC)
    feast, file = store(), FOLDER / "features.parquet"
    rows[["id", *FEATURES]].astype(dict.fromkeys(FEATURES, "float64")).assign(at=now).to_parquet(
        file
    )
    row = Entity(name="row", join_keys=["id"], value_type=ValueType.INT64)
    view = FeatureView(
        name="features",
        entities=[row],
        ttl=datetime.timedelta(0),
        schema=[Field(name=name, dtype=Float64) for name in FEATURES],
        source=FileSource(name="gold", path=str(file), timestamp_field="at"),
    )
    feast.apply([row, view])
    hour = datetime.timedelta(hours=1)
    feast.materialize(start_date=now - hour, end_date=now + hour)


def to_train(rows: pandas.DataFrame) -> pandas.DataFrame:
    """The features of rows as they are known now, with the target that gold has."""
    now = pandas.Timestamp.now(tz="UTC")
    wanted = rows[["id", TARGET]].assign(event_timestamp=now)
    known = store().get_historical_features(entity_df=wanted, features=NAMES).to_df()
    return known.sort_values("id", ignore_index=True)[[*FEATURES, TARGET]]


def to_answer(row: int) -> dict[str, float]:
    """The features of a row, out of the store that is ready to answer."""
    found = store().get_online_features(features=NAMES, entity_rows=[{"id": row}]).to_dict()
    known = {name: found[name][0] for name in FEATURES}
    if None in known.values():
        raise SystemExit(f"there is no row {row}")
    return known
