# shellcheck shell=bash
# What a team shares on one server is installed by one command and runs, with its door open to nobody without an account.
# On: trixie; about 420 s

# shellcheck source=tests/fresh-machine/systemd.sh
source "$HERE/systemd.sh"
# The network is the host's: one at a time has its ports.
exec 8>"$CACHE/team-server.lock"
flock 8
systemd_machine server
lend_wheels user
systemd_start
# shellcheck disable=SC2034 # aitk reads it
AS=systemd_as
API=https://localhost:8443/api/2.0/mlflow
WISH=(--budget enterprise --platform team --manager venv --part monitoring --yes)

# What root has in the folders of the system, but for what packages and logs bring.
things() {
    (cd "$ROOT" && find etc/aitk opt var/backups/aitk var/lib/aitk-* var/lib/private etc/systemd/system 2>/dev/null | sort) || true
}
# `asked ARGUMENT…`: the status of an answer of MLflow's, which goes to $WORK/answer.
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
is_well() {
    local name
    SHOW=8 aitk user -- status --json
    expect_code 0
    for name in mlflow front node-exporter alertmanager prometheus; do
        jq -e --arg name "$name" '.data.services[] | select(.name == $name) | .runs and .answers and (.version | length > 0)' "$OUT" >/dev/null ||
            die "$name is not well: $(jq -c .data.services "$OUT") $(systemd_run journalctl -u "aitk-$name" -n 20 -o cat)"
    done
}
wait_for() {
    local waits=0
    until "$@"; do
        ((waits++ < 120)) || die "this never happens: $*"
        sleep 1
    done
}

things >"$WORK/things.before"
step "a plan shows every unit and file, starts nothing, and tells no secret"
SHOW=5 aitk user -- plan "${WISH[@]:0:8}"
expect_code 0
for word in aitk-mlflow.service ProtectSystem=strict 'systemctl mask' /etc/aitk/front/nginx.conf; do expect_said "$word"; done
things >"$WORK/things.after"
expect_same "$WORK/things.before" "$WORK/things.after" "the system"

step "apply installs and starts it"
aitk user -- apply "${WISH[@]}"
if ((CODE == 2)); then
    # What the first plan could only guess is asked again where it is far more.
    aitk user -- apply "${WISH[@]}"
fi
expect_code 0
keep_wheels user
is_well
say "installed in $SECONDS_TAKEN s; memory in MB: $(ps -eo rss,args | awk '/aitk|\/usr\/bin\/prometheus/ { sum += $1 } END { print int(sum / 1024) }')"

step "only the door is open to others"
systemd_run sh -c 'cat /proc/net/tcp /proc/net/tcp6' >"$WORK/tcp"
for port in 5000 9090 9093 9100; do
    hex=$(printf '%04X' "$port")
    grep -qE "0100007F:$hex [0-9A-F]+:0000 0A" "$WORK/tcp" || die "nothing listens on 127.0.0.1:$port"
    ! grep -E "(00000000|0{32}):$hex [0-9A-F]+:0000 0A" "$WORK/tcp" || die "$port is open to everybody"
done
for unit in nginx prometheus prometheus-node-exporter prometheus-alertmanager; do
    [[ $(systemd_run systemctl is-active $unit) != active ]] || die "the distribution's $unit was started"
done

step "nobody, the admin, another's token, another host name"
password=$(cat "$ROOT/etc/aitk/mlflow/admin")
for file in /etc/aitk/mlflow/admin /etc/aitk/mlflow/key /etc/aitk/front/tls.key; do
    [[ $(stat -c '%a %u' "$ROOT$file") == "600 0" ]] || die "others can read $file"
done
! grep -rqF "$password" "$(home_of user)/.local/state/aitk" "$WORK/output" || die "the password was told"
search=(-X POST "$API/experiments/search" -d '{"max_results": 5}')
expect_status 401 "${search[@]}"
expect_status 401 -u "admin:wrong" "${search[@]}"
expect_status 200 -u "admin:$password" "${search[@]}"
expect_status 403 -u "admin:$password" -H 'Host: evil.example' "${search[@]}"
expect_status 200 -u "admin:$password" "$API/users/create" -d '{"username": "reader", "password": "another-long-pw-2"}'
expect_status 200 -u "admin:$password" "$API/experiments/create" -d '{"name": "cellar"}'
experiment=$(jq -r .experiment_id "$WORK/answer")
expect_status 403 -u reader:another-long-pw-2 "$API/experiments/delete" -d "{\"experiment_id\": \"$experiment\"}"
expect_status 404 https://localhost:8443/metrics

step "Prometheus asks"
up() {
    systemd_run curl -s 'http://127.0.0.1:9090/api/v1/query?query=sum(up)' | jq -e '.data.result[0].value[1] == "3"' >/dev/null
}
wait_for up
states() {
    systemd_run curl -s -G http://127.0.0.1:9090/api/v1/query --data-urlencode 'query=node_systemd_unit_state{name="aitk-mlflow.service",state="active"}' |
        jq -e '.data.result[0].value[1] == "1"' >/dev/null
}
wait_for states
systemd_stop
