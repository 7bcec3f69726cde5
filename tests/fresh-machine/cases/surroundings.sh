# shellcheck shell=bash
# What surrounds the user: sudo by its rules, apt's sources as they are, certificates that are gone, folders of root's.
# On: bookworm; about 60 s

# Nothing of what a plan needs of root is there yet.
machine bare "$RELEASE"
rights() { aitk plain -- detect --json && jq -r '.data.privilege.sudo' "$OUT"; }
rules() { printf '%s\n' "$@" >"$ROOT/etc/sudoers.d/plain"; }

step "what sudo lets a user do, sudo says: no group, a few programs, a terminal"
SHOW=0
[[ $(rights | tail -n 1) == no ]] || die "a stranger may use sudo"
rules 'plain ALL=(ALL) ALL'
[[ $(rights | tail -n 1) == password ]] || die "who is named by sudo's rules is not told so"
rules 'plain ALL=(root) NOPASSWD: /usr/bin/apt-get, /usr/bin/dpkg'
aitk plain -- apply --budget low --framework none --yes
expect_code 77
expect_said 'sudo lets this user run only /usr/bin/apt-get, /usr/bin/dpkg'
expect_said 'run those of the commands shown that sudo lets you run'
grep -o 'sudo apt-get .*' "$ERR" >"$WORK/commands"
while read -r command; do
    # Whether sudo lets the user, and apt understands it; what it does is another case's.
    as plain sh -c "${command/apt-get/apt-get -s}" >/dev/null || die "this cannot be run: $command"
done <"$WORK/commands"
[[ -s $WORK/commands ]] || die "no command is shown"
rules 'Defaults requiretty' 'plain ALL=(ALL) NOPASSWD: ALL'
aitk plain -- apply --budget low --framework none --yes
expect_code 77
expect_said 'somebody at a terminal'
expect_said 'run it at a terminal'
rm "$ROOT/etc/sudoers.d/plain"
export SHOW=12

step "one source with two keys: apt does nothing, and its files are named"
mirror=$(awk '$1 == "deb" { print $2; exit }' "$ROOT/etc/apt/sources.list")
add_source() { echo "deb [signed-by=$2] $mirror $RELEASE main" >"$ROOT/etc/apt/sources.list.d/$1.list"; }
add_source own /usr/share/keyrings/debian-archive-keyring.gpg
aitk user -- doctor
expect_not_said 'AITK-H59'
as root apt-get -s -qq install curl >/dev/null || die "apt refuses what the doctor finds nothing wrong with"
add_source other /etc/apt/keyrings/other.gpg
if as root apt-get -s -qq install curl >/dev/null 2>&1; then die "apt does not mind two keys for one source"; fi
aitk user -- doctor
expect_said 'AITK-H59'
expect_said 'is in /etc/apt/sources.list.d/other.list and'
aitk user -- apply --budget low --framework none --manager venv --yes
expect_code 78
expect_one_error 'AITK-A07.*other.list'
power_off

machine around "$RELEASE-apt"
lend_wheels user
home=$(home_of user)
cp "$HERE/../support/tiny.toml" "$home/"
chmod 644 "$home/tiny.toml"

step "a source of others that is gone: its file is named, the rest goes on"
echo 'deb [trusted=yes] http://127.0.0.1:9/apt stable main' >"$ROOT/etc/apt/sources.list.d/vendor.list"
touch -d '10 days ago' "$ROOT/var/lib/apt/lists" "$ROOT"/var/lib/apt/lists/*
awk -v RS= '/^# The budget/ { sub(/name = "low"/, "name = \"lists\""); print; next }
    /\[memory\]/ { print "\n" $0; next }
    /id = "system.lists"/ { sub(/needs = \[[^]]*\]/, "needs = []"); print "\n" $0 }' \
    "$HERE/../../profiles/low.toml" >"$home/lists.toml"
aitk user -- apply --profile lists.toml --env lists --yes
expect_code 0
expect_said 'vendor.list'
rm "$ROOT/etc/apt/sources.list.d/vendor.list"

step "certificates that a variable names and that are gone are not missed"
SHOW=3 aitk user SSL_CERT_FILE=/opt/gone/cacert.pem REQUESTS_CA_BUNDLE=/opt/gone/cacert.pem -- \
    plan --profile tiny.toml --manager venv --env other
# Behind a proxy with its own certificate only the host's bundle knows it.
if ((CODE == 69)); then
    cp "$ROOT/etc/aitk-test-ca.crt" "$ROOT/etc/ssl/certs/ca-certificates.crt"
    SHOW=3 aitk user SSL_CERT_FILE=/opt/gone/cacert.pem REQUESTS_CA_BUNDLE=/opt/gone/cacert.pem -- \
        plan --profile tiny.toml --manager venv --env other
fi
expect_code 0

step "folders of root's are named by the plan with what gives them back"
mkdir -p "$(home_of plain)/.local"
SHOW=6 aitk plain -- plan --budget low --manager venv --framework none --user-only --no-resolve
expect_code 0
expect_said "sudo chown -R \"\\\$USER\": /home/plain/.local"
