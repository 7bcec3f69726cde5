"""Writes what SLURM goes by, from what this machine says of itself: by the templates that Ansible has for many machines."""

import json
import os
import pathlib
import shlex
import subprocess
import sys

import jinja2
import yaml

HERE = pathlib.Path(__file__).parent
SET = pathlib.Path("/var/lib/aitk-slurmd/set")
PORT = 6818
# What is otherwise where aitk's services are.
OWN = {
    "slurm_cluster": "here",
    "slurm_address": "127.0.0.1",
    "slurm_state": "/var/lib/aitk-slurmctld",
    "slurm_spool": "/var/lib/aitk-slurmd/%n",
    "slurm_logs": "",
    "slurm_programs": str(SET),
    "slurm_munge_options": " --socket=/run/aitk-munge/socket",
}


def shared(node: dict, count: int) -> dict[str, dict]:
    """The machine as so many nodes, each with a share; cgroups of several slurmd would be in each other's way."""
    if count == 1:
        return {node["name"]: node}
    cpus, memory = (max(1, node["counted"][key] // count) for key in ("CPUs", "RealMemory"))
    shares = [
        node
        | {"name": f"{node['name']}-{number + 1}", "host": node["name"], "port": PORT + number, "cgroup": "none"}
        | {"counted": {"CPUs": cpus, "RealMemory": memory}, "gpus": node["gpus"][number::count]}
        for number in range(count)
    ]
    return {share["name"]: share for share in shares}


def engine() -> jinja2.Environment:
    """Jinja as Ansible has it, as far as the templates ask for it."""
    env = jinja2.Environment(  # noqa: S701
        loader=jinja2.FileSystemLoader(HERE), trim_blocks=True, keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    env.filters |= {"extract": lambda name, of, key: of[name][key], "dirname": os.path.dirname, "quote": shlex.quote}
    env.tests["version"] = lambda one, other, _: [*map(int, one.split("."))] >= [*map(int, other.split("."))]
    return env


def main() -> None:
    """Writes them, each whole."""
    said = subprocess.run([sys.executable, "-I", HERE / "facts.py"], check=True, capture_output=True, text=True)  # noqa: S603
    machine = json.loads(said.stdout)
    nodes = shared(machine, int(sys.argv[1]))
    facts = {name: {"ansible_facts": {"slurm_node": node, "slurm_reached": "127.0.0.1"}} for name, node in nodes.items()}
    known = yaml.safe_load((HERE / "defaults.yml").read_text()) | OWN
    known |= {"ansible_facts": {"slurm_node": machine}, "hostvars": facts}
    known["groups"] = {"nodes": [*facts], "controller": [*facts][:1]}
    SET.mkdir(parents=True, exist_ok=True)
    for name in ("slurm.conf", "gres.conf", "cgroup.conf", "health.sh", "task-prolog.sh"):
        path = SET / name.removesuffix(".sh")
        new = path.with_suffix(".new")
        new.write_text(engine().get_template(f"{name}.j2").render(known))
        new.chmod(0o755 if name.endswith(".sh") else 0o644)
        new.replace(path)


if __name__ == "__main__":
    main()
