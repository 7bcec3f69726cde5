# shellcheck shell=bash
# A systemd of its own in the machine in use, as the first process of namespaces on this host's kernel: as fast as the host,
# where a virtual machine takes ten times as long. The network is the host's.
#
#   systemd_machine NAME            a machine with systemd; `systemd_start` starts it
#   systemd_start                   starts systemd there, and waits until it has started what it should
#   systemd_stop                    turns the machine off; what stands on its disk stays
#   systemd_as USER [NAME=VALUE…] COMMAND…
#                                   the same as `as` does in a machine: `AS=systemd_as aitk user -- check`
#
# What it cannot show: limits of memory and processors hold only where the host has the cgroup controllers of version 2.

# What is installed for it once.
systemd_packages() { as root apt-get install -y -q --no-install-recommends systemd-sysv dbus; }

systemd_machine() {
    ensure_layer systemd systemd_packages
    machine "$1" "$LAYER" "$RELEASE-apt"
}

systemd_start() {
    local groups waits=0
    groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
    [[ -n $groups ]] || die "this host has no cgroups of version 2"
    # The number of this process is the same in several cases: each has a namespace of its own.
    CGROUP=$groups/aitk-test${WORK//\//-}
    # shellcheck disable=SC2016 # expanded inside
    unshare --mount --pid --uts --ipc --fork --kill-child bash -euc '
        mkdir -p "$2" && echo $$ >"$2/cgroup.procs"
        exec unshare --cgroup bash -euc "$3" bash "$1"' bash "$ROOT" "$CGROUP" '
        root=$1
        mount --make-rprivate /
        # Nothing is set in the kernel, which is the host'\''s.
        mount -t proc proc "$root/proc"
        mount --bind "$root/proc/sys" "$root/proc/sys"
        mount -o remount,bind,ro "$root/proc/sys"
        mount -t tmpfs -o mode=755 tmpfs "$root/run"
        mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
        mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
        cd "$root"
        pivot_root . .
        umount -l .
        mount --make-rshared /
        exec env -i container=aitk-test PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal' \
        >"$WORK/systemd.log" 2>&1 </dev/null &
    SYSTEMD_OUTER=$!
    until SYSTEMD=$(pgrep -P "$SYSTEMD_OUTER") && [[ $(<"/proc/$SYSTEMD/comm") == systemd ]] &&
        [[ $(systemd_run systemctl is-system-running --wait 2>/dev/null || true) =~ running|degraded ]]; do
        kill -0 "$SYSTEMD_OUTER" 2>/dev/null || die "systemd does not start: $(cat "$WORK/systemd.log")"
        ((waits++ < 300)) || die "systemd has not started"
        sleep 0.2
    done
}

systemd_run() {
    nsenter --target "$SYSTEMD" --mount --pid --uts --ipc --cgroup --root --wd env -i "${SESSION[@]}" "$@"
}

systemd_as() {
    local user=$1
    shift
    # shellcheck disable=SC2016 # expanded inside
    systemd_run /bin/bash -c '
        user=$1 && shift
        home=$(getent passwd "$user" | cut -d: -f6)
        cd "$home" || exit 99
        exec runuser -u "$user" -- env HOME="$home" USER="$user" LOGNAME="$user" "$@"' bash "$user" "$@" </dev/null
}

systemd_stop() {
    systemd_run systemctl poweroff 2>/dev/null || true
    wait "$SYSTEMD_OUTER" || true
    find "$CGROUP" -depth -type d -exec rmdir {} + 2>/dev/null || true
}
