
# --- how things are done; what is done stands below -------------------------------------------------------------

DATA=${AITK_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/aitk}
CACHE=${AITK_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/aitk}
STATE=${AITK_STATE_DIR:-${XDG_STATE_HOME:-$HOME/.local/state}/aitk}
JUPYTER=${JUPYTER_DATA_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/jupyter}
ENVS=$DATA/envs/$ENVIRONMENT
BUILT=$ENVS/$GENERATION
UV=$DATA/tools/uv-$UV_VERSION/uv
readonly DATA CACHE STATE JUPYTER ENVS BUILT UV

step() { printf '\n== %s\n' "$1"; }

done_already() { echo "done already"; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [[ $(id -u) == 0 ]]; then "$@"; else sudo -- "$@"; fi
}

# It asks nothing, waits for another apt or dpkg, and keeps settings that were changed by hand.
apt() {
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 APT_LISTCHANGES_FRONTEND=none LC_ALL=C \
        apt-get -y -q -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
        -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

# One run at a time; aitk itself takes the same lock.
only_one() {
    mkdir -p "$STATE"
    exec 9>>"$STATE/lock"
    flock --nonblock 9 || fail "another run is going on"
}

fits_here() {
    [[ $(uname -m) == "$ARCHITECTURE" ]] || fail "this is for $ARCHITECTURE, and here is $(uname -m)"
    if [[ -n ${GLIBC:-} ]]; then
        local here
        here=$(getconf GNU_LIBC_VERSION | cut -d' ' -f2)
        [[ $(printf '%s\n' "$GLIBC" "$here" | sort -V | head -n 1) == "$GLIBC" ]] ||
            fail "this is for glibc $GLIBC or newer, and here is $here"
    fi
}

repair_packages() {
    if [[ -z $(dpkg --audit) ]]; then
        done_already
        return
    fi
    as_root env DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a || true
    apt --fix-broken install
}

# `refresh_lists HOURS`: unless that was done so short a time ago.
refresh_lists() {
    local lists=/var/lib/apt/lists
    if [[ -n $(find $lists -maxdepth 0 -mmin "-$(($1 * 60))") && -n $(find $lists -name '*_Packages*' -print -quit) ]]; then
        done_already
        return
    fi
    apt -o APT::Update::Error-Mode=any update
}

upgrade_packages() {
    if LC_ALL=C apt-get -s upgrade --with-new-pkgs | grep -q '^Inst '; then
        apt upgrade --with-new-pkgs
    else
        done_already
    fi
}

install_packages() {
    local package missing=()
    for package in "$@"; do
        [[ $(dpkg-query --show --showformat '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] ||
            missing+=("$package")
    done
    if ((${#missing[@]})); then
        apt install --no-install-recommends -- "${missing[@]}"
    else
        done_already
    fi
}

# `add_swap FILE BYTES`
add_swap() {
    local file=$1 size=$2
    if grep -q "^$file " /proc/swaps; then
        done_already
        return
    fi
    if [[ ! -e $file ]]; then
        as_root fallocate -l "$size" "$file"
        as_root chmod 600 "$file"
        as_root mkswap "$file"
    fi
    as_root swapon "$file"
    grep -q "^$file " /etc/fstab || echo "$file none swap sw 0 0 # aitk" | as_root tee -a /etc/fstab >/dev/null
}

# `get_uv SHA256`: pip knows the index that is set up here, and refuses another file.
get_uv() {
    local folder
    if [[ -x $UV ]]; then
        done_already
        return
    fi
    folder=$(mktemp -d)
    echo "uv==$UV_VERSION --hash=sha256:$1" >"$folder/wanted.txt"
    "$INTERPRETER" -m pip download --quiet --no-input --disable-pip-version-check --no-deps --only-binary :all: \
        --require-hashes --dest "$folder" --requirement "$folder/wanted.txt"
    "$INTERPRETER" -m zipfile -e "$folder"/uv-*.whl "$folder/wheel"
    install -D -m 755 "$folder/wheel/uv-$UV_VERSION.data/scripts/uv" "$UV"
    # The note by which aitk knows it again.
    (umask 077 && printf '%s %s\n' "$(sha256sum <"$UV" | cut -d ' ' -f 1)" "$(stat -c %s "$UV")" >"$UV.sha256")
    rm -rf "$folder"
}

uv() {
    UV_CACHE_DIR=$CACHE/uv UV_PYTHON_DOWNLOADS=never UV_PREVIEW_FEATURES=pylock "$UV" "$@"
}

# The environment is built aside, in a folder named after its lock; what an earlier run has half-built goes.
create_environment() {
    local python
    if is_whole; then
        done_already
        return
    fi
    python=$("$INTERPRETER" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    [[ $python == "$PYTHON" ]] || fail "this is for Python $PYTHON, and $INTERPRETER is $python"
    rm -rf "$BUILT"
    uv venv --quiet --no-project --no-config --python "$INTERPRETER" --prompt "$ENVIRONMENT" "$BUILT"
    lock >"$BUILT/pylock.toml"
}

is_whole() { [[ -e $BUILT/aitk-generation.json && -x $BUILT/bin/python ]]; }

# Exactly the files of the lock, each checked by its hash.
install_libraries() {
    if is_whole; then
        done_already
        return
    fi
    uv pip install --no-deps --python "$BUILT/bin/python" --requirement "$BUILT/pylock.toml"
    # What aitk notes of an environment that is whole, so that `aitk verify`, `aitk apply` and `aitk remove` know it.
    generation >"$BUILT/aitk-generation.json"
}

# In one rename: until now the environment that was there before worked, and this one is proven. What aitk notes of a wish
# is noted.
activate() {
    if [[ $(readlink "$ENVS/current") == "$GENERATION" ]]; then
        done_already
        return
    fi
    ln -sfn "$GENERATION" "$ENVS/.current.new"
    mv -T "$ENVS/.current.new" "$ENVS/current"
    [[ -e $STATE/receipt.json ]] || (umask 077 && receipt >"$STATE/receipt.json")
}

# `kernel_file PREFIX`: the file of a kernel that starts the environment there, without what leads elsewhere.
kernel_file() {
    "$BUILT/bin/python" - "$1" "$KERNEL_DISPLAY" "$VARIABLES" "$CLEARED" <<'END'
import json
import sys

prefix, display, variables, cleared = sys.argv[1:]
env = dict.fromkeys(cleared.split(), "")
env.update(pair.split("=", 1) for pair in variables.split())
env["VIRTUAL_ENV"] = prefix
kernel = {
    "argv": [prefix + "/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
    "display_name": display,
    "language": "python",
    "metadata": {"debugger": True},
    "env": dict(sorted(env.items())),
}
print(json.dumps(kernel, indent=2, ensure_ascii=False))
END
}

# `register_kernel NAME`
register_kernel() {
    local folder=$JUPYTER/kernels/$1 file=$JUPYTER/kernels/$1/kernel.json
    mkdir -p "$folder"
    kernel_file "$ENVS/current" >"$file.new"
    if cmp -s "$file" "$file.new"; then
        rm "$file.new"
        done_already
        return
    fi
    # Somebody's own kernel of that name is kept beside it, where `aitk remove` finds it.
    if [[ -e $file ]] && ! grep -qF "\"$ENVS/current/bin/python\"" "$file"; then mv "$file" "$file.before-aitk"; fi
    mv "$file.new" "$file"
}

# `prove`: runs the program on its standard input with the environment's Python, before the environment is the one in use
# and as its user will run it. What it says besides its answer is shown where it fails.
prove() {
    local program name kernel="" surroundings=()
    program=$(cat)
    for name in $CLEARED; do surroundings+=(-u "$name"); done
    for name in $VARIABLES; do surroundings+=("$name"); done
    if [[ -n $KERNEL ]]; then kernel=$(kernel_file "$BUILT"); fi
    env "${surroundings[@]}" VIRTUAL_ENV="$BUILT" PATH="$BUILT/bin:$PATH" PYTHONUTF8=1 TF_CPP_MIN_LOG_LEVEL=3 \
        AITK_CHECK="$program" AITK_KERNEL="$KERNEL" AITK_KERNELSPEC="$kernel" AITK_ACCELERATOR_KIND="$ACCELERATOR" \
        "$BUILT/bin/python" -c \
        "import os; exec(compile(os.environ['AITK_CHECK'], 'check', 'exec'))" </dev/null 2>"$STATE/proof.log" || {
        cat "$STATE/proof.log" >&2
        fail "the proof failed"
    }
}
