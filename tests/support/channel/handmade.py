"""Packages written here: small ones for one behaviour each, stand-ins for what no registry has, and conda."""

import random
import re
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

from package import PLACEHOLDER, PYTHON, Package, for_this_python, metapackage, put, python_tag
from wheels import CONDA_NEEDS, CONDA_SOURCE, NAMES, canonicalize_name

FILES = Path(__file__).parent / "files"
SITE = f"lib/python{PYTHON}/site-packages"
TORCH = "2.14.1"
MAMBA = "2.4.0"
DAMAGED = "aitk-test-damaged"


def packages(downloaded):
    yield from small()
    yield from torch()
    yield conda(downloaded)
    yield mamba()


def small():
    generic = metapackage("aitk-test-generic", "1.0", [], summary="Has one file for every platform")
    generic.add("share/aitk-test-generic/hello.txt", "hello\n")
    yield generic

    entry = Package("aitk-test-entry", "1.0", depends=["python >=3.8"], noarch="python", summary="Has an entry point")
    entry.entry_points.append("aitk-test-entry = aitk_test_entry:main")
    entry.add("site-packages/aitk_test_entry.py", 'def main():\n    print("hello from an entry point")\n')
    yield entry

    yield linked("aitk-test-postlink", 'echo "$PKG_NAME $PKG_VERSION" >"$PREFIX/etc/aitk-test-postlink"\n', 0)
    yield linked("aitk-test-badlink", "", 7)
    yield prefix()

    for version in ("1.9", "2.1"):
        library = metapackage("aitk-test-lib", version, [], summary="Is there in two versions")
        library.add("share/aitk-test-lib/version", f"{version}\n")
        yield library
    yield metapackage("aitk-test-left", "1.0", ["aitk-test-lib >=2"], summary="Clashes with aitk-test-right")
    yield metapackage("aitk-test-right", "1.0", ["aitk-test-lib <2"], summary="Clashes with aitk-test-left")

    damaged = metapackage(DAMAGED, "1.0", [], summary="Its archive is not the one in the index")
    # Nothing compresses it, so that it can still be unpacked once a byte is another: only the hashes tell.
    damaged.add("share/aitk-test-damaged/data", random.Random(1).randbytes(1 << 16))
    yield damaged


def linked(name, script, status):
    """A package with a script that the installer runs once all files are there."""
    package = metapackage(name, "1.0", [], summary="Runs a script when it is installed")
    package.add(f"etc/{name}.conf", f"installed = {name}\n")
    message = f'echo "{name}: a message of the script" >>"$PREFIX/.messages.txt"\n'
    package.add(f"bin/.{name}-post-link.sh", f"#!/bin/bash\n{script}{message}exit {status}\n", executable=True)
    return package


def prefix():
    """Its prefix in a text, in a program where there is a compiler, and in data that it is read from otherwise."""
    package = Package("aitk-test-prefix", "1.0", summary="Prints its prefix")
    package.add("bin/aitk-test-prefix", f'#!/bin/sh\necho "{PLACEHOLDER}"\n', executable=True)
    package.add("etc/aitk-test-prefix.conf", f"prefix = {PLACEHOLDER}\nshare = {PLACEHOLDER}/share\n")
    package.add("share/aitk-test-prefix/data", f"\1\0{PLACEHOLDER}/share\0\2".encode())
    binary = compiled((FILES / "prefix.c").read_text().replace("PLACEHOLDER", PLACEHOLDER))
    script = f"#!/bin/sh\ntr '\\0' '\\n' <'{PLACEHOLDER}/share/aitk-test-prefix/data' | sed -n 's,/share$,,p'\n"
    package.add("bin/aitk-test-prefix-binary", binary or script, executable=True)
    return package


def compiled(source):
    compiler = shutil.which("cc")
    if not compiler:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        code, program = Path(scratch) / "prefix.c", Path(scratch) / "prefix"
        code.write_text(source)
        subprocess.run([compiler, "-O1", "-s", "-o", program, code], check=True)
        return program.read_bytes()


