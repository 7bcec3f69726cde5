case ${1:-} in
up | status | down«% if parts.ab %» | share | promote«% endif %») "$@" ;;
*)
  echo "$0 «steps|line»" >&2
  exit 2
  ;;
esac
