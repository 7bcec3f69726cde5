"""The step that deploys, with a kubectl that only writes down what it is asked."""

import pathlib
import shutil
import subprocess

import pytest

DEPLOY = pathlib.Path(__file__).parent.parent / "deploy"
KUBECTL = """#!/bin/sh
echo "$@" >>"$LOG"
case "$*" in
  *"get deployments"*) echo deployment.apps/a; echo deployment.apps/b ;;
  *"get deployment/"*-stable*) printf '%s' "$RUNS" ;;
  *"get deployment/"*) exit "${SILENT:-0}" ;;
  *"rollout status"*) exit "${FAILS:-0}" ;;
esac
"""
NEW, OLD = "r.example/a@sha256:" + "1" * 64, "r.example/a@sha256:" + "2" * 64


@pytest.fixture
def deploy(tmp_path, monkeypatch):
    """Deploys from a copy: how it ended, what kubectl was asked, and which images are meant."""
    folder = shutil.copytree(DEPLOY, tmp_path / "deploy")
    (folder / "render.sh").write_text("#!/bin/sh\necho rendered $1\n")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/kubectl").write_text(KUBECTL)
    (tmp_path / "bin/kubectl").chmod(0o755)

    def deploy(**more):
        log = tmp_path / "log"
        log.write_text("")
        path = f"{tmp_path}/bin:/usr/bin:/bin"
        environment = {"PATH": path, "LOG": str(log), "RUNS": "", **more}
        command = [folder / "deploy.sh", "prod"]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        files = [path.read_text() for path in folder.rglob("*.yaml")]
        return done, log.read_text(), "".join(text for text in files if "sha256:" in text)

    return deploy


def test_a_release_is_applied_and_waited_for(deploy):
    done, log, meant = deploy(STABLE=NEW)
    assert done.returncode == 0, done.stderr
    assert "apply --filename" in log and log.count("rollout status") == 2
    assert "rollout undo" not in log
    assert NEW[-64:] in meant


def test_one_that_does_not_come_up_goes_back(deploy):
    done, log, _ = deploy(STABLE=NEW, FAILS="1")
    assert done.returncode == 1 and log.count("rollout undo") == 2


def test_a_candidate_leaves_the_stable_one_as_it_runs(deploy):
    done, _, meant = deploy(CANDIDATE=NEW, RUNS=OLD)
    assert done.returncode == 0, done.stderr
    assert NEW[-64:] in meant and OLD[-64:] in meant


def test_without_an_image_nothing_is_applied(deploy):
    for more in ({}, {"STABLE": "r.example/a:latest"}, {"STABLE": NEW, "MONITOR": "a:1"}):
        done, log, _ = deploy(**more)
        assert done.returncode == 2 and "apply" not in log


def test_where_the_cluster_does_not_answer_no_candidate_is_replaced(deploy):
    done, log, _ = deploy(STABLE=NEW, SILENT="1")
    assert done.returncode == 1 and "apply" not in log
