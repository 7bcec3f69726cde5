"""What the jobs run: the project's own training and promotion, with a registry in Unity Catalog."""

import os
import sys


def main(model: str, experiment: str, step: str, *words: str) -> None:
    """A step of the project's, which reads its names when it is imported."""
    os.environ["MODEL_NAME"] = model
    os.environ["MLFLOW_EXPERIMENT_NAME"] = experiment
    os.environ.setdefault("MLFLOW_REGISTRY_URI", "databricks-uc")
    from «(parameters.package or parameters.name|replace("-", "_"))|word» import promote, train

    code = {"train": train, "promote": promote}[step].main(list(words))
    # A task that ends by `sys.exit(0)` may count as failed there.
    if code:
        raise SystemExit(code)


main(*sys.argv[1:])
