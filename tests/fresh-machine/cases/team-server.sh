# shellcheck shell=bash
# What a team shares on one server is installed, runs, comes back, is upgraded with what it keeps, and goes.
# On: trixie; about 240 s

# shellcheck source=tests/fresh-machine/team.sh
source "$HERE/team.sh"
team_server
WISH=(--budget enterprise --platform team --manager venv --part monitoring --yes)
is_well() { are_well mlflow front node-exporter alertmanager prometheus; }

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
for port in 720 9090 9093 9100; do
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

step "many clients log runs at once, and none is lost or refused, though one of MLflow's processes stands still for eight seconds"
cp "$HERE/../support/team/runs" "$ROOT/root/runs"
workers() {
    local pid
    while read -r pid; do
        ! grep -qs spawn_main "/proc/$pid/cmdline" || echo "$pid"
    done <"$CGROUP/system.slice/aitk-mlflow.service/cgroup.procs"
}
workers >"$WORK/workers.before"
[[ $(wc -l <"$WORK/workers.before") == 2 ]] || die "there are not two workers"
systemd_run python3 /root/runs --cert /etc/aitk/front/tls.crt https://localhost:8443 20 "${AITK_TEST_ROUNDS:-1}" <"$ROOT/etc/aitk/mlflow/admin" >"$WORK/load" &
load=$!
sleep 1
kill -STOP "$(head -n 1 "$WORK/workers.before")"
sleep 8
kill -CONT "$(head -n 1 "$WORK/workers.before")" || die "it was killed while it stood still"
wait $load || die "runs are lost: $(cat "$WORK/load")"
jq -e '.refused == 0' "$WORK/load" >/dev/null || die "runs are refused: $(cat "$WORK/load")"
workers >"$WORK/workers.after"
expect_same "$WORK/workers.before" "$WORK/workers.after" "the workers"
say "$(cat "$WORK/load"); load $(cut -d' ' -f1 /proc/loadavg)"

step "Prometheus asks, and an alert arrives"
up() {
    systemd_run curl -s 'http://127.0.0.1:9090/api/v1/query?query=sum(up)' | jq -e '.data.result[0].value[1] == "3"' >/dev/null
}
wait_for up
states() {
    systemd_run curl -s -G http://127.0.0.1:9090/api/v1/query --data-urlencode 'query=node_systemd_unit_state{name="aitk-mlflow.service",state="active"}' |
        jq -e '.data.result[0].value[1] == "1"' >/dev/null
}
wait_for states
python3 - "$WORK/hook" <<'PY' &
import http.server, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        open(sys.argv[1], "ab").write(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200); self.end_headers()
    def log_message(self, *_): pass
