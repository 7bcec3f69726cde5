# shellcheck shell=bash
# SLURM on one machine is installed by aitk, started, proven by jobs, changed while a job runs, made two nodes, and taken away.
# On: bookworm trixie; about 280 s

# shellcheck source=tests/fresh-machine/team.sh
source "$HERE/team.sh"
# The network is the host's, where each port is there once.
exec 8>"$CACHE/slurm-here.lock"
flock 8
systemd_machine host
lend_wheels user
systemd_start
WISH=(--budget enterprise --platform slurm --part here --manager venv --yes)
ours() {
    things
    (cd "$ROOT" && find etc/slurm ! -path '*plugstack*' 2>/dev/null | sort) || true
}
state_of() { systemd_run squeue --noheader --job="$1" --format=%T; }
# Everything that listens on a port of SLURM's, as the kernel has it: address and port.
listening() {
    systemd_run cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == "0A" && $2 ~ /:1AA[1-9]$/ { print $2 }' | sort
}

step "what does not go together is refused"
aitk user -- plan --budget enterprise --platform slurm --set nodes=2
expect_code 64
expect_said 'only this machine works as several nodes'
aitk user -- plan "${WISH[@]:0:6}" --set hosts=one+two
expect_code 64
expect_said 'has no other machines'

step "apply installs and starts it, and says what it has proven"
ours >"$WORK/things.before"
aitk user -- apply "${WISH[@]}"
expect_code 0
expect_said 'its proof: a task on each of 1 nodes, an array, a request that is refused'
keep_wheels user
are_well munge slurmctld slurmd
[[ $(listening) == $'0100007F:1AA1\n0100007F:1AA2' ]] || die "others than this machine are listened to: $(listening)"
[[ $(stat -c '%a %u' "$ROOT/etc/aitk/munge/key") == "600 0" ]] || die "others can read the key"
[[ $(systemd_run stat -c '%a %U' /run/aitk-munge/key) == "400 munge" ]] || die "others can read the key of munge's"
for unit in munge slurmctld slurmd; do
    [[ $(systemd_run systemctl is-active $unit) != active ]] || die "the distribution's $unit was started"
done
said=$(systemd_run slurmd -C 2>/dev/null | sed -nE 's/^NodeName=[^ ]+ (.* ThreadsPerCore=[0-9]+) .*/\1/p')
grep -q "^NodeName=.* $said RealMemory=" "$ROOT/var/lib/aitk-slurmd/set/slurm.conf" || die "it is not what it says of itself: $said"
systemd_as plain srun hostname || die "another user's job does not run"
! systemd_as plain srun --immediate=5 --gres=gpu:1 hostname || die "a GPU was given that is not there"
aitk user -- verify
expect_code 0
expect_said 'its proof: a task on each of 1 nodes'

step "a setting changes while a job runs, which goes on, and does not let it be taken away"
job=$(systemd_as plain sbatch --parsable --output=/dev/null --wrap 'until [ -e /tmp/enough ]; do sleep 1; done')
until [[ $(state_of "$job") == RUNNING ]]; do sleep 1; done
pid=$(systemd_run systemctl show --property=MainPID --value aitk-slurmctld)
aitk user -- apply "${WISH[@]}" --set memory=50
expect_code 0
expect_said 'its proof: not tried: 1 jobs are in the queue'
[[ $(systemd_run systemctl show --property=MainPID --value aitk-slurmctld) != "$pid" ]] || die "it was not started anew"
real=$(systemd_run scontrol show node --oneliner | sed 's/.* RealMemory=\([0-9]*\) .*/\1/')
((real < $(awk '$1 == "MemTotal:" { print int($2 / 1024 * 0.51) }' /proc/meminfo))) || die "$real MB are for jobs"
[[ $(state_of "$job") == RUNNING ]] || die "the job is gone"
aitk user -- status
expect_code 0
aitk user -- remove --yes
expect_code 2
expect_one_error "slurmd is at work, and that would be lost: $job"
are_well munge slurmctld slurmd
systemd_as plain touch /tmp/enough
until [[ -z $(state_of "$job") ]]; do sleep 1; done
[[ $(systemd_run scontrol show job "$job") == *JobState=COMPLETED* ]] || die "the job did not end well"

step "the machine as two nodes takes what needs two"
aitk user -- apply "${WISH[@]}" --set nodes=2
expect_code 0
expect_said 'its proof: a task on each of 2 nodes'
# shellcheck disable=SC2016 # expanded there
[[ $(systemd_as plain srun --nodes=2 --ntasks-per-node=1 bash -c 'echo "$SLURMD_NODENAME"' | sort -u | wc -l) == 2 ]] || die "they are not two"
aitk user -- apply --yes
expect_code 0
expect_said 'Nothing to do'

step "a node that is killed comes back; one that takes no jobs is told"
node=$(systemd_run sinfo --noheader --Node --format=%N | head -n 1)
one=$(systemd_run cat "/run/aitk-slurmd/$node.pid")
# shellcheck disable=SC2016 # expanded there
systemd_run bash -c 'kill -KILL "$0"' "$one"
back() {
    [[ $(systemd_run cat "/run/aitk-slurmd/$node.pid") != "$one" ]] && systemd_as plain srun --nodes=2 --immediate=10 hostname
}
wait_for back
are_well munge slurmctld slurmd
systemd_run scontrol update "nodename=$node" state=drain reason=broken
aitk user -- verify
expect_code 2
expect_said "$node drained broken"
systemd_run scontrol update "nodename=$node" state=resume

step "after a restart it is there"
systemd_stop
systemd_start
well() { aitk user -- verify && ((CODE == 0)); }
wait_for well
expect_said 'its proof: a task on each of 2 nodes'

step "remove takes it away, and names what stays"
aitk user -- remove --yes
expect_code 0
expect_said '/var/lib/aitk-slurmctld'
for unit in munge slurmctld slurmd; do
    [[ $(systemd_run systemctl is-active "aitk-$unit") != active ]] || die "$unit still runs"
done
[[ -z $(listening) ]] || die "something still listens"
ours | grep -v 'var/lib/aitk-' >"$WORK/things.after"
printf '%s\n' etc/aitk etc/aitk/munge etc/aitk/munge/key etc/slurm | sort -u - "$WORK/things.before" >"$WORK/things.expected"
sort -u "$WORK/things.after" >"$WORK/things.sorted"
expect_same "$WORK/things.expected" "$WORK/things.sorted" "what is left"
systemd_stop
