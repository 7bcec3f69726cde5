# shellcheck shell=bash
# Power cuts at any instant of a run whose apt part is done already. With the other two cases of its kind there are twenty
# rounds and more.
# On: trixie; about 258 s

# shellcheck source=tests/fresh-machine/kill9.sh
source "$HERE/kill9.sh"
kill9_rounds 5 "$RELEASE-apt" wheels
