«% set package = parameters.package or parameters.name|replace("-", "_") %»
import shutil

import pytest
from fastapi.testclient import TestClient
from sklearn.metrics import f1_score

from «package|word» import serve, train
from «package|word».data import FEATURES, TARGET

ONE = dict.fromkeys(FEATURES, 1.0)


@pytest.fixture
def client(model_dir, tmp_path, monkeypatch):
    monkeypatch.setattr(serve, "MODEL", model_dir)
    monkeypatch.setattr(serve, "CAPTURE", str(tmp_path))
    with TestClient(serve.app) as client:
        yield client


def records(table):
    return table[FEATURES].to_dict("records")


def test_is_better_than_the_most_frequent_class(client, held_out):
    rows = held_out.head(900)
    answer = client.post("/predict", json={"rows": records(rows)})
    assert answer.status_code == 200
    truth, said = rows[TARGET], answer.json()["answers"]
    most_frequent = [truth.mode()[0]] * len(truth)
    how_good, how_good_that = (f1_score(truth, x, average="macro") for x in (said, most_frequent))
    assert how_good > how_good_that


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"rows": []},
        {"rows": [{FEATURES[0]: 1}]},
        {"rows": [dict.fromkeys(FEATURES, "x")]},
        {"rows": [ONE | {"more": 1.0}]},
        {"rows": [ONE] * 1001},
        {"rows": [ONE], "more": 1},
    ],
)
def test_refuses_what_it_does_not_know(client, body):
    assert client.post("/predict", json=body).status_code == 422


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", ""])
def test_refuses_what_is_no_number(client, value):
    body = f'{{"rows": [{{"{FEATURES[0]}": {value}}}]}}'
    answer = client.post("/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422


def test_ready_and_measured(client):
    client.post("/predict", json={"rows": [ONE]})
    assert client.get("/readyz").json() == {"status": "ready", "version": "0", "variant": "stable"}
    text = client.get("/metrics").text
    assert 'model_requests_total{code="200",route="/predict",variant="stable"}' in text
    assert 'model_info{sha256="' in text and "model_predictions_total{outcome=" in text


def test_a_request_is_a_line_of_the_log(client, capsys):
    client.post("/predict", json={})
    assert '"message": "POST /predict 422"' in capsys.readouterr().out


def test_what_is_asked_is_kept_with_one_head(client, held_out, tmp_path):
    for _ in range(2):
        client.post("/predict", json={"rows": records(held_out.head(3))})
    (file,) = tmp_path.glob("*-stable-*.csv")
    lines = file.read_text().splitlines()
    assert lines[0].split(",") == FEATURES and len(lines) == 7


def test_another_file_than_the_one_named_is_refused(model_dir, tmp_path, monkeypatch):
    for name in ("model.skops", "facts.json"):
        (tmp_path / name).write_bytes((model_dir / name).read_bytes())
    with (tmp_path / "model.skops").open("ab") as file:
        file.write(b"x")
    monkeypatch.setattr(serve, "MODEL", tmp_path)
    with pytest.raises(RuntimeError, match="is not the model"):
        serve.load()


def test_as_managed_services_ask(client, held_out):
    rows = records(held_out.head(5))
    assert client.get("/ping").status_code == 200
    answers = client.post("/predict", json={"rows": rows}).json()["answers"]
    assert client.post("/invocations", json={"rows": rows}).json()["answers"] == answers
    assert client.post("/vertex", json={"instances": rows}).json()["predictions"] == answers


def test_what_a_managed_job_writes_is_served(tmp_path, monkeypatch):
    assert train.main(["--model-dir", str(tmp_path)]) == 0
    monkeypatch.setattr(serve, "MODEL", tmp_path)
    with TestClient(serve.app) as client:
        assert client.get("/readyz").json()["version"] == "local"


def test_azure_lays_the_model_somewhere_below_a_folder(model_dir, tmp_path, monkeypatch):
    monkeypatch.delenv("MODEL_DIR", raising=False)
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path))
    there = shutil.copytree(model_dir, tmp_path / "name/3")
    assert serve.folder_of_model() == there
