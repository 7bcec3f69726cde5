# shellcheck shell=bash
# Packages of the user's own: `add` resolves them with the rest, builds aside and switches; they stay through `apply` and
# `upgrade`, `drop` takes them out, and what cannot be had leaves the environment as it was. With venv and with conda.
# On: bookworm; about 90 s

machine own "$RELEASE-apt"
lend_wheels user
home=$(home_of user)
cp "$HERE/../support/tiny.toml" "$home/"
chmod 644 "$home/tiny.toml"
envs=$home/.local/share/aitk/envs/ai
in_use() { readlink "$envs/current"; }

step "without an environment there is nothing that it could be added to"
SHOW=5 aitk user -- add iniconfig --yes
expect_code 1
expect_one_error 'AITK-C09'

step "venv: added, proven, in use; and it stays"
SHOW=5 aitk user -- apply --profile tiny.toml --manager venv --yes
expect_code 0
before=$(in_use)
SHOW=8 aitk user -- add 'iniconfig>=1' --dry-run
expect_code 0
[[ $(in_use) == "$before" ]] || die "a dry run changed the environment"
aitk user -- add 'iniconfig>=1' --yes
expect_code 0
expect_said 'you asked for iniconfig>=1'
[[ $(in_use) != "$before" ]] || die "it was added to the environment that was in use"
as user aitk run -- python -c 'import iniconfig, six' || die "it cannot be imported beside the rest"
grep -q 'name = "iniconfig"' "$envs/current/pylock.toml" || grep -rq iniconfig "$envs/current/"*lock* || die "it is in no lock"
for again in "apply --yes" "upgrade --yes" "apply --profile tiny.toml --manager venv --yes"; do
    # shellcheck disable=SC2086 # words
    SHOW=3 aitk user -- $again
    expect_code 0
    as user aitk run -- python -c 'import iniconfig' || die "$again took it away"
done
SHOW=0 aitk user -- verify --deep
expect_code 0

step "what cannot be had leaves the environment as it was, and is not asked for again"
before=$(in_use)
SHOW=8 aitk user -- add aitk-there-is-no-such-package --yes
((CODE != 0)) || die "it claims success"
[[ $(in_use) == "$before" ]] || die "the environment in use is another one"
SHOW=3 aitk user -- apply --yes
expect_code 0
expect_said 'Nothing to do'

step "what was not added cannot be dropped; what was, goes"
SHOW=5 aitk user -- drop six --yes
expect_code 64
expect_one_error 'AITK-C46'
SHOW=5 aitk user -- drop iniconfig --yes
expect_code 0
if as user aitk run -- python -c 'import iniconfig' 2>/dev/null; then die "it is still there"; fi
as user aitk run -- python -c 'import six' || die "the rest went as well"

step "an address is no package"
SHOW=3 aitk user -- add 'x @ https://x.example/x.whl' --yes
expect_code 64

step "conda: the same"
serve_channel
conda=(--budget low --manager conda --channel "$CHANNEL_URL/plain" --python "$(channel_python)" --framework none --user-only)
SHOW=5 aitk plain -- apply "${conda[@]}" --yes
expect_code 0
SHOW=12 aitk plain -- add 'aitk-test-lib<2' --yes
expect_code 0
there=$(home_of plain)/.local/share/aitk/envs/ai/current/conda-meta
ls "$there"/aitk-test-lib-1.* >/dev/null || die "it is not there"
SHOW=3 aitk plain -- apply --yes
expect_code 0
expect_said 'Nothing to do'
SHOW=3 aitk plain -- add 'aitk-test-lib[extra]' --yes
expect_code 64
expect_one_error 'AITK-C47'
SHOW=5 aitk plain -- add aitk-test-lib --yes
expect_code 0
ls "$there"/aitk-test-lib-2.* >/dev/null || die "what was asked for last does not count"
SHOW=5 aitk plain -- drop aitk-test-lib --yes
expect_code 0
if ls "$there"/aitk-test-lib-* 2>/dev/null; then die "it is still there"; fi
