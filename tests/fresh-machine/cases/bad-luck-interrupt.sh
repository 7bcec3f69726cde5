# shellcheck shell=bash
# Ctrl-C while packages are installed, and while wheels are downloaded: it stops in good order, says how to go on, and
# the same command goes on.

# `interrupt_when PATTERN group|program`: starts apply, and sends SIGINT as soon as it says this: to all in the
# foreground as a terminal does it, or to aitk alone.
interrupt_when() {
    local pattern=$1 whom=$2 pid job
    OUT=$WORK/interrupted.out ERR=$WORK/interrupted.err CODE=0
    echo "+ (user) aitk apply …, interrupted at: $pattern"
    as user setsid aitk apply --budget low --framework none --yes >"$OUT" 2>"$ERR" &
    job=$!
    until grep -qE "$pattern" "$ERR"; do
        kill -0 "$job" 2>/dev/null || die "it ended before it came to: $pattern"
        sleep 0.05
    done
    sleep 0.5
    pid=$(pgrep -o -x aitk)
    local since=$EPOCHREALTIME
    if [[ $whom == group ]]; then kill -INT -- "-$pid"; else kill -INT "$pid"; fi
    wait "$job" || CODE=$?
    took "$since"
    tail -n 8 "$ERR" | sed 's/^/  ! /'
    echo "  = $CODE, $SECONDS_TAKEN s after the signal"
    expect_code 1
    expect_said 'run the same command again'
    [[ -z $(pgrep -x 'aitk|apt-get|dpkg|uv|pip' || true) ]] || die "something still runs: $(pgrep -l .)"
}

machine stopped "$RELEASE"
step "while apt installs"
interrupt_when 'Install Python …' group
step "while wheels are downloaded"
interrupt_when 'Install the scientific libraries …' program
[[ ! -e $(home_of user)/.local/share/aitk/envs/ai/current ]] || die "a half-built environment is in use"
step "the same command again"
aitk user -- apply --budget low --framework none --yes
expect_code 0
SHOW=0 aitk user -- verify
expect_code 0
