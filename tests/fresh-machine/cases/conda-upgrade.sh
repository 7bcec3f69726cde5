# shellcheck shell=bash
# Forward: `upgrade` shows package by package what would change before it does anything. And exactly: `--locked`
# installs what a lock names and asks the channel for nothing but packages.
# On: bookworm; about 49 s

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
