# shellcheck shell=bash
# A package is unpacked and was never configured, as after a power cut.

machine broken "$RELEASE"
lend_wheels user
mkdir -p "$ROOT/tmp/half/DEBIAN"
printf '%s\n' 'Package: half-done' 'Version: 1' 'Architecture: all' 'Maintainer: Nobody <nobody@example.org>' \
    'Description: a package that was only unpacked' >"$ROOT/tmp/half/DEBIAN/control"
dpkg-deb --build "$ROOT/tmp/half" "$ROOT/tmp/half.deb" >/dev/null
as root dpkg --unpack /tmp/half.deb
state() {
    # shellcheck disable=SC2016 # dpkg's own variables
    as root dpkg-query -W -f '${db:Status-Status}' half-done
}
[[ $(state) == unpacked ]] || die "the package is $(state) instead of unpacked"

aitk user -- apply --budget low --framework none --yes
expect_code 0
[[ $(state) == installed ]] || die "the package is still $(state)"
SHOW=0 aitk user -- verify
expect_code 0
