# shellcheck shell=bash
# The checkout's own starter where there is no Rust: it says how to get it, whatever goes wrong on the way.
# On: bookworm; about 38 s

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
    if [[ $RELEASE == bookworm ]]; then
        # There is neither a new Rust nor rustup: what to type stands there whole.
        expect_said 'apt-get install -y curl ca-certificates gcc libc6-dev'
        expect_said 'curl --proto .* sh -s -- -y --profile minimal'
        expect_not_said 'AITK_INSTALL_RUST=(distro|rustup) '
    else
        expect_said 'AITK_INSTALL_RUST=rustup /opt/aitk/scripts/aitk'
    fi
}

step "there is no Rust, and nobody has asked for one"
start plain AITK_BUILD=1 69
expect_help
expect_said 'no Rust'
step "a way that there is not"
start plain AITK_BUILD=1 AITK_INSTALL_RUST=snap 64
step "a user who may not install anything"
start plain AITK_BUILD=1 AITK_INSTALL_RUST=distro 69
expect_help
packages_of >"$WORK/packages.before"
step "the release has no such package, or only an old one: nothing is installed"
start user AITK_BUILD=1 AITK_INSTALL_RUST=rustup 69
expect_help
expect_said 'rustup could not be had'
start user AITK_BUILD=1 AITK_INSTALL_RUST=distro 69
expect_said 'only Rust 1\.[0-9]+.*nothing was installed'
packages_of >"$WORK/packages.after"
expect_same "$WORK/packages.before" "$WORK/packages.after" "what is installed"

step "an aitk of the same version on the PATH is used, another one is not, and the script is not its own"
start user 0
[[ $(<"$OUT") == "aitk "* ]] || die "it did not run the installed one"
umount "$ROOT/usr/local/bin/aitk"
printf '#!/bin/sh\necho aitk 0.0.1\n' >"$ROOT/usr/local/bin/aitk"
chmod 755 "$ROOT/usr/local/bin/aitk"
start user 69
ln -sf /opt/aitk/scripts/aitk "$ROOT/usr/local/bin/aitk"
start user 69

step "a build says what it takes before it begins, and that it goes on"
mkdir "$ROOT/opt/rust"
version=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/opt/aitk/Cargo.toml")
printf '#!/bin/sh\necho rustc %s.0\n' "$version" >"$ROOT/opt/rust/rustc"
printf '#!/bin/sh\n' >"$ROOT/opt/rust/cc"
# A stand-in for the compiler's driver, which takes its time.
# shellcheck disable=SC2016 # expanded when it runs
printf '#!/bin/sh\nsleep 33\nmkdir -p "$CARGO_TARGET_DIR/release"\nprintf "#!/bin/sh\\necho built\\n" >"$CARGO_TARGET_DIR/release/aitk"\nchmod 755 "$CARGO_TARGET_DIR/release/aitk"\n' >"$ROOT/opt/rust/cargo"
chmod 755 "$ROOT"/opt/rust/*
start user PATH=/opt/rust:/usr/bin:/bin CARGO_TARGET_DIR=/home/user/target 0
[[ $(<"$OUT") == built ]] || die "what was built did not run"
expect_said 'minutes on two cores, and up to [0-9]+ MB in /home/user/target'
expect_said 'still building, for 30 s'
