# shellcheck shell=bash
# A clock that is an hour off, in one direction and then in the other, as after a start without a network: what is built stays in use, the
# history tells what came after what, a killed run is gone on with, and nothing is taken away that is needed.
# On: bookworm; about 90 s

faketime_packages() { as root bash -c 'apt-get update -q && apt-get install -y -q --no-install-recommends libfaketime'; }
ensure_layer faketime faketime_packages
machine ready "$LAYER" "$RELEASE-apt"
library=$(cd "$ROOT" && find usr/lib -name libfaketime.so.1 | head -n 1)
[[ $library ]] || die "there is no libfaketime"
lend_wheels user
home=$(home_of user)
cp "$HERE/../support/tiny.toml" "$home/"
chmod 644 "$home/tiny.toml"
wish=(--profile tiny.toml --manager venv --yes)
envs=$home/.local/share/aitk/envs/ai

# `off SHIFT WORD…`: the command with a clock that is so much off.
off() {
    local shift=$1
    shift
    SHOW=3 aitk user "LD_PRELOAD=/$library" "FAKETIME=$shift" FAKETIME_DONT_RESET=1 -- "$@"
}

step "it is really off"
now=$(date +%s)
off_now=$(as user "LD_PRELOAD=/$library" FAKETIME=-1h date +%s)
((now - off_now > 3000)) || die "the clock is not off: $off_now, and $now here"

step "an hour ahead, then an hour behind, and back"
off +1h apply "${wish[@]}"
expect_code 0
off -1h add iniconfig --yes
expect_code 0
second=$(readlink "$envs/current")
off -1h verify --deep
expect_code 0
off +1h apply --yes
expect_code 0
expect_said 'Nothing to do'
off -1h rollback --yes
expect_code 0
[[ $(readlink "$envs/current") != "$second" ]] || die "nothing was gone back to"
reasons=$(jq -r .reason "$envs/history.jsonl" | tr '\n' ' ')
[[ $reasons == "apply add rollback " ]] || die "the history is: $reasons"
off +1h rollback "$second" --yes
expect_code 0
[[ $(readlink "$envs/current") == "$second" ]] || die "it was not gone forward again"

step "what is older by the clock alone is not taken for what nobody needs"
off -1h clean --keep 1 --yes
expect_code 0
[[ $(readlink "$envs/current") == "$second" && -d $envs/$second ]] || die "what is in use is gone"
[[ $(find "$envs" -maxdepth 2 -name aitk-generation.json | wc -l) == 2 ]] || die "the one before is gone"

step "a run that was killed by the other clock is gone on with"
rm -r "$envs/$second"/lib/python3*/site-packages/six.py
as_killable user "LD_PRELOAD=/$library" FAKETIME=+1h aitk apply --yes >/dev/null 2>&1 &
sleep 0.3
kill -KILL $!
wait $! 2>/dev/null || true
off -1h apply --yes
expect_code 0
off -1h verify --deep
expect_code 0
off +1h status --history
expect_code 0
