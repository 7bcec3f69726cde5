# shellcheck shell=bash
# What root does is what was shown and agreed to: its bytes lie nowhere where a process of the user's could swap them,
# nothing is removed that nobody agreed to, links and folders of others lead it nowhere, and what is the user's stays so.
# On: bookworm; about 4 s

# shellcheck source=tests/fresh-machine/driver.sh
source "$HERE/driver.sh"

machine trusted "$RELEASE-apt"
lend_wheels user
chmod 700 "$(home_of user)/.cache/aitk"
home=$(home_of user)
serve_apt
mkdir -p "$home/.config/aitk"
driver_rows "$APT_URL" "$(<"$APT/fingerprint")" >"$home/.config/aitk/catalog.toml"
chroot "$ROOT" chown -R user: /home/user/.config
# One of the three files that root writes for a vendor's source, and what stands in it alone.
HOLD=/etc/apt/preferences.d/aitk-nvidia
TEXT="Pin: origin 127.0.0.1"

# `profile NAME`: the smallest profile, with the steps from standard input before its own.
profile() {
    local steps
    steps=$(cat)
    steps=$steps awk '/^\[\[step\]\]$/ && !done { print ENVIRON["steps"]; done = 1 } { print }' \
        "$HERE/../support/tiny.toml" >"$home/$1.toml"
}
profile hold <<'END'
[[step]]
id = "system.source"
phase = "system"
kind = "apt-source"
title = "Let apt know a source"
why = "w"
source = "nvidia"
END
profile mail <<'END'
[[step]]
id = "system.lists"
phase = "system"
kind = "apt-lists"
title = "Refresh the lists"
why = "w"
max_age_hours = 24
[[step]]
id = "system.tools"
phase = "system"
kind = "apt-packages"
title = "Install the mailer"
why = "w"
packages = ["mailer-b"]
needs = ["system.lists"]
END
# The profiles are the user's own, and root does what they say.
SESSION+=(AITK_ALLOW_SYSTEM_CHANGES=1)
apply() { aitk user PATH="${USED_PATH:-/usr/local/bin:/usr/bin:/bin}" "${@:2}" -- apply --profile "$1.toml" --manager venv --yes; }

step "the content stands in the plan, whole and without -v"
aitk user -- plan --profile hold.toml --manager venv
expect_code 0
expect_said "install .* -T /dev/stdin $HOLD"
expect_said "$TEXT"

step "nothing can be swapped, whatever the umasks are, and a program in the current folder is nobody's"
printf 'Defaults umask=0077\nDefaults umask_override\n' >"$ROOT/etc/sudoers.d/umask"
for program in sudo apt-get install env sh python3; do
    printf '#!/bin/sh\ntouch /tmp/ran-%s\n' "$program" >"$home/$program"
    chmod 755 "$home/$program"
done
# Whatever holds the text anywhere below the home folder would be a place to swap it; what tells of it is no such place.
cat >"$home/watch.py" <<'END'
import os, sys
home, hold, text = sys.argv[1:]
while not os.path.exists(hold):
    for folder, _, names in os.walk(home + "/.cache"):
        for name in names:
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    if text.encode() in file.read(1 << 16):
                        open("/tmp/found", "w").write(os.path.join(folder, name))
            except OSError:
                pass
END
as user python3 watch.py "/home/user" "$HOLD" "$TEXT" &
watcher=$!
umask 000
USED_PATH=.::/usr/local/bin:/usr/bin:/bin:bin apply hold
umask 022
expect_code 0
wait "$watcher"
[[ ! -e $ROOT/tmp/found ]] || die "it lay in $(<"$ROOT/tmp/found")"
! compgen -G "$ROOT/tmp/ran-*" || die "a program of the current folder was run"
for file in "$HOLD" /etc/apt/keyrings/aitk-nvidia.asc /etc/apt/sources.list.d/aitk-nvidia.sources; do
    [[ $(stat -c '%F %u:%g %a' "$ROOT$file") == "regular file 0:0 644" ]] || die "$(stat "$ROOT$file")"
done
rm "$ROOT/etc/sudoers.d/umask"
own=("$home"/.local/share/aitk "$home"/.local/state/aitk "$home"/.cache/aitk)
[[ $(stat -c %a "${own[@]}" | sort -u) == 700 ]] || die "$(ls -ld "${own[@]}")"
# uv opens its locks for everybody, which the folders above them do not.
open=$(find "$home/.local" "$home/.cache" ! -type l ! -name '*.lock' -perm /022)
[[ -z $open ]] || die "others may write: $open"
private=$(find "$home/.local/state/aitk" ! -type l -perm /077)
[[ -z $private ]] || die "others may read: $private"

