"""What SLURM is told of this machine, as JSON: by slurmd, nvidia-smi and the kernel."""

import json
import pathlib
import re
import shutil
import subprocess
import sys

# What slurmd counts and slurm.conf takes.
COUNTED = "CPUs Boards SocketsPerBoard CoresPerSocket ThreadsPerCore RealMemory".split()


def said(*command: str) -> str:
    """What a program says; a program that fails ends this one."""
    done = subprocess.run(command, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def hardware() -> dict[str, str]:
    """What slurmd -C says in its first line."""
    line = said("slurmd", "-C").splitlines()[0]
    return dict(pair.split("=", 1) for pair in line.split() if "=" in pair)


def gpus() -> list[dict[str, str]]:
    """NVIDIA's GPUs, each with kind and device; a driver that does not answer is an error."""
    if not shutil.which("nvidia-smi"):
        return []
    text = said("nvidia-smi", "-q", "-x")
    if "<current_mig>Enabled" in text:
        sys.exit("MIG is on, and slices are not known here: turn it off")
    kinds = re.findall("<product_name>(.*?)</product_name>", text)
    minors = re.findall(r"<minor_number>(\d+)</minor_number>", text)
    pairs = zip(kinds, minors, strict=True)
    return [{"kind": kind(name), "file": f"/dev/nvidia{minor}"} for name, minor in pairs]


def kind(name: str) -> str:
    """NVIDIA A100-SXM4-80GB as a word: a100-sxm4-80gb."""
    words = re.findall("[a-z0-9]+", name.lower())
    return "-".join(word for word in words if word not in ("nvidia", "geforce"))


def cgroup() -> str:
    """Which cgroups bound what a job takes; none where systemd does not run, or the kernel keeps them from it."""
    if not pathlib.Path("/run/systemd/system").is_dir():
        return "none"
    controllers = pathlib.Path("/sys/fs/cgroup/cgroup.controllers")
    if not controllers.exists():
        return "v1"
    return "v2" if {"cpuset", "cpu", "memory"} <= set(controllers.read_text().split()) else "none"


def main() -> None:
    """Says it."""
    found = hardware()
    version = re.search(r"\d+\.\d+", said("slurmd", "-V"))
    node = {
        "name": found["NodeName"],
        "counted": {key: int(found[key]) for key in COUNTED if key in found},
        "gpus": gpus(),
        "cgroup": cgroup(),
        "fabric": sorted(path.name for path in pathlib.Path("/sys/class/infiniband").glob("*")),
        "version": version[0] if version else "",
    }
    print(json.dumps(node))


if __name__ == "__main__":
    main()
