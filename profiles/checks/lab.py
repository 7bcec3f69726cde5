"""JupyterLab answers on 127.0.0.1 with its token, refuses without it, and is not to be reached from outside."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

token = secrets.token_hex(24)
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]


def status(path, token=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if token:
        request.add_header("Authorization", f"token {token}")
    # A proxy must not be asked about this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def listeners():
    """Addresses that listen on the port, as the kernel writes them."""
    found = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = open(table).read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            address, hexport = line.split()[1].rsplit(":", 1)
            if int(hexport, 16) == port and line.split()[3] == "0A":
                found.add(address)
    return found


with tempfile.TemporaryDirectory() as folder:
    environment = dict(os.environ, JUPYTER_TOKEN=token)
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"):
        environment[name] = os.path.join(folder, name.lower())
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
    command += ["--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}"]
    if os.geteuid() == 0:
        command.append("--allow-root")
    with open(os.path.join(folder, "log"), "w+") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 120
            while True:
                try:
                    with_token = status("/api/status", token)
                    break
                except OSError:
                    if server.poll() is not None or time.monotonic() > deadline:
                        log.seek(0)
                        raise SystemExit("JupyterLab did not start:\n" + log.read()[-2000:])
                    time.sleep(0.1)
            without = status("/api/contents")
            page = status("/lab", token)
            addresses = listeners()
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

if with_token != 200 or page != 200:
    raise SystemExit(f"JupyterLab answers {with_token} and {page} to the right token")
if without not in (401, 403):
    raise SystemExit(f"JupyterLab answers {without} to a request without the token")
if addresses - {"0100007F"}:
    raise SystemExit(f"JupyterLab can be reached from outside: it listens on {sorted(addresses)}")
print("JupyterLab answers on 127.0.0.1 with its token, and refuses without it")
