# shellcheck shell=bash
# What is said to help in odd surroundings is typed as it stands, and helps: sudo by askpass, apt's sources and proxies, no home, old settings of Jupyter's, a Python of another version.
# On: bookworm; about 80 s

machine remedies "$RELEASE-apt"
home=$(home_of plain)
# A plan of one step of root's.
awk -v RS= '/^# The budget/ { sub(/name = "low"/, "name = \"lists\""); print; next }
    /\[memory\]/ { print "\n" $0; next }
    /id = "system.lists"/ { sub(/needs = \[[^]]*\]/, "needs = []"); print "\n" $0 }' \
    "$HERE/../../profiles/low.toml" >"$home/lists.toml"
chmod 644 "$home/lists.toml"
old_lists() { touch -d '10 days ago' "$ROOT/var/lib/apt/lists" "$ROOT"/var/lib/apt/lists/*; }
lists() { SHOW=8 aitk plain "$@" -- apply --profile lists.toml --env lists --yes; }
# `remedy CODE`: the lines that the doctor has just given for it, comments aside.
remedy() { jq -r --arg code "$1" '.data.findings[] | select(.code == $code) | .remedy[]' "$OUT" | grep -v '^ *#'; }
found() { jq -e --arg code "$1" '.data.findings[] | select(.code == $code)' "$OUT" >/dev/null; }
# It ends with 2 where it finds something.
doctor() { SHOW=0 aitk plain -- doctor --json "$@"; }

step "sudo asks by the user's own program: a wrong password is refused, the right one does"
echo 'plain:geheim' | chroot "$ROOT" chpasswd
echo 'plain ALL=(ALL) ALL' >"$ROOT/etc/sudoers.d/plain"
for word in falsch geheim; do
    printf '#!/bin/sh\necho %s\n' "$word" >"$ROOT/usr/local/bin/ask-$word"
    chmod 755 "$ROOT/usr/local/bin/ask-$word"
done
old_lists
lists SUDO_ASKPASS=/usr/local/bin/ask-falsch
expect_code 77
expect_one_error 'AITK-C45'
lists SUDO_ASKPASS=/usr/local/bin/ask-geheim
expect_code 0
echo 'plain ALL=(ALL) NOPASSWD: ALL' >"$ROOT/etc/sudoers.d/plain"

step "a proxy that apt does not reach is named by the variable, without its password"
# What apt's own settings name comes first.
mv "$ROOT/etc/apt/apt.conf.d/90host" "$WORK/90host" 2>/dev/null || true
rm -f "$ROOT"/var/lib/apt/lists/*_*
lists http_proxy=http://me:geheim@127.0.0.1:9 no_proxy=
expect_code 69
expect_one_error 'AITK-A10.*127.0.0.1:9, which http_proxy names'
expect_not_said geheim
if [[ -e $WORK/90host ]]; then mv "$WORK/90host" "$ROOT/etc/apt/apt.conf.d/90host"; fi

step "one source with two keys: the command that is printed leaves the later one out"
mirror=$(awk '$1 == "deb" { print $2; exit }' "$ROOT/etc/apt/sources.list")
for name in archive other; do
    echo "deb [signed-by=/usr/share/keyrings/debian-$name-keyring.gpg] $mirror $RELEASE main" >"$ROOT/etc/apt/sources.list.d/$name.list"
done
lists
expect_code 78
expect_one_error 'AITK-A07'
# shellcheck disable=SC2016 # these are the marks of a command
command=$(grep -oE '`sudo [^`]*`' "$ERR" | tr -d '`')
echo "+ $command"
as plain sh -c "$command"
[[ ! -e $ROOT/etc/apt/sources.list.d/other.list && -s $ROOT/etc/apt/sources.list ]] || die "another file was put away"
lists
expect_code 0

step "nobody says where the home folder is"
for nowhere in HOME= HOME=/; do
    SHOW=4 aitk plain "$nowhere" -- plan --budget low --manager venv --no-resolve
    if [[ $nowhere == HOME= ]]; then expect_code 0; else expect_code 77 && expect_one_error 'AITK-C55'; fi
done

step "settings of Jupyter's from before: what the doctor says puts them away"
mkdir "$home/.jupyter"
printf 'c.ServerApp.ip = "0.0.0.0"\nc.IdentityProvider.token = ""\n' >"$home/.jupyter/jupyter_server_config.py"
chroot "$ROOT" chown -R plain: /home/plain/.jupyter
doctor
found AITK-H63 || die "the open server is not found"
as plain sh -ec "$(remedy AITK-H63)"
doctor
! found AITK-H63 || die "it is found still"

step "an environment of another version of Python: it is made anew with what was in it"
as plain python3 -m venv /home/plain/old
cp "$ROOT/bin/true" "$ROOT/usr/bin/python3.99"
ln -sfn /usr/bin/python3.99 "$home/old/bin/python3"
doctor --env /home/plain/old
found AITK-H36 || die "the other Python is not found"
remedy AITK-H36 | grep -v apt-get >"$WORK/remedy"
as plain sh -ec "$(<"$WORK/remedy")"
doctor --env /home/plain/old
! found AITK-H36 || die "it is found still"

step "what is mixed into every environment is named, and taken out by what is said"
as plain python3 -m venv --system-site-packages /home/plain/shared
doctor --env /home/plain/shared
found AITK-H39 || die "the packages of the system are not found"
[[ $(remedy AITK-H39) != *unset* ]] || die "a variable is to be unset, and none is set"
as plain sh -ec "$(remedy AITK-H39)"
doctor --env /home/plain/shared
! found AITK-H39 || die "it is found still"
SHOW=0 aitk plain PIP_USER=1 -- doctor --json
remedy AITK-H39 | grep -q '^unset PIP_USER ' || die "it names another variable: $(remedy AITK-H39)"

step "what a project's folder says of itself is damaged: the rest of status is told"
as plain sh -c 'mkdir .aitk && echo nonsense >.aitk/made.toml'
SHOW=6 aitk plain -- status
expect_code 0
expect_said 'made.toml'
expect_said 'There is no environment'

step "somebody's environment with a package twice, one in part and what pip left: shown, and mended after consent"
as plain python3 -m venv /home/plain/mine
as plain /home/plain/mine/bin/pip install -q six==1.16.0 iniconfig==2.0.0 toolz==0.12.0
mine=$(echo "$home"/mine/lib/python3.*/site-packages)
as plain cp -r "${mine#"$ROOT"}/six-1.16.0.dist-info" "${mine#"$ROOT"}/six-1.15.0.dist-info"
echo 'gone.py,sha256=x,3' >>"$mine/six-1.15.0.dist-info/RECORD"
rm "$mine/toolz/recipes.py"
as plain mkdir "${mine#"$ROOT"}/~oolz"
snapshot() { (cd "$home/mine" && find . -type f ! -name '*.pyc' -exec sha256sum {} + | sort -k2); }
fix() { aitk plain -- doctor --env /home/plain/mine --fix "$@"; }
snapshot >"$WORK/mine.before"
SHOW=30 fix --dry-run
expect_code 2
expect_said 'six 1.15.0, 1.16.0 → 1.16.0'
expect_said 'toolz 0.12.0 → 0.12.0'
expect_said 'take away .*~oolz'
if grep -q 'iniconfig' "$ERR"; then die "what is sound is replaced"; fi
SHOW=0 fix
expect_code 64
SHOW=8 aitk plain AITK_CACHE_DIR=/home/plain/.cache/empty UV_DEFAULT_INDEX=http://127.0.0.1:9/simple -- doctor --env /home/plain/mine --fix --yes
((CODE != 0)) || die "it claims success without an index"
snapshot >"$WORK/mine.after"
expect_same "$WORK/mine.before" "$WORK/mine.after" "the environment, though nobody agreed or nothing could be had,"
SHOW=30 fix --yes
expect_code 0
back=$(sed -n 's/^To go back: //p' "$OUT")
as plain /home/plain/mine/bin/python -c 'import six, toolz.recipes, iniconfig; assert six.__version__ == "1.16.0"'
six=("$mine"/six-*.dist-info)
[[ ${#six[@]} == 1 && ! -e $mine/~oolz ]] || die "it is not mended"

step "it does not go over an earlier one; the printed command goes back, to the last file"
SHOW=4 fix --yes
expect_code 78
expect_one_error AITK-D02
as plain sh -ec "$back"
snapshot >"$WORK/mine.after"
if as plain sh -ec "$back"; then die "there was nothing to go back to"; fi
snapshot >"$WORK/mine.after"
expect_same "$WORK/mine.before" "$WORK/mine.after" "the environment, gone back to,"

step "killed in the middle, the printed command brings it back; a proof that fails does so by itself"
SHOW=0 fix --dry-run --json
back=$(jq -r .data.fix.back "$OUT")
cat >"$ROOT/usr/local/bin/slow-uv" <<'UV'
#!/bin/sh
uv=$(ls -d /home/plain/.cache/aitk/tools/uv-*/uv /home/plain/.local/share/aitk/tools/uv-*/uv 2>/dev/null | head -n 1)
case "$*" in "pip install"*) rm -rf /home/plain/mine/lib/python3.*/site-packages/six*; echo $$ >/tmp/uv-pid; touch /tmp/in-the-middle; exec sleep 30 ;; esac
exec "$uv" "$@"
UV
chmod 755 "$ROOT/usr/local/bin/slow-uv"
as plain sh -c 'aitk doctor --env /home/plain/mine --fix --yes --uv /usr/local/bin/slow-uv & echo $! >/tmp/mending; wait' >"$WORK/killed" 2>&1 &
for _ in $(seq 300); do [[ ! -e $ROOT/tmp/in-the-middle ]] || break; sleep 0.1; done
[[ -e $ROOT/tmp/in-the-middle ]] || die "it did not come to the middle: $(<"$WORK/killed")"
# shellcheck disable=SC2016 # expanded inside
as plain sh -c 'kill -9 "$(cat /tmp/mending)" "$(cat /tmp/uv-pid)"'
if as plain /home/plain/mine/bin/python -c 'import six' 2>/dev/null; then die "it was not in the middle"; fi
as plain sh -ec "$back"
snapshot >"$WORK/mine.after"
expect_same "$WORK/mine.before" "$WORK/mine.after" "the environment, brought back,"
sed -i 's/exec sleep 30/exit 1/' "$ROOT/usr/local/bin/slow-uv"
SHOW=8 aitk plain -- doctor --env /home/plain/mine --fix --yes --uv /usr/local/bin/slow-uv
expect_code 1
expect_one_error AITK-D03
snapshot >"$WORK/mine.after"
expect_same "$WORK/mine.before" "$WORK/mine.after" "the environment, after what failed,"

step "root's, another user's and what another tool looks after is refused with the reason"
refused() {
    SHOW=4 fix --yes
    expect_code 77
    expect_one_error "AITK-D01.*$1"
}
touch "$home/uv.lock"
refused 'uv looks after it'
rm "$home/uv.lock"
chroot "$ROOT" chown root: /home/plain/mine
refused "root's"
chroot "$ROOT" chown user: /home/plain/mine
refused "another user's"
chroot "$ROOT" chown plain: /home/plain/mine
as plain mkdir /home/plain/mine/conda-meta
refused 'conda looks after it'
