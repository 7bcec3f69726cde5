# shellcheck shell=bash
# What surrounds a user without sudo: settings of uv's, a folder that may not be read, a strict umask, few open files, few processes.
# On: bookworm; about 60 s

machine limits "$RELEASE-apt"
home=$(home_of plain)
cp "$HERE/../support/tiny.toml" "$home/"
chmod 644 "$home/tiny.toml"
WISH=(--profile /home/plain/tiny.toml --manager venv)
# `within COMMAND`: aitk by way of a shell that runs this first (bash: dash cannot limit processes).
within() {
    # shellcheck disable=SC2016 # expanded there
    printf '#!/bin/bash\nset -e\n%s\nexec aitk "$@"\n' "$1" >"$ROOT/usr/local/bin/within"
    chmod 755 "$ROOT/usr/local/bin/within"
}
export SHOW=5

step "settings of uv's for its own pip change nothing of the lock, each alone"
mkdir -p "$home/.config/uv"
aitk plain -- lock "${WISH[@]}" -o plainly.toml
expect_code 0
for line in 'universal = true' 'no-annotate = true' 'system = true' 'annotation-style = "split"' 'no-header = true' \
    'output-file = "requirements.txt"' 'no-deps = true' 'only-binary = ["six"]' 'no-binary = ["six"]' 'python-version = "3.9"' \
    'python-platform = "windows"' 'resolution = "lowest-direct"' 'generate-hashes = false' 'no-emit-package = ["six"]' \
    'format = "pylock.toml"' 'torch-backend = "cu126"' 'link-mode = "symlink"' 'exclude-newer = "2001-01-01"' \
    'prerelease = "allow"' 'constraints = ["six<1"]' 'target = "/nowhere"'; do
    printf '[pip]\n%s\n' "$line" >"$home/.config/uv/uv.toml"
    rm -f "$home/set.toml"
    SHOW=0 aitk plain -- lock "${WISH[@]}" -o set.toml
    expect_code 0 "with $line"
    expect_same "$home/plainly.toml" "$home/set.toml" "the lock with $line"
done
rm -r "$home/.config/uv"

step "in a folder that may not be read, under a strict umask"
mkdir -m 700 "$ROOT/root/closed"
chroot "$ROOT" chmod 711 /root
# Root's own shell has been there, and the user may not even look.
aitk_there() {
    chroot "$ROOT" /bin/bash -c 'cd /root/closed && exec setpriv --reuid plain --regid plain --init-groups env -i HOME=/home/plain USER=plain "$@"' \
        bash "${SESSION[@]}" aitk "$@" >"$WORK/there" 2>&1 || die "aitk $* there: $(<"$WORK/there")"
}
aitk_there plan "${WISH[@]}"
aitk_there apply "${WISH[@]}" --yes
aitk_there verify
aitk_there run -- python -c 'import six'
within 'umask 077'
PROGRAM=within aitk plain -- apply "${WISH[@]}" --env strict --yes
expect_code 0
PROGRAM=within aitk plain -- verify --env strict
expect_code 0
PROGRAM=within aitk plain -- run --env strict -- python -c 'import six'
expect_code 0

step "where nothing can be started, that is said, and not that something is missing"
# Programs of the user's own would be counted with those of other cases: this is a user of nobody else's.
chroot "$ROOT" useradd --create-home --uid 64123 lone
cp "$home/tiny.toml" "$(home_of lone)/"
for limit in 'ulimit -u 1' 'ulimit -u 8' 'ulimit -n 10' 'ulimit -n 16'; do
    within "$limit"
    PROGRAM=within aitk lone -- plan --profile tiny.toml --manager venv
    expect_not_said 'there is no Python'
    expect_not_said 'panicked'
    ((CODE == 0)) || expect_one_error
    ((CODE == 0)) || expect_said 'ulimit'
done
