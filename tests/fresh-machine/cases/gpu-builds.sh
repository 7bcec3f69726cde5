# shellcheck shell=bash
# The build of PyTorch that a plan names is the one that comes: every index is asked by the real uv, for machines of the
# gallery, and what it has is installed. The wheels are stand-ins, named and tagged as the real ones are.
# On: bookworm; about 10 s

machine builds "$RELEASE-apt"
serve_indexes
home=$(home_of plain)
mkdir -p "$ROOT/srv/machines" "$home/.config/aitk"
mount --bind "$HERE/../machines" "$ROOT/srv/machines"
MIRROR=(--torch-index "$INDEXES_URL/whl/{build}")

# Rows that say where the vendors' own indexes are, here.
cat >"$WORK/rows.py" <<'PYTHON'
import sys, tomllib
catalog, indexes = sys.argv[1:]
places = {"rocm-amd": "/amd/", "jp6-cu126": "/jp6/cu126/", "jp7-cu130": "/sbsa/cu130/"}
for row in tomllib.load(open(catalog, "rb"))["build"]:
    if row["name"] in places:
        row["index"] = indexes + places[row["name"]]
        print("[[frameworks.build]]")
        for key, value in row.items():
            quoted = lambda one: '"%s"' % one if isinstance(one, str) else str(one).lower()
            if isinstance(value, list):
                value = "[%s]" % ", ".join(map(quoted, value))
            elif isinstance(value, dict):
                value = "{ %s }" % ", ".join(f"{name} = {quoted(one)}" for name, one in value.items())
            else:
                value = quoted(value)
            print(key, "=", value)
PYTHON
# The framework alone: what else there is, other cases show.
awk -v RS= '/^# The budget/ || /\[memory\]/ || /id = "(manager.uv|manager.environment|framework|environment.current|check.framework)"/ { print $0 "\n" }' \
    "$HERE/../../profiles/low.toml" | sed -E 's/^needs = .*/needs = []/' >"$home/torch.toml"

# `comes MACHINE VERSION [FLAG…]`: the plan for a machine has this torch.
comes() {
    local name=$1 version=$2
    shift 2
    SHOW=0 aitk plain -- plan --profile torch.toml --manager venv --user-only --machine "/srv/machines/$name" --json "$@"
    expect_code 0
    local taken
    taken=$(jq -r '[.data.steps[].packages[] | select(.name == "torch") | .version][0]' "$OUT")
    [[ $taken == "$version" ]] || die "for $name comes torch $taken and not $version: $(jq -c .data.framework "$OUT")"
    jq -e '[.data.steps[].packages[] | select(.name == "torch") | .sha256 | length == 64][0]' "$OUT" >/dev/null || die "without its hash"
}

step "for each kind of machine the version that its index has"
comes rtx3060-driver-580 2.15.0+cu130 "${MIRROR[@]}"
comes rtx5090-driver-595 2.15.0+cu132 "${MIRROR[@]}"
comes rtx3060-driver-550 2.14.1+cu126 "${MIRROR[@]}"
comes gtx1080ti-driver-580 2.14.1+cu126 "${MIRROR[@]}"
comes rx7900xtx 2.15.0+rocm7.14 "${MIRROR[@]}"
comes debian-13-fresh 2.15.0+cpu "${MIRROR[@]}"
comes arc-a770 2.15.0+xpu "${MIRROR[@]}" --accelerator xpu
comes t4-kvm 2.14.1+cu126 "${MIRROR[@]}"
comes gb10-spark 2.15.0+cu130 "${MIRROR[@]}"
# A vendor's index has older versions than the general one, and only these have code for the device.
python3 "$WORK/rows.py" "$HERE/../../profiles/catalog/frameworks.toml" "$INDEXES_URL" >"$home/.config/aitk/catalog.toml"
comes rx6700xt 2.13.0+rocm7.14.0
comes jetson-orin-nano-jp6.2 2.8.0
comes jetson-thor-jp7.1 2.9.1

step "a machine with a GPU is locked for where there is none, and planned for without a network"
GTX=(--profile torch.toml --manager venv --user-only --machine /srv/machines/gtx1080ti-driver-580)
aitk plain -- lock "${GTX[@]}" "${MIRROR[@]}" -o gtx.toml
expect_code 0
for turn in 1 2; do
    SHOW=0 AS=as_offline aitk plain -- plan "${GTX[@]}" --locked gtx.toml --offline --json
    expect_code 0
    cp "$OUT" "$WORK/plan.$turn"
done
expect_same "$WORK/plan.1" "$WORK/plan.2" "the plan"
grep -q '"2.14.1+cu126"' "$OUT" || die "the lock's torch is not in the plan"

step "a vendor's index that has nothing of it is not passed over in silence"
sed -i 's#/amd/#/nothing/#' "$home/.config/aitk/catalog.toml"
aitk plain -- plan --profile torch.toml --manager venv --user-only --machine /srv/machines/rx6700xt
expect_code 1
expect_one_error 'AITK-E03'
rm "$home/.config/aitk/catalog.toml"

step "a mirror that lags behind gives no other build in silence"
rm -r "$WORK/indexes/whl/cu130"
cp -a "$WORK/indexes/whl/cpu" "$WORK/indexes/whl/cu130"
aitk plain -- plan --profile torch.toml --manager venv --user-only --machine /srv/machines/rtx3060-driver-580 "${MIRROR[@]}"
expect_code 1
expect_one_error 'AITK-E03'
expect_said 'cu130'

step "each build is installed from its index"
for build in cpu cu126 cu132 rocm7.2 rocm7.14; do
    kind=cuda
    case $build in
        cpu) kind=cpu ;;
        rocm*) kind=rocm ;;
    esac
    # The row comes first for a machine without a device, whatever newer there is.
    row=$(awk -v RS= -v name="name = \"$build\"" '/manager = "venv"/ && /framework = "pytorch"/ && index($0, name)' "$HERE/../../profiles/catalog/frameworks.toml")
    sed 's/^\[\[build/[[frameworks.build/; /^older/d' <<<"$row" >"$home/.config/aitk/catalog.toml"
    aitk plain -- apply --profile torch.toml --manager venv --user-only --env "${build//[^a-z0-9]/}" --accelerator "$kind" "${MIRROR[@]}" --yes
    # What has failed its proof is not in use, so it is looked for by what it is.
    made=$(cd "$home" && echo .local/share/aitk/envs/"${build//[^a-z0-9]/}"/[0-9a-f]*[0-9a-f]/bin/python)
    version=$(as plain "$made" -c 'import torch; print(torch.__version__)')
    [[ $version == *+$build ]] || die "torch $version was installed for $build"
    if [[ $build == cpu ]]; then
        expect_code 0
    else
        # It is installed, and the proof does not take the processor for a GPU.
        expect_code 1
        expect_one_error 'sees no GPU'
        [[ ! -e $home/.local/share/aitk/envs/${build//[^a-z0-9]/}/current ]] || die "what failed its proof is in use"
    fi
done
umount "$ROOT/srv/machines"
