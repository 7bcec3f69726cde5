"""Makes the challenger the champion if it is no worse, and takes a version out of the registry."""

import argparse
import json
import pathlib

import mlflow
from mlflow.exceptions import MlflowException

from . import NAME
from .model import pack, score, split


def version(alias: str):
    """The version that has this alias; none where no version has it."""
    try:
        return mlflow.MlflowClient().get_model_version_by_alias(NAME, alias)
    except MlflowException as error:
        if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def promote(margin: float) -> str:
    """The number of the version that is the champion now: both are judged on the same rows."""
    _, held_out = split()

    def how_good(alias: str) -> float:
        return score(mlflow.sklearn.load_model(f"models:/{NAME}@{alias}"), held_out)

    challenger, champion = version("challenger"), version("champion")
    if challenger is None:
        raise SystemExit(f"no version of {NAME} is the challenger: train one first")
    if champion is None or how_good("challenger") >= how_good("champion") + margin:
        mlflow.MlflowClient().set_registered_model_alias(NAME, "champion", challenger.version)
        return str(challenger.version)
    return str(champion.version)


def export(alias: str, folder: pathlib.Path) -> dict:
    """Writes the version with this alias as it is served."""
    found = version(alias)
    if found is None:
        raise SystemExit(f"no version of {NAME} is the {alias}")
    source = mlflow.artifacts.download_artifacts(f"models:/{NAME}@{alias}")
    model = (pathlib.Path(source) / "model.skops").read_bytes()
    train, _ = split()
    return pack(folder, model, train, name=NAME, version=str(found.version), run=found.run_id)


def main(argv: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--margin", type=float, default=0.0, help="how much better it has to be")
    parser.add_argument("--export", type=pathlib.Path, metavar="FOLDER")
    parser.add_argument("--alias", default="champion", help="which one is exported")
    args = parser.parse_args(argv)
    if args.alias == "champion":
        print(f"{NAME} version {promote(args.margin)} is the champion")
    if args.export:
        print(json.dumps(export(args.alias, args.export)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
