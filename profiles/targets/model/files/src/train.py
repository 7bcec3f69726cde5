"""Trains a model, tracks the run in MLflow and registers what came out as the challenger."""

import argparse
import json
import os
import pathlib
from importlib.metadata import version

import skops.io

from . import NAME
from .data import FEATURES, TARGET
from .model import ALGORITHMS, TRUSTED, pack, score, split


def alone(algorithm: str, folder: pathlib.Path) -> dict:
    """Trains and writes what is served, without a registry: as jobs of managed services do."""
    train, held_out = split()
    model = fitted(algorithm, train)
    run = os.environ.get("TRAINING_JOB_NAME", "local")
    facts = {"name": NAME, "version": run, "run": run, "f1": f"{score(model, held_out):.4f}"}
    return pack(folder, skops.io.dumps(model), train, **facts)


def tracked(algorithm: str) -> str:
    """Trains, tracks and registers; the number of the version, which is the challenger now."""
    import mlflow
    from mlflow.models import infer_signature

    train, held_out = split()
    mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", NAME))
    with mlflow.start_run():
        model = fitted(algorithm, train)
        mlflow.log_params({"algorithm": algorithm, "rows": len(train)})
        mlflow.log_metric("f1", score(model, held_out))
        logged = mlflow.sklearn.log_model(
            model,
            name="model",
            registered_model_name=NAME,
            signature=infer_signature(train[FEATURES], model.predict(train[FEATURES])),
            serialization_format="skops",
            skops_trusted_types=TRUSTED,
            # Said, not guessed: to guess takes MLflow a quarter of a minute.
            pip_requirements=[f"{p}=={version(p)}" for p in ("pandas", "scikit-learn", "skops")],
        )
    # A number out of a database, a text over HTTP.
    number = str(logged.registered_model_version)
    mlflow.MlflowClient().set_registered_model_alias(NAME, "challenger", number)
    return number


def fitted(algorithm: str, train):
    """A new model that knows the rows."""
    return ALGORITHMS[algorithm]().fit(train[FEATURES], train[TARGET])


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--algorithm", choices=ALGORITHMS, default="forest")
    parser.add_argument("--model-dir", type=pathlib.Path, help="write it there, without MLflow")
    args = parser.parse_args(argv)
    if args.model_dir:
        print(json.dumps(alone(args.algorithm, args.model_dir)))
    else:
        print(f"{NAME} version {tracked(args.algorithm)} is the challenger")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
