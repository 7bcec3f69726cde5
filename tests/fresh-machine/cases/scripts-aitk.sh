# shellcheck shell=bash
# The checkout's own starter where there is no Rust: it says how to get it, whatever goes wrong on the way.
# On: bookworm; about 1 s

machine bare "$RELEASE"
mkdir "$ROOT/opt/aitk"
(cd "$HERE/../.." && cp -r Cargo.toml Cargo.lock crates profiles scripts "$ROOT/opt/aitk/")

# `start USER [NAME=VALUE…] CODE`: runs it and expects this exit code.
start() {
    echo "+ ($1) ${*:2:$#-2} scripts/aitk"
    OUT=$WORK/start.out ERR=$WORK/start.err CODE=0
    # shellcheck disable=SC2034 # expect_code reads it
    as "${@:1:$#-1}" /opt/aitk/scripts/aitk --version >"$OUT" 2>"$ERR" || CODE=$?
    tail -n 12 "$ERR" | sed 's/^/  ! /'
    expect_code "${!#}"
}

expect_help() {
    expect_said "Rust $(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/opt/aitk/Cargo.toml") or newer"
    expect_said 'AITK_INSTALL_RUST=rustup /opt/aitk/scripts/aitk'
    expect_said 'AITK_INSTALL_RUST=distro /opt/aitk/scripts/aitk'
}

step "there is no Rust, and nobody has asked for one"
start plain 69
expect_help
expect_said 'no Rust'
step "a way that there is not"
start plain AITK_INSTALL_RUST=snap 64
step "a user who may not install anything"
start plain AITK_INSTALL_RUST=distro 69
expect_help
step "the release has no such package"
if [[ $RELEASE == bookworm ]]; then
    start user AITK_INSTALL_RUST=rustup 69
    expect_help
    expect_said 'rustup could not be had'
fi
