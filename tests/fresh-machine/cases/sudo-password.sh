# shellcheck shell=bash
# sudo asks for a password: without a terminal the exact commands are printed, and nothing is changed; at one it is typed, and
# the run goes to its end.
# On: bookworm; about 20 s

machine asks "$RELEASE"
echo 'user:geheim' | chroot "$ROOT" chpasswd
echo 'user ALL=(ALL) ALL' >"$ROOT/etc/sudoers.d/user"
aitk user -- detect --json
[[ $(jq -r '.data.privilege.sudo' "$OUT") == password ]] || die "sudo asks for no password here"
apt_traces >"$WORK/apt.before"
aitk user -- apply --budget low --framework none --yes
expect_code 77
expect_one_error 'AITK-C06'
expect_said 'sudo env .*apt-get .*install .*python3'
expect_said '--user-only'
apt_traces >"$WORK/apt.after"
expect_same "$WORK/apt.before" "$WORK/apt.after" "what apt and dpkg keep"
[[ ! -e $(home_of user)/.local/share/aitk ]] || die "something was built"

step "the password of a proxy reaches apt, and is told nowhere else"
# It notes who asks, and lets nobody through.
python3 -c '
import http.server, os, sys
class Proxy(http.server.BaseHTTPRequestHandler):
    def refuse(self):
        with open(sys.argv[2], "a") as log:
            log.write("%s %s\n" % (self.headers.get("User-Agent"), self.headers.get("Proxy-Authorization")))
        self.send_error(403)
    do_GET = do_CONNECT = refuse
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()' "$WORK/proxy.port" "$WORK/proxy.log" 2>"$WORK/proxy.err" &
server=$!
until [[ -s $WORK/proxy.port ]]; do
    kill -0 "$server" || die "the proxy does not run: $(cat "$WORK/proxy.err")"
    sleep 0.05
done
proxy=http://me:geheim@127.0.0.1:$(<"$WORK/proxy.port")
# What is written into apt's own settings would come first, and the lists have to be fetched.
rm -f "$ROOT/etc/apt/apt.conf.d/90host" "$ROOT"/var/lib/apt/lists/*_*
echo 'user ALL=(ALL) NOPASSWD: ALL' >"$ROOT/etc/sudoers.d/user"
aitk user "http_proxy=$proxy" "https_proxy=$proxy" no_proxy= -- \
    apply --budget low --framework none --manager venv --yes -vvv
expect_code 69
expect_said 'sudo --preserve-env=http_proxy,https_proxy env .*apt-get'
expect_not_said geheim
if grep -r geheim "$(home_of user)"; then die "it is in a file"; fi
grep "^Debian APT.* Basic $(printf me:geheim | base64)" "$WORK/proxy.log" || die "apt did not get it: $(cat "$WORK/proxy.log")"

step "at a terminal the password is asked for, and the run goes to its end"
machine typed "$RELEASE-apt"
echo 'user:geheim' | chroot "$ROOT" chpasswd
echo 'user ALL=(ALL) ALL' >"$ROOT/etc/sudoers.d/user"
lend_wheels user
tiny=$HERE/../support/tiny.toml
{
    sed '/^\[\[step/,$d' "$tiny"
    printf '[[step]]\nid = "system.bc"\nphase = "system"\nkind = "apt-packages"\ntitle = "Install bc"\nwhy = "w"\npackages = ["bc"]\n'
    sed -n '/^\[\[step/,$p' "$tiny"
} >"$(home_of user)/tiny.toml"
# Once mistyped.
python3 - "$ROOT" "${SESSION[@]}" >"$WORK/typed" <<'PYTHON' || { tail -n 40 "$WORK/typed" && die "it did not come to its end"; }
import os, pty, sys

root, session = sys.argv[1], sys.argv[2:]
pid, terminal = pty.fork()
if pid == 0:
    os.chroot(root)
    os.chdir("/home/user")
    os.execvp("runuser", ["runuser", "-u", "user", "--", "env", "-i", "HOME=/home/user", *session, "aitk", "apply",
                          "--profile", "tiny.toml", "--manager", "venv"])
answers = {b"Go ahead?": [b"y\n"], b"password for user:": [b"falsch\n", b"geheim\n"]}
said = seen = b""
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    if not more:
        break
    said, seen = said + more, seen + more
    for question, left in answers.items():
        if question in seen:
            os.write(terminal, left.pop(0))
            seen = b""
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.buffer.write(said)
assert not any(answers.values()), answers
assert b"geheim" not in said
sys.exit(code)
PYTHON
SHOW=4 aitk user -- verify
expect_code 0
as user aitk run -- python -c 'import six'
as user bc --version
