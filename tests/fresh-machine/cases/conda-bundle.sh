# shellcheck shell=bash
# One file brings an environment to a machine that has no network at all, for both managers.
# On: bookworm; about 192 s

# What an environment holds, by name, version and hash.
conda_packages() {
    jq -r '"\(.name) \(.version) \(.build) \(.sha256)"' "$1"/.local/share/aitk/envs/ai/current/conda-meta/*.json | sort
}
pip_packages() { as plain aitk run -- python -m pip list --format freeze --disable-pip-version-check | sort; }

# `without_network`: the bundle on the machine in use, carried out by the aitk that is in it.
without_network() {
    local home
    home=$(home_of plain)
    cp "$WORK/bundle.tar" "$home/bundle.tar"
    as plain sh -c 'tar -xf bundle.tar aitk && ./aitk --version'
    AS=as_offline PROGRAM=./aitk SHOW=12 aitk plain -- apply bundle.tar --offline --yes
    expect_code 0
    AS=as_offline SHOW=3 aitk plain -- verify --deep
    expect_code 0
}

step "conda: here is a channel"
serve_channel
machine here "$RELEASE"
WISH=(--budget low --manager conda --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --framework none --user-only)
SHOW=3 aitk plain -- apply "${WISH[@]}" --yes
expect_code 0
conda_packages "$(home_of plain)" >"$WORK/here.packages"
aitk plain -- bundle "${WISH[@]}" -o bundle.tar
expect_code 0
cp "$(home_of plain)/bundle.tar" "$WORK/bundle.tar"
power_off
stop_channel

step "conda: there is nothing, not even a Python"
machine there "$RELEASE"
without_network
conda_packages "$(home_of plain)" >"$WORK/there.packages"
expect_same "$WORK/here.packages" "$WORK/there.packages" "the environment"
AS=as_offline SHOW=3 aitk plain -- apply --offline --yes
expect_code 0
expect_said "Nothing to do"
power_off

step "a bundle with a changed byte is refused, and nothing is installed"
machine damaged "$RELEASE"
size=$(stat -c %s "$WORK/bundle.tar")
cp "$WORK/bundle.tar" "$(home_of plain)/bundle.tar"
printf 'x' | dd of="$(home_of plain)/bundle.tar" bs=1 seek=$((size * 2 / 3)) conv=notrunc status=none
AS=as_offline aitk plain -- apply bundle.tar --offline --yes
expect_code 78
expect_one_error 'AITK-E15'
[[ ! -e $(home_of plain)/.local/share/aitk/envs ]] || die "something was installed"
power_off

step "venv: here are an index and a Python"
machine venv "$RELEASE-apt"
lend_wheels plain
WISH=(--budget low --manager venv --framework none --user-only)
SHOW=3 aitk plain -- apply "${WISH[@]}" --yes
expect_code 0
pip_packages >"$WORK/here.packages"
SHOW=6 aitk plain -- bundle "${WISH[@]}" -o bundle.tar
expect_code 0
cp "$(home_of plain)/bundle.tar" "$WORK/bundle.tar"
power_off

step "venv: there is a Python and no network"
machine venv-there "$RELEASE-apt"
without_network
pip_packages >"$WORK/there.packages"
expect_same "$WORK/here.packages" "$WORK/there.packages" "the environment"
