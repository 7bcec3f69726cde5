#!/usr/bin/env bash
«% set steps = "up|share N|promote|status|down" if parts.ab else "up|status|down" %»
# Vertex AI (Gemini Enterprise Agent Platform): run.sh «steps|line». It needs gcloud with credentials, Docker, curl and Python.
«% include "managed/common.sh" %»
project=«parameters.project» region=«parameters.region»
bucket=$project-$name
account=$name-runner@$project.iam.gserviceaccount.com
registry=$region-docker.pkg.dev
ai=https://$region-aiplatform.googleapis.com/v1
place=projects/$project/locations/$region
filled() { # a file with its @…@ filled
  sed -e "s|@RUN@|$run|g; s|@BUCKET@|$bucket|g; s|@ACCOUNT@|$account|g; s|@NUMBER@|${number:-}|g; s|@CHANNEL@|${channel:-}|g" \
    -e "s|@ALGORITHM@|${algorithm:-}|g; s|@VARIANT@|${variant:-}|g; s|@IMAGE@|${image:-}|g; s|@MODEL@|${model:-}|g" \
    -e "s|@STABLE@|${stable:-}|g; s|@ALIAS@|${alias:-}|g" "$1"
}
call() { # METHOD URL [BODY]
  curl --fail-with-body --silent --show-error --request "$1" --header "authorization: Bearer $(gcloud auth print-access-token)" \
    --header "x-goog-user-project: $project" --header 'content-type: application/json' --data "${3:-}" "$2"
}
field() { # what an expression of Python's says of `it`, the JSON that comes in
  python3 -c 'import json, sys; it = json.load(sys.stdin); value = eval(sys.argv[1]); print(value if isinstance(value, str) else "\n".join(map(str, value)))' "$1"
}
finished() { # waits for the operation that comes in; its answer
  local operation said
  operation=$(field 'it["name"]')
  for _ in $(seq 180); do
    said=$(call GET "$ai/$operation")
    if [[ $(field 'str(it.get("done", False))' <<<"$said") == True ]]; then
      [[ $(field 'str("error" in it)' <<<"$said") == False ]] || { echo "$said" >&2; return 1; }
      echo "$said"
      return
    fi
    sleep "${PAUSE:-10}"
  done
  echo "$operation is not finished after half an hour" >&2
  return 1
}

