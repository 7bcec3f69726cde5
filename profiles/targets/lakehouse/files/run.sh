#!/usr/bin/env bash
# The lakehouse on this machine: run.sh up|ask ROW|trace ROW|catalogue|govern …
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH=src:lakehouse:governance LAKE=${LAKE:-lake} MLFLOW_TRACKING_URI=${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db}
export MLFLOW_DISABLE_TELEMETRY=true FEAST_USAGE=False RUST_LOG=${RUST_LOG:-error}
# On a cluster, and what that costs: the platform `spark`.
unset SPARK_REMOTE
«% set folder = "lakehouse" %»
«% include "spark/lake.sh" %»
case ${1:-} in
up | ask | trace | catalogue) in_lake lakehouse/pipeline.py "$@" ;;
govern) in_lake governance/govern.py "${@:2}" ;;
*)
  echo "$0 up|ask ROW|trace ROW|catalogue|govern …" >&2
  exit 2
  ;;
esac
