# shellcheck shell=bash
# What lies in the folder that a person is in, and what is set for other programs, decides nothing; uv is the pinned one,
# and whole; what a cache has lost is fetched again.
# On: bookworm; about 5 s

machine children "$RELEASE-apt"
home=$(home_of user)
cp "$HERE/../support/tiny.toml" "$home/tiny.toml"
wish=(--profile "$(chroot "$ROOT" getent passwd user | cut -d: -f6)/tiny.toml" --manager venv)

step "a folder of traps, a uv that is none, and settings of uv, pip and Python that would change everything"
mkdir -p "$home/lessons" "$home/bin" "$home/.config/uv"
for name in pip numpy sysconfig random token site six uv; do
    printf '%s\n' 'open("/tmp/trapped", "a").write(__file__ + "\n")' >"$home/lessons/$name.py"
done
# Looking at the machine asks it for its version, and nothing more.
# shellcheck disable=SC2016 # expanded there
printf '#!/bin/sh\n[ "$1" = --version ] || echo "$0 $*" >>/tmp/trapped\necho uv 99.0.0\n' | tee "$home/bin/uv" "$home/lessons/apt-cache" >"$home/lessons/python3"
chmod 755 "$home/bin/uv" "$home/lessons/"{apt-cache,python3}
printf '[tool.uv]\nnonsense = 1\nrequired-version = ">=99"\n' >"$home/lessons/pyproject.toml"
echo 3.5 >"$home/lessons/.python-version"
printf '[pip]\nno-annotate = true\nsystem = true\nuniversal = true\nno-deps = true\nlink-mode = "symlink"\n' |
    tee "$home/lessons/uv.toml" >"$home/.config/uv/uv.toml"
# shellcheck disable=SC2016 # expanded there
printf '#!/bin/sh\ncd "$HOME/lessons" && exec aitk "$@"\n' >"$home/bin/there"
chmod 755 "$home/bin/there"
traps=(PATH="$(chroot "$ROOT" getent passwd user | cut -d: -f6)/bin::.:/usr/local/bin:/usr/bin:/bin" PYTHONPATH=. UV_LINK_MODE=symlink
    UV_SYSTEM_PYTHON=1 UV_NO_BINARY=1 UV_REQUIRE_HASHES=1 UV_EXCLUDE_NEWER=2001-01-01 UV_OFFLINE=1 PIP_REQUIRE_VIRTUALENV=1 PIP_USER=1)
# `there ARGUMENT…`: aitk in that folder.
there() {
    PROGRAM=there SHOW=8 aitk user "${traps[@]}" -- "$@"
    expect_code 0
    [[ ! -e $ROOT/tmp/trapped ]] || die "this was executed: $(cat "$ROOT/tmp/trapped")"
}
works() {
    local said
    said=$(as user "$(env_of)/bin/python" -I -c 'import six; print(six.__version__)') || die "six cannot be imported"
    [[ $said == 1.* ]] || die "six is $said"
}
env_of() { echo "$(chroot "$ROOT" getent passwd user | cut -d: -f6)/.local/share/aitk/envs/ai/current"; }
current=$home/.local/share/aitk/envs/ai/current
there plan "${wish[@]}"
there apply "${wish[@]}" --yes
works
links=$(find "$(realpath "$current")/lib" -path '*/site-packages/*' -type l)
[[ -z $links ]] || die "links into a cache: $links"

step "a folder that is gone"
printf '#!/bin/sh\nmkdir gone && cd gone && rmdir ../gone && exec aitk "$@"\n' >"$home/bin/there"
there verify

step "uv is cut, in both places, and its wheel is damaged"
uv=$(echo "$home"/.local/share/aitk/tools/uv-*/uv)
size=$(stat -c %s "$uv")
truncate -s 1000 "$uv"
for wheel in "$home"/.cache/aitk/wheels/uv-*.whl; do printf 'x' | dd of="$wheel" bs=1 seek=99 conv=notrunc status=none; done
there apply --yes
[[ $(stat -c %s "$uv") == "$size" ]] || die "uv was not fetched anew"

step "uv's cache has lost files, and the environment is built anew"
rm -rf "$home"/.cache/aitk/uv/archive-v0/*/six.py "$home/.local/share/aitk/envs"
there apply --yes
works

step "the wheel is damaged, and uv's cache is empty"
for wheel in "$home"/.cache/aitk/wheels/six-*.whl; do printf 'x' | dd of="$wheel" bs=1 seek=99 conv=notrunc status=none; done
rm -rf "$home/.cache/aitk/uv" "$home/.local/share/aitk/envs"
there apply --yes
works

step "another uv is used where it is named, and is shown"
SHOW=0 aitk user -- plan "${wish[@]}" --env other --uv "$(chroot "$ROOT" getent passwd user | cut -d: -f6)/none/uv"
expect_code 1
expect_one_error 'none/uv'
