# shellcheck shell=bash
# Others at work in the same home: a second aitk of every command that changes something, somebody who deletes the cache,
# and somebody's pip in the environment. Nothing is lost, and each is said as it is.
# On: bookworm; about 40 s

machine ready "$RELEASE-apt"
lend_wheels user
home=$(home_of user)
cp "$HERE/../support/tiny.toml" "$home/"
chmod 644 "$home/tiny.toml"
wish=(--profile tiny.toml --manager venv --yes)
SHOW=2 aitk user -- apply "${wish[@]}"
expect_code 0

step "whoever comes while another one is at work is told so, and does nothing"
times_of "$home/.local/share/aitk" >"$WORK/data.before"
# The lock is held as another run holds it.
chroot "$ROOT" runuser -u user -- flock -o -x "${home#"$ROOT"}/.local/state/aitk/lock" sleep 60 &
until ! chroot "$ROOT" flock -n -x "${home#"$ROOT"}/.local/state/aitk/lock" true; do sleep 0.1; done
for command in "apply ${wish[*]} --env other" "add iniconfig --yes" "upgrade --yes" "rollback --yes" "clean --yes" \
    "remove --yes"; do
    read -ra words <<<"$command"
    SHOW=2 aitk user -- "${words[@]}"
    expect_code 75 "$command"
    expect_said 'another run'
done
for command in status "verify --deep" doctor; do
    read -ra words <<<"$command"
    SHOW=1 aitk user -- "${words[@]}"
    ((CODE == 0 || CODE == 2)) || die "\`$command\` only looks, and ends with $CODE"
done
times_of "$home/.local/share/aitk" >"$WORK/data.after"
expect_same "$WORK/data.before" "$WORK/data.after" "what the other run works on"
kill %1
wait %1 2>/dev/null || true

step "the cache is deleted"
rm -rf "$home/.cache"
SHOW=1 aitk user -- verify --deep
expect_code 0
SHOW=1 aitk user -- apply "${wish[@]}"
expect_code 0
expect_said "Nothing to do"
rm "$home"/.local/share/aitk/envs/ai/current/lib/python3*/site-packages/six.py
SHOW=1 aitk user -- apply "${wish[@]}"
expect_code 0
SHOW=1 aitk user -- verify --deep
expect_code 0

step "somebody's pip takes a package out of the environment"
rm -r "$home"/.local/share/aitk/envs/ai/current/lib/python3*/site-packages/six-*
SHOW=3 aitk user -- verify
expect_code 2
expect_said 'aitk apply'
SHOW=1 aitk user -- apply "${wish[@]}"
expect_code 0
SHOW=1 aitk user -- verify --deep
expect_code 0
