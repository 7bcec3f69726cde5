#!/usr/bin/env bash
«% set steps = "up|share N|promote|history|status|down" if parts.ab else "up|history|status|down" %»
# A lakehouse by Spark Connect: run.sh «steps|line». Here by Sail, or where SPARK_REMOTE says (sc://HOST:PORT), with tables in LAKE.
«% include "managed/common.sh" %»
cd ..
export PYTHONPATH=src LAKE=${LAKE:-lake} MLFLOW_TRACKING_URI=${MLFLOW_TRACKING_URI:-sqlite:///mlflow.db} MLFLOW_DISABLE_TELEMETRY=true
«% set folder = "spark" %»
«% include "spark/lake.sh" %»
lakehouse() { in_lake spark/lakehouse.py "$@"; }

alarm() { # what runs here costs nothing; of somebody's cluster nobody but a person knows who watches it
  [[ -n ${SPARK_REMOTE:-} ]] || return 0
  if [[ $LAKE != *://* ]]; then
    echo "the machines behind $SPARK_REMOTE do not see the folder $LAKE: LAKE=s3://… or the like" >&2
    exit 2
  elif [[ ${ALERT:-} != set ]]; then
    echo "first set a budget of «parameters.monthly|line» USD a month where $SPARK_REMOTE runs, with mails to «parameters.mail|line»; then ALERT=set $0 up" >&2
    exit 2
  fi
}

up() {
  if [[ -n ${SPARK_REMOTE:-} ]]; then ends; fi
  alarm
  lakehouse build
«% if parts.ab %»
  # What is the champion stays; the first time there is none yet, and the simpler model is that.
  if [[ ! -d model ]]; then
    lakehouse train --algorithm logistic
    lakehouse promote
  fi
  lakehouse train --algorithm "${ALGORITHM:-forest}"
«% else %»
  lakehouse train --algorithm "${ALGORITHM:-forest}"
  # It becomes the champion unless it is worse.
  lakehouse promote
«% endif %»
  lakehouse score
  status
}
«% if parts.ab %»

share() { # N of 100 rows are answered by the candidate
  [[ ${1:-} =~ ^(0|[1-9][0-9]?|100)$ ]] || { echo "share N: of 100 rows that the candidate gets" >&2; exit 2; }
  SHARE=$1 lakehouse score
}
promote() { # the candidate becomes the champion if it is no worse, and answers all rows
  lakehouse promote
  SHARE=0 lakehouse score
}
«% endif %»

history() { lakehouse history; } # every version of every table

status() { # what costs
  if [[ -n ${SPARK_REMOTE:-} ]]; then
    echo "$SPARK_REMOTE costs as long as it runs, and $LAKE as long as it is there; it ends: $end"
  elif [[ -d $LAKE ]]; then
    echo "$name: on this machine, and for nothing: $(du -sh "$LAKE" | cut -f1) in $LAKE"
  else
    echo "nothing"
  fi
}

down() { # the tables; the models stay in the registry
  local table
  for table in bronze silver gold answers; do
    if [[ $LAKE == *://* ]]; then
      # Nobody but the store itself can tell what it holds.
      echo "STAYS: $LAKE/$table, which the provider's own client deletes" >&2
      failed=1
    elif [[ -d $LAKE/$table/_delta_log ]]; then
      gone rm -r "${LAKE:?}/$table"
    fi
  done
  if [[ -d $LAKE ]]; then rmdir --ignore-fail-on-non-empty "$LAKE"; fi
  if [[ -n ${SPARK_REMOTE:-} ]]; then
    echo "STAYS: $SPARK_REMOTE, which is not ours to stop" >&2
    failed=1
  fi
  status
  return "$failed"
}

case ${1:-} in
up | history | status | down«% if parts.ab %» | share | promote«% endif %») "$@" ;;
*)
  echo "$0 «steps|line»" >&2
  exit 2
  ;;
esac
