# shellcheck shell=bash
# An AMD card whose device file the user may not use yet: the groups are part of the plan, the run stops for the new
# log-in, the same command goes on in it, and `remove` takes the user out of the groups again. The card is a stand-in,
# told by the kernel's files alone, and so is PyTorch; groups, sudo and sessions are real.
# On: bookworm; about 3 s

# shellcheck source=tests/fresh-machine/driver.sh
source "$HERE/driver.sh"
machine groups "$RELEASE-apt"
serve_indexes
home=$(home_of user)
chroot "$ROOT" bash -c '
    mount -t tmpfs tmpfs /sys/bus && mkdir -p /sys/bus/pci/devices/0000:0b:00.0 && cd /sys/bus/pci/devices/0000:0b:00.0 &&
        echo 0x1002 >vendor && echo 0x744c >device && echo 0x030000 >class && ln -s ../../drivers/amdgpu driver &&
        mount -t tmpfs tmpfs /sys/class && mkdir -p /sys/class/kfd/kfd/topology/nodes/1 &&
        printf "vendor_id 4098\ngfx_target_version 110000\nlocation_id 2816\ndomain 0\n" >/sys/class/kfd/kfd/topology/nodes/1/properties
    groupadd -f render && groupadd -f video
    touch /dev/kfd && chgrp render /dev/kfd && chmod 660 /dev/kfd'
profile_of manager.uv manager.environment accelerator.groups framework environment.current check.login check.framework >"$home/rocm.toml"
WISH=(--profile rocm.toml --manager venv --torch-index "$INDEXES_URL/whl/{build}" --yes)
groups_of() { chroot "$ROOT" id -nG user | tr ' ' '\n' | sort; }
groups_of >"$WORK/groups.before"

step "the groups are given, and what needs them waits for a new log-in"
# A session of before: what is given later does not count in it.
gid=$(chroot "$ROOT" id -g user)
AS=as_before
as_before() {
    local user=$1
    shift
    # shellcheck disable=SC2016 # expanded inside
    chroot "$ROOT" setpriv --reuid "$user" --regid "$gid" --clear-groups env -i HOME="/home/$user" USER="$user" \
        LOGNAME="$user" "${SESSION[@]}" bash -c 'cd && exec "$@"' bash "$@" </dev/null
}
aitk user -- apply "${WISH[@]}"
expect_code 100
expect_said 'AITK-X11'
expect_said '[Ll]og'
groups_of | grep -qx render || die "the user does not belong to render"
ls "$home"/.local/share/aitk/envs/ai/*/aitk-generation.json || die "what does not need the groups was not done"
[[ ! -e $home/.local/share/aitk/envs/ai/current ]] || die "what is not proven yet is in use"
aitk user -- apply "${WISH[@]}"
expect_code 100

step "in a new session the same command goes on, to the proof"
# shellcheck disable=SC2034 # lib.sh uses it
AS=as
aitk user -- apply "${WISH[@]}"
expect_code 1
expect_one_error 'sees no GPU'
[[ ! -e $home/.local/share/aitk/envs/ai/current ]] || die "what failed its proof is in use"
aitk user -- detect --json
[[ $(jq -c '.data.gpus[0] | [.gfx, .usable]' "$OUT") == '["gfx1100",true]' ]] || die "the card cannot be used: $(jq -c .data.gpus "$OUT")"

step "remove takes the user out of the groups again"
aitk user -- remove --yes
expect_code 0
groups_of >"$WORK/groups.after"
expect_same "$WORK/groups.before" "$WORK/groups.after" "the user's groups"
