# shellcheck shell=bash
# Working in the environment: a shell, and JupyterLab, which only this computer can open and only with its token.
# On: bookworm; about 18 s

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

step "other shells: the user's own file comes first, whatever it does to the variables"
as root apt-get install -y -qq --no-install-recommends zsh >"$WORK/zsh.log" 2>&1 || die "$(cat "$WORK/zsh.log")"
own='PATH=/usr/bin:/bin; PYTHONPATH=/nowhere; export PYTHONPATH; OWN=read; export OWN'
as user sh -c "echo '$own' | tee .zshrc .shrc >/dev/null"
echo 'import os, sys; print(sys.prefix, *(os.environ.get(name) for name in ("OWN", "PYTHONPATH", "ZDOTDIR")))' >"$(home_of user)/where.py"
# `inside FOLDER NAME=VALUE…`: a shell that is started so is in the environment, has read the user's file, and leaves the
# folder of zsh's files as the user has it.
inside() {
    as user "${@:2}" sh -c 'echo "python where.py" | aitk shell' >"$WORK/shell.out" 2>"$WORK/shell.err" ||
        die "the shell ended with $?: $(cat "$WORK/shell.err")"
    grep -q "^/home/user/.local/share/aitk/envs/ai/[^ ]* read None $1\$" "$WORK/shell.out" ||
        die "the shell is elsewhere: $(cat "$WORK/shell.out" "$WORK/shell.err")"
}
inside None SHELL=/bin/zsh
as user sh -c 'mkdir zsh && mv .zshrc zsh'
inside /home/user/zsh SHELL=/bin/zsh ZDOTDIR=/home/user/zsh
inside None SHELL=/bin/sh ENV=/home/user/.shrc

step "where no shell finds it, what it says works as typed"
PROGRAM=/usr/local/bin/aitk aitk user PATH=/usr/bin:/bin -- status
expect_code 0
# shellcheck disable=SC2016 # the words as they are said
expect_said '`/usr/local/bin/aitk verify`'

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

step "it stops at once when asked to, and leaves nothing behind"
pkill -TERM -x aitk
for _ in {1..300}; do
    kill -0 "$job" 2>/dev/null || break
    sleep 0.1
done
if kill -0 "$job" 2>/dev/null; then die "it still runs"; fi
wait "$job" || die "it ended with $?"
if pgrep -af bin/jupyter-lab; then die "the server still runs"; fi
kill "$holder"

# `start [NAME=VALUE…]`: JupyterLab, until it has said its address, which comes last; leaves it in URL.
start() {
    # What an earlier one has said is none of this one's.
    : >"$WORK/lab.err"
    as user "$@" aitk lab --no-browser >"$WORK/lab.out" 2>"$WORK/lab.err" &
    job=$!
    until grep -q 'JupyterLab:' "$WORK/lab.err"; do
        kill -0 "$job" || die "it ended: $(cat "$WORK/lab.err")"
        sleep 0.05
    done
    sed -i 's/\x1b\[[0-9;]*m//g' "$WORK/lab.err"
    URL=$(tail -n 1 "$WORK/lab.err")
    URL=${URL#JupyterLab: }
}
stop() {
    pkill -INT -x aitk
    wait "$job" || die "it ended with $?: $(cat "$WORK/lab.err")"
}

step "killed without a word, it leaves nothing behind either"
start
pkill -KILL -x aitk
wait "$job" && die "it was not killed"
for _ in {1..300}; do
    pgrep -f bin/jupyter-lab >/dev/null || break
    sleep 0.1
done
if pgrep -af bin/jupyter-lab; then die "the server still runs"; fi

step "a configuration of the user's is honoured in the address, and does not open it to others"
configuration=$(home_of user)/.jupyter/jupyter_server_config.py
as user mkdir -p .jupyter
printf 'c.%s\n' 'ServerApp.base_url = "/jupyter/"' 'IdentityProvider.token = "mine"' 'ServerApp.ip = "0.0.0.0"' \
    'ServerApp.root_dir = "/nowhere"' >"$configuration"
start SSH_CONNECTION="10.0.0.9 50412 10.0.0.1 22"
[[ $URL == http://127.0.0.1:*/jupyter/lab?token=mine ]] || die "the address is $URL"
port=${URL#http://127.0.0.1:} port=${port%%/*}
grep -q "ssh -L $port:127.0.0.1:$port user@10.0.0.1" "$WORK/lab.err" || die "it names no tunnel"
as user curl --silent --fail --noproxy '*' --output /dev/null --location "$URL" || die "its address does not answer"
awk -v port=":$(printf '%04X' "$port")" '$4 == "0A" && substr($2, 9) == port' /proc/net/tcp >"$WORK/listening"
if grep -v ' 0100007F:' "$WORK/listening"; then die "others can reach it"; fi
[[ -s $WORK/listening ]] || die "nothing listens on its port"
stop

step "one that cannot be read is named, and so is what ends the server"
echo 'c.ServerApp.ip = = 1' >"$configuration"
start
grep -q "Jupyter cannot read .*jupyter_server_config.py" "$WORK/lab.err" || die "it is not named: $(cat "$WORK/lab.err")"
stop
echo 'raise SystemExit("there is nowhere to go")' >"$configuration"
SHOW=12 aitk user -- lab --no-browser
expect_code 1
expect_one_error 'JupyterLab has ended'
expect_said 'there is nowhere to go'
rm "$configuration"
as root chown root: /home/user/.local/share/jupyter/runtime
as root chmod 755 /home/user/.local/share/jupyter/runtime
SHOW=5 aitk user -- lab --no-browser
expect_code 1
expect_one_error 'runtime.* cannot be written'
expect_said 'sudo chown'
