# shellcheck shell=bash
# Ctrl-C while packages are installed, and while wheels are downloaded: it stops in good order, says how to go on, and
# the same command goes on.
# On: bookworm; about 74 s

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

# Ctrl-C on a terminal as soon as it asks; `as` gives no terminal, so this is one of its own.
interrupt_the_question() {
    python3 - "$ROOT" "${SESSION[@]}" <<'PYTHON'
import os, pty, sys, time

root, session = sys.argv[1], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.chroot(root)
    os.chdir("/home/user")
    os.execvp("runuser", ["runuser", "-u", "user", "--", "env", "-i", "HOME=/home/user", *session, "aitk", "apply",
                          "--budget", "low", "--framework", "none"])
said = b""
asked = None
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    if not more:
        break
    said += more
    if b"Go ahead?" in said and asked is None:
        time.sleep(0.5)
        asked = time.monotonic()
        os.write(terminal, b"\x03")
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
text = said.decode(errors="replace")
print(text[-600:])
assert asked is not None, "it never asked"
assert code == 1 and "AITK-X01" in text, f"it ended with {code}"
assert time.monotonic() - asked < 10, "it took its time"
PYTHON
}

machine stopped "$RELEASE"
step "while it asks whether to go ahead"
interrupt_the_question || die "Ctrl-C does not end the question"
[[ ! -e $(home_of user)/.local/share/aitk ]] || die "something was built"
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