budget() { # FILE: an alarm of the billing account, once
  local billing title there
  billing=$(gcloud billing projects describe "$project" --format='value(billingAccountName)')
  title=$(field 'it["displayName"]' <"$1")
  there=$(alarms "$billing" "$title")
  [[ -z $there ]] || return 0
  number=$(gcloud projects describe "$project" --format='value(projectNumber)')
  channel=$(call GET "https://monitoring.googleapis.com/v3/projects/$project/notificationChannels" |
    field '[c["name"] for c in it.get("notificationChannels", []) if c["displayName"] == "'"$name"'"][:1]')
  [[ -n $channel ]] || channel=$(call POST "https://monitoring.googleapis.com/v3/projects/$project/notificationChannels" "$(cat channel.json)" | field 'it["name"]')
  call POST "https://billingbudgets.googleapis.com/v1/$billing/budgets" "$(filled "$1")" >/dev/null
}
alarms() { # BILLING TITLE
  call GET "https://billingbudgets.googleapis.com/v1/$1/budgets?pageSize=200" |
    field '[b["name"] for b in it.get("budgets", []) if b["displayName"] == "'"$2"'"]'
}
image_of() { # FOLDER TAG: the image with the model in that folder, in the project's registry
  [[ -d ../$1 ]] || { echo "there is no $1/ yet: make train promote" >&2; return 1; }
  docker build --platform linux/amd64 --build-arg "MODEL=$1" --tag "$registry/$project/$name/serve:$2" .. >&2
  docker push "$registry/$project/$name/serve:$2" >&2
  echo "$registry/$project/$name/serve:$2"
}
trained() { # ALGORITHM VARIANT ALIAS: trains, bakes what came out into an image, registers that; the model's version
  local algorithm=$1 variant=$2 alias=$3 image=$trainer job state body
  filled custom-job.yaml >"$made/custom-job.yaml"
  job=$(gcloud ai custom-jobs create --project="$project" --region="$region" --display-name="$name-$run" --labels="project=$name" \
    --config="$made/custom-job.yaml" --format='value(name)')
  for _ in $(seq 360); do
    state=$(gcloud ai custom-jobs describe "$job" --project="$project" --region="$region" --format='value(state)')
    case $state in
    JOB_STATE_SUCCEEDED) break ;;
    JOB_STATE_FAILED | JOB_STATE_CANCELLED | JOB_STATE_EXPIRED) echo "$job: $state" >&2; return 1 ;;
    esac
    sleep "${PAUSE:-10}"
  done
  [[ $state == JOB_STATE_SUCCEEDED ]]
  mkdir -p "../model-$variant"
  gcloud storage cp "gs://$bucket/models/$run-$1/*" "../model-$variant/" >&2
  image=$(image_of "model-$variant" "$run-$variant")
  body='"modelId": "'"$name"'"'
  if call GET "$ai/$place/models/$name" >/dev/null 2>&1; then body='"parentModel": "'"$place/models/$name"'"'; fi
  call POST "$ai/$place/models:upload" "{$body, \"model\": $(filled model.json)}" | finished |
    field 'it["response"]["model"] + "@" + it["response"]["modelVersionId"]'
}
endpoints() { call GET "$ai/$place/endpoints" | field '[e["name"] for e in it.get("endpoints", []) if e["displayName"] == "'"$name"'"]'; }
deployed() { # ENDPOINT: the numbers of what is deployed there
  call GET "$ai/$1" | field '[d["id"] for d in it.get("deployedModels", [])]'
}
deploy() { # ENDPOINT VARIANT MODEL
  local model=$3
  call POST "$ai/$1:deployModel" "$(filled "deploy-$2.json")" | finished | field 'it["response"]["deployedModel"]["id"]'
}
undeploy() { call POST "$ai/$1:undeployModel" "{\"deployedModelId\": \"$2\"}" | finished >/dev/null; }

up() {
  local endpoint model older stable id
  ends
  gcloud auth print-access-token >/dev/null
  gcloud services enable aiplatform.googleapis.com artifactregistry.googleapis.com billingbudgets.googleapis.com \
    cloudscheduler.googleapis.com monitoring.googleapis.com --project="$project"
  # Money is watched before anything costs.
«% if parts.trial %»
  budget trial-budget.json
«% endif %»
  budget budget.json
  gcloud storage buckets describe "gs://$bucket" >/dev/null 2>&1 ||
    gcloud storage buckets create "gs://$bucket" --project="$project" --location="$region" --uniform-bucket-level-access
  gcloud artifacts repositories describe "$name" --project="$project" --location="$region" >/dev/null 2>&1 ||
    gcloud artifacts repositories create "$name" --project="$project" --location="$region" --repository-format=docker
  if ! gcloud iam service-accounts describe "$account" --project="$project" >/dev/null 2>&1; then
    gcloud iam service-accounts create "$name-runner" --project="$project"
    gcloud projects add-iam-policy-binding "$project" --member="serviceAccount:$account" --role=roles/aiplatform.user --condition=None >/dev/null
    gcloud storage buckets add-iam-policy-binding "gs://$bucket" --member="serviceAccount:$account" --role=roles/storage.objectAdmin >/dev/null
  fi
  gcloud auth configure-docker "$registry" --quiet
  trainer=$(image_of model "$run")
  endpoint=$(endpoints)
  if [[ -z $endpoint ]]; then
    call POST "$ai/$place/endpoints" "$(cat endpoint.json)" | finished >/dev/null
    endpoint=$(endpoints)
  fi
  older=$(deployed "$endpoint")
«% if parts.ab %»
  # What is the champion stays; the first time there is none yet, and the simpler model is that.
  if call GET "$ai/$place/models/$name@champion" >/dev/null 2>&1; then
    model=$place/models/$name@champion
  else
    model=$(trained logistic stable champion)
  fi
  stable=$(deploy "$endpoint" stable "$model")
  # Only once the stable one is there can the requests be shared.
  deploy "$endpoint" candidate "$(trained "${ALGORITHM:-forest}" candidate challenger)" >/dev/null
«% else %»
  model=$(trained "${ALGORITHM:-forest}" stable champion)
  stable=$(deploy "$endpoint" stable "$model")
«% endif %»
  for id in $older; do undeploy "$endpoint" "$id"; done
  timed "$endpoint"
  echo "$endpoint"
  echo "it ends: $end"
}

