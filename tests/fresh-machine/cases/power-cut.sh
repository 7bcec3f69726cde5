# shellcheck shell=bash
# Power cuts: a virtual machine ends from one instant to the next while an environment is built, by conda and by uv, switched
# or cleaned, and nothing is left but what its disk has. What is in use then is whole to the byte, be it what was in use before or what
# was being built, the file system has no error, the user's file is as it was, and the same command comes to its end.
# AITK_TEST_ROUNDS says how many cuts, AITK_TEST_SEED repeats them.
# On: trixie; about 300 s

# shellcheck source=tests/fresh-machine/vm.sh
source "$HERE/vm.sh"
readonly ROUNDS=${AITK_TEST_ROUNDS:-4}
# What is cut, again and again: each can follow the one before it. The first are those of a short run.
readonly COMMANDS=(conda add rollback venv add clean drop conda add drop rollback venv)
# The most that a start, or a command, takes on a busy host, in seconds.
readonly LIMIT=900
SEED=${AITK_TEST_SEED:-$$}
RANDOM=$SEED
echo "seed: AITK_TEST_SEED=$SEED"
# uv itself, and what it installs.
step "an index of three packages"
index() {
    local wheel name version
    version=$(sed -n 's|^version = "\(.*\)"|\1|p' "$HERE/../../profiles/catalog/uv.toml")
    mkdir -p "$WORK/index/files"
    python3 -m pip download -q --no-deps --only-binary :all: -d "$WORK/index/files" "uv==$version" six idna
    for wheel in "$WORK"/index/files/*.whl; do
        name=${wheel##*/} name=${name%%-*}
        mkdir -p "$WORK/index/simple/$name"
        printf '<a href="../../files/%s#sha256=%s">%s</a>\n' "${wheel##*/}" "$(sha256sum "$wheel" | cut -d ' ' -f 1)" "${wheel##*/}" \
            >"$WORK/index/simple/$name/index.html"
    done
}
index
serve_channel
serve index "$WORK/index"
INDEX_URL=$URL/simple

# What the guest runs as its first process, started with `after=` the command that was cut and `now=` the one that will
# be: looks at what the cut has left, brings it to its end, and begins. There is no shutdown: what is to be on the disk
# must get there by itself.
guest() {
    cat <<EOF
#!/bin/bash
wish="--profile tiny.toml --yes"
conda="--manager conda --channel ${CHANNEL_URL/127.0.0.1/10.0.2.2}/conda-forge --python $(channel_python)"
venv="--manager venv --index-url ${INDEX_URL/127.0.0.1/10.0.2.2}"
EOF
    cat <<'EOF'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
envs=/home/tester/.local/share/aitk/envs/ai
end() {
    echo "POWER $*"
    sync
    echo o >/proc/sysrq-trigger
    sleep 60
}
begin() {
    local folder card
    for folder in proc:/proc sysfs:/sys devtmpfs:/dev tmpfs:/run tmpfs:/tmp; do
        mountpoint -q "${folder#*:}" || mount -t "${folder%:*}" "${folder%:*}" "${folder#*:}"
    done
    chmod 1777 /tmp
    mkdir -p /dev/shm /dev/pts
    mount -t tmpfs tmpfs /dev/shm
    mount -t devpts devpts /dev/pts
    modprobe -a virtio_net virtio_rng
    for card in /sys/class/net/*; do
        ip link set "${card##*/}" up
        [[ ${card##*/} == lo ]] || ip address add 10.0.2.15/24 dev "${card##*/}"
    done
}
me() {
    setpriv --reuid tester --regid tester --init-groups env -i HOME=/home/tester USER=tester "PATH=$PATH" LANG=C.UTF-8 \
        bash -c 'cd && "$@"' bash "$@" </dev/null
}
aitk() {
    me aitk "$@" >/tmp/out 2>&1 ||
        end "FAILED aitk $*: $? $(tail -n 12 /tmp/out | tr '\n' '|'), was $(grep -ao 'after=.*' /proc/cmdline)"
}
# What is in use, and every file of it.
note() {
    readlink "$envs/current" >/var/lib/current
    (cd "$envs/current/" && find . -type f -exec sha256sum {} +) >/var/lib/files
}
# What was in use before is as it was; where it is another one by now, that one is all that was asked for.
is_whole() {
    if [[ $(readlink "$envs/current") != "$(</var/lib/current)" ]]; then
        aitk verify --deep
    else
        (cd "$envs/current/" && sha256sum --check --quiet /var/lib/files) >/tmp/out 2>&1 ||
            end "FAILED what was in use is changed: $(tail -n 12 /tmp/out | tr '\n' '|')"
    fi
    me aitk run -- python -c 'import six' || end "FAILED what is in use does not work"
}
words() {
    case $1 in
        conda) echo "apply $wish $conda" ;;
        venv) echo "apply $wish $venv" ;;
        add) echo "add idna --yes" ;;
        drop) echo "drop idna --yes" ;;
        rollback) echo "rollback $(</var/lib/before) --yes" ;;
        clean) echo "clean --keep 1 --yes" ;;
    esac
}
# Whether the command that was cut had done all that it does, so that it has nothing to say any more.
is_done() {
    case $1 in
        drop) [[ -z $(find "$envs/current/" -name 'idna-*') ]] ;;
        rollback) [[ $(readlink "$envs/current") == "$(</var/lib/before)" ]] ;;
        *) false ;;
    esac
}
begin
if [[ $after != nothing ]]; then
    [[ $(<~tester/thesis.txt) == mine ]] || end "FAILED the user's file is: $(<~tester/thesis.txt)"
    if [[ -e $envs/current ]]; then
        is_whole
    elif [[ $after != conda ]]; then
        end "FAILED nothing is in use"
    fi
    # shellcheck disable=SC2046 # words
    is_done "$after" || aitk $(words "$after")
    aitk verify --deep
