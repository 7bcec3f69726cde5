# shellcheck shell=bash
# A folder's own file: what `init` writes is followed in the folder and below it, by an environment of its own; the lock follows
# what was installed; a file that somebody else wrote commands nothing before it is confirmed.
# On: trixie; about 10 s

machine folder "$RELEASE-apt"
lend_wheels user
home=$(home_of user)
cp "$HERE/../support/tiny.toml" "$home/"
chmod 644 "$home/tiny.toml"
as user mkdir -p lesson/deep
envs=$home/.local/share/aitk/envs
lesson() { aitk user env -C "lesson${BELOW:-}" -- "$@"; }

step "init writes the choices and the lock, and installs nothing"
SHOW=20 lesson init --profile "/home/user/tiny.toml" --manager venv
expect_code 0
[[ -s $home/lesson/aitk.toml && -s $home/lesson/aitk.lock && ! -e $envs ]] || die "$(ls -A "$home/lesson" "$envs" 2>&1)"
cp "$home/lesson/aitk.lock" "$WORK/lock.first"

step "apply in it or below makes an environment of its own, and again there is nothing to do"
SHOW=8 BELOW=/deep lesson apply --yes
expect_code 0
[[ ! -e $envs/ai ]] || die "the environment of everything else was made"
own=$(ls "$envs")
[[ $own == lesson-* ]] || die "its name is $own"
BELOW=/deep lesson apply --yes
expect_code 0
expect_said 'Nothing to do'
expect_same "$WORK/lock.first" "$home/lesson/aitk.lock" "the lock"
as user env -C lesson/deep aitk run -- python -c 'import six' || die "run means another environment there"
SHOW=4 lesson verify --deep
expect_code 0

step "add and drop go into the file, the lock and the environment"
SHOW=6 lesson add iniconfig --yes
expect_code 0
grep -q iniconfig "$home/lesson/aitk.toml" || die "the file does not ask for it"
grep -q iniconfig "$home/lesson/aitk.lock" || die "the lock does not have it"
as user env -C lesson aitk run -- python -c 'import iniconfig, six' || die "it cannot be imported"
SHOW=6 lesson drop iniconfig --yes
expect_code 0
! grep -q iniconfig "$home/lesson/aitk.toml" "$home/lesson/aitk.lock" || die "the file or the lock still has it"
SHOW=6 lesson rollback --yes
expect_code 0
as user env -C lesson aitk run -- python -c 'import iniconfig' || die "the way back led elsewhere"
expect_said 'aitk.toml asks for something else'
SHOW=6 lesson apply --yes
expect_code 0
if as user env -C lesson aitk run -- python -c 'import iniconfig' 2>/dev/null; then die "apply does not follow the file"; fi

step "a copy of the folder is a stranger's until it is confirmed, and its lock makes the same environment"
as user cp -a lesson copied
SHOW=6 aitk user env -C copied -- apply --yes
expect_code 77
expect_one_error 'AITK-C50'
[[ $(ls "$envs") == "$own" ]] || die "a stranger's file made an environment"
SHOW=6 aitk user env -C copied -- trust
expect_code 0
SHOW=6 aitk user env -C copied -- apply --yes
expect_code 0
(($(find "$envs" -mindepth 1 -maxdepth 1 | wc -l) == 2)) || die "it has no environment of its own: $(ls "$envs")"
as user sh -c "echo 'package = [\"x @ https://x.example/x.whl\"]' >>copied/aitk.toml"
SHOW=6 aitk user env -C copied -- apply --yes
((CODE == 77 || CODE == 78)) || die "a changed file was followed without asking"
