#!/bin/sh
# Builds the environment of a group of the system from its lock, beside the one in use, and switches to it:
# `systemctl start aitk-environment@GROUP`. Its members find it as a kernel when they start their notebooks anew.
set -eu
group=$1
lock=/etc/aitk/jupyterhub/groups/$group.lock
home=/opt/aitk/jupyterhub/groups/$group
[ -f "$lock" ] || { echo "there is no $lock: put the lock of the group there, with hashes" >&2 && exit 1; }
name=$(cat "$lock" /etc/debian_version | sha256sum | cut -c 1-16)
if [ ! -e "$home/$name/whole" ]; then
    mkdir -p "$home"
    rm -rf "${home:?}/$name"
    # Nothing of what is fetched runs as root: wheels alone, by the pip of the hub, and once it has ended the environment's Python does not run.
    /usr/bin/python3 -I -m venv --without-pip "$home/$name"
    /opt/aitk/jupyterhub/current/bin/python -I -m pip --python "$home/$name/bin/python" install --quiet --disable-pip-version-check \
        --no-cache-dir --no-deps --require-hashes --only-binary :all: --requirement "$lock"
    kernel=$(find "$home/$name/lib" -path '*/site-packages/ipykernel/__init__.py')
    [ -n "$kernel" ] || { echo "the lock of $group has no ipykernel" >&2 && exit 1; }
    rm -rf "$home/$name/share/jupyter/kernels"
    mkdir -p "$home/$name/share/jupyter/kernels/$group"
    printf '{"argv": ["%s/bin/python", "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": "%s", "language": "python"}\n' \
        "$home/$name" "$group" >"$home/$name/share/jupyter/kernels/$group/kernel.json"
    touch "$home/$name/whole"
fi
ln -sfn "$name" "$home/current"