timers() {
  gcloud scheduler jobs list --project="$project" --location="$region" --format='value(name.basename())' | { grep -E "^$name-end-[0-9]+$" || true; }
}
take_timer() { gone gcloud scheduler jobs delete "$1" --project="$project" --location="$region" --quiet; }
timed() { # ENDPOINT: on the day of the end, what is deployed there is taken away
  local id month day
  each take_timer timers
  [[ $end != never ]] || return 0
  IFS=- read -r _ month day <<<"$end"
  for id in $(deployed "$1"); do
    gcloud scheduler jobs create http "$name-end-$id" --project="$project" --location="$region" --schedule="0 6 $((10#$day)) $((10#$month)) *" \
      --uri="$ai/$1:undeployModel" --http-method=POST --message-body="{\"deployedModelId\": \"$id\"}" \
      --oauth-service-account-email="$account" --quiet
  done
}
«% if parts.ab %»

split() { # CANDIDATE'S SHARE
  local endpoint
  endpoint=$(endpoints)
  call PATCH "$ai/$endpoint?updateMask=trafficSplit" "$(call GET "$ai/$endpoint" |
    field 'json.dumps({"trafficSplit": {d["id"]: '"$1"' if d["displayName"] == "candidate" else 100 - '"$1"' for d in it["deployedModels"]}})')" >/dev/null
}
share() {
  [[ ${1:-} =~ ^(0|[1-9][0-9]?|100)$ ]] || { echo "share N: of 100 requests that the candidate gets" >&2; exit 2; }
  split "$1"
}
promote() { # the candidate is the champion and gets all requests; the next `up` makes it the stable one
  call POST "$ai/$place/models/$name@challenger:mergeVersionAliases" '{"versionAliases": ["champion"]}' >/dev/null
  split 100
}
«% endif %»

status() { # what costs by the hour in this region, whoever made it
  echo "in $region, by the hour:"
  call GET "$ai/$place/endpoints" | field '[e["displayName"] + " " + str(len(e.get("deployedModels", []))) + " deployed" for e in it.get("endpoints", [])]'
  gcloud ai custom-jobs list --project="$project" --region="$region" --filter=state=JOB_STATE_RUNNING --format='value(displayName,state)'
}

take_endpoint() {
  local endpoint=$1 id
  for id in $(deployed "$1"); do gone undeploy "$1" "$id"; done
  gone call DELETE "$ai/$endpoint"
}
take_model() { gone call DELETE "$ai/$1"; }
models() { call GET "$ai/$place/models" | field '[m["name"] for m in it.get("models", []) if m["displayName"] == "'"$name"'"]'; }
jobs_of() {
  gcloud ai custom-jobs list --project="$project" --region="$region" --filter="state=JOB_STATE_RUNNING AND labels.project=$name" --format='value(name)'
}
take_job() { gone gcloud ai custom-jobs cancel "$1" --project="$project" --region="$region"; }
take_alarm() { gone call DELETE "https://billingbudgets.googleapis.com/v1/$1"; }
down() {
  local billing
  gcloud auth print-access-token >/dev/null
  each take_job jobs_of
  each take_endpoint endpoints
  each take_timer timers
  each take_model models
  gone gcloud artifacts repositories delete "$name" --project="$project" --location="$region" --quiet
  gone gcloud iam service-accounts delete "$account" --project="$project" --quiet
  status || failed=1
  if [[ $failed == 0 ]]; then
    billing=$(gcloud billing projects describe "$project" --format='value(billingAccountName)')
    each take_alarm alarms "$billing" "$name"
  else
    echo "the alarm stays, since something does" >&2
  fi
  echo "the bucket stays, with the models: gcloud storage rm --recursive gs://$bucket"
  return "$failed"
}

«% include "managed/steps.sh" %»
