"""Wheels of PyPI repacked as conda packages, with the names and dependencies that conda-forge gives them."""

import base64
import configparser
import csv
import email
import hashlib
import io
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

from cpython import GLIBC
from package import PLACEHOLDER, PYTHON, Package, for_this_python, metapackage, python_tag

# What the tests install, and what conda itself needs (its own metadata is not on PyPI).
LIBRARIES = ["numpy", "pandas", "scipy", "scikit-learn", "matplotlib", "jupyterlab", "ipykernel"]
LIBRARIES += ["pip", "setuptools", "wheel"]
CONDA_NEEDS = ["archspec", "boltons", "conda-package-handling", "conda-package-streaming", "distro", "frozendict"]
CONDA_NEEDS += ["jsonpatch", "packaging", "platformdirs", "pluggy", "requests", "ruamel.yaml", "tqdm", "truststore"]
CONDA_NEEDS += ["zstandard"]
ROOTS = LIBRARIES + CONDA_NEEDS
# PyPI has no conda that runs today, but this wheel has a copy of a whole one in it.
CONDA_SOURCE = "conda-lock"

# Where conda-forge's name is not PyPI's normalised one.
NAMES = {
    "backports-zstd": "backports.zstd",
    "fastjsonschema": "python-fastjsonschema",
    "ipython-pygments-lexers": "ipython_pygments_lexers",
    "jupyter-client": "jupyter_client",
    "jupyter-core": "jupyter_core",
    "jupyter-events": "jupyter_events",
    "jupyter-server": "jupyter_server",
    "jupyter-server-terminals": "jupyter_server_terminals",
    "jupyterlab-pygments": "jupyterlab_pygments",
    "jupyterlab-server": "jupyterlab_server",
    "matplotlib": "matplotlib-base",
    "prometheus-client": "prometheus_client",
    "pure-eval": "pure_eval",
    "ruamel-yaml": "ruamel.yaml",
    "ruamel-yaml-clib": "ruamel.yaml.clib",
    "stack-data": "stack_data",
    "typing-extensions": "typing_extensions",
    "tzdata": "python-tzdata",
}
# Packages without files that conda-forge has beside them.
ALIASES = {"matplotlib": "matplotlib-base", "typing-extensions": "typing_extensions"}


def download(folder):
    """The newest wheels of all roots and their dependencies, kept: a channel is built again from the same ones."""
    complete = folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download"]
        wheels = [*pip, "--only-binary", ":all:", "--dest"]
        subprocess.run([*wheels, folder / "closure", *ROOTS], check=True)
        subprocess.run([*wheels, folder / "source", "--no-deps", CONDA_SOURCE], check=True)
    # Also where it is there: what is in use is kept.
    complete.touch()
    return folder


def packages(downloaded):
    wheels = [Wheel(path) for path in sorted((downloaded / "closure").glob("*.whl"))]
    by_name = {wheel.pypi_name: wheel for wheel in wheels}
    for wheel in wheels:
        yield repack(wheel, by_name)
    by_conda_name = {wheel.conda_name: wheel for wheel in wheels}
    for alias, real in ALIASES.items():
        version = by_conda_name[real].version
        yield metapackage(alias, version, [f"{real} =={version}"], summary=f"Another name of {real}")


class Wheel:
    def __init__(self, path: Path):
        with zipfile.ZipFile(path) as archive:
            self.members = {
                info.filename: (archive.read(info), bool(info.external_attr >> 16 & 0o111))
                for info in archive.infolist()
                if not info.is_dir()
            }
        stem = "-".join(path.name.split("-")[:2])
        self.dist_info, self.data = (self.folder(stem, kind) for kind in (".dist-info", ".data"))
        self.metadata = email.message_from_string(self.text("METADATA"))
        self.pypi_name = canonicalize_name(self.metadata["Name"])
        self.conda_name = NAMES.get(self.pypi_name, self.pypi_name)
        self.version = self.metadata["Version"]
        self.pure = "Root-Is-Purelib: true" in self.text("WHEEL") and path.stem.endswith("-any")
        self.requirements = [Requirement(line) for line in self.metadata.get_all("Requires-Dist", [])]

    def folder(self, stem, kind):
        """Its name in the wheel, whose spelling of the project's name may be another."""
        names = {name.split("/")[0] for name in self.members}
        wanted = canonicalize_name(stem)
        found = [name for name in names if name.endswith(kind) and canonicalize_name(name.removesuffix(kind)) == wanted]
        return found[0] if found else stem + kind

    def text(self, name):
        data, _ = self.members.get(f"{self.dist_info}/{name}", (b"", False))
        return data.decode()

    def scripts(self):
        parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
        parser.optionxform = str
        parser.read_string(self.text("entry_points.txt"))
        sections = [parser[name] for name in ("console_scripts", "gui_scripts") if name in parser]
        # Entry points may name an extra, which says nothing about where the function is.
        return {key: value.split("[")[0].strip() for section in sections for key, value in section.items()}

    def files(self):
        """What is installed, as pairs of the scheme's name and the path within it."""
        for name, (data, executable) in self.members.items():
            if name.startswith(f"{self.data}/"):
                _, scheme, path = name.split("/", 2)
                yield {"purelib": "site", "platlib": "site"}.get(scheme, scheme), path, data, executable
            elif name not in (f"{self.dist_info}/{record}" for record in ("RECORD", "RECORD.jws", "RECORD.p7s")):
                yield "site", name, data, executable


