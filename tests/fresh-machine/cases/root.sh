# shellcheck shell=bash
# A fresh machine, as root: one command, and everything is there and proven; the second time nothing happens.
# On: bookworm; about 46 s

machine fresh "$RELEASE"
whole_way root none
