# shellcheck shell=bash
# Forward: `upgrade` shows package by package what would change before it does anything. Back: `rollback` shows the same
# the other way round, needs no network and leaves `apply` nothing to do. And exactly: `--locked` installs what a lock
# names and asks the channel for nothing but packages; `clean` takes away what nobody needs then.
# On: bookworm; about 120 s

# A channel whose repodata can be changed: at first it lacks the newest version of one package.
ALL=$CHANNEL
CHANNEL=$WORK/channel
mkdir -p "$CHANNEL"
cp -a "$ALL/plain" "$CHANNEL/conda-forge"
for subdir in "$CHANNEL"/conda-forge/*; do
    cp --remove-destination "$subdir/repodata.json" "$subdir/repodata.all"
    jq -c 'del(.["packages.conda"][] | select(.name == "aitk-test-lib" and (.version | startswith("2"))))' \
        "$subdir/repodata.all" >"$subdir/new" && mv "$subdir/new" "$subdir/repodata.json"
done
PYTHON=$(CHANNEL=$ALL channel_python)
serve_channel
machine fresh "$RELEASE"
sed 's/^requirements = \["jupyterlab", "ipykernel", "pip"\]/&\nconda = ["jupyterlab", "ipykernel", "pip", "aitk-test-lib"]/' \
    "$HERE/../../profiles/low.toml" >"$(home_of plain)/wish.toml"
grep -q aitk-test-lib "$(home_of plain)/wish.toml" || die "the profile was not changed"
WISH=(--profile wish.toml --channel "$CHANNEL_URL/conda-forge" --python "$PYTHON" --framework none --user-only)
version_of() { as plain sh -c "ls .local/share/aitk/envs/ai/current/conda-meta" | sed -n "s/^$1-\([0-9.]*\)-.*/\1/p"; }

step "apply with what the channel has"
SHOW=5 aitk plain -- apply "${WISH[@]}" --yes
expect_code 0
[[ $(version_of aitk-test-lib) == 1.* ]] || die "the newest version is there although the channel did not have it"
SHOW=5 aitk plain -- upgrade --yes
expect_code 0
expect_said "Nothing newer"
aitk plain -- lock "${WISH[@]}" -o before.lock
expect_code 0

step "the channel gets a newer version: a look changes nothing"
for subdir in "$CHANNEL"/conda-forge/*; do mv "$subdir/repodata.all" "$subdir/repodata.json"; done
before=$(as plain readlink .local/share/aitk/envs/ai/current)
aitk plain -- upgrade --dry-run
expect_code 0
expect_said 'aitk-test-lib +1\.[0-9].* → 2\.'
[[ $(as plain readlink .local/share/aitk/envs/ai/current) == "$before" ]] || die "a dry run changed the environment"
SHOW=5 aitk plain -- apply --yes
expect_code 0
expect_said "Nothing to do"

step "upgrade"
aitk plain -- upgrade --yes
expect_code 0
[[ $(version_of aitk-test-lib) == 2.* ]] || die "it was not upgraded"
SHOW=3 aitk plain -- verify --deep
expect_code 0
as plain test -d ".local/share/aitk/envs/ai/$before" || die "the generation before is gone"
SHOW=5 aitk plain -- upgrade --yes
expect_said "Nothing newer"

step "back, without a network"
upgraded=$(as plain readlink .local/share/aitk/envs/ai/current)
stop_channel
SHOW=12 aitk plain -- rollback --dry-run
expect_code 0
expect_said 'aitk-test-lib +2\.[0-9].* → 1\.'
[[ $(as plain readlink .local/share/aitk/envs/ai/current) == "$upgraded" ]] || die "a dry run went back"
SHOW=12 aitk plain -- rollback --yes
expect_code 0
[[ $(as plain readlink .local/share/aitk/envs/ai/current) == "$before" ]] || die "it is not the generation before"
[[ $(version_of aitk-test-lib) == 1.* ]] || die "it has not gone back"
SHOW=5 aitk plain -- apply --yes
expect_code 0
expect_said "Nothing to do"
SHOW=5 aitk plain -- rollback --yes
expect_code 64
expect_said 'AITK-X17'
SHOW=30 aitk plain -- status --history
expect_code 0
expect_said "upgrade +$before → $upgraded"
expect_said "rollback +$upgraded → $before"
expect_said 'Size +[0-9.]+ [kMG]?B of its own, [0-9.]+ [kMG]?B shared'
expect_said 'Beside it +1 more, [0-9.]+ [kMG]?B:'
SHOW=5 aitk plain -- rollback "${upgraded:0:8}" --yes
expect_code 0
[[ $(version_of aitk-test-lib) == 2.* ]] || die "it has not gone forward again"
serve_channel

step "a lock brings back exactly what it names, and nothing is solved"
: >"$CHANNEL_LOG"
SHOW=5 aitk plain -- apply "${WISH[@]}" --locked before.lock --yes
expect_code 0
[[ $(version_of aitk-test-lib) == 1.* ]] || die "the lock was not followed"
[[ $(as plain readlink .local/share/aitk/envs/ai/current) == "$before" ]] || die "it is not the generation of that lock"
if grep repodata "$CHANNEL_LOG"; then die "repodata was asked for although a lock was given"; fi

step "others read the lock"
# The newest of the environments that build the channel.
# shellcheck disable=SC2012 # their names are plain
python=$(ls -t "$CACHE"/channel/venv-*/complete | head -n 1)
"${python%/*}/bin/python" - "$(home_of plain)/before.lock" <<'PYTHON'
import sys
from rattler import LockFile

lock = LockFile.from_path(sys.argv[1])
environments = dict(lock.environments())
platform = lock.default_environment().platforms()[0]
packages = lock.default_environment().conda_repodata_records_for_platform(platform)
names = {record.name.normalized for record in packages}
assert {"python", "numpy", "aitk-test-lib"} <= names, names
assert all(record.sha256 for record in packages)
assert "base" in environments, environments
print(f"py-rattler reads {len(packages)} packages")
PYTHON

step "what nobody needs goes, and says how much"
as plain sh -c "rm -rf .local/share/aitk/envs/ai/$before/conda-meta/aitk-test-lib-1.*"
SHOW=8 aitk plain -- rollback "$upgraded" --yes
expect_code 0
SHOW=8 aitk plain -- rollback "$before" --yes
expect_code 1
expect_said 'AITK-X19'
SHOW=8 aitk plain -- clean --keep 0
expect_code 64
SHOW=12 aitk plain -- clean --cache --yes
expect_code 0
expect_said 'came free'
if as plain ls .cache/aitk | grep -E '^(pkgs|conda|wheels)$'; then die "the cache is still there"; fi
SHOW=3 aitk plain -- verify --deep
expect_code 0
SHOW=20 aitk plain -- remove --all --yes
expect_code 0
[[ ! -e $(home_of plain)/.local/share/aitk && ! -e $(home_of plain)/.cache/aitk && ! -e $(home_of plain)/.local/state/aitk ]] ||
    die "remove --all leaves something: $(as plain find .local/share/aitk .cache/aitk .local/state/aitk 2>/dev/null | head)"