fi
[[ $now != nothing ]] || end DONE
[[ $now != add ]] || readlink "$envs/current" >/var/lib/before
[[ ! -e $envs/current ]] || note
sync
echo "POWER BEGINS $now"
# shellcheck disable=SC2046 # words
me aitk $(words "$now") --progress json >/dev/console 2>&1
echo "POWER ENDS $now"
sleep 3600
EOF
}

# `power AFTER NOW`: starts the guest, and waits until it begins, or is done.
power() {
    # shellcheck disable=SC2034 # vm.sh uses it
    VM_APPEND="init=/usr/local/sbin/power quiet after=$1 now=$2"
    # Where the guest takes the host to be, it finds its loopback.
    vm_qemu -netdev user,id=host
    until_said 1 'POWER '
}

# How many lines of the console have a text.
count() { awk -v text="$1" 'index($0, text) { n++ } END { print n + 0 }' "$VM/console.log"; }

# `until_said TIMES TEXT`: waits until so many lines of the console have it, or the command has ended.
until_said() {
    local since=$SECONDS
    until (($(count "$2") >= $1 || $(count 'POWER ENDS'))); do
        ((SECONDS - since < LIMIT)) || die "the guest says nothing: $(tail -n 20 "$VM/console.log")"
        kill -0 "$VM_PROCESS" || die "the guest has ended: $(tail -n 20 "$VM/console.log")"
        sleep 0.05
    done
    (($(count 'POWER FAILED') == 0)) || die "something is lost: $(grep -a 'POWER FAILED' "$VM/console.log")"
}

# The machine ends: what its kernel still had never reaches the disk. The file system mends itself by its journal, as it
# does when it is mounted, and has no error then.
switch_off() {
    kill -KILL "$VM_PROCESS" || die "the guest has ended: $(tail -n 20 "$VM/console.log" "$VM/qemu.log")"
    wait "$VM_PROCESS" 2>/dev/null || true
    e2fsck -p "$VM/disk" >"$WORK/fsck" 2>&1 || (($? == 1)) || die "the file system: $(<"$WORK/fsck")"
    e2fsck -fn "$VM/disk" >"$WORK/fsck" 2>&1 || die "the file system: $(<"$WORK/fsck")"
}

step "a machine with what is needed"
vm_start
vm_put "$AITK_BIN" /usr/local/bin/aitk
guest >"$WORK/guest"
chmod 755 "$WORK/guest"
vm_put "$WORK/guest" /usr/local/sbin/power
vm_put "$HERE/../support/tiny.toml" /home/tester/tiny.toml
vm_as tester sh -c 'echo mine >thesis.txt'
vm_stop

step "$ROUNDS cuts"
after=nothing
for ((round = 0; round < ROUNDS; round++)); do
    now=${COMMANDS[round % ${#COMMANDS[@]}]}
    power "$after" "$now"
    # After so many of the lines that tell how far it is, or right after its end where it has fewer of them.
    lines=$((RANDOM % 8)) more=0.$((RANDOM % 8))
    until_said "$lines" '"event"'
    sleep "$more"
    at=$(awk '/"event"|POWER ENDS/ { last = $0 } END { print last }' "$VM/console.log" |
        sed -E 's/.*"event":"([a-z_]*)".*"step":"([^"]*)".*/\1 \2/; s/.*POWER ENDS.*/its end/' | cut -c 1-60)
    echo "$now, cut $more s after ${at:-its beginning}"
    switch_off
    after=$now
done
power "$after" nothing
