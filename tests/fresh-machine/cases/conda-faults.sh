# shellcheck shell=bash
# Every fault of a channel is survived, or refused with one message, and the environment in use goes on working.
# On: trixie; about 456 s

serve_channel
machine fresh "$RELEASE"
WISH=(--budget low --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --framework none --user-only --yes)
home=$(home_of plain)

step "without a fault"
SHOW=3 aitk plain -- apply "${WISH[@]}"
expect_code 0

# `fault WHAT RULE…`: another environment is built from cold caches while these rules hold.
fault() {
    step "$1"
    shift
    jq -n '$ARGS.positional | map(fromjson)' --args "$@" >"$CHANNEL_FAULTS"
    rm -rf "$home"/.cache/aitk "$home"/.local/share/aitk/envs/other
    SHOW=12 aitk plain -- apply "${WISH[@]}" --env other
    grep -q "$(jq -r '.[0].do' "$CHANNEL_FAULTS")" "$CHANNEL_LOG" || die "the fault was not met"
    : >"$CHANNEL_LOG"
    rm -f "$CHANNEL_FAULTS"
}
survived() {
    expect_code 0
    SHOW=3 aitk plain -- verify --deep --env other
    expect_code 0
}
# `refused CODE PATTERN`: the message says what and from where.
refused() {
    expect_code "$1"
    expect_one_error "$2"
    [[ ! -e $home/.local/share/aitk/envs/other/current ]] || die "a half-built environment is in use"
    SHOW=3 aitk plain -- verify
    expect_code 0
}

fault "a package is not there" '{"path": "numpy-.*\\.conda$", "do": "404"}'
refused 69 '127.0.0.1:[0-9]+.*404.*numpy|numpy.*404'
fault "an archive is always cut short" '{"path": "pandas-.*\\.conda$", "do": "truncate"}'
((CODE != 0)) || die "it claims success"
refused "$CODE" 'pandas|127.0.0.1'
fault "the bytes are others" '{"path": "scipy-.*\\.conda$", "do": "garbage"}'
refused 1 'AITK-E04.*scipy'
fault "a package is there again, by what the channel says when it is asked anew" '{"path": "numpy-.*\\.conda$", "do": "404", "times": 1}'
expect_said 'asked anew'
survived
fault "the bytes are others than the channel has told, and are so no more when it is asked anew" \
    '{"path": "scipy-.*\\.conda$", "do": "garbage", "times": 1}'
expect_said 'asked anew'
survived
fault "a connection stalls once" '{"path": "numpy-.*\\.conda$", "do": "stall", "times": 1}'
survived
fault "the server is busy for a while" '{"path": "/(numpy|pandas)-.*\\.conda$", "do": "503", "times": 3}' \
    '{"path": "repodata", "do": "503", "times": 2}'
survived
fault "packages are elsewhere" '{"path": "\\.conda$", "do": "redirect"}'
survived
fault "a connection breaks off" '{"path": "scipy-.*\\.conda$", "do": "cut", "times": 1}'
survived

step "the plan is what counts, whatever the channel says by then"
SHOW=3 aitk plain -- plan "${WISH[@]:0:${#WISH[@]}-1}" --env planned -o plan.json
expect_code 0
planned=$(jq -r '[.data.steps[].packages[] | .sha256] | unique | .[]' "$home/plan.json")
jq -n '[{path: "repodata", do: "404"}]' >"$CHANNEL_FAULTS"
rm -rf "$home"/.cache/aitk
SHOW=3 aitk plain -- apply plan.json --yes
expect_code 0
rm -f "$CHANNEL_FAULTS"
there=$(jq -r .sha256 "$home"/.local/share/aitk/envs/planned/current/conda-meta/*.json | sort -u)
diff <(sort -u <<<"$planned") <(echo "$there") >&2 || die "something else was installed than was planned"

step "the caches are damaged"
numpy=$(find "$home/.cache/aitk/pkgs" -path '*/numpy-*/site-packages/numpy/version.py' | head -n 1)
[[ -n $numpy ]] || die "numpy is not in the cache"
rm "$numpy"
# What a power cut leaves of files that nobody brought to the disk.
SHOW=3 aitk plain -- plan "${WISH[@]:0:${#WISH[@]}-1}" --env again
expect_code 0
shards=$(find "$home/.cache/aitk/repodata" -name '*.msgpack' -size +0 | wc -l)
((shards > 0)) || die "the channel has no shards"
find "$home/.cache/aitk/repodata" -type f -exec truncate -s 0 {} +
pandas=$(find "$home/.cache/aitk/pkgs" -path '*/pandas-*/site-packages/pandas/__init__.py' | head -n 1)
archive=$(find "$home/.cache/aitk/conda" -name 'scipy-*.conda')
truncate -s 1000 "$archive"
rm -r "$home"/.cache/aitk/pkgs/scipy-*
# The file that environments share is replaced in the cache, as a failing disk or a person would.
chroot "$ROOT" touch -d '+2 hours' "${pandas#"$ROOT"}"
SHOW=6 aitk plain -- apply "${WISH[@]}" --env again
expect_code 0
SHOW=3 aitk plain -- verify --deep --env again
expect_code 0

step "a record of the environment in use is damaged"
record=$(find "$home"/.local/share/aitk/envs/ai/current/ -path '*/conda-meta/numpy-*.json')
echo '{"name": "num' >"$record"
as plain aitk run -- python -c 'import numpy'
aitk plain -- verify --deep
expect_code 2
expect_said 'numpy.*conda-meta/numpy'
SHOW=6 aitk plain -- apply --deep --yes
expect_code 0
SHOW=3 aitk plain -- verify --deep
expect_code 0
jq -e '.name == "numpy"' "$record" >/dev/null || die "the record was not mended"

step "a package whose own script fails is refused, where the catalog has it run at all"
mkdir -p "$home/.config/aitk"
cat >"$home/.config/aitk/catalog.toml" <<'EOF_ROW'
[[conda.link_script]]
package = "aitk-test-badlink"
why = "a test"
source = "a test"
as_of = "2026-11-27"
EOF_ROW
sed 's/^requirements = \["jupyterlab", "ipykernel", "pip"\]/&\nconda = ["jupyterlab", "ipykernel", "pip", "aitk-test-badlink"]/' \
    "$HERE/../../profiles/low.toml" >"$home/bad.toml"
SHOW=6 aitk plain -- apply "${WISH[@]:2}" --profile bad.toml --env bad
expect_code 1
expect_one_error 'aitk-test-badlink'
[[ ! -e $home/.local/share/aitk/envs/bad/current ]] || die "it is in use nevertheless"
