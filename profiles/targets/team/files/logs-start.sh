#!/bin/sh
# Takes in what the team's machines log, and keeps no more of it than it should: what is oldest goes first. What comes with the
# program to do that, it has only since systemd 254.
set -eu
while sleep 600; do
    journalctl --quiet --directory=/var/lib/aitk-logs --vacuum-size=«parameters.logs_keep»
done &
exec /lib/systemd/systemd-journal-remote --listen-http=/run/aitk-logs/socket --split-mode=none --output=/var/lib/aitk-logs/team.journal
