# shellcheck shell=bash
# Power cuts at any instant of a run whose apt part is done already.

# shellcheck source=tests/fresh-machine/kill9.sh
source "$HERE/kill9.sh"
kill9_rounds 16 12 "$RELEASE-apt" wheels
