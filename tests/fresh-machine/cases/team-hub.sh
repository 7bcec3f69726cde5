# shellcheck shell=bash
# A team's JupyterHub and PostgreSQL: an MLflow that fails gives way to the one before, real older tables are brought up and
# moved, notebooks have limits and are their owner's alone, all comes back after a restart, and goes without a receipt.
# On: bookworm; about 500 s

# shellcheck source=tests/fresh-machine/team.sh
source "$HERE/team.sh"
team_server
WISH=(--budget enterprise --platform team --manager venv --part jupyterhub --set hub_group=@everybody --set hub_memory=1G --set hub_processors=1.5 --yes)
ALL=("${WISH[@]}" --part postgresql)
readonly OLDER=3.16.1

for name in ann bob; do
    systemd_run useradd --create-home --shell /bin/bash $name
    echo "$name:secret-of-$name" | systemd_run chpasswd
done
systemd_run groupadd research
systemd_run usermod --append --groups research ann
# `hub WORD…`: somebody at the hub, through TLS; a password on standard input.
hub() { systemd_run /opt/aitk/jupyterhub/current/bin/python /root/hub --cert /etc/aitk/front/tls.crt https://localhost:8444 "$@"; }
cp "$HERE/../support/team/hub" "$ROOT/root/hub"
# `experiment NAME`: makes one; `has_experiment NAME`
experiment() { expect_status 200 -u "admin:$password" "$API/experiments/create" -d "{\"name\": \"$1\"}"; }
has_experiment() { expect_status 200 -u "admin:$password" "$API/experiments/get-by-name?experiment_name=$1"; }

has_ended() { [[ $(systemd_run systemctl is-active "$1") != active ]]; }

things >"$WORK/things.before"
step "JupyterHub and MLflow are installed"
aitk user -- apply "${WISH[@]}"
if ((CODE == 2)); then aitk user -- apply "${WISH[@]}"; fi
expect_code 0
keep_wheels user
are_well mlflow front hub-proxy jupyterhub

step "the MLflow of before is an older one, with older tables"
password=$(cat "$ROOT/etc/aitk/mlflow/admin")
systemd_run systemctl stop aitk-mlflow
systemd_run sh -c 'rm -rf /var/lib/private/aitk-mlflow/* && echo older >/opt/aitk/mlflow/a/wish'
systemd_run /opt/aitk/mlflow/a/bin/pip install -q --no-deps "mlflow==$OLDER" "mlflow-skinny==$OLDER" "mlflow-tracing==$OLDER"
systemd_run systemctl start aitk-mlflow
wait_for answers -k https://127.0.0.1:8443/health
experiment cellar
runs_older() { [[ $(systemd_run curl -s -u "admin:$password" http://127.0.0.1:720/version) == "$OLDER" ]]; }
runs_older || die "it is not $OLDER that runs"

step "the new one spoils what was kept and does not start: the one before is back, with all it had"
mkdir -p "$ROOT/etc/systemd/system/aitk-mlflow.service.d"
cat >"$ROOT/etc/systemd/system/aitk-mlflow.service.d/spoil.conf" <<'END'
[Service]
ExecStartPre=/bin/sh -c '[ "$(readlink /opt/aitk/mlflow/current)" = a ] || { echo spoiled >mlflow.db; exit 1; }'
END
mkdir -p "$ROOT/var/lib/private/aitk-mlflow.failed/of-another-time"
aitk user -- apply "${WISH[@]}"
expect_code 1
[[ $(readlink "$ROOT/opt/aitk/mlflow/current") == a ]] || die "the older environment is not in use"
wait_for answers -k https://127.0.0.1:8443/health
runs_older || die "the older one did not come back"
has_experiment cellar
! ls -d "$ROOT"/var/lib/private/*.failed "$ROOT"/var/lib/private/*.back 2>/dev/null || die "something is left of the way back"
rm -r "$ROOT/etc/systemd/system/aitk-mlflow.service.d"

step "the older tables are brought up, and moved into PostgreSQL"
aitk user -- apply "${ALL[@]}"
if ((CODE == 2)); then aitk user -- apply "${ALL[@]}"; fi
expect_code 0
are_well postgresql mlflow front hub-proxy jupyterhub
if runs_older; then die "the older one still runs"; fi
has_experiment cellar
experiment attic
[[ -f $ROOT/var/lib/private/aitk-mlflow/mlflow.db.moved ]] || die "nothing was moved"
[[ $(systemd_run systemctl is-active postgresql) != active ]] || die "the distribution's PostgreSQL was started"
! grep -rqFf "$ROOT/etc/aitk/postgresql/mlflow" "$(home_of user)/.local/state/aitk" "$WORK/output" || die "a password was told"

step "somebody has a notebook, with limits, and nobody else has it"
if echo wrong | hub token ann; then die "a wrong password is let in"; fi
ann=$(echo secret-of-ann | hub token ann)
bob=$(echo secret-of-bob | hub token bob)
hub start ann "$ann"
[[ $(hub ask ann "$ann" /api/status) == 200 ]] || die "ann has no notebook"
[[ $(hub ask ann "$bob" /api/status) == 403 ]] || die "another's token is let in"
[[ $(hub run ann "$ann" python3 'import getpass, os; print(getpass.getuser(), os.environ["MLFLOW_TRACKING_URI"])') == "ann https://localhost:8443" ]] ||
    die "the kernel is not ann's"
limits=$(systemd_run systemctl show --property=MemoryMax,CPUQuotaPerSecUSec,TasksMax,NoNewPrivileges jupyter-ann-singleuser | sort | tr '\n' ' ')
[[ $limits == "CPUQuotaPerSecUSec=1.500000s MemoryMax=1073741824 NoNewPrivileges=yes TasksMax=1024 " ]] || die "the limits are $limits"

step "GPUs are shared out, parts of one before the whole"
systemd_run /opt/aitk/jupyterhub/current/bin/python - <<'END'
import types

from traitlets.config import Config

hub = types.ModuleType("hub")
hub.get_config = Config
source = open("/etc/aitk/jupyterhub/jupyterhub_config.py").read()
exec(compile(source[: source.index("\nc = get_config()")], "hub", "exec"), hub.__dict__)
said = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-1)
  MIG 3g.20gb     Device  0: (UUID: MIG-bbbb-1)
  MIG 3g.20gb     Device  1: (UUID: MIG-bbbb-2)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa-2)
"""
there = hub.read_devices(said)
assert there == ["MIG-bbbb-1", "MIG-bbbb-2", "GPU-aaaa-2"], there
taken = {}
for number in range(4):
    taken[number] = hub.share(there, taken, 1)
assert [taken[number][0] for number in range(4)] == [*there, there[0]], taken
assert hub.share([], taken, 1) == [] and hub.share(there, {}, 0) == []
END

step "a group has an environment from its lock"
# How this host reaches an index, which an administrator would write into /etc/pip.conf.
mkdir -p "$ROOT/etc/systemd/system/aitk-environment@.service.d"
{ echo '[Service]' && printf 'Environment="%s"\n' "${SESSION[@]//%/%%}"; } >"$ROOT/etc/systemd/system/aitk-environment@.service.d/test.conf"
systemd_run systemctl daemon-reload
mkdir -p "$ROOT/etc/aitk/jupyterhub/groups"
echo 'six==1.17.0' >"$ROOT/etc/aitk/jupyterhub/groups/research.lock"
if systemd_run systemctl start aitk-environment@research; then die "a lock without hashes is taken"; fi
systemd_run sh -c 'cd /root && mkdir -p lock && /opt/aitk/jupyterhub/current/bin/pip download -q -d lock ipykernel && cd lock && /opt/aitk/jupyterhub/current/bin/pip hash *.whl' >"$WORK/hashes"
awk -F: '/\.whl:$/ { split($1, part, "-"); name = part[1] "==" part[2] } /^--hash/ { print name " " $0 }' "$WORK/hashes" \
    >"$ROOT/etc/aitk/jupyterhub/groups/research.lock"
systemd_run systemctl start aitk-environment@research || die "it was not built: $(systemd_run journalctl -u aitk-environment@research -n 20 -o cat)"
hub stop ann "$ann"
wait_for has_ended jupyter-ann-singleuser
hub start ann "$ann"
[[ $(hub run ann "$ann" research 'import sys; print(sys.prefix)') == /opt/aitk/jupyterhub/groups/research/* ]] || die "the group's kernel is not there"

step "the hub is killed and comes back, and the notebook goes on"
systemd_run systemctl kill --signal=KILL aitk-jupyterhub
wait_for answers http://127.0.0.1:721/hub/health
[[ $(hub ask ann "$ann" /api/status) == 200 ]] || die "the notebook is gone"

step "PostgreSQL's data are copied before another one sees them, and a database that is there already stays under another name"
sql() {
    systemd_run env PGPASSWORD="$(cat "$ROOT/etc/aitk/postgresql/mlflow")" psql --host=/run/aitk-postgresql --username=mlflow --tuples-only --no-align \
        --dbname="$1" --command="$2"
}
database=$(systemd_run cat /var/lib/aitk-mlflow/database)
systemd_run systemctl stop aitk-mlflow
# As it is where a newer MLflow has given way to the one before.
sql postgres "ALTER DATABASE $database RENAME TO mlflow_older"
sql postgres "CREATE DATABASE $database"
sql "$database" "CREATE TABLE given_way ()"
systemd_run sh -c 'echo mlflow_older >/var/lib/aitk-mlflow/database'
systemd_run systemctl stop aitk-postgresql
systemd_run sh -c 'echo "postgres (PostgreSQL) 15.0" >/var/lib/aitk-postgresql/version'
systemd_run systemctl start aitk-postgresql
# shellcheck disable=SC2016 # expanded inside
systemd_run sh -c '"/usr/lib/postgresql/$(cat /var/lib/aitk-postgresql/data.before/PG_VERSION)/bin/pg_controldata" /var/lib/aitk-postgresql/data.before' >"$WORK/copy" ||
    die "there is no copy"
grep -q 'cluster state: *shut down$' "$WORK/copy" || die "the copy is of data in use: $(cat "$WORK/copy")"
systemd_run systemctl start aitk-mlflow
wait_for answers -k https://127.0.0.1:8443/health
has_experiment cellar
has_experiment attic
[[ $(systemd_run cat /var/lib/aitk-mlflow/database) == "$database" ]] || die "it has another database"
stays=$(sql postgres "SELECT datname FROM pg_database WHERE datname LIKE '${database}_before_%'")
sql "$stays" "SELECT * FROM given_way" >/dev/null || die "what was there already is gone: $stays"

step "after a restart all is there"
systemd_stop
systemd_start
wait_for answers -k https://127.0.0.1:8443/health
wait_for answers http://127.0.0.1:721/hub/health
are_well postgresql mlflow front hub-proxy jupyterhub
has_experiment attic
hub start ann "$ann"
aitk user -- apply "${ALL[@]}"
expect_code 0
expect_said 'Nothing to do'

step "without a receipt it is known by what root has noted, and goes"
rm "$(home_of user)/.local/state/aitk/receipt.json"
aitk user -- remove --yes
expect_code 0
expect_said 'systemctl unmask nginx.service'
expect_said 'their locks.*/etc/aitk/jupyterhub/groups'
for unit in aitk-postgresql aitk-mlflow aitk-front aitk-hub-proxy aitk-jupyterhub jupyter-ann-singleuser; do
    [[ $(systemd_run systemctl is-active $unit) != active ]] || die "$unit still runs"
done
rm -r "$ROOT/etc/systemd/system/aitk-environment@.service.d"
things | grep -vE 'var/lib/(private|aitk-)|var/backups' >"$WORK/things.after"
printf '%s\n' etc/aitk etc/aitk/front etc/aitk/front/tls.{crt,key} etc/aitk/hub-proxy{,/token} etc/aitk/jupyterhub{,/groups,/groups/research.lock} \
    etc/aitk/mlflow{,/admin,/key} etc/aitk/postgresql{,/admin,/mlflow} etc/systemd/system/{nginx,postgresql}.service |
    cat - "$WORK/things.before" | grep -vE 'var/lib/(private|aitk-)|var/backups' | sort >"$WORK/things.expected"
expect_same "$WORK/things.expected" "$WORK/things.after" "what is left"
systemd_stop
