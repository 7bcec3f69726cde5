#!/bin/sh
# The manifests of an environment, as they are applied: ./deploy/render.sh dev|staging|prod
set -eu
chart=$(dirname "$0")/chart
exec helm template «parameters.name» "$chart" --namespace "«parameters.name»-$1" --values "$chart/values-$1.yaml" --values "$chart/release.yaml"
