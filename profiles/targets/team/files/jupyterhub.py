"""JupyterHub of the team: who may come, what a notebook may take, which GPUs it sees, and when it ends."""

import grp
import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

from systemdspawner import SystemdSpawner

HERE = Path("/opt/aitk/jupyterhub/current")
# One environment for each group of the system that has a lock (environment.sh).
GROUPS = Path("/opt/aitk/jupyterhub/groups")
GPUS_EACH = int(«parameters.hub_gpus»)
GROUP = «parameters.hub_group»


def read_devices(said):
    """The GPUs that `nvidia-smi -L` lists; of one that is divided (MIG) its parts."""
    found = []
    for line in said.splitlines():
        device = re.search(r"\(UUID: ((GPU|MIG)-[0-9a-fA-F-]+)\)", line)
        if device and device[2] == "GPU":
            found.append([device[1]])
        elif device:
            found[-1].append(device[1])
    return [device for one in found for device in (one[1:] or one)]


def devices():
    """What can be shared out just now; a driver that does not answer has nothing."""
    try:
        said = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return read_devices(said.stdout)


def share(there, taken, count):
    """So many devices, those first that the fewest notebooks have."""
    having = [device for of_one in taken.values() for device in of_one]
    return sorted(there, key=having.count)[:count]


def groups_of(name):
    """The groups of the system that somebody is in."""
    person = pwd.getpwnam(name)
    return [grp.getgrgid(group).gr_name for group in os.getgrouplist(name, person.pw_gid)]


class TeamSpawner(SystemdSpawner):
    """A notebook is a unit of systemd's, with limits, a share of the GPUs, and the kernels of its owner's groups."""

    taken = {}

    def get_state(self):
        return super().get_state() | {"devices": self.taken.get(self.unit_name, [])}

    def load_state(self, state):
        super().load_state(state)
        self.taken[self.unit_name] = state.get("devices", [])

    def clear_state(self):
        super().clear_state()
        self.taken.pop(self.unit_name, None)

    async def start(self):
        self.taken.pop(self.unit_name, None)
        self.taken[self.unit_name] = share(devices(), self.taken, GPUS_EACH)
        return await super().start()

    def get_env(self):
        env = super().get_env()
        env["CUDA_VISIBLE_DEVICES"] = ",".join(self.taken.get(self.unit_name, []))
        kernels = [GROUPS / group / "current/share/jupyter" for group in groups_of(self.user.name)]
        env["JUPYTER_PATH"] = ":".join(str(folder) for folder in kernels if folder.is_dir())
        return env


c = get_config()  # noqa: F821 # JupyterHub gives it
c.JupyterHub.bind_url = "http://127.0.0.1:721"
c.JupyterHub.hub_bind_url = "http://127.0.0.1:723"
c.JupyterHub.db_url = "sqlite:///jupyterhub.sqlite"
c.JupyterHub.upgrade_db = True
# Notebooks go on while the hub is started anew.
c.JupyterHub.cleanup_servers = False
c.JupyterHub.cleanup_proxy = False
c.ConfigurableHTTPProxy.should_start = False
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:722"
c.ConfigurableHTTPProxy.auth_token = Path(os.environ["CREDENTIALS_DIRECTORY"], "proxy").read_text().strip()

# The accounts and passwords of the machine.
c.JupyterHub.authenticator_class = "pam"
c.PAMAuthenticator.open_sessions = False
c.Authenticator.blocked_users = {"root"}
if GROUP == "@everybody":
    c.Authenticator.allow_all = True
else:
    c.LocalAuthenticator.allowed_groups = {GROUP}

c.JupyterHub.spawner_class = TeamSpawner
c.Spawner.cmd = [str(HERE / "bin/jupyterhub-singleuser")]
c.Spawner.default_url = "/lab"
c.Spawner.mem_limit = «parameters.hub_memory»
c.Spawner.cpu_limit = float(«parameters.hub_processors»)
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120
c.Spawner.environment = {
    "MLFLOW_TRACKING_URI": "https://" + «parameters.host» + ":" + «parameters.mlflow_port»,
«% if parameters.certificate == "/etc/aitk/front/tls.crt" %»
    "MLFLOW_TRACKING_SERVER_CERT_PATH": "/etc/aitk/front/tls.crt",
«% endif %»
}
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.disable_user_sudo = True
c.SystemdSpawner.unit_extra_properties = {
    "TasksMax": "1024",
    # They end with what leads to them.
    "PartOf": "aitk-hub-proxy.service",
    "ProtectControlGroups": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectSystem": "full",
    "RestrictSUIDSGID": "yes",
}

# A notebook in which nothing happens gives back what it has.
c.JupyterHub.load_roles = [
    {
        "name": "cull",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["cull"],
    }
]
c.JupyterHub.services = [
    {
        "name": "cull",
        "command": [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=" + «parameters.hub_idle»],
    }
]
