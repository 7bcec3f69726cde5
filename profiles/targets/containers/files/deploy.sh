#!/bin/sh
# Applies an environment, waits until it is up, and goes back where it does not come up: ./deploy/deploy.sh dev|staging|prod
# STABLE, CANDIDATE and MONITOR name the images, each with its digest; one that is not named stays as it runs there.
set -eu
here=$(dirname "$0")
environment=$1
namespace=«parameters.name»-$environment

running() { # KIND/NAME, the way to its pods
  kubectl --namespace "$namespace" get "$1" --ignore-not-found \
    --output "jsonpath={$2.spec.containers[0].image}"
}

stable=${STABLE:-$(running deployment/«parameters.name»-stable .spec.template)}
candidate=${CANDIDATE:-$(running deployment/«parameters.name»-candidate .spec.template)}
monitor=${MONITOR:-$(running cronjob/«parameters.name»-drift .spec.jobTemplate.spec.template)}
if [ -z "$stable" ]; then
  echo "nothing runs in $namespace yet: STABLE=IMAGE@DIGEST $0 $environment" >&2
  exit 2
fi
for image in "$stable" "$candidate" "$monitor"; do
  case "$image" in
  '' | *@sha256:*) ;;
  *)
    echo "an image has to be named by its digest, IMAGE@sha256:…: $image" >&2
    exit 2
    ;;
  esac
done
"$here/pin.sh" "$stable" "${candidate:-$stable}" "$monitor"

manifests=$(mktemp)
trap 'rm -f "$manifests"' EXIT
"$here/render.sh" "$environment" >"$manifests"
kubectl apply --filename "$manifests"
deployments=$(kubectl --namespace "$namespace" get deployments --selector app.kubernetes.io/component=api --output name)
for deployment in $deployments; do
  kubectl --namespace "$namespace" rollout status "$deployment" --timeout=5m && continue
  echo "$deployment does not come up: all go back to what ran before" >&2
  for each in $deployments; do
    kubectl --namespace "$namespace" rollout undo "$each" || true
  done
  exit 1
done
