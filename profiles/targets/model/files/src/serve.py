"""The model over HTTP: /predict, /healthz, /readyz, /metrics, and as managed services ask it."""

import csv
import datetime
import json
import os
import pathlib
import socket
import time
from contextlib import asynccontextmanager

import pandas
import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest
from pydantic import BaseModel, ConfigDict, Field, create_model

from . import NAME
from .data import FEATURES
from .model import unpack

# Which side of an A/B test this process is.
VARIANT = os.environ.get("VARIANT", "stable")


def folder_of_model() -> pathlib.Path:
    """Where the model lies: MODEL_DIR says so, else managed services have places of their own."""
    here = pathlib.Path("/opt/ml/model")  # SageMaker
    here = here if here.is_dir() else pathlib.Path("model")
    if azure := os.environ.get("AZUREML_MODEL_DIR"):
        # Below that are folders of the model's name and version.
        here = next((facts.parent for facts in pathlib.Path(azure).rglob("facts.json")), here)
    return pathlib.Path(os.environ.get("MODEL_DIR", here))


MODEL = folder_of_model()
# What is asked is kept only where this names a folder.
CAPTURE = os.environ.get("CAPTURE_DIR")
SILENT = ("/metrics", "/healthz", "/readyz", "/ping")

# The same names in every project, so that rules and dashboards are the same as well.
REQUESTS = Counter("model_requests_total", "Requests", ["variant", "route", "code"])
SECONDS = Histogram(
    "model_request_seconds",
    "How long requests took",
    ["variant", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
PREDICTIONS = Counter("model_predictions_total", "What was predicted", ["variant", "outcome"])
INFO = Gauge("model_info", "Which model is served", ["variant", "version", "sha256"])

Row = create_model(
    "Row",
    __config__=ConfigDict(extra="forbid", allow_inf_nan=False),
    **{name: (float, ...) for name in FEATURES},
)


class Rows(BaseModel):
    """What is asked."""

    model_config = ConfigDict(extra="forbid")
    rows: list[Row] = Field(min_length=1, max_length=1000)


class Answers(BaseModel):
    """What is answered: a class for each row, and who says so."""

    answers: list[int | str]
    variant: str
    version: str


class Instances(BaseModel):
    """What Vertex AI asks."""

    instances: list[Row] = Field(min_length=1, max_length=1000)


state: dict = {}


def load() -> None:
    """Takes the model into memory."""
    model, facts = unpack(MODEL)
    state.update(model=model, version=facts["version"])
    INFO.labels(VARIANT, facts["version"], facts["sha256"][:12]).set(1)


@asynccontextmanager
async def lifespan(_: FastAPI):
    """Ready only once the model is there."""
    load()
    yield
    state.clear()


app = FastAPI(title=NAME, lifespan=lifespan)


@app.exception_handler(RequestValidationError)
async def refused(_: Request, error: RequestValidationError) -> JSONResponse:
    """What is wrong, without what was sent: NaN in an answer would make it a fault of ours."""
    wrong = [{"at": list(map(str, e["loc"])), "what": e["msg"]} for e in error.errors()]
    return JSONResponse({"detail": wrong[:20]}, 422)


@app.middleware("http")
async def measured(request: Request, call_next) -> Response:
    """Counts, times and logs each request."""
    start = time.perf_counter()
    code = 500
    try:
        response = await call_next(request)
        code = response.status_code
        return response
    finally:
        route = getattr(request.scope.get("route"), "path", "none")
        if route not in SILENT:
            seconds = time.perf_counter() - start
            REQUESTS.labels(VARIANT, route, str(code)).inc()
            SECONDS.labels(VARIANT, route).observe(seconds)
            log(f"{request.method} {route} {code}", code, seconds)


def log(message: str, code: int, seconds: float) -> None:
    """One line of JSON, with the names of the Elastic Common Schema."""
    line = {
        "@timestamp": datetime.datetime.now(datetime.UTC).isoformat(),
        "ecs.version": "8.11.0",
        "log.level": "error" if code >= 500 else "info",
        "message": message,
        "service.name": NAME,
        "service.version": state.get("version", ""),
        "http.response.status_code": code,
        "event.duration": int(seconds * 1e9),
        "labels.variant": VARIANT,
    }
    print(json.dumps(line), flush=True)


@app.get("/ping")  # SageMaker
@app.get("/healthz")
def healthz() -> dict:
    """The process lives."""
    return {"status": "ok"}


@app.get("/readyz")
def readyz() -> dict:
    """The model is loaded."""
    if "model" not in state:
        raise HTTPException(503, "no model")
    return {"status": "ready", "version": state["version"], "variant": VARIANT}


@app.get("/metrics")
def metrics() -> Response:
    """For Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


@app.post("/invocations")  # SageMaker
@app.post("/predict")
def predict(asked: Rows) -> Answers:
    """A class for each row."""
    table = pandas.DataFrame([row.model_dump() for row in asked.rows], columns=FEATURES)
    answers = state["model"].predict(table).tolist()
    for answer in answers:
        PREDICTIONS.labels(VARIANT, str(answer)).inc()
    if CAPTURE:
        keep(table, pathlib.Path(CAPTURE))
    return Answers(answers=answers, variant=VARIANT, version=state["version"])


@app.post("/vertex")
def vertex(asked: Instances) -> dict:
    """The same for Vertex AI, which has other names."""
    said = predict(Rows(rows=asked.instances))
    return {"predictions": said.answers, "variant": said.variant, "version": said.version}


def keep(table: pandas.DataFrame, folder: pathlib.Path) -> None:
    """Appends what was asked to a file that no other process writes; drift is measured on it."""
    hour = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H")
    path = folder / f"{hour}-{VARIANT}-{socket.gethostname()}-{os.getpid()}.csv"
    is_new = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.writer(file)
        if is_new:
            writer.writerow(FEATURES)
        writer.writerows(table.itertuples(index=False))


def main() -> None:
    """The command `serve`, which SageMaker calls so. Vertex AI says its port in AIP_HTTP_PORT."""
    port = int(os.environ.get("AIP_HTTP_PORT") or os.environ.get("PORT") or 8080)
    host = os.environ.get("HOST", "0.0.0.0")  # noqa: S104
    uvicorn.run(app, host=host, port=port, access_log=False)
