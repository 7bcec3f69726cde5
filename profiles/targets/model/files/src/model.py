"""How models are made and judged, and the folder that carries one from training to the service."""

import hashlib
import json
import pathlib

import pandas
import skops.io
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from .data import FEATURES, TARGET, load

ALGORITHMS = {
    "logistic": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
    "forest": lambda: RandomForestClassifier(n_estimators=60, max_depth=10, random_state=0),
}
# What skops does not load unless it is said here. Only files whose sha256 is known are loaded.
TRUSTED = ["sklearn.tree._tree.Tree"]


def split() -> tuple[pandas.DataFrame, pandas.DataFrame]:
    """What is trained on and what is held out: the same each time, so that versions compare."""
    table = load()
    return train_test_split(table, test_size=0.3, random_state=0, stratify=table[TARGET])


def score(model, held_out: pandas.DataFrame) -> float:
    """How good it is: 1 is best, and no class counts more than another."""
    said = model.predict(held_out[FEATURES])
    return float(f1_score(held_out[TARGET], said, average="macro"))


def pack(folder: pathlib.Path, model: bytes, reference: pandas.DataFrame, **facts: str) -> dict:
    """Writes what is served: the model, what drift is measured against, and where it is from."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.skops").write_bytes(model)
    reference[FEATURES].to_csv(folder / "reference.csv", index=False)
    facts = facts | {"sha256": hashlib.sha256(model).hexdigest()}
    (folder / "facts.json").write_text(json.dumps(facts, indent=2) + "\n")
    return facts


def unpack(folder: pathlib.Path) -> tuple[object, dict]:
    """The model in a folder, if it is the one that facts.json names, and its facts."""
    facts = json.loads((folder / "facts.json").read_text())
    model = (folder / "model.skops").read_bytes()
    if hashlib.sha256(model).hexdigest() != facts["sha256"]:
        raise RuntimeError(f"{folder}/model.skops is not the model that facts.json names")
    return skops.io.loads(model, trusted=TRUSTED), facts
