#!/bin/bash
# Whether it is as it was set, and what a user does with it, done once: a task on every node, an array two at a time, a request that nobody
# can fulfil, one GPU of all. Not while there are jobs, which would wait for it.
set -euo pipefail
cd /
wrong() {
    echo "$*"
    exit 1
}
nodes=$(sinfo --noheader --Node --format='%N %m %G' | sort -u)
count=$(wc -l <<<"$nodes")
asked="«parameters.nodes|int»" percent="«parameters.memory|int»"
((count == asked)) || wrong "$asked nodes were asked for and $count are there"
most=$(awk -v percent="$percent" '$1 == "MemTotal:" { print int($2 / 1024 * percent / 100) }' /proc/meminfo)
memory=$(awk '{ all += $2 } END { print all }' <<<"$nodes")
((memory <= most)) || wrong "$memory MB are for jobs, and $most MB were asked for"
jobs=$(squeue --noheader | wc -l)
if ((jobs > 0)); then
    echo "not tried: $jobs jobs are in the queue"
    exit
fi
# shellcheck disable=SC2016 # expanded there
ran=$(timeout 120 srun --nodes="$count" --ntasks-per-node=1 --time=1 bash -c 'echo "$SLURMD_NODENAME"' | sort)
[[ $ran == "$(cut -d ' ' -f 1 <<<"$nodes")" ]] || wrong "a task on every node ran on: $ran"
timeout 120 sbatch --quiet --wait --array=1-4%2 --time=1 --output=/dev/null --wrap hostname || wrong "an array did not end well"
most=$(grep -oE 'gpu:[^ (]*:[0-9]+' <<<"$nodes" | sed 's/.*://' | sort -n | tail -n 1 || true)
if refused=$(sbatch --test-only "--gres=gpu:$((${most:-0} + 1))" --time=1 --wrap hostname 2>&1); then
    wrong "a request that nobody can fulfil was taken: $refused"
fi
if [[ $most ]]; then
    seen=$(timeout 120 srun --gres=gpu:1 --time=1 nvidia-smi --list-gpus | wc -l)
    ((seen == 1)) || wrong "who asked for one GPU sees $seen"
fi
echo "a task on each of $count nodes, an array, a request that is refused${most:+, one GPU of $most}"
