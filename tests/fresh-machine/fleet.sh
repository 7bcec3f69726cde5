# shellcheck shell=bash
# Several machines in a network of their own, each with an OpenSSH server, and one from which Ansible reaches them.
#
#   ensure_fleet          makes FLEET, what a machine has more than the root of its release: a layer for `machine`
#   fleet_network         makes a network of the case's own, a bridge that is 10.77.0.1
#   host_start NAME ADDRESS
#                         plugs the machine in use into it, with this address, and starts its sshd; NAME is its host name
#   host_stop NAME        takes it off the network, in the midst of whatever it does
#   as_in_network         is `as`, for a machine that is plugged in as 10.77.0.1
#
# There is no way out of that network.

# Besides what the servers need: Ansible of its own series that the Python of Debian 12 can run, and what checks playbooks.
readonly FLEET_TOOLS=('ansible-core==2.19.*' ansible-lint yamllint)
declare -A HOST_PROCESS

ensure_fleet() {
    FLEET=$CACHE/fleets/$RELEASE
    mkdir -p "$CACHE/fleets"
    ensure_root "$RELEASE-apt"
    exec 9>"$FLEET.lock"
    flock 9
    if [[ ! -f $FLEET/etc/aitk-test-fleet || $(<"$FLEET/etc/aitk-test-fleet") != "$(fleet_recipe)" ]]; then
        say "making the layer of a fleet of $RELEASE"
        rm -rf --one-file-system "$FLEET"
        machine fleet "$RELEASE-apt"
        # Its server would listen on this host.
        printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
        chmod 755 "$ROOT/usr/sbin/policy-rc.d"
        # shellcheck disable=SC2016 # expanded inside
        quietly "$FLEET.log" as root DEBIAN_FRONTEND=noninteractive bash -c '
            apt-get update && apt-get -y install --no-install-recommends openssh-server openssh-client && apt-get clean &&
                python3 -m venv /opt/ansible && /opt/ansible/bin/pip install --no-cache-dir "$@"' bash "${FLEET_TOOLS[@]}" ||
            die "the layer of a fleet could not be made; see $FLEET.log"
        rm -f "$ROOT/usr/sbin/policy-rc.d" "$ROOT"/etc/ssh/ssh_host_*
        mkdir -p "$ROOT/run/sshd"
        power_off
        fleet_recipe >"$(layer_of fleet)/etc/aitk-test-fleet"
        mv "$(layer_of fleet)" "$FLEET"
        discard fleet
    fi
    exec 9>&-
}

# A layer is as old as the root it is made upon.
fleet_recipe() {
    sha256sum <"$HERE/fleet.sh"
    stat -c %Y "$CACHE/roots/$RELEASE-apt/etc/aitk-test-root"
}

fleet_network() {
    unshare --net sleep infinity &
    NETWORK=$!
    until_apart "$NETWORK"
    in_network bash -c 'ip link set lo up && ip link add lan type bridge && ip addr add 10.77.0.1/24 dev lan && ip link set lan up'
}

in_network() { nsenter --net="/proc/$NETWORK/ns/net" "$@"; }

# Until a process has a network of its own.
until_apart() {
    until [[ $(readlink "/proc/$1/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do
        kill -0 "$1" || die "a network could not be made"
        sleep 0.02
    done
}

host_start() {
    local name=$1 address=$2 waits=0
    echo "$name" >"$ROOT/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" >"$ROOT/etc/hosts"
    [[ -f $ROOT/etc/ssh/ssh_host_ed25519_key ]] ||
        chroot "$ROOT" ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key
    mkdir -p "$ROOT/run/sshd"
    # shellcheck disable=SC2016 # expanded inside
    unshare --net --uts --mount --pid --fork --kill-child bash -c '
        hostname "$2" && mount -t proc proc "$1/proc" && exec chroot "$1" /usr/sbin/sshd -D -e' \
        bash "$ROOT" "$name" >"$WORK/$name.sshd" 2>&1 &
    HOST_PROCESS[$name]=$!
    until_apart "${HOST_PROCESS[$name]}"
    in_network ip link add "$name" type veth peer name eth0 netns "${HOST_PROCESS[$name]}"
    in_network ip link set "$name" master lan up
    # shellcheck disable=SC2016 # expanded inside
    nsenter --net="/proc/${HOST_PROCESS[$name]}/ns/net" \
        bash -c 'ip link set lo up && ip addr add "$1/24" dev eth0 && ip link set eth0 up' bash "$address"
    # shellcheck disable=SC2016 # expanded inside
    until in_network bash -c 'exec 3<>"/dev/tcp/$1/22"' bash "$address" 2>/dev/null; do
        kill -0 "${HOST_PROCESS[$name]}" || die "$name does not start: $(cat "$WORK/$name.sshd")"
        ((waits++ < 300)) || die "$name does not answer: $(cat "$WORK/$name.sshd")"
        sleep 0.1
    done
}

host_stop() {
    kill -KILL "${HOST_PROCESS[$1]}"
    wait "${HOST_PROCESS[$1]}" 2>/dev/null || true
}

as_in_network() {
    # shellcheck disable=SC2016 # expanded inside
    in_network bash -c 'source "$1/lib.sh" && ROOT=$2 && shift 2 && as "$@"' bash "$HERE" "$ROOT" "$@"
}
