# shellcheck shell=bash
# What `aitk export ansible` writes is played to three hosts over OpenSSH: what check mode says and does not do, what is
# done, that a second time changes nothing, and one host that is down. The hosts have no network but to the one that
# Ansible is on, and start with the wheels that they need.
# On: bookworm; about 53 s

# shellcheck source=tests/fresh-machine/driver.sh
source "$HERE/driver.sh"
# shellcheck source=tests/fresh-machine/fleet.sh
source "$HERE/fleet.sh"
readonly HOSTS=(one two three)
ensure_fleet

step "a plan for a fleet is exported"
machine operator "$FLEET" "$RELEASE-apt"
OPERATOR=$ROOT
home=$(home_of user)
profile_of system.repair system.lists system.tools manager.uv manager.environment libraries with.pytest \
    environment.current check.pytest |
    sed -E 's/^requirements = \["numpy".*/requirements = ["numpy"]/; s/"curl", "git"/"aitk-test-tool"/; /^(conda|estimate) = /d' >"$home/fleet.toml"
WISH=(--profile fleet.toml --manager venv --framework none --with pytest)
aitk user -- export ansible "${WISH[@]}" -o fleet
expect_code 0
as user cp -r fleet before
SHOW=3 aitk user -- export ansible "${WISH[@]}" -o fleet --force
expect_code 0
as user diff -r before fleet || die "the same plan is exported in other words"
SHOW=3 aitk user -- bundle "${WISH[@]}" --locked fleet/roles/aitk/files/pylock.toml
expect_code 0
as user PATH=/opt/ansible/bin:/usr/bin:/bin bash -c 'cd fleet && yamllint --strict . && ansible-lint --strict --offline --profile production --nocolor'

step "three hosts, on the last of which nobody becomes root"
mkdir -p "$WORK/apt/aitk-test-tool/DEBIAN"
printf 'Package: aitk-test-tool\nVersion: 1.0\nArchitecture: all\nMaintainer: tests\nDescription: a tool\n' >"$WORK/apt/aitk-test-tool/DEBIAN/control"
dpkg-deb --root-owner-group --build "$WORK/apt/aitk-test-tool" "$WORK/apt" >/dev/null
(cd "$WORK/apt" && apt-ftparchive packages . >Packages)
as user bash -c 'mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N "" -f .ssh/id_ed25519'
fleet_network
number=10
for name in "${HOSTS[@]}"; do
    machine "$name" "$FLEET" "$RELEASE-apt"
    # Ansible has to bring it.
    umount "$ROOT/usr/local/bin/aitk"
    rm "$ROOT/usr/local/bin/aitk"
    cp -r "$WORK/apt" "$ROOT/srv/apt"
    echo 'deb [trusted=yes] file:/srv/apt ./' >"$ROOT/etc/apt/sources.list"
    rm -rf "$ROOT"/var/lib/apt/lists/*
    install -d -m 700 "$ROOT/home/user/.ssh"
    cp "$home/.ssh/id_ed25519.pub" "$ROOT/home/user/.ssh/authorized_keys"
    mkdir "$ROOT/home/user/.cache"
    cp -a --reflink=auto "$home/.cache/aitk" "$ROOT/home/user/.cache/"
    chroot "$ROOT" chown -R user: /home/user
    if [[ $name == three ]]; then rm "$ROOT/etc/sudoers.d/user"; fi
    number=$((number + 1))
    host_start "$name" "10.77.0.$number"
    echo "10.77.0.$number $(cut -d' ' -f1,2 "$ROOT/etc/ssh/ssh_host_ed25519_key.pub")" >>"$home/.ssh/known_hosts"
done
ROOT=$OPERATOR
cat >"$home/fleet/inventory.yml" <<'END'
---
aitk:
  hosts:
    one: {ansible_host: 10.77.0.11}
    two: {ansible_host: 10.77.0.12}
    three: {ansible_host: 10.77.0.13}
END

# `ansible COMMAND…`: a program of Ansible's in the folder that was exported; leaves CODE, and in $OUT what it says.
ansible() {
    local since=$EPOCHREALTIME
    RUN=$((RUN + 1))
    OUT=$WORK/output/$RUN.out ERR=$WORK/output/$RUN.err CODE=0
    echo "+ $*"
    as_in_network user PATH=/opt/ansible/bin:/usr/local/bin:/usr/bin:/bin ANSIBLE_TIMEOUT=3 bash -c \
        'cd fleet && exec "$@"' bash "$@" >"$OUT" 2>"$ERR" || CODE=$?
    sed 's/^/  | /' "$OUT"
    took "$since"
    sed 's/^/  ! /' "$ERR"
    echo "  = $CODE after $SECONDS_TAKEN s"
}

play() { ansible ansible-playbook playbook.yml "$@"; }

# `recap HOST KEY`: how often that happened.
recap() { sed -nE "s/^$1 +:.* $2=([0-9]+).*/\1/p" "$OUT"; }

