# shellcheck shell=bash
# Packages that were never configured or lack what they need, as after a power cut or `dpkg -i`; and one that is in the
# way of what the plan installs.
# On: bookworm; about 80 s

# `package NAME LINE…`: builds /tmp/NAME.deb in the machine, with these lines in its description.
package() {
    local name=$1
    shift
    mkdir -p "$ROOT/tmp/$name/DEBIAN"
    printf '%s\n' "Package: $name" 'Version: 1' 'Architecture: all' 'Maintainer: Nobody <nobody@example.org>' "$@" \
        'Description: a package of the tests' >"$ROOT/tmp/$name/DEBIAN/control"
    dpkg-deb --build "$ROOT/tmp/$name" "$ROOT/tmp/$name.deb" >/dev/null
}

state() {
    # shellcheck disable=SC2016 # dpkg's own variables
    as root dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || echo gone
}

expect_state() {
    [[ $(state "$1") == "$2" ]] || die "$1 is $(state "$1") instead of $2"
}

APPLY=(apply --budget low --framework none --yes)

machine broken "$RELEASE"
lend_wheels user
package half-done
package needy 'Depends: curl'
package hopeless 'Depends: no-such-package'
package rival 'Conflicts: git'

step "what is in the way of the plan is not removed unseen"
aitk user -- plan --budget low --framework none -o plan.json
expect_code 0
as root dpkg -i /tmp/rival.deb
SHOW=8 aitk user -- apply plan.json --yes
expect_code 1
expect_one_error 'remove rival, which the plan does not show'
expect_state rival installed
aitk user -- plan --budget low --framework none --json
jq -e '[.data.steps[] | select(.removes)] | length == 1 and .[0].id == "system.tools" and .[0].removes == ["rival"]' \
    "$OUT" >/dev/null || die "the plan does not show what it removes"
SHOW=30 aitk user -- plan --budget low --framework none
expect_said 'apt removes for it: rival'
as root dpkg -r rival

step "one package is unpacked only, and another lacks what it needs"
as root dpkg --unpack /tmp/half-done.deb
if as root dpkg -i /tmp/needy.deb; then die "dpkg finds what it needs"; fi
expect_state half-done unpacked
expect_state needy unpacked
aitk user -- "${APPLY[@]}"
expect_code 0
expect_state half-done installed
expect_state needy installed
SHOW=0 aitk user -- verify
expect_code 0

step "what dpkg calls installed lacks what it needs"
as root dpkg --remove --force-depends curl
SHOW=8 aitk user -- "${APPLY[@]}"
expect_code 0
expect_state curl installed

step "what can never work is removed, and the plan says so"
if as root dpkg -i /tmp/hopeless.deb; then die "dpkg finds what it needs"; fi
aitk user -- plan --budget low --framework none --json
jq -e '[.data.steps[] | select(.removes)] | length == 1 and .[0].id == "system.repair" and .[0].removes == ["hopeless"]' \
    "$OUT" >/dev/null || die "the plan does not show what it removes"
SHOW=8 aitk user -- "${APPLY[@]}"
expect_code 0
expect_state hopeless gone
