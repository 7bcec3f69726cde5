#!/usr/bin/env bash
# Builds the wheel of the project, by Poetry or the one of aitk's environment.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -rf dist
if command -v poetry >/dev/null; then
  poetry build --format wheel
else
  aitk run -- env -u VIRTUAL_ENV -u CONDA_PREFIX poetry build --format wheel
fi