# What a host has: its user's files but those of Ansible itself and the mark that sudo leaves, and what apt and dpkg note.
state_of() {
    ROOT=$WORK/machines/$1/root
    (cd "$ROOT/home/user" && find . \( -path ./.ansible -o -name .sudo_as_admin_successful \) -prune -o -printf '%p %y %s %T@ %l\n' | grep -v '^\. ' | sort)
    find "$ROOT/tmp" -name 'aitk*'
    apt_traces
    packages_of
    ROOT=$OPERATOR
}

step "check mode says what would be done and what cannot be, and does nothing"
for name in "${HOSTS[@]}"; do state_of "$name" >"$WORK/$name.before"; done
play --check
expect_code 2
for name in "${HOSTS[@]}"; do
    state_of "$name" >"$WORK/$name.after"
    expect_same "$WORK/$name.before" "$WORK/$name.after" "in check mode, host $name"
    (($(recap "$name" changed) > 0)) || die "check mode says that nothing would change on $name"
done
expect_said 'Install the scientific libraries'
[[ $(recap one failed) == 0 && $(recap two failed) == 0 && $(recap three failed) == 1 ]] || die "others fail than three"
expect_said 'set aitk_user_only'
sed -i 's/10.77.0.13/&, aitk_user_only: true/' "$home/fleet/inventory.yml"

step "without the program nothing is begun"
play --extra-vars aitk_program=
expect_code 2
expect_said 'set aitk_program to the file'
expect_not_said Plan

step "it is played"
play
expect_code 0
for name in "${HOSTS[@]}"; do
    (($(recap "$name" changed) > 0)) || die "nothing changed on $name"
    ROOT=$WORK/machines/$name/root as user .local/bin/aitk run -- python -c 'import numpy; print(numpy.__version__)'
done
packages_at() { ROOT=$WORK/machines/$1/root packages_of; }
packages_at two | grep -qx aitk-test-tool || die "what needs root was not done"
if packages_at three | grep -qx aitk-test-tool; then die "somebody became root on three"; fi

step "played again, nothing changes"
for name in "${HOSTS[@]}"; do state_of "$name" >"$WORK/$name.before"; done
play
expect_code 0
for name in "${HOSTS[@]}"; do
    [[ $(recap "$name" changed) == 0 ]] || die "the second time something changed on $name"
    state_of "$name" >"$WORK/$name.after"
    expect_same "$WORK/$name.before" "$WORK/$name.after" "the second time, host $name"
done

step "a host is down, and another one has lost its environment"
host_stop two
rm -r "$WORK/machines/one/root/home/user/.local/share/aitk/envs"
play
expect_code 4
[[ $(recap two unreachable) == 1 ]] || die "two is not said to be unreachable"
(($(recap one changed) > 0)) || die "one was not mended"
[[ $(recap three failed) == 0 && $(recap three changed) == 0 ]] || die "three is not as it was"

step "aitk takes back what it has made"
ansible ansible three --module-name ansible.builtin.command --args '.local/bin/aitk remove --yes'
expect_code 0
[[ ! -e $WORK/machines/three/root/home/user/.local/share/aitk/envs ]] || die "the environment is still there"
