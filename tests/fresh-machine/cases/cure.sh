# shellcheck shell=bash
# One thing at a time is broken: `verify` names exactly that, what it says as the remedy mends it, and nothing else has
# changed.
# On: trixie; about 132 s

apply_ready() { aitk user -- apply --budget low --framework none --yes; }

# `damaged STEP [--deep]`: verify ends with 2, and all that it finds is about this step.
damaged() {
    local expected=$1 found
    shift
    SHOW=12 aitk user -- verify --json "$@"
    expect_code 2
    found=$(jq -r '[.data.findings[].step] | unique | join(" ")' "$OUT")
    [[ $found == "$expected" ]] || die "verify names \`$found\` where only \`$expected\` is broken"
    REMEDY=$(jq -r '[.data.findings[].remedy] | unique | join(" && ")' "$OUT")
}

# The times of what was installed again are noted anew.
everything() { content_of "$DATA/envs" | grep -v -e aitk-files.txt -e aitk-generation.json; }

# `cured REMEDY`: that is what verify said; it mends it, and everything is as it was.
cured() {
    [[ $REMEDY == "$1" ]] || die "verify says \`$REMEDY\` where \`$1\` is what helps"
    case $1 in
    "aitk apply"*)
        read -ra words <<<"${1#aitk }"
        SHOW=15 aitk user -- "${words[@]}" --yes
        expect_code 0
        grep -q "Nothing to do" "$OUT" && die "apply finds nothing to do after verify has named it"
        ;;
    *) as user bash -c "$1" ;;
    esac
    SHOW=0 aitk user -- verify --deep
    expect_code 0
    everything >"$WORK/content.after"
    expect_same "$WORK/content.before" "$WORK/content.after" "the environment"
}

machine ready "$RELEASE-apt"
lend_wheels user
SHOW=5 apply_ready
expect_code 0
keep_wheels user
DATA=$(home_of user)/.local/share/aitk
SITE=$(cd "$DATA"/envs/ai/current/lib/python3.*/site-packages && pwd -P)
# What the user adds by hand is part of what must not change.
aitk user -- run -- pip install --quiet --no-deps toolz
expect_code 0
everything >"$WORK/content.before"

step "numpy's folder is deleted"
rm -r "$SITE/numpy"
damaged libraries
cured "aitk apply"

step "the kernel's folder is removed"
rm -r "$(home_of user)/.local/share/jupyter/kernels/aitk-ai"
damaged notebook.kernel
cured "aitk apply"

step "git is removed"
as root DEBIAN_FRONTEND=noninteractive apt-get -y -qq remove git >/dev/null
damaged system.tools
cured "aitk apply"

step "the link to the environment in use is cut"
rm "$DATA/envs/ai/current"
damaged environment.current
cured "aitk apply"

step "the environment's Python is deleted"
rm "$DATA/envs/ai/current/bin/python"
damaged manager.environment
cured "aitk apply"
aitk user -- status --json
[[ $(jq -r '.data.environment.added[0]' "$OUT") == toolz==* ]] || die "what the user added is lost"

step "one byte in a file of pandas is changed"
# A letter of its first words, so that it still runs; its time is as before.
touch -r "$SITE/pandas/core/frame.py" "$WORK/time"
printf 'd' | dd of="$SITE/pandas/core/frame.py" bs=1 seek=4 conv=notrunc status=none
touch -r "$WORK/time" "$SITE/pandas/core/frame.py"
SHOW=5 aitk user -- verify
expect_code 0 "without --deep no content is compared"
grep -q -e "--deep" "$OUT" || die "verify does not say what it looked at"
damaged libraries --deep
cured "aitk apply --deep"
