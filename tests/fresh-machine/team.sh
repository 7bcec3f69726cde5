# shellcheck shell=bash
# What the cases about a team's server have at hand: the server, questions to it, and whether its services are well.
#
#   team_server              a machine with systemd that runs; one case at a time, as the network is the host's
#   things                   what root has in the folders of the system, but for what packages and logs bring
#   asked ARGUMENT…          the status of an answer of MLflow's, which goes to $WORK/answer
#   expect_status STATUS ARGUMENT…
#   are_well NAME…           aitk says that these services run and answer
#   wait_for COMMAND…

# shellcheck source=tests/fresh-machine/systemd.sh
source "$HERE/systemd.sh"
# shellcheck disable=SC2034 # cases use them
API=https://localhost:8443/api/2.0/mlflow AS=systemd_as

team_server() {
    exec 8>"$CACHE/team-server.lock"
    flock 8
    systemd_machine server
    lend_wheels user
    systemd_start
}
things() {
    (cd "$ROOT" && find etc/aitk opt var/backups/aitk var/lib/aitk-* var/lib/private etc/systemd/system 2>/dev/null | sort) || true
}
asked() {
    systemd_run curl -s --cacert /etc/aitk/front/tls.crt -o /tmp/answer -w '%{http_code}' -H 'content-type: application/json' "$@"
    systemd_run cat /tmp/answer >"$WORK/answer" 2>/dev/null || true
}
expect_status() {
    local wanted=$1 status
    shift
    status=$(asked "$@")
    [[ $status == "$wanted" ]] || die "status $status where $wanted is expected: $(cat "$WORK/answer")"
}
are_well() {
    local name
    SHOW=8 aitk user -- status --json
    expect_code 0
    for name; do
        jq -e --arg name "$name" '.data.services[] | select(.name == $name) | .runs and .answers and (.version | length > 0)' "$OUT" >/dev/null ||
            die "$name is not well: $(jq -c .data.services "$OUT") $(systemd_run journalctl -u "aitk-$name" -n 20 -o cat)"
    done
}
wait_for() {
    local waits=0
    until "$@"; do
        ((waits++ < 300)) || die "this never happens: $* $(systemd_run journalctl --unit='aitk-*' -n 40 -o cat | cut -c1-300)"
        sleep 1
    done
}
answers() { systemd_run curl -sf -o /dev/null "$@"; }
