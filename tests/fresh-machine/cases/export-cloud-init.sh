# shellcheck shell=bash
# A server that sets itself up: cloud-init itself carries out the user-data that were exported, on a fresh machine, and
# aitk finds the environment whole. What is made for Vagrant and WSL beside it is read by tools of theirs.
#
# What cloud-init would do to a kernel (swap, host name, network) it may not do here; the firewall is loaded in a network
# of its own.
# On: bookworm; about 95 s

WISH=(--budget low --framework none)
readonly LINT='{extends: default, rules: {document-start: disable, comments: {require-starting-space: false}, line-length: disable}}'

# What servers have, and what reads files.
what_it_takes() {
    # Nothing that is installed is started.
    printf '#!/bin/sh\nexit 101\n' >"$ROOT/usr/sbin/policy-rc.d"
    chmod 755 "$ROOT/usr/sbin/policy-rc.d"
    as root apt-get -o APT::Update::Error-Mode=any update
    as root DEBIAN_FRONTEND=noninteractive apt-get -y install --no-install-recommends \
        cloud-init iproute2 openssh-server systemd vagrant
    as root python3 -m venv /opt/tools
    as root /opt/tools/bin/pip install --quiet check-jsonschema yamllint tree-sitter tree-sitter-powershell
    rm -f "$ROOT"/etc/ssh/ssh_host_* "$ROOT"/var/cache/apt/archives/*.deb
}

# `network NAME`: makes one, with nothing in it but loopback; `as_in NAME USER COMMAND…` is `as` there.
declare -A NETWORK
network() {
    unshare --net sleep infinity &
    NETWORK[$1]=/proc/$!/ns/net
    until [[ $(readlink "${NETWORK[$1]}") != "$(readlink /proc/self/ns/net)" ]]; do sleep 0.05; done
    nsenter --net="${NETWORK[$1]}" ip link set lo up
}
as_in() {
    # shellcheck disable=SC2016 # expanded inside
    nsenter --net="${NETWORK[$1]}" bash -c 'source "$1/lib.sh" && ROOT=$2 && shift 2 && as "$@"' bash "$HERE" "$ROOT" "${@:2}"
}

ensure_layer cloud-init what_it_takes
machine server "$LAYER" "$RELEASE-apt"
home=$(home_of user)
as user ssh-keygen -q -t ed25519 -N '' -C 'o"brien\: # here' -f key
mkdir "$ROOT/tmp/machines"
cp -r "$HERE"/../machines/{digitalocean-1gb,rtx3060-driver-580,ubuntu-22.04-wsl2} "$ROOT/tmp/machines/"
cp "$HERE"/../support/schemas/cloud-init-*.json "$ROOT/tmp/schema.json"

step "no server without a key, and no private key on a server"
aitk user -- export cloud-init "${WISH[@]}"
expect_code 64
expect_one_error 'AITK-O11'
aitk user -- export cloud-init "${WISH[@]}" --ssh-key key
expect_code 64
expect_one_error 'AITK-O12'
[[ ! -e $home/aitk-cloud-init ]] || die "something was written"

step "the user-data, as cloud-init's own schema wants them"
aitk user -- export cloud-init "${WISH[@]}" --ssh-key key.pub -o server
expect_code 0
aitk user -- export cloud-init "${WISH[@]}" --machine /tmp/machines/digitalocean-1gb --ssh-key key.pub -o small
expect_code 0
grep -A 2 '^swap:' "$home/small/user-data" | grep -x '  size: 2147483648' || die "a server with 1 GB gets no swap"
aitk user -- export cloud-init "${WISH[@]}" --machine /tmp/machines/ubuntu-22.04-wsl2 -o windows
expect_code 0
for name in server small windows; do
    as user /opt/tools/bin/check-jsonschema --schemafile /tmp/schema.json --default-filetype yaml $name/user-data
    as user /opt/tools/bin/yamllint --strict -d "$LINT" $name/user-data
    as user cloud-init schema -c $name/user-data
done

step "cloud-init carries them out"
# The first start of a server, whose datasource is a folder. The name and the network of this host stay as they are.
seed=$ROOT/var/lib/cloud/seed/nocloud
mkdir -p "$seed"
cp "$home"/server/{user-data,meta-data} "$seed/"
cat >"$ROOT/etc/cloud/cloud.cfg.d/99-test.cfg" <<'END'
datasource_list: [NoCloud]
network: {config: disabled}
preserve_hostname: true
growpart: {mode: "off"}
resize_rootfs: false
apt: {preserve_sources_list: true}
locale: C.UTF-8
ssh_genkeytypes: [ed25519]
END
# A session there gets to the network as one here does.
printf 'export %q\n' "${SESSION[@]}" >"$ROOT/etc/profile.d/test.sh"
start_cloud() {
    as root setpriv --bounding-set=-sys_admin,-net_admin,-sys_time,-sys_boot,-sys_module cloud-init "$@"
}
start_cloud init --local
start_cloud init
start_cloud modules --mode=config
start_cloud modules --mode=final || tail -n 40 "$ROOT/var/log/cloud-init.log"
[[ $(jq '.v1.errors | length' "$ROOT/run/cloud-init/result.json") == 0 ]] ||
    die "cloud-init tells of errors: $(cat "$ROOT/run/cloud-init/result.json")"

step "the server is what was said"
as user cat key.pub | cmp - "$(home_of ai)/.ssh/authorized_keys" || die "the key is another"
[[ $(as root passwd --status ai) == "ai L "* ]] || die "there is a password"
as ai sudo -n true
[[ $(stat -c '%a %s' "$ROOT/swapfile") == "600 2147483648" ]] || die "no swap: $(stat "$ROOT/swapfile")"
grep '^/swapfile' "$ROOT/etc/fstab" || die "the swap is gone after a restart"
SHOW=3 aitk user -- export script "${WISH[@]}"
cmp "$OUT" "$ROOT/opt/aitk/aitk.sh" || die "the script is another"
shellcheck "$ROOT/opt/aitk/aitk.sh"
as root apt-config dump | grep -x 'APT::Periodic::Unattended-Upgrade "1";'
[[ -h $ROOT/etc/systemd/system/sysinit.target.wants/nftables.service ]] || die "the firewall does not start"

step "aitk finds the environment whole"
aitk ai -- verify
expect_code 0

step "from outside there is SSH with the key, and what listens on 127.0.0.1 through it; nothing else"
network server
network outside
nsenter --net="${NETWORK[server]}" ip link add cable type veth peer name cable netns "$(cut -d/ -f3 <<<"${NETWORK[outside]}")"
for place in "server 10.9.9.1/24" "outside 10.9.9.2/24"; do
    nsenter --net="${NETWORK[${place% *}]}" ip addr add "${place#* }" dev cable
    nsenter --net="${NETWORK[${place% *}]}" ip link set cable up
done
mkdir -p "$ROOT/run/sshd"
as_in server root nft -f /etc/nftables.conf
as_in server root /usr/sbin/sshd
# A server that somebody has left open to all.
as_in server ai python3 -m http.server 8888 --bind 0.0.0.0 --directory /opt/aitk >"$WORK/http.log" 2>&1 &
sed -i 's/ADDRESS/10.9.9.1/' "$home/server/ssh_config"
# sshd leaves before what stays of it listens.
enter=(ssh -F server/ssh_config -o StrictHostKeyChecking=accept-new -o BatchMode=yes -o ConnectionAttempts=20)
as_in outside user "${enter[@]}" -i key -fN aitk
[[ $(as_in outside user "${enter[@]}" -i key -o ClearAllForwardings=yes aitk id -un) == ai ]]
as_in outside user curl --silent --fail --retry 20 --retry-connrefused --retry-delay 1 http://127.0.0.1:8888/aitk.sh | cmp - "$ROOT/opt/aitk/aitk.sh"
if as_in outside user curl --silent --max-time 2 http://10.9.9.1:8888/; then die "the firewall lets everybody in"; fi
as_in server user curl --silent --fail --output /dev/null http://10.9.9.1:8888/ || die "the server itself did not answer"
if as_in outside user "${enter[@]}" -o ClearAllForwardings=yes -o PubkeyAuthentication=no aitk true 2>"$WORK/refused.log"; then
    die "it goes without a key"
fi
grep -F 'Permission denied (publickey)' "$WORK/refused.log"

step "Vagrant reads its file; no GPU is promised, and no image that there is not"
SHOW=3 aitk user -- export vagrant "${WISH[@]}" -o vagrant
expect_code 0
as user bash -c 'cd vagrant && vagrant validate --ignore-provider'
cmp "$home/vagrant/aitk.sh" "$ROOT/opt/aitk/aitk.sh" || die "the script is another"
aitk user -- export vagrant --budget low --framework jax --machine /tmp/machines/rtx3060-driver-580 -o gpu
expect_code 64
expect_one_error 'AITK-O16'

aitk user -- export wsl "${WISH[@]}" -o old
expect_code 64
expect_one_error 'AITK-O15'
expect_said 'debian 13'

step "what is for Windows is written as PowerShell is, and does in Linux what it should"
SHOW=3 aitk user -- export wsl "${WISH[@]}" --machine /tmp/machines/ubuntu-22.04-wsl2 -o wsl
expect_code 0
grep -x 'memory=8GB' "$home/wsl/.wslconfig"
as user /opt/tools/bin/python -c '
import tree_sitter, tree_sitter_powershell
text = open("wsl/install.ps1", "rb").read()
text.decode("ascii")
tree = tree_sitter.Parser(tree_sitter.Language(tree_sitter_powershell.language())).parse(text)
assert not tree.root_node.has_error, tree.root_node'
printf '[user]\ndefault=me\n' >"$ROOT/etc/wsl.conf"
grep -q -- '--exec grep --quiet --no-messages systemd=true /etc/wsl.conf' "$home/wsl/install.ps1"
if as root grep --quiet --no-messages systemd=true /etc/wsl.conf; then die "systemd is on already"; fi
append=$(sed -n 's/.*--exec \(dd .*\)/\1/p' "$home/wsl/install.ps1")
as root bash -c "cd /home/user/wsl && $append"
[[ $(<"$ROOT/etc/wsl.conf") == $'[user]\ndefault=me\n[boot]\nsystemd=true' ]] || die "wsl.conf: $(cat "$ROOT/etc/wsl.conf")"
