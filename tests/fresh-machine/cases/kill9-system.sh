# shellcheck shell=bash
# Power cuts on a really fresh machine: apt and dpkg, and the downloads, are hit as well.

# shellcheck source=tests/fresh-machine/kill9.sh
source "$HERE/kill9.sh"
kill9_rounds 4 12 "$RELEASE" downloads
