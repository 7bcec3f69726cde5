#!/usr/bin/env bash
«% set steps = "up|share N|promote|status|down" if parts.ab else "up|status|down" %»
# Azure Machine Learning: run.sh «steps|line». It needs `az` with its extension `ml`, Docker and credentials.
«% include "managed/common.sh" %»
group=«parameters.group» workspace=«parameters.workspace» location=«parameters.location» registry=«parameters.acr»
compute=$name-cpu
ml() { az ml "$@" --resource-group "$group" --workspace-name "$workspace"; }
filled() { # a file with its @…@ filled; its path
  sed -e "s|@RUN@|$run|g; s|@MONTH@|$(date -u +%Y-%m)|g; s|@ENDPOINT@|${endpoint:-}|g; s|@IMAGE@|${image:-}|g" \
    -e "s|@ALGORITHM@|${algorithm:-}|g; s|@JOB@|${job:-}|g; s|@VERSION@|${version:-}|g" "$1" >"$made/$1"
  echo "$made/$1"
}
named() { # its name is one of the whole region's, so the subscription stands in it
  local subscription
  subscription=$(az account show --query id --output tsv)
  endpoint=$name-${subscription:0:8}
}
alarm() { # SCOPE NAME FILE
  az rest --method put --url "$1/providers/Microsoft.Consumption/budgets/$2?api-version=2023-11-01" --body "@$(filled "$3")" --output none
}
built() { # builds the image and brings it to the registry; says its name
  [[ -d ../model ]] || { echo "there is no model yet: make train promote" >&2; return 1; }
  az acr login --name "$registry" >&2
  docker build --platform linux/amd64 --tag "$registry.azurecr.io/$name:$run" .. >&2
  docker push "$registry.azurecr.io/$name:$run" >&2
  echo "$registry.azurecr.io/$name:$run"
}
trained() { # ALGORITHM: trains, registers what came out, and says its version
  local algorithm=$1 job
  job=$(ml job create --file "$(filled job.yml)" --query name --output tsv)
  ml job stream --name "$job" >&2
  [[ $(ml job show --name "$job" --query status --output tsv) == Completed ]]
  ml model create --file "$(filled model.yml)" --query version --output tsv
}
champion() { ml model list --name "$name" --query "[?tags.stage=='champion'].version | [0]" --output tsv; }
crown() { # VERSION: it is the champion, and no other
  local older
  older=$(champion)
  if [[ -n $older && $older != None ]]; then ml model update --name "$name" --version "$older" --set tags.stage=past --output none; fi
  ml model update --name "$name" --version "$1" --set tags.stage=champion --output none
}
deploy() { # VARIANT VERSION
  local version=$2
  ml online-deployment create --file "$(filled "deployment-$1.yml")" --output none
}
traffic() { ml online-endpoint update --name "$endpoint" --traffic "$1" --output none; }

up() {
  local image stable
  ends
  named
  # The group costs nothing; the budget comes next, before anything that does.
«% if parts.trial %»
  # A trial has a spending limit: it is there as long as nobody has taken it away.
  az rest --method get --url "/subscriptions/$(az account show --query id --output tsv)?api-version=2022-12-01" --query subscriptionPolicies
  alarm "/subscriptions/$(az account show --query id --output tsv)" "$name-trial" trial-budget.json
«% endif %»
  if [[ $(az group exists --name "$group") != true ]]; then
    az group create --name "$group" --location "$location" --tags "project=$name" --output none
  fi
  alarm "/subscriptions/$(az account show --query id --output tsv)/resourceGroups/$group" "$name" budget.json
  az acr show --name "$registry" --resource-group "$group" --output none 2>/dev/null ||
    az acr create --name "$registry" --resource-group "$group" --sku Basic --output none
  az ml workspace show --name "$workspace" --resource-group "$group" --output none 2>/dev/null ||
    az ml workspace create --name "$workspace" --resource-group "$group" --location "$location" \
      --container-registry "$(az acr show --name "$registry" --resource-group "$group" --query id --output tsv)" --output none
  image=${IMAGE:-$(built)}
  ml environment create --file "$(filled environment.yml)" --output none
  ml compute create --file compute.yml --output none
«% if parts.ab %»
  # What is the champion stays; the first time there is none yet, and the simpler model is that.
  stable=$(champion)
  if [[ -z $stable || $stable == None ]]; then
    stable=$(trained logistic)
    crown "$stable"
  fi
  candidate=$(trained "${ALGORITHM:-forest}")
«% else %»
  stable=$(trained "${ALGORITHM:-forest}")
  crown "$stable"
«% endif %»
  ml online-endpoint show --name "$endpoint" --output none 2>/dev/null ||
    ml online-endpoint create --file endpoint.yml --name "$endpoint" --output none
  deploy stable "$stable"
«% if parts.ab %»
  deploy candidate "$candidate"
  # Only once both are there can the requests be shared between them.
  traffic "stable=«100 - parameters.weight|int» candidate=«parameters.weight|int»"
«% else %»
  traffic stable=100
«% endif %»
  ml online-endpoint show --name "$endpoint" --query '[scoring_uri, traffic]' --output json
  echo "it ends: $end"
}
«% if parts.ab %»

share() {
  [[ ${1:-} =~ ^(0|[1-9][0-9]?|100)$ ]] || { echo "share N: of 100 requests that the candidate gets" >&2; exit 2; }
  named
  traffic "stable=$((100 - $1)) candidate=$1"
}
promote() { # the candidate is the champion and gets all requests; the next `up` makes it the stable one
  local model
  named
  model=$(ml online-deployment show --name candidate --endpoint-name "$endpoint" --query model --output tsv)
  crown "${model##*[:/]}"
  traffic "stable=0 candidate=100"
}
«% endif %»

status() { # what costs by the hour in this workspace, whoever made it
  echo "in $workspace, by the hour:"
  ml online-endpoint list --query '[].[name, provisioning_state]' --output tsv
  ml compute list --query '[].[name, type, size]' --output tsv
}

take_endpoint() { if [[ $1 == "$endpoint" ]]; then gone ml online-endpoint delete --name "$1" --yes; fi; }
take_compute() { if [[ $1 == "$compute" ]]; then gone ml compute delete --name "$1" --yes; fi; }
down() {
  local owner
  named
  if [[ $(az group exists --name "$group") != true ]]; then
    echo "the group $group is not there: nothing of it costs"
    return
  fi
  each take_endpoint ml online-endpoint list --query '[].name' --output tsv
  each take_compute ml compute list --query '[].name' --output tsv
  status || failed=1
  owner=$(az group show --name "$group" --query tags.project --output tsv) || owner=
  if [[ $failed == 1 ]]; then
    echo "the group $group stays with its alarm, since something in it does" >&2
  elif [[ $owner == "$name" ]]; then
    gone az group delete --name "$group" --yes
  else
    echo "the group $group is not of this project: its workspace $workspace and its registry $registry stay, and cost"
  fi
  return "$failed"
}

«% include "managed/steps.sh" %»
