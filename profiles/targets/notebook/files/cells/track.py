import logging

os.environ["GIT_PYTHON_REFRESH"] = "quiet"
logging.getLogger("alembic").setLevel(logging.WARNING)

import mlflow

mlflow.set_tracking_uri(f"sqlite:///{folder / 'runs.db'}")
experiment = mlflow.get_experiment_by_name("digits")
experiment = (
    experiment.experiment_id
    if experiment
    else mlflow.create_experiment("digits", artifact_location=(folder / "artifacts").as_uri())
)
with mlflow.start_run(experiment_id=experiment) as run:
    mlflow.log_params(settings)
    mlflow.log_metric("accuracy", accuracy)
    mlflow.log_artifact(str(path))
back = mlflow.get_run(run.info.run_id).data
if back.metrics != {"accuracy": accuracy} or set(back.params) != set(settings):
    raise RuntimeError(«texts.track.differs»)
for kept in mlflow.search_runs([experiment], output_format="list"):
    print(kept.info.run_name, kept.data.params, kept.data.metrics)
print(«texts.track.kept», folder / "runs.db")
