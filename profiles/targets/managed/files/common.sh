set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")"
name=«parameters.name»
# The day on which all of it ends.
end=${UNTIL:-«parameters.until»}
# Everything of one `up` has its time in its name, where the platform has names for it: so none of another project is taken for it.
# shellcheck disable=SC2034
run=$(date -u +%y%m%d%H%M%S)
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

ends() { # nothing starts of which nobody has said when it ends
  if [[ ! $end =~ ^(never|20[0-9]{2}-[0-9]{2}-[0-9]{2})$ ]]; then
    echo "when does it end? UNTIL=YYYY-MM-DD $0 up, or UNTIL=never" >&2
    exit 2
  elif [[ $end != never && ! $end > $(date -u +%F) ]]; then
    echo "it was to end on $end: $0 down, or UNTIL=YYYY-MM-DD $0 up" >&2
    exit 2
  fi
  trap 'echo "it did not finish: $0 down takes away what it has made" >&2' ERR
}

failed=0
gone() { # one step of the teardown: where it fails that is told, and the others go on
  if "$@" >/dev/null; then
    echo "done: $*"
  else
    failed=1
    echo "NOT DONE: $*" >&2
  fi
}

each() { # runs what is named first with each line that the rest prints and that names something of ours
  local step=$1 line lines
  shift
  if ! lines=$("$@"); then
    failed=1
    echo "NOT DONE: $*" >&2
    return 0
  fi
  for line in $lines; do
    [[ $line == None ]] || "$step" "$line"
  done
}
