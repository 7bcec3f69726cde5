# shellcheck shell=bash
# Power cuts on a really fresh machine, in each step of apt and in the first download; the others are kill9-user's.
# On: trixie; about 286 s

# shellcheck source=tests/fresh-machine/kill9.sh
source "$HERE/kill9.sh"
kill9_rounds 4 "$RELEASE" downloads "^(system|manager)"
