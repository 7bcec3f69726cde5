#!/bin/sh
# The manifests of an environment, as they are applied: ./deploy/render.sh dev|staging|prod
set -eu
exec kubectl kustomize "$(dirname "$0")/overlays/$1"
