#!/bin/sh
# Secures the machine that it is on. What it would do is made from what is there: ports, files and folders of this machine.
#
#   host.sh firewall   prints the rules for nftables        host.sh rules    prints those for auditd
#   host.sh check      judges both, and changes nothing     host.sh report   how hardened it is, by lynis
#   host.sh apply      as root: does it; the firewall goes again after a minute, unless
#   host.sh confirm    is said in a new session, which shows that nobody is locked out
#   host.sh undo       takes both away
#
# ADMIN: the networks that may log in by SSH, 10.0.0.0/24,10.0.1.7; nothing is all. CLUSTER: those whose machines trust each other,
# since what computes on several takes whatever port it likes. OPEN: ports for all, 443,8443.
set -eu
table=aitk_host
rules=/etc/audit/rules.d/50-aitk.rules
filter=/etc/nftables.d/aitk.nft
confirmed=/run/aitk-firewall-confirmed

die() {
    echo "$*" >&2
    exit 1
}

plain() {
    case $2 in *[!0-9a-fA-F./:,]*) die "$1 is not a list of networks or ports: $2" ;; esac
}
plain ADMIN "${ADMIN:-}"
plain CLUSTER "${CLUSTER:-}"
plain OPEN "${OPEN:-}"

# from LIST: that it comes from there, of each family; nothing where there is no list.
from() {
    for family in ip ip6; do
        of=$(echo "$1" | tr , '\n' | if [ "$family" = ip6 ]; then grep : || true; else grep -v : || true; fi | paste -sd ,)
        if [ "$of" ]; then echo "        $family saddr { $of } $2"; fi
    done
}

ssh_ports() {
    ports=$({ sshd -T 2>/dev/null || /usr/sbin/sshd -T 2>/dev/null || true; } | awk '$1 == "port" { print $2 }' | paste -sd ,)
    echo "${ports:-22}"
}

firewall() {
    echo "# Made by security/host.sh for $(uname -n). Another table than this one is not touched."
    echo "table inet $table"
    echo "delete table inet $table"
    echo "table inet $table {"
    echo "    chain input {"
    echo "        type filter hook input priority filter; policy drop;"
    echo "        ct state established,related accept"
    echo "        ct state invalid drop"
    echo "        iifname \"lo\" accept"
    # ICMP and ICMPv6, by number: not every machine has their names.
    echo "        meta l4proto { 1, 58 } limit rate 50/second accept"
    if [ "${ADMIN:-}" ]; then
        from "$ADMIN" "tcp dport { $(ssh_ports) } accept"
    else
        echo "        tcp dport { $(ssh_ports) } accept"
    fi
    if [ "${CLUSTER:-}" ]; then from "$CLUSTER" accept; fi
    if [ "${OPEN:-}" ]; then echo "        tcp dport { $OPEN } accept"; fi
    echo "        limit rate 5/minute log prefix \"refused: \""
    echo "    }"
    echo "}"
}

# A rule on what is not there would keep auditd from loading any.
audit_rules() {
    echo "# Made by security/host.sh for $(uname -n)."
    for path in /etc/passwd /etc/shadow /etc/group /etc/sudoers /etc/sudoers.d /etc/ssh/sshd_config /etc/pam.d \
        /etc/systemd/system /etc/crontab /etc/cron.d /etc/nftables.conf /etc/nftables.d /etc/munge /etc/slurm /etc/kubernetes \
        /etc/docker /root/.ssh; do
        if [ -e "$path" ]; then echo "-w $path -p wa -k $(basename "$path" | tr . -)"; fi
    done
    # Who became root for what, and who loads into the kernel.
    echo "-a always,exit -F arch=b64 -S execve -F euid=0 -F auid>=1000 -F auid!=unset -k root"
    echo "-a always,exit -F arch=b64 -S init_module,finit_module,delete_module -k modules"
}

# What listens here for others, and nobody may reach any more but those in CLUSTER.
closed() {
    allowed=,$(ssh_ports),${OPEN:-},
    ss -Hltn | awk '{ print $4 }' | grep -vE '^(127\.|\[::1\]|\[::ffff:127)' | sed 's/.*://' | sort -un | while read -r port; do
        case $allowed in *",$port,"*) ;; *) echo "port $port listens, and would be for CLUSTER alone" ;; esac
    done
}

check() {
    file=$(mktemp)
    firewall >"$file"
    # In a network of its own: nothing of this machine's is read or changed.
    if [ "$(id -u)" = 0 ]; then
        unshare --net nft --check --file "$file"
    else
        unshare --user --map-root-user --net nft --check --file "$file"
    fi || { rm -f "$file" && die "nftables refuses the firewall"; }
    rm -f "$file"
    audit_rules | grep '^-w' | while read -r _ path _; do [ -e "$path" ] || die "$path is not there"; done
    if command -v augenrules >/dev/null && [ "$(id -u)" = 0 ]; then augenrules --check 2>/dev/null; fi
    closed
}

apply() {
    [ "$(id -u)" = 0 ] || die "only root may do that"
    check
    mkdir -p /etc/nftables.d "$(dirname "$rules")"
    umask 077
    firewall >"$filter"
    audit_rules >"$rules"
    grep -qs 'include "/etc/nftables.d/\*.nft"' /etc/nftables.conf || echo 'include "/etc/nftables.d/*.nft"' >>/etc/nftables.conf
    rm -f "$confirmed"
    nft --file "$filter"
    # Whoever locks himself out is let in again.
    (sleep 60 && [ ! -e "$confirmed" ] && nft delete table inet "$table" && rm -f "$filter") >/dev/null 2>&1 </dev/null &
    echo "the firewall is there for a minute: host.sh confirm, in a new session"
    echo "the kernel takes the audit rules at the next start, or now: augenrules --load"
}

undo() {
    rm -f "$filter" "$rules" "$confirmed"
    nft delete table inet "$table" 2>/dev/null || true
    echo "the firewall is gone; the kernel forgets the audit rules at the next start"
}

report() {
    command -v lynis >/dev/null || die "lynis is not here: apt-get install lynis"
    folder=$(mktemp -d)
    lynis audit system --quick --quiet --no-colors --no-log --report-file "$folder/report" >/dev/null 2>&1 || true
    [ -s "$folder/report" ] || die "lynis has written no report"
    sed -n 's/^hardening_index=/hardened to: /p; s/^warning\[\]=\([^|]*\)|\([^|]*\)|.*/warning: \2 (\1)/p' "$folder/report"
    sed -n 's/^suggestion\[\]=\([^|]*\)|\([^|]*\)|.*/to do: \2 (\1)/p' "$folder/report"
    rm -rf "$folder"
}

case ${1:-} in
    firewall) firewall ;;
    rules) audit_rules ;;
    check) check ;;
    apply) apply ;;
    confirm) touch "$confirmed" ;;
    undo) undo ;;
    report) report ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
