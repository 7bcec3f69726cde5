# shellcheck shell=bash
# A virtual machine for what a root file system cannot show: a kernel and a systemd of its own, and restarts.
#
#   vm_start                        starts the guest, or starts it again after `vm_stop`, and waits until it answers
#   vm_run COMMAND…                 runs a command in it as root
#   vm_as USER [NAME=VALUE…] COMMAND…
#                                   the same as `as` does in a machine: `AS=vm_as aitk tester -- check`
#   vm_put FILE PATH                copies a file into it, with its mode
#   vm_lend PORT…                   what listens on this port of the host's loopback is found on the guest's, too
#   vm_restart                      restarts the guest from the inside
#   vm_stop                         turns it off; its disk stays
#
# The processor, x86-64, is emulated, so that it runs where no virtual machines can be, and a command takes some ten
# times as long in it. There is no network but from the host, by which the commands come. The image of the disk is made
# once, and copied for each guest; its kernel is started from a copy outside, as there is no boot loader.

# Where the guest in use has its disk, its log and its sockets.
VM=${WORK:-}/vm
# Besides `root`: may use sudo without a password.
readonly VM_USER=tester
readonly VM_PACKAGES=(linux-image-cloud-amd64 systemd-sysv udev openssh-server iproute2)
readonly VM_DISK=8G VM_MEMORY=2G VM_CORES=2
# Far more than a start takes on a busy host.
readonly VM_START_LIMIT=600
VM_LENT=()

# --- the image --------------------------------------------------------------------------------------------------

# `ensure_vm_image RELEASE`: the folder $CACHE/vms/RELEASE has `disk`, `vmlinuz`, `initrd` and the `key` to log in.
ensure_vm_image() {
    local release=$1 image=$CACHE/vms/$1
    mkdir -p "$CACHE/vms"
    ensure_root "$release-apt"
    (
        flock 9
        vm_image_is_current "$image" && exit 0
        say "making the image of a virtual machine of $release"
        rm -rf --one-file-system "$image" "$image.building" "$image.root"
        cp -a --reflink=auto "$CACHE/roots/$release-apt" "$image.root" || exit
        mkdir "$image.building"
        # On its own, so that it ends with the first command that fails.
        # shellcheck disable=SC2016 # expanded inside
        quietly "$image.log" bash -euo pipefail -c '
            source "$1/lib.sh"
            source "$1/vm.sh"
            fill_vm_image "$2" "$3"' bash "$HERE" "$image.root" "$image.building" || exit
        rm -rf --one-file-system "$image.root"
        vm_recipe "$release" >"$image.building/recipe"
        mv "$image.building" "$image"
    ) 9>"$image.lock" || die "the image of $release could not be made; see $image.log"
}

