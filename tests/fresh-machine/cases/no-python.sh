# shellcheck shell=bash
# A machine without any Python: the first plan knows what will be installed, to the byte, and that is what is installed; what
# is for other machines needs no Python here at all, and no pip.
# On: trixie; about 110 s

machine fresh "$RELEASE"
home=$(home_of user)
if as user which python3 pip uv; then die "this machine is none without Python"; fi
lend_wheels user
# The packages come from wherever pip gets them on this host, and uv from a channel that has nothing else.
INDEX=${PIP_INDEX_URL:-$(/usr/bin/python3 -c 'from pip._internal.models.index import PyPI; print(PyPI.simple_url)')}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$HERE/../../profiles/catalog/uv.toml")
/usr/bin/python3 "$HERE/../support/uv/build" "$WORK/uv" "$version"
serve uv "$WORK/uv"
UV=$URL UV_SERVER=$SERVER
WISH=(--budget low --framework none --manager venv)

# `is_exact`: nothing of the last plan is an estimate, and every package has its hash and its size.
is_exact() {
    jq -e '[.data.steps[] | select(.id | IN("manager.environment", "libraries", "notebook"))] | length > 1 and
        all(.estimated == false) and ([.[].packages[]] | length > 50 and all(.sha256 and .size)) and (map(.disk) | add > 0)' \
        "$OUT" >/dev/null || die "the plan is not exact: $(jq -c '.data.steps[] | [.id, .estimated, .download, (.packages | length)]' "$OUT")"
}

step "nothing here, and nothing answers: one message, which says what was tried and what opens a way"
nowhere=(--channel http://127.0.0.1:9/none)
aitk user -- plan --budget free --platform colab "${nowhere[@]}"
expect_code 1
expect_one_error 'AITK-E06.*there is no Python whose pip knows one.*does not answer'
expect_said 'install python3-pip; or set --index-url'
SHOW=3 aitk user -- plan "${WISH[@]}" "${nowhere[@]}" --json
expect_code 0
jq -e '.data.steps[] | select(.id == "libraries") | .estimated' "$OUT" >/dev/null || die "it knows what it cannot know"

step "the first plan, with uv from a channel"
SHOW=0 aitk user -- plan "${WISH[@]}" --channel "$UV" --json
expect_code 0
is_exact
SHOW=0 aitk user -- plan "${WISH[@]}" -o plan.json
expect_code 0
SHOW=0 aitk user -- lock "${WISH[@]}" --channel "$UV" -o without.toml
expect_code 0
SHOW=6 aitk user -- apply --dry-run "${WISH[@]}" --channel "$UV"
expect_code 0
if as user which python3 || [[ -e $home/.local/share/aitk ]]; then die "a dry run has changed something"; fi

step "what is for elsewhere"
SHOW=4 aitk user -- plan --budget free --platform colab --channel "$UV"
expect_code 0
expect_said 'pinned by version and hash'
SHOW=4 aitk user -- export requirements.txt "${WISH[@]}" --channel "$UV" -o requirements.txt
expect_code 0
grep -q '^numpy==.*' "$home/requirements.txt" || die "no list of packages: $(cat "$home/requirements.txt")"

step "no channel answers, and an index is set: it is the same"
SHOW=0 aitk user AITK_CACHE_DIR=/tmp/other -- lock --budget low --framework none --index-url "$INDEX" "${nowhere[@]}" -o index.toml
expect_code 0
expect_said 'a virtual environment instead of conda'
expect_same "$home/without.toml" "$home/index.toml" "the lock"
SHOW=0 aitk user AITK_CACHE_DIR=/tmp/other -- plan --budget low --framework none --index-url "$INDEX" "${nowhere[@]}" --json
expect_code 0
is_exact

step "what was planned is what is installed"
aitk user -- apply plan.json --yes
expect_code 0
expect_not_said 'AITK-X16'
keep_wheels user
current=$home/.local/share/aitk/envs/ai/current
sed -n 's/^\([a-z0-9_.-]*==[^ ]*\).*/\1/p' "$home/requirements.txt" | sort >"$WORK/planned"
for info in "$current"/lib/python3*/site-packages/*.dist-info/METADATA; do
    sed -n '/^$/q; s/^Name: //p; s/^Version: //p' "$info" | paste -sd= | sed 's/=/==/'
done | tr -d '\r' | tr 'A-Z_.' 'a-z--' | sort >"$WORK/installed"
tr 'A-Z_.' 'a-z--' <"$WORK/planned" | sort >"$WORK/planned.names"
expect_same "$WORK/planned.names" "$WORK/installed" "what was planned"

step "an interpreter of that version resolves to the same bytes"
as user which python3
SHOW=2 aitk user -- lock "${WISH[@]}" --env other -o with.toml
expect_code 0
expect_same "$home/without.toml" "$home/with.toml" "the lock"

step "a Python without pip, of another version than is asked for, and no uv yet"
as root apt-get remove -y -qq python3-pip python3-venv >"$WORK/remove.log" 2>&1 || die "$(cat "$WORK/remove.log")"
anew=(AITK_CACHE_DIR=/tmp/third AITK_DATA_DIR=/tmp/third)
SHOW=4 aitk user "${anew[@]}" -- plan --budget free --platform kaggle "${nowhere[@]}"
expect_code 1
expect_one_error 'AITK-E06.*/usr/bin/python3[.0-9]* has no pip; .*does not answer'
SHOW=4 aitk user "${anew[@]}" -- plan --budget free --platform kaggle --channel "$UV"
expect_code 0
expect_said 'pinned by version and hash'
SHOW=4 aitk user "${anew[@]}" -- export requirements.txt "${WISH[@]}" -o again.txt
expect_code 0
expect_same "$home/requirements.txt" "$home/again.txt" "the list of packages"

step "a bundle carries uv's wheel: no channel has one, and none is named as what helps"
SHOW=4 aitk user "${anew[@]}" -- bundle "${WISH[@]}" --channel "$UV" -o x.aitk
expect_code 1
expect_one_error 'AITK-E06.*has no pip'
expect_said 'install python3-pip; or set --index-url'
expect_not_said '--channel'

step "a cache on a file system that starts no programs"
mkdir "$ROOT/mnt/cache"
mount -t tmpfs -o noexec,mode=1777 none "$ROOT/mnt/cache"
SHOW=4 aitk user AITK_CACHE_DIR=/mnt/cache/aitk -- plan --budget free --platform kaggle --uv "/tmp/third/tools/uv-$version/uv"
expect_code 77
expect_one_error '/python. could not be run: Permission denied'
expect_said 'AITK_CACHE_DIR'
umount "$ROOT/mnt/cache"
kill "$UV_SERVER"
