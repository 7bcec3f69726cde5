# shellcheck shell=bash
# After `remove --all` the whole file tree is as it was before the first `apply`, but for what apt itself leaves: with a
# virtual environment, with conda and its lines in the shell's file, with a project, and with a driver from its maker's
# source; of the last once the packages are gone that stay, as it says. A group is given and taken back.
# On: trixie; about 110 s

# shellcheck source=tests/fresh-machine/driver.sh
source "$HERE/driver.sh"

# What apt, dpkg and what they start leave, as docs/reliability.md lists it.
APT_LEAVES='^/var/(lib/(apt|dpkg)|cache/(apt|debconf|ldconfig|man)|log/(apt|dpkg\.log|alternatives\.log))(/|$)'

# Folders of the desktop's standard, as everybody makes them: whose an empty one is nobody can tell.
EVERYBODYS='^/home/user/\.(cache|local(/share(/jupyter(/kernels)?)?|/state)?)$'

# What the tools that write the system's groups keep of the last state of their files.
SHADOWS='^/etc/(group|gshadow)-$'

# Everything in the machine with its kind, rights, owner and content; what the kernel or a restart makes anew aside.
whole_tree() {
    (
        cd "$ROOT" || exit
        local aside=(-path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp)
        find . \( "${aside[@]}" \) -prune -o -printf '/%P %y %m %U %G %l\n'
        find . \( "${aside[@]}" \) -prune -o -type f -print0 | xargs -0 -r sha256sum | sed 's|^\([^ ]*\)  \.|\1 |'
    ) | sort
}

# `gone WHAT`: takes it all away, and compares.
gone() {
    SHOW=6 aitk user -- remove --all --yes
    expect_code 0
    compare "$1"
}

# `compare WHAT`: with the tree before.
compare() {
    whole_tree >"$WORK/tree.after"
    diff "$WORK/tree.before" "$WORK/tree.after" >"$WORK/difference" || true
    sed -nE 's/^[<>] (([0-9a-f]{64}) )?(\/[^ ]*).*/\3/p' "$WORK/difference" |
        sort -u >"$WORK/tree.different"
    grep -vE -e "$APT_LEAVES" -e "$EVERYBODYS" -e "$SHADOWS" "$WORK/tree.different" >"$WORK/tree.left" || true
    [[ ! -s $WORK/tree.left ]] || {
        head -n 40 "$WORK/tree.left"
        die "$1 leaves more than apt does"
    }
}

serve_channel
machine ready "$RELEASE-apt"
# What sudo leaves in a home with the first command is none of aitk's.
as user sudo -n true
printf 'alias mine=true' >"$(home_of user)/.bashrc"
whole_tree >"$WORK/tree.before"

step "a virtual environment"
lend_wheels user
SHOW=5 aitk user -- apply --budget low --framework none --yes
expect_code 0
gone "a virtual environment"

step "conda, with lines in the shell's file"
SHOW=5 aitk user SHELL=/bin/bash -- apply --budget low --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" \
    --framework none --init-shell --yes
expect_code 0
grep -q "aitk" "$(home_of user)/.bashrc" || die "the shell's file has no lines of aitk's"
gone "conda"

step "a project, which goes in its own folder"
SHOW=5 aitk user -- apply --budget sme --platform containers --user-only --yes -o work
expect_code 0
as user bash -c 'cd work && aitk remove --yes' | tail -n 3
gone "a project"

step "a driver from its maker's source"
serve_apt
tell_of_device chroot "$ROOT"
home=$(home_of user)
# What the machine is told here is no part of what is compared.
profile_of accelerator.source accelerator.driver accelerator.hold check.restart >"$WORK/driver.toml"
driver_rows "$APT_URL" "$(cat "$APT/fingerprint")" >"$WORK/catalog.toml"
as user mkdir -p .config/aitk
cp "$WORK/catalog.toml" "$home/.config/aitk/"
cp "$WORK/driver.toml" "$home/"
# shellcheck disable=SC2016 # dpkg's
chroot "$ROOT" dpkg-query -Wf '${Package}\n' | sort >"$WORK/packages.before"
SHOW=5 aitk user -- apply --profile driver.toml --framework none --drivers --yes
expect_code 100
SHOW=6 aitk user -- remove --all --yes
expect_code 0
# shellcheck disable=SC2016 # dpkg's
chroot "$ROOT" dpkg-query -Wf '${Package}\n' | sort | comm -13 "$WORK/packages.before" - >"$WORK/packages.new"
[[ -s $WORK/packages.new ]] || die "no package came, so this shows nothing"
xargs chroot "$ROOT" apt-get purge -q -y <"$WORK/packages.new" >/dev/null
rm -r "$home/driver.toml" "$home/.config"
compare "a driver"

step "a group"
chroot "$ROOT" groupadd -f render
chroot "$ROOT" bash -c '
    mkdir -p /sys/bus/pci/devices/0000:0b:00.0 && rm -r /sys/bus/pci/devices/0000:01:00.0 && cd /sys/bus/pci/devices/0000:0b:00.0 &&
        echo 0x1002 >vendor && echo 0x744c >device && echo 0x030000 >class && ln -s ../../drivers/amdgpu driver &&
        mount -t tmpfs tmpfs /sys/class && mkdir -p /sys/class/kfd/kfd/topology/nodes/1 &&
        printf "vendor_id 4098\ngfx_target_version 110000\nlocation_id 2816\ndomain 0\n" >/sys/class/kfd/kfd/topology/nodes/1/properties
    touch /dev/kfd && chgrp render /dev/kfd && chmod 660 /dev/kfd'
whole_tree >"$WORK/tree.before"
profile_of accelerator.groups check.login >"$home/groups.toml"
SHOW=5 aitk user -- apply --profile groups.toml --manager venv --yes
expect_code 100
chroot "$ROOT" id -nG user | grep -qw render || die "the user does not belong to render"
rm "$home/groups.toml"
gone "a group"
