# shellcheck shell=bash
# The distribution is upgraded under an environment, by a real upgrade: its Python is another one afterwards, and the one of
# the environment goes. Both are named, the remedy that is printed mends it, and what was there before is not gone back to.
# On: bookworm; about 150 s

machine older "$RELEASE-apt"
home=$(home_of user)
lend_wheels user
cp "$HERE/../support/tiny.toml" "$home/"
WISH=(apply --profile tiny.toml --manager venv --yes)

step "an environment on Python 3.11"
SHOW=3 aitk user -- "${WISH[@]}"
expect_code 0
[[ $(as user aitk run -- python -c 'import sys; print(sys.version_info.minor)') == 11 ]] || die "it is another Python"

step "the upgrade, as its release notes say"
sed -i 's/\<bookworm\>/trixie/g; s/\<bookworm-/trixie-/g' "$ROOT"/etc/apt/sources.list
as root bash -c 'apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Options::=--force-confold full-upgrade' \
    >"$WORK/upgrade.log" 2>&1 || { tail -n 20 "$WORK/upgrade.log" && die "the upgrade itself failed"; }
[[ $(as root python3 -c 'import sys; print(sys.version_info.minor)') == 13 ]] || die "it is the old distribution"

step "as long as the old Python is there, the environment works, and is told to be an old one"
as user aitk run -- python -c 'import six'
SHOW=6 aitk user -- verify
expect_code 2
expect_said 'has Python 3.11, and what is asked for gets 3.13 here'
SHOW=20 aitk user -- doctor
expect_code 2
expect_said 'AITK-H57'

step "the old Python goes"
as root bash -c 'DEBIAN_FRONTEND=noninteractive apt-get -y -q autoremove' >"$WORK/autoremove.log" 2>&1 ||
    { tail -n 20 "$WORK/autoremove.log" && die "the old packages do not go"; }
[[ ! -e $ROOT/usr/bin/python3.11 ]] || die "it is still there"
SHOW=20 aitk user -- doctor
expect_code 2
expect_said 'AITK-H36.*lost its Python'
SHOW=12 aitk user -- verify
expect_code 2
expect_said 'bin/python'
SHOW=12 aitk user -- status
expect_said "Broken .*Python is gone"

step "the same command mends it"
SHOW=8 aitk user -- "${WISH[@]}"
expect_code 0
[[ $(as user aitk run -- python -c 'import six, sys; print(sys.version_info.minor)') == 13 ]] || die "it is not the new Python"
SHOW=4 aitk user -- verify --deep
expect_code 0
SHOW=4 aitk user -- doctor
expect_code 0

step "the one before cannot be gone back to"
SHOW=6 aitk user -- rollback --yes
expect_one_error 'AITK-X19.*Python is gone'
expect_not_said 'mends it from its lock'
as user aitk run -- python -c 'import six'
