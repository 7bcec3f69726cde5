«% set package = parameters.package or parameters.name|replace("-", "_") %»
import io
import pathlib

import pytest

from «package|word» import costs

BUDGET = pathlib.Path(__file__).parent.parent / "costs/budget.yaml"
MANIFESTS = """
kind: Deployment
metadata: { name: a }
spec:
  replicas: 2
  template:
    spec: { containers: [{ resources: { requests: { cpu: 500m, memory: 512Mi } } }] }
---
kind: HorizontalPodAutoscaler
spec: { scaleTargetRef: { name: a }, maxReplicas: 4 }
---
kind: PersistentVolumeClaim
spec: { resources: { requests: { storage: 10Gi } } }
"""


@pytest.mark.parametrize(
    ("quantity", "number"),
    [("100m", 0.1), ("1", 1), (2, 2), ("0.5", 0.5), ("512Mi", 2**29), ("1G", 1e9)],
)
def test_quantities_of_kubernetes(quantity, number):
    assert costs.amount(quantity) == pytest.approx(number)


def run(monkeypatch, tmp_path, limit, as_of="2026-01-01"):
    text = BUDGET.read_text().splitlines()
    text = [line for line in text if "as_of:" not in line and "prod:" not in line]
    text = "\n".join(text).replace("price:", f"price:\n  as_of: {as_of}") + f"\n  prod: {limit}\n"
    (tmp_path / "budget.yaml").write_text(text)
    monkeypatch.setattr("sys.stdin", io.StringIO(MANIFESTS))
    return costs.main(["prod", "--budget", str(tmp_path / "budget.yaml")])


def test_an_autoscaler_counts_at_its_maximum(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, 100_000) == 0
    assert "2 cores, 2 GiB, 10 GiB of storage" in capsys.readouterr().out


def test_over_the_limit_is_a_failure_and_old_prices_are_told(monkeypatch, tmp_path, capsys):
    assert run(monkeypatch, tmp_path, 1, "2020-01-01") == 1
    assert "days old" in capsys.readouterr().err
