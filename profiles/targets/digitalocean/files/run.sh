#!/usr/bin/env bash
# DigitalOcean's App Platform: ./digitalocean/run.sh up|status|down. It needs doctl with credentials, and Docker.
«% include "managed/common.sh" %»
app=$name-api
registry=«parameters.docr»
limit=«parameters.monthly|int»

alarm() { # nobody can set a billing alert but a person in the control panel, so a person has to say that it is there
  local used
  used=$(doctl balance get --format MonthToDateUsage --no-header)
  echo "this month until now: $used of $limit USD"
  if [[ ${ALERT:-} != set ]]; then
    echo "first set a billing alert of $limit USD in the control panel, under Billing; then ALERT=set $0 up" >&2
    exit 2
  elif [[ ! $used =~ ^-?[0-9]+([.][0-9]+)?$ ]]; then
    echo "what this month costs cannot be read: $used" >&2
    exit 2
  elif ((10#${used%%.*} >= limit)); then
    echo "that is the limit: nothing is started" >&2
    exit 2
  fi
}
numbers() { # the apps with exactly this name
  doctl apps list --format ID,Spec.Name --no-header | awk -v name="$app" '$2 == name { print $1 }'
}

up() {
  ends
  doctl account get --format Status --no-header >/dev/null
  alarm
  [[ -d ../model ]] || { echo "there is no model yet: make train promote" >&2; exit 1; }
  doctl registry get "$registry" >/dev/null 2>&1 || doctl registry create "$registry" --subscription-tier basic
  doctl registry login --expiry-seconds 3600
  docker build --platform linux/amd64 --tag "registry.digitalocean.com/$registry/$name:$run" ..
  docker push "registry.digitalocean.com/$registry/$name:$run"
  sed "s|@RUN@|$run|g" app.yaml >"$made/app.yaml"
  # One that does not become ready leaves the one before where it is.
  doctl apps create --spec "$made/app.yaml" --upsert --wait --format ID,DefaultIngress --no-header
  echo "it ends: $end"
}

status() { # what costs, whoever made it
  echo "in this account, by the month or the hour:"
  doctl apps list --format Spec.Name,DefaultIngress --no-header
  doctl compute droplet list --format Name,Status --no-header
  doctl kubernetes cluster list --format Name,Status --no-header
  doctl databases list --format Name,Status --no-header
  echo "the registry, if there is one:"
  doctl registry get "$registry" --format Name --no-header 2>/dev/null || true
}

take_app() { gone doctl apps delete "$1" --force; }
take_repository() { if [[ $1 == "$name" ]]; then gone doctl registry repository delete "$1" --force; fi; }
down() {
  doctl account get --format Status --no-header >/dev/null
  each take_app numbers
  if doctl registry get "$registry" >/dev/null 2>&1; then
    each take_repository doctl registry repository list-v2 --format Name --no-header
    echo "the registry $registry stays, for other projects, and costs: doctl registry delete"
  fi
  status || failed=1
  return "$failed"
}

case ${1:-} in
up | status | down) "$1" ;;
*)
  echo "$0 up|status|down" >&2
  exit 2
  ;;
esac
