#!/bin/sh
# Starts MLflow's server; what is secret comes from systemd (LoadCredential) and stands in no list of processes.
set -eu
MLFLOW=/opt/aitk/mlflow/current
MLFLOW_AUTH_CONFIG_PATH=/etc/aitk/mlflow/auth.ini
MLFLOW_AUTH_ADMIN_USERNAME=admin
MLFLOW_AUTH_ADMIN_PASSWORD=$(cat "$CREDENTIALS_DIRECTORY/admin")
MLFLOW_FLASK_SERVER_SECRET_KEY=$(cat "$CREDENTIALS_DIRECTORY/key")
MLFLOW_DISABLE_TELEMETRY=true
# What runs as jobs of the server would be eight more processes, and nothing here needs them.
MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false
MLFLOW_SERVER_ALLOWED_HOSTS=localhost,localhost:*,127.0.0.1:*,«parameters.host»,«parameters.host»:*
MLFLOW_SERVER_CORS_ALLOWED_ORIGINS=https://«parameters.host»:«parameters.mlflow_port»
export MLFLOW_AUTH_CONFIG_PATH MLFLOW_AUTH_ADMIN_USERNAME MLFLOW_AUTH_ADMIN_PASSWORD MLFLOW_FLASK_SERVER_SECRET_KEY \
    MLFLOW_DISABLE_TELEMETRY MLFLOW_SERVER_ENABLE_JOB_EXECUTION MLFLOW_SERVER_ALLOWED_HOSTS \
    MLFLOW_SERVER_CORS_ALLOWED_ORIGINS
«% if parts.postgresql %»
# Each MLflow has a database of its own, made from that of the one before: so that one can come back to what it knows.
PGHOST=/run/aitk-postgresql PGUSER=mlflow
PGPASSWORD=$(cat "$CREDENTIALS_DIRECTORY/database")
export PGHOST PGUSER PGPASSWORD
database=mlflow_$(cut -c 1-8 "$MLFLOW/lock")
before=$(cat database 2>/dev/null || true)
if [ "$before" != "$database" ]; then
    # Beside, then in its place: what stands there may have runs, and stays under another name.
    store="postgresql+psycopg2://mlflow@/${database}_new?host=$PGHOST"
    psql --quiet --dbname=postgres --command="DROP DATABASE IF EXISTS ${database}_new" \
        --command="CREATE DATABASE ${database}_new${before:+ TEMPLATE $before}"
    if [ -n "$before" ]; then
        "$MLFLOW/bin/mlflow" db upgrade "$store"
    elif [ -e mlflow.db ]; then
        "$MLFLOW/bin/mlflow" db upgrade sqlite:///mlflow.db
        "$MLFLOW/bin/python" /etc/aitk/mlflow/move.py sqlite:///mlflow.db "$store"
    fi
    there=$(psql --dbname=postgres --tuples-only --no-align --command="SELECT 1 FROM pg_database WHERE datname = '$database'")
    if [ -n "$there" ]; then
        psql --quiet --dbname=postgres --command="ALTER DATABASE $database RENAME TO ${database}_before_$(date +%Y%m%d%H%M%S)"
    fi
    psql --quiet --dbname=postgres --command="ALTER DATABASE ${database}_new RENAME TO $database"
    printf '%s\n' "$database" >database.new
    mv database.new database
fi
if [ -e mlflow.db ]; then mv mlflow.db mlflow.db.moved; fi
store="postgresql+psycopg2://mlflow@/$database?host=$PGHOST"
«% else %»
if [ -e database ]; then
    echo "the runs are in PostgreSQL: apply with --part postgresql as well" >&2
    exit 1
fi
store=sqlite:///mlflow.db
# A newer MLflow may want its tables otherwise.
version=$(readlink "$MLFLOW")
if [ -e mlflow.db ] && [ "$(cat version 2>/dev/null || true)" != "$version" ]; then
    "$MLFLOW/bin/mlflow" db upgrade "$store"
fi
printf '%s\n' "$version" >version
«% endif %»
# A worker that does not answer for five seconds is killed with all that it has in hand, and on a busy machine one that is well is slow
# to answer: uvicorn waits for a minute.
exec "$MLFLOW/bin/mlflow" server --app-name basic-auth --host 127.0.0.1 --port 720 --workers «parameters.mlflow_workers» \
    --uvicorn-opts "--timeout-worker-healthcheck 60" \
    --backend-store-uri "$store" --serve-artifacts --artifacts-destination ./artifacts
