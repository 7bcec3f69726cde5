#!/usr/bin/env bash
«% set steps = "up|share N|promote|status|down" if parts.ab else "up|status|down" %»
# Databricks: run.sh «steps|line». It needs the Databricks CLI (not the older one of Python's) with credentials, Poetry and Python.
«% include "managed/common.sh" %»
entity=«parameters.catalog ~ "." ~ parameters.name|replace("-", "_") ~ "." ~ parameters.name|replace("-", "_")»
field() { # what an expression of Python's says of `it`, the JSON that comes in
  python3 -c 'import json, sys; it = json.load(sys.stdin) or []; value = eval(sys.argv[1]); print(value if isinstance(value, str) else "\n".join(map(str, value)))' "$1"
}
# The bundle lies in the folder above, and the CLI looks for it where it runs.
bundle() { (cd .. && databricks bundle "$@"); }
asked() { databricks "$@" --output json; }

budgets() { asked account budgets list | field '[b["budget_configuration_id"] for b in it if b.get("display_name") == "'"$1"'"]'; } # TITLE
budget() { # TITLE FILE
  local there
  there=$(budgets "$1")
  if [[ -n $there ]]; then
    databricks account budgets update "$there" --json "@$2" >/dev/null
  else
    databricks account budgets create --json "@$2" >/dev/null
  fi
}
alarm() { # a budget is the account's, and only its administrators can set one; where nobody of them is here, a person says so
  if budgets "$name" >/dev/null 2>&1; then
«% if parts.trial %»
    budget "$name-trial" trial-budget.json
«% endif %»
    budget "$name" budget.json
  elif [[ ${ALERT:-} != set ]]; then
    echo "the account's budgets cannot be reached: name an account (DATABRICKS_ACCOUNT_ID) whose administrator you are," >&2
    echo "or set a budget in the account console (the Free Edition has none, and costs nothing); then ALERT=set $0 up" >&2
«% if parts.trial %»
    echo "for the trial: one that tells at «parameters.balance|int // 2» USD in one calendar month" >&2
«% endif %»
    exit 2
  fi
}
version_of() { # ALIAS: the version that has it; nothing where none has
  asked model-versions get-by-alias "$entity" "$1" 2>/dev/null | field 'str(it["version"])' 2>/dev/null || true
}
endpoints() { asked serving-endpoints list | field '[e["name"] for e in it if e["name"] == "'"$name"'"]'; }
deployed() { # the jobs, the schema and the registry, and on which day the endpoint is taken away
  local year month day
  if [[ $end == never ]]; then
    bundle deploy
  else
    IFS=- read -r year month day <<<"$end"
    bundle deploy --var "end=0 0 6 $((10#$day)) $((10#$month)) ? $year" --var ends=UNPAUSED
  fi
}
served() { # the endpoint as endpoint.json says, with the versions of now
  sed -e "s|@STABLE@|$1|g; s|@CANDIDATE@|${2:-}|g" endpoint.json >"$made/endpoint.json"
  if [[ -n $(endpoints) ]]; then
    field 'json.dumps(it["config"])' <"$made/endpoint.json" >"$made/config.json"
    databricks serving-endpoints update-config "$name" --json "@$made/config.json" >/dev/null
«% if parts.drift %»
    field 'json.dumps(it["ai_gateway"])' <"$made/endpoint.json" >"$made/gateway.json"
    databricks serving-endpoints put-ai-gateway "$name" --json "@$made/gateway.json" >/dev/null
«% endif %»
  else
    databricks serving-endpoints create --json "@$made/endpoint.json" >/dev/null
  fi
}

up() {
  ends
  databricks current-user me >/dev/null
  alarm
  deployed
«% if parts.ab %»
  # What is the champion stays; the first time there is none yet, and the simpler model is that.
  if [[ -z $(version_of champion) ]]; then
    bundle run train --params algorithm=logistic
    bundle run promote
  fi
  bundle run train --params "algorithm=${ALGORITHM:-forest}"
  served "$(version_of champion)" "$(version_of challenger)"
«% else %»
  bundle run train --params "algorithm=${ALGORITHM:-forest}"
  # It becomes the champion unless it is worse; what is served is the champion.
  bundle run promote
  served "$(version_of champion)"
«% endif %»
  databricks serving-endpoints get "$name"
  echo "it ends: $end"
}
«% if parts.ab %»

split() { # CANDIDATE'S SHARE
  asked serving-endpoints get "$name" |
    field 'json.dumps({"served_entities": [{k: e[k] for k in ("name", "entity_name", "entity_version", "workload_size", "scale_to_zero_enabled")} for e in it["config"]["served_entities"]], "traffic_config": {"routes": [{"served_model_name": "candidate", "traffic_percentage": '"$1"'}, {"served_model_name": "stable", "traffic_percentage": 100 - '"$1"'}]}})' >"$made/config.json"
  databricks serving-endpoints update-config "$name" --json "@$made/config.json" >/dev/null
}
share() {
  [[ ${1:-} =~ ^(0|[1-9][0-9]?|100)$ ]] || { echo "share N: of 100 requests that the candidate gets" >&2; exit 2; }
  split "$1"
}
promote() { # the candidate becomes the champion if it is no worse, and gets all requests; the next `up` makes it the stable one
  bundle run promote
  if [[ $(version_of champion) != $(version_of challenger) ]]; then
    echo "the candidate is worse than what is served: it stays as it was" >&2
    exit 1
  fi
  split 100
}
«% endif %»

status() { # what costs, whoever made it
  echo "in this workspace, while it runs:"
  asked serving-endpoints list | field '[e["name"] + " " + str(e.get("state", {}).get("ready", "")) for e in it]'
  asked clusters list | field '[c.get("cluster_name", "") + " " + c["state"] for c in it if c["state"] not in ("TERMINATED", "ERROR")]'
  asked warehouses list | field '[w["name"] + " " + w["state"] for w in it if w["state"] not in ("STOPPED", "DELETED")]'
  asked jobs list-runs --active-only | field '["run of " + r.get("run_name", str(r["run_id"])) for r in it]'
}

take_endpoint() { gone databricks serving-endpoints delete "$1"; }
take_model() { gone databricks registered-models delete "$1"; }
models() { asked registered-models list | field '[m["full_name"] for m in it if m["full_name"] == "'"$entity"'"]'; }
«% if parts.drift %»
take_table() { gone databricks tables delete "$1"; }
tables() { # what the endpoint has written of what it was asked; the schema goes with the bundle, and then nobody can be asked
  local catalog schema there
  IFS=. read -r catalog schema _ <<<"$entity"
  there=$(asked schemas list "$catalog" | field '[s["name"] for s in it if s["name"] == "'"$schema"'"]') || return
  [[ -z $there ]] || asked tables list "$catalog" "$schema" | field '[t["full_name"] for t in it if t["full_name"] == "'"${entity}_payload"'"]'
}
«% endif %»
take_alarm() { gone databricks account budgets delete "$1"; }
down() {
  databricks current-user me >/dev/null
  each take_endpoint endpoints
  # A schema that holds something is not deleted: what is in it goes first.
«% if parts.drift %»
  each take_table tables
«% endif %»
  each take_model models
  gone bundle destroy --auto-approve
  status || failed=1
  if [[ $failed != 0 ]]; then
    echo "the alarm stays, since something does" >&2
  elif budgets "$name" >/dev/null 2>&1; then
    each take_alarm budgets "$name"
«% if parts.trial %»
    each take_alarm budgets "$name-trial"
«% endif %»
  else
    echo "the alarm that you have set yourself stays" >&2
  fi
  return "$failed"
}

«% include "managed/steps.sh" %»
