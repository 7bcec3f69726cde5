# shellcheck shell=bash
# What the cases have in common that let the makers' own tools judge a platform's project.

TARGETS=$HERE/../../profiles/targets

# `alone PART…`: these parts come without their judges, since another case judges them.
alone() {
    local part own
    own=$(home_of user)/.config/aitk/targets
    for part in "$@"; do
        mkdir -p "$own/$part"
        awk '/^\[/ { judge = $0 == "[[judge]]" } !judge' "$TARGETS/$part/target.toml" >"$own/$part/target.toml"
    done
    chroot "$ROOT" chown -R user: /home/user/.config
}

# `judged BUDGET PLATFORM LEVEL [PART…]`: its project, with these parts, passes every judge.
judged() {
    local budget=$1 platform=$2 level=$3 part flags=()
    shift 3
    for part in "$@"; do flags+=(--part "$part"); done
    step "$platform, as its makers' tools see it"
    aitk user -- apply --budget "$budget" --platform "$platform" "${flags[@]}" --set "name=$platform" --set package=zed \
        --manager venv "--$level" --yes
    keep_wheels user
    expect_code 0
    expect_not_said 'is not here'
}

# `refused PLATFORM TARGET FOLDER`: in that project every judge refuses what the target has for it to refuse, which goes into this
# folder, or where it says itself.
refused() {
    local platform=$1 target=$2 folder=$3 bad to tool tools=()
    for bad in "$TARGETS/$target/bad"/*; do
        to=$platform/$folder
        [[ ! -d $bad/$folder ]] || to=$platform
        cp -r "$bad/." "$(home_of user)/$to/"
        tools+=("${bad##*/}")
    done
    chroot "$ROOT" chown -R user: "/home/user/$platform"
    SHOW=60 aitk user -- apply --yes
    expect_code 1
    for tool in "${tools[@]}"; do expect_said "(^|[^-a-z])$tool: "; done
}
