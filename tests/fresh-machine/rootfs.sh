# shellcheck shell=bash
# Fresh machines: root file systems made by debootstrap from the mirror that this host's apt is set to.

readonly ROOT_MAX_AGE_DAYS=7
# What an administrator adds to the smallest installation before anybody gets an account.
readonly ROOT_PACKAGES=sudo,passwd,adduser
# What the profile `low` installs with apt; only the roots named `*-apt` start with it.
readonly APT_PART=(ca-certificates python3 python3-pip python3-venv curl git)

# Where this host gets the packages of its own release from: `mirror_of ""` or `mirror_of -security`.
mirror_of() {
    local suffix=$1 id codename
    # shellcheck source=/dev/null
    id=$(. /etc/os-release && echo "${ID:-}")
    # shellcheck source=/dev/null
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    [[ $id == debian ]] || return 0
    # shellcheck disable=SC2016 # apt's own variables
    apt-get indextargets --format '$(CREATED_BY) $(RELEASE) $(REPO_URI)' |
        awk -v release="$codename$suffix" '$1 == "Packages" && $2 == release { print $3; exit }'
}

# A root counts as long as its lists name versions that the archive still has, and its recipe is the same.
root_is_current() {
    local root=$1 marker="$1/etc/aitk-test-root"
    [[ -f $marker && $(<"$marker") == "$(recipe)" ]] || return 1
    [[ -z $(find "$marker" -mtime +$((ROOT_MAX_AGE_DAYS - 1))) ]]
}

recipe() {
    sha256sum <"$HERE/rootfs.sh"
}

# Makes the root of a release, or of a release with the apt part done (`trixie-apt`), unless a current one is there.
ensure_root() {
    local name=$1 root="$CACHE/roots/$1"
    mkdir -p "$CACHE/roots"
    (
        flock 9
        root_is_current "$root" && exit 0
        local building="$root.building"
        say "making the root file system $name"
        rm -rf --one-file-system "$root" "$building"
        case $name in
            *-apt) add_apt_part "${name%-apt}" "$building" ;;
            *) debootstrap_root "$name" "$building" ;;
        esac
        recipe >"$building/etc/aitk-test-root"
        mv "$building" "$root"
    ) 9>"$root.lock" || die "the root file system $name could not be made; see $CACHE/roots/$name.log"
}

debootstrap_root() {
    local release=$1 root=$2 mirror security
    mirror=${AITK_TEST_MIRROR:-$(mirror_of "")}
    security=${AITK_TEST_SECURITY_MIRROR:-$(mirror_of -security)}
    [[ -n $mirror ]] || die "this host's apt has no Debian mirror: set AITK_TEST_MIRROR to the URL of one"
    local keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    [[ -f $keyring ]] || die "$keyring is missing: install debian-archive-keyring"
    quietly "$CACHE/roots/$release.log" \
        debootstrap --variant=minbase --keyring="$keyring" --include="$ROOT_PACKAGES" \
        "$release" "$root" "$mirror" || return
    {
        echo "deb $mirror $release main"
        echo "deb $mirror $release-updates main"
        if [[ -n $security ]]; then echo "deb $security $release-security main"; fi
    } >"$root/etc/apt/sources.list"
    # A host behind a proxy reaches its mirror through it only.
    apt-config dump | grep -E '^Acquire::https?::Proxy ' >"$root/etc/apt/apt.conf.d/90host" || true
    add_users "$root"
    copy_host_network "$root"
    rm -f "$root"/var/cache/apt/archives/*.deb "$root/var/log/bootstrap.log"
    quietly "$CACHE/roots/$release.log" in_plain_chroot "$root" apt-get -o APT::Update::Error-Mode=any update
}

add_users() {
    local root=$1 user
    for user in user plain; do
        chroot "$root" useradd --create-home --shell /bin/bash "$user"
    done
    chroot "$root" usermod --append --groups sudo user
    echo 'user ALL=(ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/user"
    chmod 440 "$root/etc/sudoers.d/user"
}

add_apt_part() {
    local release=$1 root=$2
    ensure_root "$release"
    cp -a --reflink=auto "$CACHE/roots/$release" "$root"
    # `clean` takes apt's index away as well, which a machine has and every look at apt would make anew: `check` makes it.
    # shellcheck disable=SC2016 # expanded inside
    quietly "$CACHE/roots/$release-apt.log" in_plain_chroot "$root" bash -c '
        export DEBIAN_FRONTEND=noninteractive
        apt-get update && apt-get -y upgrade --with-new-pkgs &&
            apt-get -y install --no-install-recommends "$@" && apt-get clean && apt-get check' bash "${APT_PART[@]}"
}

# For making a root only: with /proc and /dev, in a mount namespace that ends with the command.
in_plain_chroot() {
    local root=$1
    shift
    # shellcheck disable=SC2016 # expanded inside
    unshare --mount --pid --fork --kill-child bash -c '
        root=$1 && shift
        mount -t proc proc "$root/proc" && mount --rbind /dev "$root/dev" && exec chroot "$root" "$@"' \
        bash "$root" "$@"
}

# The network is the host's, so its names are too.
copy_host_network() {
    local root=$1 file
    for file in resolv.conf hosts; do
        cp --dereference "/etc/$file" "$root/etc/$file"
    done
    uname -n >"$root/etc/hostname"
    grep -qw "$(uname -n)" "$root/etc/hosts" || echo "127.0.1.1 $(uname -n)" >>"$root/etc/hosts"
    # Behind a proxy that signs with its own certificate, the host's bundle knows it.
    if [[ -n ${SSL_CERT_FILE:-}${PIP_CERT:-}${REQUESTS_CA_BUNDLE:-} ]]; then
        cp --dereference /etc/ssl/certs/ca-certificates.crt "$root/etc/aitk-test-ca.crt"
        chmod 644 "$root/etc/aitk-test-ca.crt"
    fi
}

quietly() {
    local log=$1
    shift
    "$@" >>"$log" 2>&1
}
