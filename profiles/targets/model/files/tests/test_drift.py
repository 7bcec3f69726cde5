«% set package = parameters.package or parameters.name|replace("-", "_") %»
import os
import time

import pytest

from «package|word».data import FEATURES

drift = pytest.importorskip(
    "«package|word».drift",
    reason="poetry install --with monitor",
    exc_type=ImportError,
)


@pytest.fixture
def run(model_dir, tmp_path):
    """Measures the drift of a table."""

    def run(table, *more):
        table[FEATURES].to_csv(tmp_path / "now.csv", index=False)
        reference = ["--reference", str(model_dir / "reference.csv")]
        return drift.main([*reference, "--current", str(tmp_path), *more])

    return run


def test_the_same_data_are_no_drift(run, held_out):
    assert run(held_out) == 0


def test_shifted_data_are_drift_and_are_told(run, held_out, tmp_path):
    shifted = held_out[FEATURES] + 2 * held_out[FEATURES].std()
    text, report = tmp_path / "drift.prom", tmp_path / "drift.html"
    more = ["--textfile", str(text), "--report", str(report)]
    assert run(shifted, *more) == 1
    assert "model_drift_share 1.0" in text.read_text()
    assert report.stat().st_size > 100_000
    assert run(shifted, "--only-tell") == 0


def test_too_few_rows_say_nothing_but_that_it_was_measured(run, held_out, tmp_path):
    text = tmp_path / "drift.prom"
    assert run(held_out.head(3), "--textfile", str(text)) == 3
    assert "model_drift_share" not in text.read_text()
    assert "model_drift_last_run_timestamp_seconds" in text.read_text()


def test_old_rows_do_not_count(run, held_out, tmp_path):
    held_out[FEATURES].to_csv(tmp_path / "old.csv", index=False)
    os.utime(tmp_path / "old.csv", (time.time() - 90_000,) * 2)
    assert run(held_out.head(3)) == 3
