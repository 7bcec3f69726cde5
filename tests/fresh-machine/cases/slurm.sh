# shellcheck shell=bash
# A cluster on three hosts over OpenSSH, by what `aitk apply --budget enterprise --platform slurm` writes: built from what each host
# says of itself, proven by jobs, with a key that is wrong, a node that dies, a change while a job runs, a firewall, and taken away again.
# On: trixie; about 420 s

# shellcheck source=tests/fresh-machine/driver.sh
source "$HERE/driver.sh"
# shellcheck source=tests/fresh-machine/fleet.sh
source "$HERE/fleet.sh"
readonly HOSTS=(one two three) SETTINGS=(--extra-vars slurm_node_timeout=10)
ensure_fleet

# What the hosts get by apt, as an archive of their own: they have no way out.
archive_of_slurm() {
    as root bash -c 'apt-get update -q && apt-get install -y -q --no-install-recommends --download-only python3-apt munge slurmctld slurmd slurm-client nftables auditd lynis iproute2' &&
        mkdir -p "$ROOT/srv/slurm" && mv "$ROOT"/var/cache/apt/archives/*.deb "$ROOT/srv/slurm/" &&
        (cd "$ROOT/srv/slurm" && apt-ftparchive packages . >Packages)
}
ensure_layer slurm archive_of_slurm
ARCHIVE=$LAYER/srv/slurm

step "the project is written, with Ansible in the environment, and its judges let it pass"
machine operator "$FLEET" "$RELEASE-apt"
OPERATOR=$ROOT
home=$(home_of user)
lend_wheels user
aitk user -- apply --budget enterprise --platform slurm --part security --set hosts=one+two+three --manager venv --yes
expect_code 0
keep_wheels user
as user aitk run -- ansible-playbook --version
as user PATH=/opt/ansible/bin:/usr/bin:/bin bash -c 'cd cluster && yamllint --strict . && ansible-lint --strict --offline --nocolor .'
cat >"$home/cluster/inventory.yml" <<'END'
all:
  children:
    controller:
      hosts:
        one:
    nodes:
      hosts:
        one: {ansible_host: 10.77.0.11}
        two: {ansible_host: 10.77.0.12}
        three: {ansible_host: 10.77.0.13}
END
as user bash -c 'mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N "" -f .ssh/id_ed25519'

step "three hosts"
fleet_network
number=10
for name in "${HOSTS[@]}"; do
    machine "$name" "$FLEET" "$RELEASE-apt"
    mkdir -p "$ROOT/run/lock"
    # The audit of the kernel is this host's.
    # shellcheck disable=SC2016 # expanded there
    printf '#!/bin/sh\n[ "$1" != auditd ] || exit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
    chmod 755 "$ROOT/usr/sbin/policy-rc.d"
    cp -r "$ARCHIVE" "$ROOT/srv/slurm"
    echo 'deb [trusted=yes] file:/srv/slurm ./' >"$ROOT/etc/apt/sources.list"
    rm -rf "$ROOT"/var/lib/apt/lists/*
    install -d -m 700 "$ROOT/home/user/.ssh"
    cp "$home/.ssh/id_ed25519.pub" "$ROOT/home/user/.ssh/authorized_keys"
    chroot "$ROOT" chown -R user: /home/user
    number=$((number + 1))
    host_start "$name" "10.77.0.$number"
    echo "10.77.0.$number $(cut -d' ' -f1,2 "$ROOT/etc/ssh/ssh_host_ed25519_key.pub")" >>"$home/.ssh/known_hosts"
done
ROOT=$OPERATOR

# `play PLAYBOOK ARGUMENTS…`: leaves CODE, and in $OUT what it says.
play() {
    local since=$EPOCHREALTIME
    RUN=$((RUN + 1))
    OUT=$WORK/output/$RUN.out ERR=$WORK/output/$RUN.err CODE=0
    mkdir -p "$WORK/output"
    echo "+ play $*"
    as_in_network user PATH=/opt/ansible/bin:/usr/local/bin:/usr/bin:/bin ANSIBLE_TIMEOUT=20 bash -c \
        'cd cluster && exec ansible-playbook "$@"' bash "$@" >"$OUT" 2>"$ERR" || CODE=$?
    sed 's/^/  | /' "$OUT"
    took "$since"
    sed 's/^/  ! /' "$ERR"
    echo "  = $CODE after $SECONDS_TAKEN s"
}
recap() { sed -nE "s/^$1 +:.* $2=([0-9]+).*/\1/p" "$OUT"; }

# `on HOST COMMAND…`: as the user there, over SSH.
on() {
    local host=$1
    shift
    as_in_network user ssh -o BatchMode=yes "10.77.0.1$(index "$host")" "$(printf '%q ' "$@")"
}
index() { case $1 in one) echo 1 ;; two) echo 2 ;; three) echo 3 ;; esac; }

# `until_state NODE PATTERN`: the node's state as SLURM shows it.
until_state() {
    local waits=0
    # shellcheck disable=SC2053 # a pattern
    until [[ $(on one sinfo --noheader --nodes="$1" --format=%T) == $2 ]]; do
        ((waits++ < 60)) || die "$1 is not $2 but $(on one sinfo --noheader --nodes="$1" "--format=%T %E")"
        sleep 1
    done
}

