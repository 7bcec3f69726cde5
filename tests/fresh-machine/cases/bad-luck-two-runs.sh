# shellcheck shell=bash
# Two runs at once: the second one says who is at work, and does nothing.
# On: bookworm; about 30 s

machine two "$RELEASE-apt"
lend_wheels user
as user aitk apply --budget low --framework none --yes >"$WORK/first.out" 2>"$WORK/first.err" &
first=$!
until [[ -s $(home_of user)/.local/state/aitk/lock ]]; do sleep 0.1; done
aitk user -- apply --budget low --framework none --yes
expect_code 75
expect_said 'another run'
expect_said "process $(pgrep -o -x aitk)"
wait "$first" || {
    cat "$WORK/first.err"
    die "the first run was disturbed"
}
SHOW=0 aitk user -- verify
expect_code 0
