"""JupyterLab answers on 127.0.0.1 with its token, refuses without it, and is not to be reached from outside."""

import http.client
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
# How often another port is tried: between the look for a free one and the server's start somebody else may take it.
ATTEMPTS = 5


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status(port, path, token=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
    if token:
        request.add_header("Authorization", f"token {token}")
    # A proxy must not be asked about this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        return opener.open(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def listeners(port):
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


def wait_for(server, port, log):
    """The answer to the token, or None where somebody else has the port."""
    deadline = time.monotonic() + 120
    answer = None
    while answer != 200:
        try:
            # As long as the server has not found the port taken, another program may answer, in whatever language.
            answer = status(port, "/api/status", token)
        except (OSError, http.client.HTTPException):
            answer = None
        if server.poll() is not None:
            log.seek(0)
            said = log.read()
            if "in use" in said:
                return None
            fail("JupyterLab did not start:\n{said}", said=said[-2000:])
        if time.monotonic() > deadline:
            return answer or 0
        time.sleep(0.1)
    return answer


def look(folder):
    """What the server answers with and without its token, and where it listens; None where the port was taken."""
    port = free_port()
    environment = dict(os.environ, JUPYTER_TOKEN=token)
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"):
        environment[name] = os.path.join(folder, name.lower())
    # The program that `aitk lab` starts.
    command = [os.path.join(sys.prefix, "bin", "jupyter-lab"), "--no-browser"]
    command += ["--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    command.append(f"--ServerApp.root_dir={folder}")
    if os.geteuid() == 0:
        command.append("--allow-root")
    with open(os.path.join(folder, "log"), "w+") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            with_token = wait_for(server, port, log)
            if with_token is None:
                return None
            return with_token, status(port, "/api/contents"), status(port, "/lab", token), listeners(port)
        finally:
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


for _ in range(ATTEMPTS):
    with tempfile.TemporaryDirectory() as folder:
        if found := look(folder):
            break
else:
    fail("JupyterLab found {ATTEMPTS} ports taken that were free just before", ATTEMPTS=ATTEMPTS)
with_token, without, page, addresses = found
if with_token != 200 or page != 200:
    fail("JupyterLab answers {with_token} and {page} to the right token", with_token=with_token, page=page)
if without not in (401, 403):
    fail("JupyterLab answers {without} to a request without the token", without=without)
if addresses - {"0100007F"}:
    fail("JupyterLab can be reached from outside: it listens on {addresses}", addresses=sorted(addresses))
say("JupyterLab answers on 127.0.0.1 with its token, and refuses without it")