step "aitk says of each host what it is, over SSH, and leaves nothing there"
play reach.yml
expect_code 0
play detect.yml
expect_code 0
for name in "${HOSTS[@]}"; do
    jq -e --arg cpus "$(on "$name" nproc)" '.data.os.id == "debian" and (.data.cpu.threads | tostring) == $cpus' "$home/cluster/machines/$name.json" >/dev/null ||
        die "this is not $name: $(jq -c '.data | {os, cpu}' "$home/cluster/machines/$name.json")"
    [[ -z $(on "$name" find /tmp -maxdepth 1 -name 'aitk-*') ]] || die "the program is still on $name"
    aitk user -- plan --budget workstation --no-resolve --machine "cluster/machines/$name.json"
    expect_code 0
done

step "it is built from what each host says"
play site.yml "${SETTINGS[@]}"
expect_code 0
for name in "${HOSTS[@]}"; do
    said=$(on "$name" /usr/sbin/slurmd -C | sed -nE 's/^NodeName=[^ ]+ (.* ThreadsPerCore=[0-9]+) .*/\1/p')
    [[ $said ]] || die "slurmd says nothing on $name"
    on one grep -qx "NodeName=$name NodeAddr=10.77.0.1$(index "$name") $said RealMemory=[0-9]* State=UNKNOWN" /etc/slurm/slurm.conf ||
        die "$name is not what it says of itself ($said): $(on one grep NodeName= /etc/slurm/slurm.conf)"
done
play prove.yml
expect_code 0

step "played again, nothing changes"
play site.yml "${SETTINGS[@]}"
expect_code 0
for name in "${HOSTS[@]}"; do [[ $(recap "$name" changed) == 0 ]] || die "the second time something changed on $name"; done

step "every task finds how to reach the others"
# shellcheck disable=SC2016 # expanded there
on one srun --nodes=3 --ntasks-per-node=1 bash -c 'echo "$NCCL_IB_DISABLE $NCCL_SOCKET_IFNAME"' | sort -u >"$WORK/found"
[[ $(<"$WORK/found") == "1 eth0" ]] || die "they find $(<"$WORK/found")"

step "a key is another one and a node dies: both are out, what is left takes jobs, and what can be mended is"
on three sudo sh -c 'head -c 1024 /dev/urandom >/etc/munge/munge.key && service munge restart' >/dev/null
host_stop two
until_state three 'down*'
until_state two 'down*'
on one srun --nodes=1 --ntasks-per-node=1 hostname >"$WORK/ran"
[[ $(<"$WORK/ran") == one ]] || die "it ran on $(<"$WORK/ran")"
play site.yml "${SETTINGS[@]}"
expect_code 4
(($(recap three changed) > 0)) || die "the key was not put back"
until_state three idle
[[ $(on one grep -c ^NodeName= /etc/slurm/slurm.conf) == 3 ]] || die "a node that is down was forgotten"

step "a setting changes while a job runs, which goes on; the node that died is back"
job=$(on one sbatch --parsable --output=/dev/null --nodelist=one --wrap 'until [ -e /tmp/enough ]; do sleep 1; done')
until [[ $(on one squeue --noheader --job="$job" --format=%T) == RUNNING ]]; do sleep 1; done
ROOT=$WORK/machines/two/root host_start two 10.77.0.12
play down.yml
expect_code 2
expect_said 'jobs are in the queue'
play site.yml "${SETTINGS[@]}" --extra-vars slurm_health_interval=600
expect_code 0
(($(recap one changed) > 0)) || die "nothing changed"
until_state two idle
grep -q 'HealthCheckInterval *= 600' <<<"$(on one scontrol show config)" || die "the queue does not know it"
[[ $(on one squeue --noheader --job="$job" --format=%T) == RUNNING ]] || die "the job is gone"
on one touch /tmp/enough
until [[ -z $(on one squeue --noheader) ]]; do sleep 1; done
[[ $(on one scontrol show job "$job") == *JobState=COMPLETED* ]] || die "the job did not end well"

step "a node that is not whole gets no jobs, and gets them again"
on two sudo sh -c 'mv /usr/bin/unmunge /usr/bin/unmunge.away'
on two sudo /usr/local/libexec/slurm/health || true
until_state two drained
on two sudo sh -c 'mv /usr/bin/unmunge.away /usr/bin/unmunge'
on two sudo /usr/local/libexec/slurm/health
until_state two idle

step "every machine is closed but for those who may come, and nobody is locked out"
play harden.yml
expect_code 2
expect_said 'say in inventory.yml'
CLOSED=(--extra-vars harden_admin=10.77.0.1 --extra-vars "harden_cluster=10.77.0.11,10.77.0.12,10.77.0.13" --extra-vars harden_load=false)
play harden.yml "${CLOSED[@]}"
expect_code 0
expect_said 'hardened to'
play prove.yml
expect_code 0
grep -q 'policy drop' <<<"$(on one sudo nft list table inet aitk_host)" || die "no firewall is in force"
on one sudo grep -q 'slurm' /etc/audit/rules.d/50-aitk.rules || die "auditd does not watch SLURM"
# shellcheck disable=SC2016 # expanded there
if in_network timeout 3 bash -c 'exec 3<>/dev/tcp/10.77.0.11/6817' 2>/dev/null; then die "the queue lets anybody in"; fi
on two timeout 3 bash -c 'exec 3<>/dev/tcp/10.77.0.11/6817' || die "the queue refuses a node"

step "it is taken out of service"
play down.yml
expect_code 0
if on one sinfo >/dev/null 2>&1; then die "the queue still answers"; fi
[[ $(on three pgrep -c slurmd || true) == 0 ]] || die "slurmd still runs"
