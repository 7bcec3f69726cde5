#!/bin/bash
# One slurmd for each node that slurm.conf names. Where one ends, all do, and systemd starts them anew; jobs go on without them.
set -u
mapfile -t nodes < <(sed -n 's/^NodeName=\([^ ]*\) .*/\1/p' /var/lib/aitk-slurmd/set/slurm.conf)
# shellcheck disable=SC2046 # numbers
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap 'exit 0' TERM
for node in "${nodes[@]}"; do
    mkdir -p "/var/lib/aitk-slurmd/$node"
    slurmd -D -N "$node" &
done
wait -n
exit 1
