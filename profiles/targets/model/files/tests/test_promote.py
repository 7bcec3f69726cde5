«% set package = parameters.package or parameters.name|replace("-", "_") %»
import pytest

from «package|word».data import FEATURES, TARGET
from «package|word».model import ALGORITHMS, score, split, unpack

mlflow = pytest.importorskip("mlflow", reason="poetry install --with train")


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A registry of its own, and what trains and promotes in it."""
    from «package|word» import NAME, promote, train

    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.create_experiment(NAME, artifact_location=(tmp_path / "artifacts").as_uri())
    return train, promote


@pytest.fixture(scope="module")
def by_merit():
    """A worse algorithm and a better one, on these data."""
    rows, held_out = split()
    models = {name: make().fit(rows[FEATURES], rows[TARGET]) for name, make in ALGORITHMS.items()}
    merit = {name: score(model, held_out) for name, model in models.items()}
    worse, better = min(merit, key=merit.get), max(merit, key=merit.get)
    if merit[worse] == merit[better]:
        pytest.skip("on these data no algorithm is better than another")
    return worse, better


def test_a_better_challenger_becomes_champion_and_a_worse_one_does_not(
    registry,
    by_merit,
    tmp_path,
):
    (train, promote), (worse, better) = registry, by_merit
    assert train.main(["--algorithm", worse]) == 0
    assert promote.promote(0.0) == "1", "the first has nobody to be compared with"
    assert train.main(["--algorithm", better]) == 0
    assert promote.promote(0.5) == "1", "it is not that much better"
    assert promote.promote(0.0) == "2"
    assert train.main(["--algorithm", worse]) == 0
    assert promote.main(["--export", str(tmp_path / "model")]) == 0
    _, facts = unpack(tmp_path / "model")
    assert facts["version"] == "2", "the third is worse"
    assert promote.main(["--alias", "challenger", "--export", str(tmp_path / "candidate")]) == 0
    assert unpack(tmp_path / "candidate")[1]["version"] == "3"
    assert promote.version("champion").version in (2, "2")


def test_without_a_challenger_it_says_what_to_do(registry):
    _, promote = registry
    with pytest.raises(SystemExit, match="train one first"):
        promote.promote(0.0)