server = http.server.HTTPServer(("127.0.0.1", 0), Hook)
open(sys.argv[1] + ".port", "w").write(str(server.server_port))
server.serve_forever()
PY
wait_for test -s "$WORK/hook.port"
before=$(systemd_run systemctl show --property=MainPID aitk-mlflow)
SHIPPING=(--part logs --part shipping --set logs_url=https://localhost:19532 --set logs_trust=/etc/aitk/front/tls.crt)
aitk user -- apply "${WISH[@]}" "${SHIPPING[@]}" --set "webhook=http://127.0.0.1:$(cat "$WORK/hook.port")/"
expect_code 0
[[ $(systemd_run systemctl show --property=MainPID aitk-mlflow) == "$before" ]] || die "what was not concerned was restarted"
[[ $(stat -c '%a %u' "$ROOT/etc/aitk/alertmanager/alertmanager.yml") == "640 0" ]] || die "others can read where alerts go"
! systemd_run runuser -u nobody -- cat /etc/aitk/alertmanager/alertmanager.yml || die "nobody reads where alerts go"
systemd_run curl -sf http://127.0.0.1:9093/api/v2/status >"$WORK/alertmanager.status" || die "Alertmanager does not answer"
! grep -q "$(cat "$WORK/hook.port")" "$WORK/alertmanager.status" || die "Alertmanager tells where alerts go"
! grep -q "$(cat "$WORK/hook.port")" "$(home_of user)"/*/README.md || die "the README tells where alerts go"
systemd_run amtool --alertmanager.url=http://127.0.0.1:9093 alert add Fire severity=page
wait_for grep -qs Fire "$WORK/hook"

step "what the machine logs arrives, of known machines alone, and nothing is lost while nobody takes it in"
arrived() { systemd_run journalctl --quiet --directory=/var/lib/aitk-logs --output=cat "MESSAGE=$1" | grep -q .; }
sends() { systemd_run runuser -u nobody -- sh /etc/aitk/shipping/health.sh | grep -q 'nothing was refused'; }
are_well logs shipping
systemd_run logger of-the-cellar
wait_for arrived of-the-cellar
systemd_run openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=localhost -keyout /root/other.key -out /root/other.crt
upload=(-X POST https://localhost:19532/upload)
expect_status 403 "${upload[@]}"
expect_status 400 --cert /root/other.crt --key /root/other.key "${upload[@]}"
# It is let in, and told that these are no logs.
expect_status 415 --cert /etc/aitk/front/tls.crt --key /etc/aitk/front/tls.key "${upload[@]}"
! systemd_run runuser -u nobody -- curl -s --unix-socket /run/aitk-logs/socket http://localhost/ || die "somebody gets in beside the door"
systemd_run systemctl stop aitk-logs
systemd_run logger of-the-attic
aitk user -- status
expect_said 'logs.*does not run'
systemd_run systemctl start aitk-logs
wait_for arrived of-the-attic
wait_for sends

step "a service that is killed comes back, and one that is stopped is told"
pid=$(systemd_run systemctl show --property=MainPID --value aitk-prometheus)
systemd_run systemctl kill --signal=KILL aitk-prometheus
wait_for answers http://127.0.0.1:9090/-/ready
[[ $(systemd_run systemctl show --property=MainPID --value aitk-prometheus) != "$pid" ]] || die "it was not killed"
systemd_run systemctl stop aitk-alertmanager
aitk user -- verify
expect_code 2
expect_said 'aitk-alertmanager.service does not run as it should'
aitk user -- status
expect_said 'alertmanager.*does not run'
aitk user -- apply --yes
expect_code 0
is_well

step "after a restart all is there"
systemd_stop
systemd_start
wait_for answers -k https://127.0.0.1:8443/health
is_well
wait_for sends
expect_status 200 -u "admin:$password" "$API/experiments/get?experiment_id=$experiment"
aitk user -- apply --yes
expect_code 0
expect_said 'Nothing to do'

step "another MLflow gets what was kept, of which there is a copy; one that does not start gives way to the last"
systemd_run sh -c 'echo older >/opt/aitk/mlflow/current/wish'
aitk user -- apply --yes
expect_code 0
[[ $(readlink "$ROOT/opt/aitk/mlflow/current") == b ]] || die "the other environment is not in use"
ls "$ROOT"/var/backups/aitk/mlflow-*.tar.gz >/dev/null || die "there is no copy"
[[ $(stat -c %a "$ROOT/var/backups/aitk") == 700 ]] || die "others can read the copy"
expect_status 200 -u "admin:$password" "$API/experiments/get?experiment_id=$experiment"

step "somebody's file is not overwritten"
echo '# mine' >>"$ROOT/etc/aitk/prometheus/rules.yml"
aitk user -- apply --yes --set keep=30d
expect_code 1
expect_said 'rules.yml'

step "remove leaves what they keep, and names it"
aitk user -- remove --yes
expect_code 0
expect_said '/var/lib/private/aitk-mlflow'
for unit in mlflow front logs shipping node-exporter alertmanager prometheus; do
    [[ $(systemd_run systemctl is-active aitk-$unit) != active ]] || die "$unit still runs"
done
things | grep -vE 'var/lib/(private|aitk-)|var/backups' >"$WORK/things.after"
printf '%s\n' etc/aitk etc/aitk/front etc/aitk/front/{machines.crt,tls.crt,tls.key} etc/aitk/mlflow etc/aitk/mlflow/{admin,key} etc/aitk/prometheus{,/rules.yml} |
    cat - "$WORK/things.before" | grep -vE 'var/lib/(private|aitk-)|var/backups' | sort >"$WORK/things.expected"
expect_same "$WORK/things.expected" "$WORK/things.after" "what is left"
systemd_stop