step "a folder that others could write to is mended, and refused where somebody was there"
chmod 777 "$home/.local/state/aitk"
SHOW=3 aitk user -- status
expect_code 0
expect_said 'now it is yours alone'
[[ $(stat -c %a "$home/.local/state/aitk") == 700 ]] || die "it is still open"
# The way there is the user's alone, too, unless the user has opened it.
chmod 755 "$home" "$home/.local" "$home/.local/state"
chmod 777 "$home/.local/state/aitk"
as plain touch "/home/user/.local/state/aitk/mine"
SHOW=3 aitk user -- status
expect_code 77
expect_one_error 'state/aitk/mine belongs to another user'
rm "$home/.local/state/aitk/mine"
as plain bash -c 'mkdir -m 777 /tmp/state && ln -s /home/user/thesis /tmp/state/lock'
echo "my thesis" >"$home/thesis"
apply hold AITK_STATE_DIR=/tmp/state
expect_code 77
as user ln -sf /home/user/thesis .local/state/aitk/lock
apply hold
expect_code 1
[[ $(<"$home/thesis") == "my thesis" ]] || die "it was written through a link"
rm "$home/.local/state/aitk/lock"

step "links and open folders lead root nowhere"
cp -a "$ROOT/etc/issue" "$WORK/issue"
ln -sf /etc/issue "$ROOT$HOLD"
apply hold
expect_code 1
expect_one_error 'AITK-X15.*no plain file'
cmp "$WORK/issue" "$ROOT/etc/issue" || die "it was written through a link"
rm -f "$ROOT$HOLD"
chmod 777 "$ROOT/etc/apt/preferences.d"
apply hold
expect_code 1
expect_one_error 'AITK-X15.*others than root may write'
[[ ! -e $ROOT$HOLD ]] || die "it was written where everybody can"
chmod 755 "$ROOT/etc/apt/preferences.d"

step "what root could not write whole is taken away again, and what stood there is put back"
mv "$ROOT/usr/bin/install" "$ROOT/usr/bin/install.whole"
# Half of it, and then no more, as on a disk that is full.
cat >"$ROOT/usr/bin/install" <<'END'
#!/bin/bash
[[ $* == *"-T /dev/stdin"* ]] || exec /usr/bin/install.whole "$@"
head -c 20 | /usr/bin/install.whole "$@"
echo "install: error writing: No space left on device" >&2
exit 1
END
chmod 755 "$ROOT/usr/bin/install"
rm -f "$ROOT"/etc/apt/preferences.d/aitk-* "$ROOT"/etc/apt/sources.list.d/aitk-* "$ROOT"/etc/apt/keyrings/aitk-*
apply hold
expect_code 1
expect_said 'was taken away again'
left=$(find "$ROOT/etc/apt" -name 'aitk-*')
[[ -z $left ]] || die "half of a file is left: $left"
mv "$ROOT/usr/bin/install.whole" "$ROOT/usr/bin/install"

step "root leaves nothing in the home of another"
find "$home" -user root ! -name '*.toml' | sort >"$WORK/of-root.before"
aitk root HOME=/home/user -- apply --profile /home/user/hold.toml --manager venv --yes
expect_code 77
expect_said 'sudo -H'
find "$home" -user root ! -name '*.toml' | sort >"$WORK/of-root.after"
expect_same "$WORK/of-root.before" "$WORK/of-root.after" "what is root's in the home of the user"

step "what nobody agreed to is not removed"
mkdir "$ROOT/srv/mail"
for one in "a" "b"; do
    mkdir -p "$WORK/mailer-$one/DEBIAN"
    printf 'Package: mailer-%s\nVersion: 1\nArchitecture: all\nMaintainer: t <t@example.org>\nProvides: mailer\nConflicts: mailer\nDescription: t\n' \
        "$one" >"$WORK/mailer-$one/DEBIAN/control"
    dpkg-deb --root-owner-group -b "$WORK/mailer-$one" "$ROOT/srv/mail/mailer-$one.deb" >/dev/null
done
(cd "$ROOT/srv/mail" && apt-ftparchive packages . >Packages)
rm -f "$ROOT"/etc/apt/sources.list.d/* "$ROOT"/var/lib/apt/lists/*_*
echo 'deb [trusted=yes] file:/srv/mail ./' >"$ROOT/etc/apt/sources.list"
as root dpkg -i /srv/mail/mailer-a.deb >/dev/null
installed() { packages_of | grep -o '^mailer-.$'; }
# A terminal, where a person says yes to the plan and no to what it becomes.
CODE=0
# shellcheck disable=SC2016 # expanded inside
as user bash -c '
    answer() { until grep -q "$1" /tmp/typed; do sleep 0.05; done; echo "$2"; }
    touch /tmp/typed
    { answer "Go ahead?" y; answer "Go ahead with it?" n; } |
        script -qefc "aitk apply --profile mail.toml --manager venv" /tmp/typed' \
    >"$WORK/typed" 2>&1 || CODE=$?
[[ $CODE == 2 ]] || die "exit code $CODE where 2 is expected"
grep -q 'apt would remove it: *.*mailer-a' "$WORK/typed" || die "it was not asked: $(cat "$WORK/typed")"
[[ $(installed) == mailer-a ]] || die "$(installed)"
rm -f "$ROOT"/var/lib/apt/lists/*_*
apply mail
expect_code 2
expect_one_error 'AITK-X16'
expect_said 'apt removes for it: mailer-a'
[[ $(installed) == mailer-a ]] || die "$(installed)"
# Now it stands in the plan.
apply mail
expect_code 0
[[ $(installed) == mailer-b ]] || die "$(installed)"
