#!/bin/sh
# Says which images are meant: ./deploy/pin.sh IMAGE@DIGEST [CANDIDATE@DIGEST [MONITOR@DIGEST]]
set -eu
entry() {
  printf '  - name: %s\n    newName: "%s"\n    digest: "%s"\n' "$1" "${2%@*}" "${2#*@}"
}
{
  echo '# Written by ./deploy/pin.sh: each variant has an image of its own.'
  echo 'apiVersion: kustomize.config.k8s.io/v1alpha1'
  echo 'kind: Component'
  echo 'images:'
  entry «parameters.name» "$1"
  entry «parameters.name»-candidate "${2:-$1}"
  if [ -n "${3:-}" ]; then entry «parameters.name»-monitor "$3"; fi
} >"$(dirname "$0")/release/kustomization.yaml"
