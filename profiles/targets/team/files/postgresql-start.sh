#!/bin/sh
# Starts PostgreSQL, of the version that its data are of; without any it makes them, with the account that MLflow has.
set -eu
if [ ! -e data/PG_VERSION ]; then
    bin=$(find /usr/lib/postgresql -mindepth 1 -maxdepth 1 -type d | sort -V | tail -n 1)/bin
    rm -rf data.new
    "$bin/initdb" --pgdata=data.new --username=postgres --auth=scram-sha-256 --pwfile="$CREDENTIALS_DIRECTORY/admin" \
        --encoding=UTF8 --locale=C.UTF-8 --data-checksums
    printf "CREATE ROLE mlflow LOGIN CREATEDB PASSWORD '%s'\n" "$(cat "$CREDENTIALS_DIRECTORY/mlflow")" |
        "$bin/postgres" --single -D data.new postgres >/dev/null
    mv data.new data
fi
bin=/usr/lib/postgresql/$(cat data/PG_VERSION)/bin
[ -x "$bin/postgres" ] || {
    echo "these data are of PostgreSQL $(cat data/PG_VERSION), which is not installed any more: install postgresql-$(cat data/PG_VERSION), or move them by pg_upgrade" >&2
    exit 1
}
# Before another PostgreSQL sees the data, also one of the same release's, they are copied: one copy, of before the last change.
version=$("$bin/postgres" --version)
if [ -e version ] && [ "$(cat version)" != "$version" ]; then
    rm -rf data.copy
    cp -a --reflink=auto data data.copy
    rm -rf data.before
    mv data.copy data.before
fi
printf '%s\n' "$version" >version.new
mv version.new version
# A socket alone, and a password for it: nothing of it is on the network.
exec "$bin/postgres" -D data -c listen_addresses= -c unix_socket_directories=/run/aitk-postgresql -c max_connections=200 -c jit=off \
    -c password_encryption=scram-sha-256