def repack(wheel, by_name):
    depends = dependencies(wheel, by_name)
    if wheel.pure:
        wanted = conda_version(wheel.metadata["Requires-Python"] or ">=3.8")
        depends = [f"python {wanted}", *depends]
    else:
        depends = [GLIBC, *for_this_python(), *compiler_libraries(wheel), *depends]
    package = Package(
        wheel.conda_name,
        wheel.version,
        depends=depends,
        noarch="python" if wheel.pure else None,
        license=wheel.metadata["License-Expression"] or "LicenseRef-see-the-package",
        summary=wheel.metadata["Summary"] or wheel.conda_name,
        home=wheel.metadata["Home-page"],
    )
    if not wheel.pure:
        package.build = python_tag() + package.build

    # Where the installer puts them is a matter of its Python, for packages that fit any.
    site, scripts = ("site-packages", "python-scripts") if wheel.pure else (f"lib/python{PYTHON}/site-packages", "bin")
    schemes = {"site": site, "data": ".", "scripts": scripts, "headers": f"include/python{PYTHON}/{wheel.pypi_name}"}
    record = []
    for scheme, path, data, executable in wheel.files():
        if scheme == "scripts":
            content = re.sub(rb"^#!python", f"#!{PLACEHOLDER}/bin/python".encode(), data)
        else:
            content = data
        package.add(f"{schemes[scheme]}/{path}".removeprefix("./"), content, executable or scheme == "scripts")
        record.append((installed(scheme, path, wheel), content))
    for name, function in wheel.scripts().items():
        if wheel.pure:
            # The installer writes these programs.
            package.entry_points.append(f"{name} = {function}")
            record.append((installed("scripts", name, wheel), None))
        else:
            data = console_script(function).encode()
            package.add(f"bin/{name}", data, executable=True)
            record.append((installed("scripts", name, wheel), data))
    add_record(package, f"{site}/{wheel.dist_info}", wheel.dist_info, record)
    if not wheel.pure:
        package.compile_python()
    return package


def installed(scheme, path, wheel):
    """A path as RECORD has it: relative to site-packages."""
    up = "../../../"
    headers = f"{up}include/python{PYTHON}/{wheel.pypi_name}/"
    return {"site": "", "data": up, "scripts": f"{up}bin/", "headers": headers}[scheme] + path


def add_record(package, folder, dist_info, record):
    installer = b"conda\n"
    package.add(f"{folder}/INSTALLER", installer)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for path, data in sorted([*record, (f"{dist_info}/INSTALLER", installer)], key=lambda pair: pair[0]):
        # Programs have another text in every prefix.
        if data is None or PLACEHOLDER.encode() in data:
            writer.writerow([path, "", ""])
        else:
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            writer.writerow([path, f"sha256={digest}", len(data)])
    writer.writerow([f"{dist_info}/RECORD", "", ""])
    package.add(f"{folder}/RECORD", text.getvalue())


def console_script(function):
    module, _, attribute = function.partition(":")
    return f"""#!{PLACEHOLDER}/bin/python{PYTHON}
import sys

from {module} import {attribute.split(".")[0]}

if __name__ == "__main__":
    sys.exit({attribute}())
"""


def compiler_libraries(wheel):
    """Wheels take these two from the system; a conda package names its own."""
    programs = [data for data, _ in wheel.members.values() if data.startswith(b"\x7fELF")]
    wanted = {"libgcc >=12": b"libgcc_s.so.1", "libstdcxx >=12": b"libstdc++.so.6"}
    return [spec for spec, name in wanted.items() if any(name in data for data in programs)]


def dependencies(wheel, by_name, extra=""):
    """Dependencies for this platform. What an extra of another project needs is the dependent package's own here."""
    specs = {}
    for requirement in wheel.requirements:
        if not applies(requirement, extra):
            continue
        needed = by_name[canonicalize_name(requirement.name)]
        version = conda_version(str(requirement.specifier))
        specs.setdefault(f"{needed.conda_name} {version}".strip())
        for asked in requirement.extras:
            specs.update(dict.fromkeys(dependencies(needed, by_name, asked)))
    return sorted(spec for spec in specs if spec.split()[0] != wheel.conda_name)


def applies(requirement, extra):
    """An extra is asked for what it adds alone."""
    if requirement.marker is None:
        return extra == ""
    without = requirement.marker.evaluate({"extra": ""})
    return without if extra == "" else not without and requirement.marker.evaluate({"extra": extra})


def conda_version(specifier):
    """A version specifier of PEP 440 as conda writes it."""
    return ",".join(sorted(filter(None, (conda_clause(clause.strip()) for clause in specifier.split(",")))))


def conda_clause(clause):
    found = re.fullmatch(r"(~=|===?|!=|<=|>=|<|>)\s*(.+)", clause)
    if not found:
        return clause
    operator, version = found.groups()
    if operator == "~=":
        # `~=1.4.2` allows whatever begins with 1.4 from there on.
        *kept, last, _ = re.match(r"[\d.]+", version).group().rstrip(".").split(".")
        return f">={version},<{'.'.join([*kept, str(int(last) + 1)])}.0a0"
    if operator in ("==", "===") and version.endswith(".*"):
        return version
    if operator in (">=", "<", "<=", ">") and version.endswith(".*"):
        return operator + version.removesuffix(".*")
    return ("==" if operator == "===" else operator) + version
