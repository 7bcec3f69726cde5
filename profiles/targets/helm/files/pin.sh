#!/bin/sh
# Says which images are meant: ./deploy/pin.sh IMAGE@DIGEST [CANDIDATE@DIGEST [MONITOR@DIGEST]]
set -eu
cat >"$(dirname "$0")/chart/release.yaml" <<YAML
# Written by ./deploy/pin.sh: each variant has an image of its own.
images:
  stable: "$1"
  candidate: "${2:-$1}"
  monitor: "${3:-}"
YAML
