#!/usr/bin/env bash
«% set it = parameters.name|replace("-", "_") ~ "_ml" %»
«% set steps = "up|share N|promote|status|down" if parts.ab else "up|status|down" %»
# Snowflake: run.sh «steps|line». It needs the Snowflake CLI (3.12 or newer) with a connection of an account's administrator, and Python.
«% include "managed/common.sh" %»
it=«it»
cd ..
snow() { # the one that is here, or that of aitk's environment
  if [[ -n $(type -P snow) ]]; then command snow "$@"; else aitk run -- snow "$@"; fi
}
field() { # what an expression of Python's says of `it`, the JSON that comes in
  python3 -c 'import json, sys; it = json.load(sys.stdin) or []; value = eval(sys.argv[1]); print(value if isinstance(value, str) else "\n".join(map(str, value)))' "$1"
}
sql() { snow sql --role accountadmin --query "$1" --format json; }
ours() { snow sql --role "$it" --warehouse "$it" --database "$it" --schema model --query "$1" --format json; }
procedure() { ours "call $1" | field '[next(iter(row.values())) for row in it]'; }
«% if parts.trial %»
trial() { # the whole account is watched, unless somebody has set another monitor for it
  local other
  other=$(sql 'show resource monitors' | field '[m["name"] for m in it if m.get("level") == "ACCOUNT" and m["name"].lower() != "'"${it}_trial"'"]')
  if [[ -n $other ]]; then
    echo "the account is watched by $other, which stays as it is: look whether it stops before the credits are used up" >&2
  else
    snow sql --filename snowflake/trial.sql >/dev/null
  fi
}
«% endif %»

up() {
  local last=$end
  ends
  snow connection test >/dev/null
«% if parts.trial %»
  trial
«% endif %»
  [[ $end != never ]] || last=2099-12-31
  # The monitor stands first in it, and the warehouse sleeps until it is watched.
  sed "s|@END@|$last|g" snowflake/account.sql >"$made/account.sql"
  snow sql --filename "$made/account.sql" >/dev/null
  sql "grant role $it to user \"$(sql 'select current_user() as me' | field 'it[0]["ME"]')\"" >/dev/null
  snow sql --role "$it" --warehouse "$it" --filename snowflake/objects.sql >/dev/null
  snow snowpark build
  snow snowpark deploy --replace --role "$it" --warehouse "$it" --database "$it" --schema model
  procedure 'fill()'
«% if parts.ab %»
  # What is stable stays; the first time there is nothing yet, and the simpler model is that.
  [[ -n $(ours 'select name from variants' | field '[row["NAME"] for row in it]') ]] || procedure "train('logistic')"
  procedure "train('${ALGORITHM:-forest}')"
«% else %»
  procedure "train('${ALGORITHM:-forest}')"
  # It becomes the stable one unless it is worse.
  procedure 'promote()'
«% endif %»
  procedure 'predict()'
  ours 'select variant, version, count(*) as rows_answered from answers group by variant, version order by variant, version'
  echo "$name ends: $end"
}
«% if parts.ab %»

share() { # N of 100 rows are answered by the candidate, from now on
  [[ ${1:-} =~ ^(0|[1-9][0-9]?|100)$ ]] || { echo "share N: of 100 rows that the candidate gets" >&2; exit 2; }
  ours "update variants set share = $1 where name = 'candidate'" >/dev/null
}
promote() { procedure 'promote()'; } # the candidate becomes the stable one if it is no worse, and answers all rows
«% endif %»

status() { # what costs, whoever made it
  echo "in this account, by the credit while it runs:"
  sql 'show warehouses' | field '[w["name"] + " " + w["state"] + " " + w["size"] for w in it]'
  sql 'show compute pools' | field '[p["name"] + " " + p["state"] for p in it]'
  echo "by what is stored:"
  sql 'show databases' | field '[d["name"] for d in it if d.get("kind", "STANDARD") == "STANDARD"]'
}

down() {
  snow connection test >/dev/null
  gone sql "drop warehouse if exists $it"
  gone sql "drop database if exists $it"
  gone sql "drop role if exists $it"
  status || failed=1
  if [[ $failed == 0 ]]; then
    gone sql "drop resource monitor if exists $it"
«% if parts.trial %»
    gone sql "drop resource monitor if exists ${it}_trial"
«% endif %»
  else
    echo "the monitor stays, since something does" >&2
  fi
  return "$failed"
}

«% include "managed/steps.sh" %»
