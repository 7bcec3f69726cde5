# shellcheck shell=bash
# Saved plans that must not be carried out: of a newer form, edited, damaged, of another machine. And one that may.
# On: bookworm; about 24 s

machine planned "$RELEASE-apt"
lend_wheels user
home=$(home_of user)
SHOW=0 aitk user -- plan --budget low --framework none -o plan.json
expect_code 0
state=$home/.local/share/aitk

# `refused WHAT FILTER`: the plan, changed so, is refused with 78 and changes nothing.
refused() {
    step "$1"
    jq "$2" "$home/plan.json" >"$home/changed.json"
    SHOW=5 aitk user -- apply changed.json --yes
    expect_code 78
    [[ ! -e $state/envs ]] || die "something was built from it"
}

refused "a newer form" '.schema = 3'
refused "a step taken out by hand" '.data.steps |= .[1:]'
refused "another machine" '.data.machine = "0000000000000000"'
refused "no form at all" 'del(.schema)'
# Its choices are what counts, and the picture shows other ones.
refused "edited" '.data.choices.env = "other"'
refused "edited, with a digest that says it was not" '.digest = "0123456789abcdef" | .data.steps[0].title = "Nothing"'

step "no JSON"
echo 'not a plan' >"$home/changed.json"
SHOW=5 aitk user -- apply changed.json --yes
expect_code 78

step "made on another machine"
SHOW=5 aitk user -- detect --json
jq '.data.cpu.model = "Another CPU" | .data.memory.total = 17179869184 | .data.kernel = "6.0.0"' "$OUT" >"$home/machine.json"
SHOW=3 aitk user -- plan --budget low --framework none --machine machine.json --no-resolve -o other.json
expect_code 0
SHOW=5 aitk user -- apply other.json --yes
expect_code 78

step "flags that ask for something else"
SHOW=5 aitk user -- apply plan.json --yes --framework pytorch --env other
expect_code 64
expect_one_error 'framework, --env'
[[ ! -e $state/envs ]] || die "something was built from it"

step "the plan itself, though a channel answers by now"
mkdir -p "$home/.config/aitk" "$WORK/empty"
CHANNEL=$WORK/empty serve_channel
echo "channels = [\"$CHANNEL_URL/conda-forge\"]" >"$home/.config/aitk/config.toml"
aitk user -- apply plan.json --yes
expect_code 0
[[ ! -s $CHANNEL_LOG ]] || die "the channel was asked, though the plan has its manager: $(cat "$CHANNEL_LOG")"
jq -e '.environments.ai.manager == "venv"' "$home/.local/state/aitk/receipt.json" >/dev/null || die "another manager is noted"
stop_channel
SHOW=0 aitk user -- verify
expect_code 0