vm_image_is_current() { [[ -f $1/recipe && $(<"$1/recipe") == "$(vm_recipe "${1##*/}")" ]]; }

# The image is as old as the root it is made from.
vm_recipe() {
    sha256sum <"$HERE/vm.sh"
    stat -c %Y "$CACHE/roots/$1-apt/etc/aitk-test-root"
}

fill_vm_image() {
    local root=$1 image=$2 user home
    # The disk is found by these modules alone, which makes the start a good deal shorter.
    mkdir -p "$root/etc/initramfs-tools/conf.d"
    echo MODULES=list >"$root/etc/initramfs-tools/conf.d/modules"
    printf '%s\n' virtio_pci virtio_blk ext4 >"$root/etc/initramfs-tools/modules"
    # The guest reaches no archive, and without its lists apt answers in a tenth of the time there.
    # shellcheck disable=SC2016 # expanded inside
    in_plain_chroot "$root" env -u TMPDIR bash -c '
        export DEBIAN_FRONTEND=noninteractive
        apt-get update && apt-get -y install --no-install-recommends "$@" && apt-get clean &&
            rm -f /var/lib/apt/lists/*_*' bash "${VM_PACKAGES[@]}"
    echo "/dev/vda / ext4 defaults 0 1" >"$root/etc/fstab"
    echo fresh-machine >"$root/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 fresh-machine\n' >"$root/etc/hosts"
    : >"$root/etc/machine-id"
    printf '[Match]\nType=ether\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\n' \
        >"$root/etc/systemd/network/ethernet.network"
    chroot "$root" systemctl enable systemd-networkd.service
    # Waits for a network that never gets any further, and for a terminal that nobody sits at.
    chroot "$root" systemctl mask systemd-networkd-wait-online.service getty@tty1.service serial-getty@ttyS0.service
    # They would fetch lists in the midst of a case.
    chroot "$root" systemctl mask apt-daily.timer apt-daily-upgrade.timer
    chroot "$root" useradd --create-home --shell /bin/bash --groups sudo "$VM_USER"
    echo "$VM_USER ALL=(ALL) NOPASSWD: ALL" >"$root/etc/sudoers.d/$VM_USER"
    chmod 440 "$root/etc/sudoers.d/$VM_USER"
    ssh-keygen -q -t ed25519 -N '' -C fresh-machine -f "$image/key"
    for user in root "$VM_USER"; do
        home=$root$(chroot "$root" getent passwd "$user" | cut -d: -f6)
        install -d -m 700 "$home/.ssh"
        install -m 600 "$image/key.pub" "$home/.ssh/authorized_keys"
        chroot "$root" chown -R "$user:" "${home#"$root"}/.ssh"
    done
    cp "$root"/boot/vmlinuz-* "$image/vmlinuz"
    cp "$root"/boot/initrd.img-* "$image/initrd"
    truncate -s "$VM_DISK" "$image/disk"
    mkfs.ext4 -q -L fresh-machine -d "$root" "$image/disk"
}

# --- the guest --------------------------------------------------------------------------------------------------

vm_start() {
    # shellcheck disable=SC2153 # the case's
    local image=$CACHE/vms/$RELEASE waits=0
    if [[ ! -e $VM/disk ]]; then
        ensure_vm_image "$RELEASE"
        mkdir -p "$VM"
        # Kept by the guest, as a new image may be made meanwhile.
        cp "$image"/{vmlinuz,initrd,key} "$VM/"
        cp --reflink=auto --sparse=always "$image/disk" "$VM/disk"
    fi
    vm_qemu -netdev user,id=host,restrict=on,hostfwd=tcp:127.0.0.1:0-:22
    # The host chooses a free port.
    until VM_PORT=$(ss -Hltnp | awk -v process="pid=$VM_PROCESS," 'index($0, process) { sub(/.*:/, "", $4); print $4 }') &&
        [[ -n $VM_PORT ]]; do
        kill -0 "$VM_PROCESS" || die "the virtual machine does not start: $(cat "$VM/qemu.log")"
        ((waits++ < 600)) || die "the virtual machine does not listen"
        sleep 0.1
    done
    vm_wait
}

# `vm_qemu ARGUMENT…`: starts the guest, whose network is described by the arguments. VM_APPEND goes to its kernel.
# On a busy host its timer is too late for the kernel, which takes it for broken and gives up, unless it does not look.
# Leaves VM_PROCESS.
vm_qemu() {
    # It comes to emptying it only after a while, and what the guest before has said would be taken for its own.
    : >"$VM/console.log"
    qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp "$VM_CORES" -m "$VM_MEMORY" -nodefaults -display none \
        -serial "file:$VM/console.log" -device virtio-rng-pci \
        -kernel "$VM/vmlinuz" -initrd "$VM/initrd" -append "root=/dev/vda rw console=ttyS0 panic=-1 no_timer_check ${VM_APPEND:-}" \
        -drive "file=$VM/disk,format=raw,if=virtio,cache=unsafe" \
        "$@" -device virtio-net-pci,netdev=host >"$VM/qemu.log" 2>&1 </dev/null &
    VM_PROCESS=$!
}

# Until the guest answers, and not as what ran before it was restarted.
vm_wait() {
    local before=${1:-} since=$SECONDS port user forwards=()
    for port in "${VM_LENT[@]}"; do forwards+=(-R "127.0.0.1:$port:127.0.0.1:$port"); done
    while :; do
        kill -0 "$VM_PROCESS" || die "the virtual machine has ended: $(tail -n 20 "$VM/console.log" "$VM/qemu.log")"
        ((SECONDS - since < VM_START_LIMIT)) || die "the virtual machine does not answer: $(tail -n 20 "$VM/console.log")"
        for user in root "$VM_USER"; do vm_ssh "$user" -O exit >/dev/null 2>&1 || true; done
        # One connection for each user, opened once: the emulated processor is slow at opening them.
        if vm_ssh root -M -fN "${forwards[@]}" >"$VM/ssh.log" 2>&1; then
            VM_BOOT=$(vm_ssh root cat /proc/sys/kernel/random/boot_id) || VM_BOOT=
            if [[ -n $VM_BOOT && $VM_BOOT != "$before" ]]; then break; fi
        fi
        sleep 0.5
    done
    vm_ssh "$VM_USER" -M -fN >"$VM/ssh.log" 2>&1 || die "nobody but root can log in: $(cat "$VM/ssh.log")"
}

vm_ssh() (
    user=$1
    shift
    # The name of a socket must be short, and that of the folder need not be.
    cd "$VM" && exec ssh -F none -i key -S "login.$user" -p "$VM_PORT" -l "$user" -o BatchMode=yes -o ConnectTimeout=10 \
        -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o ExitOnForwardFailure=yes \
        -o ServerAliveInterval=15 127.0.0.1 "$@"
)

vm_as() {
    local user=$1
    shift
    vm_ssh "$user" "$(printf '%q ' env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        LANG=C.UTF-8 TERM=dumb "$@")" </dev/null
}

vm_run() { vm_as root "$@"; }

vm_put() {
    local mode
    mode=$(stat -c %a "$1")
    vm_ssh root "$(printf 'cat >%q && chmod %q %q' "$2" "$mode" "$2")" <"$1"
}

vm_lend() {
    local port
    VM_LENT+=("$@")
    for port in "$@"; do vm_ssh root -O forward -R "127.0.0.1:$port:127.0.0.1:$port" >/dev/null; done
}

vm_restart() {
    # The connection may break before the command has ended.
    vm_run systemctl reboot 2>/dev/null || true
    vm_wait "$VM_BOOT"
}

vm_stop() {
    vm_run systemctl poweroff 2>/dev/null || true
    wait "$VM_PROCESS" || die "the virtual machine ended badly: $(tail -n 5 "$VM/qemu.log")"
}
