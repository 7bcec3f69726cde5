# shellcheck shell=bash
# Ctrl-C while packages of conda are solved for, unpacked and linked: it stops in good order, and the same command goes on.
# On: bookworm; about 54 s

serve_channel
machine stopped "$RELEASE"
WISH=(--budget low --manager conda --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --framework none
    --user-only --yes)

# `interrupted_at WORDS ARGUMENT…`: SIGINT to aitk alone, a moment after it has said these words.
interrupted_at() {
    local pid job since
    step "while it is at: $1"
    OUT=$WORK/interrupted.out ERR=$WORK/interrupted.err CODE=0
    as user setsid aitk apply "${@:2}" >"$OUT" 2>"$ERR" &
    job=$!
    until grep -q "$1" "$ERR"; do
        kill -0 "$job" 2>/dev/null || die "it ended before it came to that: $(cat "$ERR")"
        sleep 0.02
    done
    pid=$(pgrep -o -x aitk)
    since=$EPOCHREALTIME
    kill -INT "$pid"
    wait "$job" || CODE=$?
    took "$since"
    tail -n 4 "$ERR" | sed 's/^/  ! /'
    echo "  = $CODE, $SECONDS_TAKEN s after the signal"
    expect_code 1
    expect_one_error 'AITK-X01'
    expect_within 10
    [[ ! -e $(home_of user)/.local/share/aitk/envs/ai/current ]] || die "a half-built environment is in use"
}

# `crowd FOLDER`: a channel that no solver comes to an end with. Each of 17 packages is there in 16 versions, and no two of
# them may be in the same.
crowd() {
    local folder
    for folder in noarch linux-64 linux-aarch64; do
        mkdir -p "$1/$folder"
        echo '{}' >"$1/$folder/repodata.json"
    done
    jq -n --arg python "$(channel_python)" '
        def package($name; $version; $others): {
            key: "\($name)-\($version)-0.conda",
            value: {name: $name, version: $version, build: "0", build_number: 0, depends: [], constrains: $others,
                subdir: "noarch", sha256: ("0" * 64), size: 1}
        };
        [package("python"; $python; []),
            (range(17) as $i | range(16) as $j |
                package("guest\($i)"; "\($j)"; [range(17) | select(. != $i) | "guest\(.) !=\($j)"]))]
        | {packages: {}, "packages.conda": from_entries}' >"$1/noarch/repodata.json"
}

crowd "$(home_of user)/crowd"
{
    sed '/^\[\[step\]\]/,$d' "$HERE/../../profiles/low.toml"
    cat <<END
[[step]]
id = "table"
phase = "manager"
kind = "environment"
title = "Create the environment"
why = "all want to sit in it"

[[step]]
id = "guests"
phase = "libraries"
kind = "layer"
title = "Install the guests"
why = "there is a seat too few"
requirements = $(jq -nc '[range(17) | "guest\(.)"]')
needs = ["table"]
END
} >"$(home_of user)/crowd.toml"
interrupted_at 'repodata records=' --profile crowd.toml --manager conda --channel file:///home/user/crowd \
    --python "$(channel_python)" --framework none --user-only --yes -vv
interrupted_at 'Install conda and mamba …' "${WISH[@]}"
interrupted_at 'Install the scientific libraries …' "${WISH[@]}"
step "the same command again"
SHOW=12 aitk user -- apply "${WISH[@]}"
expect_code 0
SHOW=3 aitk user -- verify --deep
expect_code 0
