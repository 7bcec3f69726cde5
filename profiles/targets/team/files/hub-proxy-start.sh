#!/bin/sh
# Starts what leads to the hub and to each notebook; its token comes from systemd and stands in no list of processes.
set -eu
CONFIGPROXY_AUTH_TOKEN=$(cat "$CREDENTIALS_DIRECTORY/token")
export CONFIGPROXY_AUTH_TOKEN
exec /opt/aitk/hub-proxy/current/bin/configurable-http-proxy --ip 127.0.0.1 --port 721 --api-ip 127.0.0.1 --api-port 722 \
    --default-target http://127.0.0.1:723 --error-target http://127.0.0.1:723/hub/error
