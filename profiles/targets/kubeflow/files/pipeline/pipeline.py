«% set package = parameters.package or parameters.name|replace("-", "_") %»
"""Trains, judges, and lets the new version become the champion if it is good enough.

Without an argument it writes build/pipeline.yaml, which is what Kubeflow Pipelines takes; with
`run` it runs here, in processes of this computer, with the registry of MLFLOW_TRACKING_URI.
"""

import os
import pathlib
import sys
from typing import NamedTuple

from kfp import compiler, dsl

# Of pipeline/Dockerfile: it has the project, MLflow and kfp, so that no step installs anything.
IMAGE = os.environ.get(
    "IMAGE",
    «(parameters.registry ~ "/" ~ parameters.name ~ "-pipeline:unreleased")»,
)
TRACKING = os.environ.get(
    "MLFLOW_TRACKING_URI",
    «parameters.tracking»,
)


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def train(algorithm: str, scores: dsl.Output[dsl.Metrics]) -> NamedTuple(
    "Trained", version=str, f1=float
):
    """A new version in the registry, which is the challenger, and how good it is."""
    from typing import NamedTuple

    import mlflow

    from «package|word» import NAME
    from «package|word».train import tracked

    number = tracked(algorithm)
    client = mlflow.MlflowClient()
    run = client.get_run(client.get_model_version(NAME, number).run_id)
    scores.log_metric("f1", run.data.metrics["f1"])
    trained = NamedTuple("Trained", version=str, f1=float)  # noqa: UP014
    return trained(number, run.data.metrics["f1"])


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def gate(f1: float, least: float) -> str:
    """Whether it is good enough to be compared at all."""
    return "promote" if f1 >= least else "keep"


@dsl.component(base_image=IMAGE, install_kfp_package=False)
def promote(version: str, margin: float) -> str:
    """The champion after both were judged on the same rows."""
    from «package|word».promote import promote as judged

    champion = judged(margin)
    print(f"version {version} was the challenger, version {champion} is the champion")
    return champion


@dsl.pipeline(name=«parameters.name», description="Trains, judges, promotes")
def pipeline(algorithm: str = "forest", least: float = 0.6, margin: float = 0.0):
    """Nothing is promoted that is below `least`, or worse than the champion by `margin`."""
    trained = train(algorithm=algorithm)
    trained.set_cpu_limit("1").set_memory_limit("2G").set_retry(2)
    # What a run costs is not saved where it was already done: the data may be new.
    trained.set_caching_options(False).set_env_variable("MLFLOW_TRACKING_URI", TRACKING)
    verdict = gate(f1=trained.outputs["f1"], least=least)
    with dsl.If(verdict.output == "promote"):
        done = promote(version=trained.outputs["version"], margin=margin)
        done.set_caching_options(False).set_env_variable("MLFLOW_TRACKING_URI", TRACKING)


def main(words: list[str]) -> None:
    """Writes it, or runs it: run [--algorithm=NAME] [--least=NUMBER]."""
    if words[:1] == ["run"]:
        from kfp import local

        local.init(runner=local.SubprocessRunner(use_venv=False), pipeline_root="build/pipeline")
        given = dict(word.removeprefix("--").split("=", 1) for word in words[1:])
        known = {"algorithm": str, "least": float, "margin": float}
        pipeline(**{name: known[name](value) for name, value in given.items()})
        return
    file = pathlib.Path("build/pipeline.yaml")
    file.parent.mkdir(exist_ok=True)
    compiler.Compiler().compile(pipeline, str(file))


if __name__ == "__main__":
    main(sys.argv[1:])