def damage(channel):
    """Changes a byte of what is installed once the index has the hashes; the size and the archive's sums still fit."""
    archive = next(channel.glob(f"noarch/{DAMAGED}-*.conda"))
    with zipfile.ZipFile(archive) as old:
        members = {info.filename: bytearray(old.read(info)) for info in old.infolist()}
    data = next(data for name, data in members.items() if name.startswith("pkg-"))
    data[len(data) // 2] ^= 0xFF
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as new:
        for name, data in members.items():
            put(new, name, data)


def torch():
    """PyTorch's packages as conda-forge models them. Which build fits is decided by `__cuda` and `__glibc`."""
    for number, tag, cuda, needs in (
        (0, "cpu_generic", None, []),
        (200, "cuda129_generic", "12.9", ["__cuda", "cuda-version >=12.9,<13"]),
        (200, "cuda130_generic", "13.0", ["__cuda", "__glibc >=2.28", "cuda-version >=13.0,<14"]),
    ):
        other = "pytorch-gpu" if cuda is None else "pytorch-cpu"
        package = Package(
            "pytorch",
            TORCH,
            build_number=number,
            depends=[*for_this_python(), *needs, "numpy >=1.23", "typing_extensions >=4.10"],
            constrains=[f"{other} <0.0a0"],
            summary="A stand-in of the tests for PyTorch, which computes nothing",
        )
        package.build = f"{tag}_{python_tag()}_{package.build}"
        source = (FILES / "torch.py").read_text()
        package.add(f"{SITE}/torch/__init__.py", source)
        package.add(f"{SITE}/torch/version.py", f'__version__ = "{TORCH}"\ncuda = {cuda!r}\n')
        add_dist_info(package, "torch", TORCH, package.summary)
        package.compile_python()
        yield package
    for name, builds in (("pytorch-cpu", "cpu_*"), ("pytorch-gpu", "cuda*")):
        yield metapackage(name, TORCH, [f"pytorch {TORCH} {builds}"], summary=f"Asks for a build of pytorch: {builds}")
    for version in ("12.9", "13.0"):
        constrains = [f"__cuda >={version.split('.')[0]}"]
        summary = "Keeps packages to one version of CUDA"
        yield metapackage("cuda-version", version, [], constrains=constrains, summary=summary)


def conda(downloaded):
    """conda's own code, from a wheel that has a copy of it. What is not Python is missing there and written here."""
    wheel = next((downloaded / "source").glob(f"{CONDA_SOURCE.replace('-', '_')}-*.whl"))
    inside = f"{CONDA_SOURCE.replace('-', '_')}/_vendor/conda/"
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(inside)]
        files = {name.removeprefix(inside): archive.read(name) for name in names}
    version = re.search(r"__version__ = version = '(.+)'", files["_version.py"].decode()).group(1)
    needs = [NAMES.get(canonicalize_name(name), name) for name in CONDA_NEEDS]
    package = Package(
        "conda",
        version,
        depends=[*for_this_python(), *sorted(needs)],
        summary=f"conda {version} without a solver, packed for tests",
        home="https://conda.org",
    )
    package.build = python_tag() + package.build
    for name, data in files.items():
        package.add(f"{SITE}/conda/{name}", as_before(name, data))
    add_dist_info(package, "conda", version, package.summary)
    package.add("bin/conda", CONDA_PROGRAM, executable=True)
    package.add("condabin/conda", CONDA_PROGRAM, executable=True)
    package.add("etc/profile.d/conda.sh", (FILES / "conda.sh").read_text().replace("PLACEHOLDER", PLACEHOLDER))
    for name in ("activate", "deactivate"):
        script = f'. "{PLACEHOLDER}/etc/profile.d/conda.sh"\nconda {name} "$@"\n'
        package.add(f"bin/{name}", f"#!/bin/sh\n{script}", executable=True)
    package.compile_python()
    return package


def as_before(name, data):
    """The copy's imports under their own name again, and what Python 3.13 no longer has said in another way."""
    if not name.endswith(".py"):
        return data
    source = data.decode()
    for moved in (f"{CONDA_SOURCE.replace('-', '_')}.{vendor}.conda" for vendor in ("_vendor", "vendor")):
        source = source.replace(moved, "conda")
    source = source.replace("logging._acquireLock()", "logging._lock.acquire()")
    return source.replace("logging._releaseLock()", "logging._lock.release()").encode()


CONDA_PROGRAM = f"""#!{PLACEHOLDER}/bin/python{PYTHON}
import sys

from conda.cli import main

if __name__ == "__main__":
    sys.exit(main())
"""


def mamba():
    package = Package(
        "mamba",
        MAMBA,
        depends=["conda"],
        summary="A stand-in of the tests for mamba, which lists what conda lists",
    )
    script = (FILES / "mamba").read_text().replace("PLACEHOLDER", PLACEHOLDER).replace("VERSION", MAMBA)
    # In both places, as conda-forge's: shells that know conda have `condabin` on their PATH in every environment.
    package.add("bin/mamba", script, executable=True)
    package.add("condabin/mamba", script, executable=True)
    return package


def add_dist_info(package, name, version, summary):
    """So that pip lists it."""
    folder = f"{SITE}/{name}-{version}.dist-info"
    package.add(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: {summary}\n")
    package.add(f"{folder}/INSTALLER", "conda\n")
    within = [path.removeprefix(f"{SITE}/") for path in package.items if path.startswith(f"{SITE}/")]
    record = f"{name}-{version}.dist-info/RECORD"
    package.add(f"{SITE}/{record}", "".join(f"{path},,\n" for path in sorted([*within, record])))
