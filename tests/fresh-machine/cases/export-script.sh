# shellcheck shell=bash
# A script that was exported on one machine brings another, fresh one to what the plan says; aitk knows it afterwards.
# On: trixie; about 128 s

step "export, where there is a Python"
machine maker "$RELEASE-apt"
aitk user -- export script --budget low --framework none
expect_code 0
cp "$OUT" "$WORK/aitk.sh"
aitk user -- export script --budget low --framework none
cmp "$OUT" "$WORK/aitk.sh" || die "the same plan gives another script"
shellcheck "$WORK/aitk.sh"
power_off

machine fresh "$RELEASE"
files_of user >"$WORK/files.before"
install -m 755 "$WORK/aitk.sh" "$ROOT/usr/local/bin/aitk.sh"

step "a run that is killed is taken up again"
(as_killable user aitk.sh) >"$WORK/killed.log" 2>&1 &
until grep -q 'Install JupyterLab' "$WORK/killed.log"; do
    kill -0 $! || die "it ended by itself: $(tail -n 5 "$WORK/killed.log")"
    sleep 0.2
done
kill -9 $!
wait $! || true
as user aitk.sh

step "aitk knows it, down to the last file"
aitk user -- verify --deep
expect_code 0
aitk user -- status
expect_said 'ai'

step "the script again, and aitk: nothing is left to do"
times_of "$(home_of user)/.local/share/aitk" >"$WORK/times.before"
as user aitk.sh | tee "$WORK/again.log"
times_of "$(home_of user)/.local/share/aitk" >"$WORK/times.after"
expect_same "$WORK/times.before" "$WORK/times.after" "the environment"
[[ $(grep -c '^done already$' "$WORK/again.log") == 10 ]] || die "it did something again"
aitk user -- apply --yes
expect_code 0

step "what is damaged is found and mended"
rm -r "$(home_of user)"/.local/share/aitk/envs/ai/current/lib/python3*/site-packages/pandas{,-*.dist-info}
aitk user -- verify
expect_code 2
expect_said 'pandas'
aitk user -- apply --yes
expect_code 0

step "and aitk takes it back"
aitk user -- remove --yes
expect_code 0
files_of user >"$WORK/files.after"
expect_same "$WORK/files.before" "$WORK/files.after" "the home folder"
