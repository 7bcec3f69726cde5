#!/bin/sh
# Starts what leads to the hub and to each notebook; its token comes from systemd and stands in no list of processes.
set -eu
CONFIGPROXY_AUTH_TOKEN=$(cat "$CREDENTIALS_DIRECTORY/token")
export CONFIGPROXY_AUTH_TOKEN
exec /opt/aitk/hub-proxy/current/bin/configurable-http-proxy --ip 127.0.0.1 --port 5010 --api-ip 127.0.0.1 --api-port 5011 \
    --default-target http://127.0.0.1:5012 --error-target http://127.0.0.1:5012/hub/error
