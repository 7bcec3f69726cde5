#!/usr/bin/env bash
# The lakehouse on this machine: run.sh up|ask ROW|trace ROW|catalogue|govern …, in an environment of its own, which is made the first
# time (about 1.5 GB); in another that has the packages: PYTHON=python
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=src:lakehouse:governance LAKE=${LAKE:-lake} MLFLOW_TRACKING_URI=${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}
export MLFLOW_DISABLE_TELEMETRY=true FEAST_USAGE=False RUST_LOG=${RUST_LOG:-error}
# On a cluster, and what that costs: the platform `spark`.
unset SPARK_REMOTE
if [[ -z ${PYTHON:-} && ! -e .lake/whole ]]; then
  python3 -m venv --clear .lake
  # Nothing whose hash does not stand there, and nothing built but the one that has no wheel.
  .lake/bin/pip install --quiet --require-hashes --only-binary=:all: --requirement lakehouse/build.txt
  .lake/bin/pip install --quiet --require-hashes --only-binary=:all: --no-binary=pyspark-client --no-build-isolation \
    --requirement lakehouse/requirements.txt
  touch .lake/whole
fi
case ${1:-} in
up | ask | trace | catalogue) exec "${PYTHON:-.lake/bin/python}" lakehouse/pipeline.py "$@" ;;
govern) exec "${PYTHON:-.lake/bin/python}" governance/govern.py "${@:2}" ;;
*)
  echo "$0 up|ask ROW|trace ROW|catalogue|govern …" >&2
  exit 2
  ;;
esac
