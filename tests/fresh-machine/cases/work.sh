# shellcheck shell=bash
# Working in the environment: a shell, and JupyterLab, which only this computer can open and only with its token.

machine work "$RELEASE-apt"
lend_wheels user
SHOW=3 aitk user -- apply --budget low --framework none --yes
expect_code 0
keep_wheels user

step "a shell"
# shellcheck disable=SC2016 # the shell inside expands it
as user SHELL=/bin/bash bash -c 'echo "command -v python; python -c \"import numpy, sys; print(sys.prefix)\"" | aitk shell' \
    >"$WORK/shell.out" 2>"$WORK/shell.err" || die "the shell ended with $?: $(cat "$WORK/shell.err")"
[[ $(grep -c '^/home/user/.local/share/aitk/envs/ai/' "$WORK/shell.out") == 2 ]] ||
    die "the shell is elsewhere: $(cat "$WORK/shell.out")"

step "JupyterLab, where its port is taken"
python3 -c '
import os, socket, sys, time
taken = socket.create_server(("127.0.0.1", 0))
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(taken.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)' "$WORK/taken" &
holder=$!
until [[ -s $WORK/taken ]]; do sleep 0.05; done
taken=$(<"$WORK/taken")
as user aitk lab --no-browser --port "$taken" >"$WORK/lab.out" 2>"$WORK/lab.err" &
job=$!
for _ in {1..600}; do
    url=$(sed 's/\x1b\[[0-9;]*m//g' "$WORK/lab.err" | grep -om 1 'http://127[^ ]*token=[0-9a-f]*' || true)
    [[ -z $url ]] || break
    kill -0 "$job" || die "it ended: $(cat "$WORK/lab.err")"
    sleep 0.05
done
port=${url#http://127.0.0.1:} port=${port%%/*} token=${url#*token=}
[[ -n $url && $port != "$taken" ]] || die "it names no port of its own: $url"
# `answer [HEADER]`: the status of its answer.
answer() {
    as user curl --silent --noproxy '*' --output /dev/null --write-out '%{http_code}' "${@:1}" \
        "http://127.0.0.1:$port/api/contents" || true
}
for _ in {1..600}; do
    [[ $(answer) == 000 ]] || break
    kill -0 "$job" || die "it ended: $(cat "$WORK/lab.err")"
    sleep 0.1
done
[[ $(answer) == 403 ]] || die "without its token it answers $(answer)"
[[ $(answer --header "Authorization: token $token") == 200 ]] || die "with its token it answers otherwise"
if pgrep -af jupyter-lab | grep "$token"; then die "the token is in the list of processes"; fi

step "it stops at once when asked to"
pid=$(pgrep -o -f bin/jupyter-lab)
kill -INT "$pid"
for _ in {1..300}; do
    kill -0 "$job" 2>/dev/null || break
    sleep 0.1
done
if kill -0 "$job" 2>/dev/null; then die "it still runs"; fi
kill "$holder"
