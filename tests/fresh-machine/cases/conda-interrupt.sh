# shellcheck shell=bash
# Ctrl-C while packages of conda are unpacked and linked: it stops in good order, and the same command goes on.

serve_channel
machine stopped "$RELEASE"
WISH=(--budget low --manager conda --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --framework none
    --user-only --yes)

# `interrupted_at TITLE`: SIGINT to aitk alone, a moment after this step has begun.
interrupted_at() {
    local pid job since
    step "while it is at: $1"
    OUT=$WORK/interrupted.out ERR=$WORK/interrupted.err CODE=0
    as user setsid aitk apply "${WISH[@]}" >"$OUT" 2>"$ERR" &
    job=$!
    until grep -q "$1 …" "$ERR"; do
        kill -0 "$job" 2>/dev/null || die "it ended before it came to that: $(cat "$ERR")"
        sleep 0.02
    done
    pid=$(pgrep -o -x aitk)
    since=$EPOCHREALTIME
    kill -INT "$pid"
    wait "$job" || CODE=$?
    took "$since"
    tail -n 4 "$ERR" | sed 's/^/  ! /'
    echo "  = $CODE, $SECONDS_TAKEN s after the signal"
    expect_code 1
    expect_one_error 'AITK-X01'
    expect_within 10
    [[ ! -e $(home_of user)/.local/share/aitk/envs/ai/current ]] || die "a half-built environment is in use"
}

interrupted_at 'Install conda and mamba'
interrupted_at 'Install the scientific libraries'
step "the same command again"
SHOW=12 aitk user -- apply "${WISH[@]}"
expect_code 0
SHOW=3 aitk user -- verify --deep
expect_code 0
