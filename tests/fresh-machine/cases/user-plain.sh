# shellcheck shell=bash
# A user without any way to root, on a machine without Python: nothing is changed, the commands to have an
# administrator run are exact, and once they have been run everything works.
# On: bookworm trixie; about 42 s

commands_printed() {
    sed -nE 's/^ *\$? *(sudo .*)/\1/p' "$OUT" "$ERR"
}

machine fresh "$RELEASE"
lend_wheels plain
times_of "$(home_of plain)" | grep -v "^./.cache" >"$WORK/home.before"
apt_traces >"$WORK/apt.before"

step "apply without root"
aitk plain -- apply --budget low --framework none --yes
expect_code 77
commands_printed >"$WORK/commands.all"
[[ -s $WORK/commands.all ]] || die "no command to run by hand is printed"
grep -q 'apt-get.* install .*python3' "$WORK/commands.all" || die "the command that installs Python is not printed"

step "apply --user-only says what is missing"
aitk plain -- apply --budget low --framework none --user-only --yes
((CODE != 0)) || die "it claims success without Python"
expect_said '[Pp]ython'

times_of "$(home_of plain)" | grep -v "^./.cache" >"$WORK/home.after"
apt_traces >"$WORK/apt.after"
expect_same "$WORK/apt.before" "$WORK/apt.after" "what apt and dpkg keep"
grep -v '\.local/state/aitk\|^\. \|\./\.local \|\./\.local/state ' "$WORK/home.before" >"$WORK/before" || true
grep -v '\.local/state/aitk\|^\. \|\./\.local \|\./\.local/state ' "$WORK/home.after" >"$WORK/after" || true
expect_same "$WORK/before" "$WORK/after" "the home folder"

step "an administrator runs what was printed"
while read -r command; do
    echo "$ $command"
    as user bash -c "$command" </dev/null >"$WORK/administrator.log" 2>&1 || {
        tail -n 20 "$WORK/administrator.log"
        die "this printed command fails: $command"
    }
done < <(awk '!seen[$0]++' "$WORK/commands.all")

step "apply --user-only now, and in French"
aitk plain AITK_LANG=fr -- apply --budget low --framework none --user-only --yes
expect_code 0
expect_said 'Terminé en .* étapes faites.* téléchargé'
expect_said 'Un notebook s.exécute par le noyau de l.environnement'
SHOW=5 aitk plain LANG=fr_FR.UTF-8 -- verify
expect_code 0
expect_said "tout est là tel qu'installé"
