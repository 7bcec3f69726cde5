"""The stack of the budget `low` without a framework, for pyinfra."""

from pyinfra.operations import apt, files, pip

apt.packages(
    name="Debian packages",
    packages=["ca-certificates", "python3", "python3-pip", "python3-venv", "curl", "git"],
    no_recommends=True,
    update=True,
    cache_time=86400,
)
pip.venv(name="Environment", path="/opt/stack", python="python3")
pip.packages(
    name="Python packages",
    packages=["numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "jupyterlab", "ipykernel"],
    virtualenv="/opt/stack",
)
files.put(
    name="Jupyter kernel",
    src="kernel.json",
    dest="/usr/local/share/jupyter/kernels/stack/kernel.json",
    mode="644",
)
