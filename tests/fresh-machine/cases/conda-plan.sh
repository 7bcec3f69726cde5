# shellcheck shell=bash
# What the solver is told and what it says: builds for the GPU at hand, wishes that clash, the order of channels, a
# channel in a folder whose packages go to another file system.
# On: bookworm; about 6 s

serve_channel
machine fresh "$RELEASE"
home=$(home_of plain)
PYTHON=$(channel_python)
WISH=(--manager conda --python "$PYTHON" --user-only)

# `profile FILE REQUIREMENT…`: Python and these, and nothing else.
profile() {
    local file=$1
    shift
    awk -v RS= '/^# The budget/ || /\[memory\]/ || /id = "(manager.environment|libraries|environment.current)"/ { print $0 "\n" }' \
        "$HERE/../../profiles/low.toml" |
        sed -E "/^(estimate|requires|conda) = /d; s/^needs = .*/needs = []/
            s/^requirements = .*/requirements = [\"aitk-test-wheel\"]\nconda = $(jq -cn '$ARGS.positional' --args "$@")/" >"$home/$file"
}
# The version that the last plan has of a package.
version_of() { jq -r --arg name "$1" '[.data.steps[].packages[] | select(.name == $name) | .version][0]' "$OUT"; }

step "the build of the framework is that for the machine"
SHOW=0 aitk plain -- detect --json
cp "$OUT" "$WORK/facts.json"
# `builds_for CUDA BUILD REASON [CAPABILITY [FLAG…]]`: a machine whose driver serves this CUDA, none for `null`.
builds_for() {
    local driver=550.163.01
    [[ $1 != *13* ]] || driver=580.95.05
    jq --argjson cuda "$1" --arg driver "$driver" --arg capability "${4:-8.6}" --argjson usable "${USABLE:-true}" '.data.gpus = if $cuda == null then [] else
        [{vendor: "nvidia", pci_id: "10de:2504", compute_capability: $capability, driver: {name: "nvidia", version: $driver, cuda: $cuda},
          usable: $usable, why: "it has a driver"}] end' "$WORK/facts.json" >"$home/machine.json"
    SHOW=0 aitk plain -- plan --budget low --channel "$CHANNEL_URL/conda-forge" "${WISH[@]}" --machine machine.json --json "${@:5}"
    expect_code 0
    [[ $(jq -r .data.framework.build "$OUT") == "$2" ]] || die "the build is $(jq .data.framework "$OUT")"
    jq -r '.data.framework.why[-1]' "$OUT" | grep -qE -- "$3" || die "the plan does not say why: $(jq .data.framework.why "$OUT")"
}
builds_for '"13.0"' cuda130 'needs: __cuda, __glibc >=2.28, cuda-version >=13'
builds_for '"12.4"' cuda129 'needs: __cuda, cuda-version >=12.9'
[[ $(jq -c .data.accelerator "$OUT") == '{"kind":"cuda","gpus":[0],'* ]] || die "what computes is $(jq -c .data.accelerator "$OUT")"
builds_for null cpu 'asks nothing of a GPU'
builds_for '"13.0"' cuda129 'needs: __cuda, cuda-version >=12.9' 6.1
builds_for '"13.0"' cpu 'asks nothing of a GPU' 8.6 --accelerator cpu
[[ $(jq -r .data.accelerator.kind "$OUT") == none ]] || die "what computes is $(jq -c .data.accelerator "$OUT")"
USABLE=false builds_for '"13.0"' cpu 'asks nothing of a GPU'

step "two wishes that clash are both named"
profile clash.toml aitk-test-left aitk-test-right
aitk plain -- plan --profile clash.toml --framework none --channel "$CHANNEL_URL/conda-forge" "${WISH[@]}"
expect_code 1
expect_one_error 'AITK-E03'
for word in aitk-test-left aitk-test-right aitk-test-lib; do expect_said "$word"; done

step "the first channel that has a package is the only one for it"
other=$home/other/noarch
mkdir -p "$other"
jq '{info: {subdir: "noarch"}, packages: {}, "packages.conda": (.["packages.conda"] | with_entries(select(.value.name == "aitk-test-lib" and .value.version == "2.1"))
    | with_entries(.key |= "aitk-test-lib-9.0-0.conda" | .value.version = "9.0" | .value.build = "0"))}' \
    "$CHANNEL/plain/noarch/repodata.json" >"$other/repodata.json"
profile lib.toml aitk-test-lib
for first in "$CHANNEL_URL/conda-forge,/home/plain/other 2.1" "/home/plain/other,$CHANNEL_URL/conda-forge 9.0"; do
    SHOW=3 aitk plain -- plan --profile lib.toml --framework none --channel "${first% *}" "${WISH[@]}" --json
    expect_code 0
    [[ $(version_of aitk-test-lib) == "${first#* }" ]] || die "of ${first% *} it takes $(version_of aitk-test-lib)"
done
stop_channel

step "a channel in a folder, and a cache on another file system than the environment"
mkdir -p "$ROOT/srv/channel"
mount --bind "$CHANNEL/plain" "$ROOT/srv/channel"
profile prefix.toml aitk-test-prefix aitk-test-generic
aitk plain AITK_CACHE_DIR=/dev/shm/cache -- apply --profile prefix.toml --framework none --channel /srv/channel "${WISH[@]}" --yes
expect_code 0
current=$home/.local/share/aitk/envs/ai/current
[[ $(as plain .local/share/aitk/envs/ai/current/bin/aitk-test-prefix) == */envs/ai/* ]] || die "its prefix is not the environment's"
[[ $(stat -c %h "$current/share/aitk-test-generic/hello.txt") == 1 ]] || die "this is a link into another file system"
[[ $(cat "$current/share/aitk-test-generic/hello.txt") == hello ]] || die "the file is another"
SHOW=3 aitk plain AITK_CACHE_DIR=/dev/shm/cache -- verify --deep
expect_code 0
umount "$ROOT/srv/channel"
