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
