# shellcheck shell=bash
# A channel that does not answer: one message, soon, and the exit code for it. Where nobody insists on conda, a virtual
# environment is planned instead, and said so once.
# On: bookworm; about 54 s

WISH=(--budget low --python "$(channel_python)" --framework none --user-only)

# A port of loopback where nobody listens.
closed_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Listens, takes every connection, and never says a word; leaves SILENT, its port.
be_silent() {
    python3 -c '
import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(listener.getsockname()[1]))
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
taken = []
while True:
    taken.append(listener.accept())' "$WORK/silent.port" &
    until [[ -s $WORK/silent.port ]]; do sleep 0.05; done
    SILENT=$(<"$WORK/silent.port")
}

# `unreachable PATTERN ARGUMENT…`: it says that the channel does not answer and why, within 10 s, and nothing else.
unreachable() {
    local pattern=$1
    shift
    aitk plain -- "$@"
    expect_code 69
    expect_within 10
    expect_one_error "$pattern"
    [[ ! -s $OUT ]] || die "there is something on standard output"
    ! grep -vE '^(error\[AITK-E01\]: |  )' "$ERR" || die "more than the message is said"
}

# `unreachable_json ARGUMENT…`: the same as one object.
unreachable_json() {
    aitk plain -- "$@" --json
    expect_code 69
    expect_within 10
    jq -e '.kind == "error" and (.diagnostics | length) == 1 and .diagnostics[0].code == "AITK-E01"' "$OUT" >/dev/null ||
        die "the object does not say it"
    [[ ! -s $ERR ]] || die "there is something on standard error"
}

nothing_is_there() {
    [[ ! -e $(home_of plain)/.local/share/aitk/envs/ai ]] || die "something was built"
}

machine bare "$RELEASE"

step "nobody listens"
channel=http://127.0.0.1:$(closed_port)/conda-forge
unreachable "$channel.*refused" plan "${WISH[@]}" --manager conda --channel "$channel"
unreachable "$channel.*refused" apply "${WISH[@]}" --manager conda --channel "$channel" --yes
unreachable "$channel.*refused" bundle "${WISH[@]}" --manager conda --channel "$channel"
unreachable_json apply "${WISH[@]}" --manager conda --channel "$channel" --yes
nothing_is_there

step "a server takes the connection and never answers"
be_silent
unreachable "127.0.0.1:$SILENT/conda-forge" apply "${WISH[@]}" --manager conda \
    --channel "http://127.0.0.1:$SILENT/conda-forge" --yes
unreachable_json apply "${WISH[@]}" --manager conda --channel "http://127.0.0.1:$SILENT/conda-forge" --yes
nothing_is_there

step "there is no network at all"
AS=as_offline unreachable "$channel" apply "${WISH[@]}" --manager conda --channel "$channel" --yes
AS=as_offline unreachable "conda-forge" apply "${WISH[@]}" --manager conda --yes
AS=as_offline unreachable_json apply "${WISH[@]}" --manager conda --yes
nothing_is_there

step "nobody insists on conda"
power_off
machine python "$RELEASE-apt"
for port in "$(closed_port)" "$SILENT"; do
    channel=http://127.0.0.1:$port/conda-forge
    SHOW=12 aitk user -- plan --budget low --framework none --channel "$channel" --json
    expect_code 0
    jq -e '.data.manager == "venv"' "$OUT" >/dev/null || die "the plan is not for a virtual environment"
    jq -e '[.diagnostics[] | select(.code == "AITK-W10")] | length == 1' "$OUT" >/dev/null || die "that is not said once"
    jq -r '.diagnostics[] | select(.code == "AITK-W10") | .message' "$OUT" | tee "$WORK/warning"
    grep -q "$channel" "$WORK/warning" || die "the warning does not name the channel"
    jq -e '[.data.steps[] | select(.kind == "layer") | .packages[]] | length > 50' "$OUT" >/dev/null ||
        die "the plan names no packages"
    SHOW=25 aitk user -- plan --budget low --framework none --channel "$channel"
    expect_code 0
    [[ $(grep -c 'instead of conda' "$ERR") == 1 ]] || die "that is not said once"
done
