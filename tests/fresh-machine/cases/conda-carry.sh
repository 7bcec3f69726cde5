# shellcheck shell=bash
# What a user has added by hand is in the next generation, or named with the command that adds it again.
# On: trixie; about 159 s

serve_channel
machine fresh "$RELEASE"
home=$(home_of plain)
WISH=(--channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --framework none --user-only --yes)
SHOW=3 aitk plain -- apply --budget low "${WISH[@]}"
expect_code 0
before=$(as plain readlink .local/share/aitk/envs/ai/current)

step "conda itself adds a package, and pip another"
cp "$CHANNEL"/conda-forge/noarch/aitk-test-generic-*.conda "$home/generic.conda" 2>/dev/null ||
    cp "$CHANNEL"/conda-forge/linux-*/aitk-test-generic-*.conda "$home/generic.conda"
name=$(basename "$(ls "$CHANNEL"/conda-forge/*/aitk-test-generic-*.conda)")
mv "$home/generic.conda" "$home/$name"
chroot "$ROOT" chown plain: "/home/plain/$name"
as plain aitk run -- conda install -y --offline "./$name"
as plain aitk run -- conda list aitk-test-generic | tail -n 1
mkdir -p "$home/wheel/aitk_test_wheel-1.0.dist-info"
echo 'ANSWER = 42' >"$home/wheel/aitk_test_wheel.py"
printf 'Metadata-Version: 2.1\nName: aitk-test-wheel\nVersion: 1.0\n' >"$home/wheel/aitk_test_wheel-1.0.dist-info/METADATA"
printf 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n' >"$home/wheel/aitk_test_wheel-1.0.dist-info/WHEEL"
printf 'aitk_test_wheel.py,,\naitk_test_wheel-1.0.dist-info/METADATA,,\naitk_test_wheel-1.0.dist-info/WHEEL,,\naitk_test_wheel-1.0.dist-info/RECORD,,\n' \
    >"$home/wheel/aitk_test_wheel-1.0.dist-info/RECORD"
chroot "$ROOT" chown -R plain: /home/plain/wheel
as plain aitk run -- python -c 'import shutil; shutil.make_archive("w", "zip", "wheel")'
as plain mv w.zip aitk_test_wheel-1.0-py3-none-any.whl
as plain aitk run -- pip install --no-index ./aitk_test_wheel-1.0-py3-none-any.whl
as plain aitk run -- python -c 'import aitk_test_wheel'

step "they are seen, and nothing is wrong with them"
aitk plain -- status
expect_said 'Added by you.*aitk-test-generic'
expect_said 'Added by you.*aitk-test-wheel==1.0'
SHOW=3 aitk plain -- verify --deep
expect_code 0
# What was proven of other files is proven of these, once, and nothing else is done.
SHOW=3 aitk plain -- apply --yes --json
jq -e '.data.steps | keys | all(startswith("check."))' "$OUT" >/dev/null || die "more was done than to prove it: $(cat "$OUT")"
SHOW=3 aitk plain -- apply --yes
expect_said "Nothing to do"

step "another wish makes another generation"
sed 's/^requirements = \["jupyterlab", "ipykernel", "pip"\]/&\nconda = ["jupyterlab", "ipykernel", "pip", "aitk-test-prefix"]/' \
    "$HERE/../../profiles/low.toml" >"$home/more.toml"
aitk plain -- apply --profile more.toml "${WISH[@]}"
expect_code 0
expect_said 'AITK-W09|is not carried over: aitk-test-wheel==1.0'
expect_said 'pip install aitk-test-wheel==1.0'
[[ $(as plain readlink .local/share/aitk/envs/ai/current) != "$before" ]] || die "it is the same generation"
as plain sh -c 'ls .local/share/aitk/envs/ai/current/conda-meta/aitk-test-generic-*.json .local/share/aitk/envs/ai/current/conda-meta/aitk-test-prefix-*.json'
as plain sh -c '.local/share/aitk/envs/ai/current/bin/aitk-test-prefix' | grep "/home/plain/.local/share/aitk/envs/ai/"
SHOW=3 aitk plain -- verify --deep
expect_code 0

step "and the one after it"
SHOW=6 aitk plain -- apply --budget low "${WISH[@]}" --env ai
expect_code 0
as plain sh -c 'ls .local/share/aitk/envs/ai/current/conda-meta/aitk-test-generic-*.json'

step "what the environment in use says of itself is lost: nothing of it is taken away"
as plain touch .local/share/aitk/envs/ai/current/mine
as plain sh -c 'rm .local/share/aitk/envs/ai/current/aitk-generation.json .local/share/aitk/envs/ai/current/conda-meta/numpy-*.json'
there=$(as plain readlink .local/share/aitk/envs/ai/current)
SHOW=6 aitk plain -- apply --yes
expect_code 0
[[ $(as plain readlink .local/share/aitk/envs/ai/current) == "$there" ]] || die "it was built anew"
as plain sh -c 'ls .local/share/aitk/envs/ai/current/mine .local/share/aitk/envs/ai/current/conda-meta/aitk-test-generic-*.json'
SHOW=3 aitk plain -- verify --deep
expect_code 0

step "what was added to conda's own environment is in the next two of it"
as plain aitk run -- conda install -y --offline -n base "./$name"
for folder in plain conda-forge; do
    SHOW=3 aitk plain -- apply "${WISH[@]/conda-forge/$folder}"
    expect_code 0
    as plain sh -c 'ls .local/share/aitk/envs/base/current/conda-meta/aitk-test-generic-*.json'
done
