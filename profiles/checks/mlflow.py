"""MLflow logs a run into a folder of its own and reads it back."""

import logging
import os
import tempfile

# Nothing but what fails is worth a word.
os.environ["GIT_PYTHON_REFRESH"] = "quiet"
logging.disable(logging.WARNING)

import mlflow

with tempfile.TemporaryDirectory() as folder:
    mlflow.set_tracking_uri(f"sqlite:///{folder}/runs.db")
    experiment = mlflow.create_experiment("aitk", artifact_location=f"file://{folder}/artifacts")
    with mlflow.start_run(experiment_id=experiment) as run:
        mlflow.log_param("depth", 3)
        mlflow.log_metric("accuracy", 0.75)
        mlflow.log_text("a note", "note.txt")
    back = mlflow.get_run(run.info.run_id)
    if back.data.params != {"depth": "3"} or back.data.metrics != {"accuracy": 0.75}:
        fail("MLflow reads back {params} and {metrics}", params=back.data.params, metrics=back.data.metrics)
    if mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/note.txt") != "a note":
        fail("MLflow does not read back what it kept")
say("MLflow {version} logs a run and reads it back", version=mlflow.__version__)
