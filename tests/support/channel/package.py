"""One conda package: what is in it, and the `.conda` archive that it becomes."""

import hashlib
import importlib._bootstrap_external
import importlib.util
import io
import json
import platform
import tarfile
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import zstandard

SUBDIR = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}[platform.machine()]
PYTHON = "{}.{}".format(*platform.python_version_tuple())
# Programs are built for a prefix of this length, so that every real one fits into its place.
PLACEHOLDER = ("/opt/anaconda1anaconda2anaconda3/_h_env" + "_placehold" * 30)[:255]
# The same for every build, so that hashes change with the contents alone.
TIME = 1_760_000_000
ZSTD_LEVEL = 3


@dataclass
class Item:
    """A file, or with `target` a symbolic link."""

    data: bytes = b""
    executable: bool = False
    target: str | None = None

    @property
    def prefix_mode(self):
        if PLACEHOLDER.encode() not in self.data:
            return None
        return "binary" if b"\0" in self.data else "text"


@dataclass
class Package:
    name: str
    version: str
    build: str | None = None
    build_number: int = 0
    depends: list[str] = field(default_factory=list)
    constrains: list[str] = field(default_factory=list)
    noarch: str | None = None
    license: str = "BSD-3-Clause"
    summary: str = "A package of the tests"
    home: str | None = None
    entry_points: list[str] = field(default_factory=list)
    items: dict[str, Item] = field(default_factory=dict)

    def __post_init__(self):
        if self.build is None:
            recipe = json.dumps([self.name, self.version, self.depends, self.constrains])
            self.build = "{}h{}_{}".format(
                {None: "", "python": "py", "generic": ""}[self.noarch],
                hashlib.sha256(recipe.encode()).hexdigest()[:7],
                self.build_number,
            )

    @property
    def subdir(self):
        return "noarch" if self.noarch else SUBDIR

    @property
    def file_name(self):
        return f"{self.name}-{self.version}-{self.build}.conda"

    def add(self, path, data, executable=False):
        data = data.encode() if isinstance(data, str) else data
        self.items[path] = Item(data, executable)

    def link(self, path, target):
        self.items[path] = Item(target=target)

    def compile_python(self):
        """Adds the byte code, as packages that are made for one version of Python bring it.

        It is never compared with the sources: installers do not keep the times of files. Sources that change with the
        prefix are left out.
        """
        for path, item in list(self.items.items()):
            if not path.endswith(".py") or item.prefix_mode or item.target:
                continue
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    code = compile(item.data, path, "exec", dont_inherit=True, optimize=0)
            except (SyntaxError, ValueError):
                continue  # templates and test data
            folder, _, name = path.rpartition("/")
            cached = f"{folder}/__pycache__/{name[:-3]}.cpython-{PYTHON.replace('.', '')}.pyc"
            hash_of_source = importlib.util.source_hash(item.data)
            self.add(cached, bytes(importlib._bootstrap_external._code_to_hash_pyc(code, hash_of_source, False)))

    def index(self):
        index = {
            "arch": None if self.noarch else platform.machine(),
            "build": self.build,
            "build_number": self.build_number,
            "constrains": self.constrains,
            "depends": self.depends,
            "license": self.license,
            "name": self.name,
            "platform": None if self.noarch else "linux",
            "subdir": self.subdir,
            "timestamp": TIME * 1000,
            "version": self.version,
        }
        if self.noarch:
            index["noarch"] = self.noarch
        return index

    def write(self, channel: Path):
        """Writes the archive below the channel and gives its record for the repodata."""
        archive = channel / self.subdir / self.file_name
        archive.parent.mkdir(parents=True, exist_ok=True)
        stem = self.file_name.removesuffix(".conda")
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
            put(out, "metadata.json", b'{"conda_pkg_format_version": 2}')
            put(out, f"pkg-{stem}.tar.zst", tar_zst(self.items))
            put(out, f"info-{stem}.tar.zst", tar_zst(self.info()))
        data = archive.read_bytes()
        return self.index() | {
            "md5": hashlib.md5(data).hexdigest(),
            "sha256": hashlib.sha256(data).hexdigest(),
            "size": len(data),
        }

    def info(self):
        about = {"summary": self.summary, "license": self.license}
        if self.home:
            about["home"] = self.home
        info = {
            "index.json": self.index(),
            "about.json": about,
            "paths.json": {"paths": [describe(*pair) for pair in sorted(self.items.items())], "paths_version": 1},
        }
        if self.noarch == "python":
            python = {"type": "python", "entry_points": self.entry_points}
            info["link.json"] = {"noarch": python, "package_metadata_version": 1}
        items = {f"info/{name}": Item(json.dumps(value, indent=2).encode()) for name, value in info.items()}
        items["info/files"] = Item("".join(f"{path}\n" for path in sorted(self.items)).encode())
        return items


def describe(path, item):
    """An entry of `paths.json`. A link's hash and size are those of the file that it leads to, or of nothing."""
    entry = {
        "_path": path,
        "path_type": "softlink" if item.target else "hardlink",
        "sha256": hashlib.sha256(item.data).hexdigest(),
        "size_in_bytes": len(item.data),
    }
    if item.prefix_mode:
        entry |= {"file_mode": item.prefix_mode, "prefix_placeholder": PLACEHOLDER}
    return entry


def tar_zst(items):
    buffer = io.BytesIO()
    with (
        zstandard.ZstdCompressor(level=ZSTD_LEVEL).stream_writer(buffer, closefd=False) as compressed,
        tarfile.open(fileobj=compressed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path, item in sorted(items.items()):
            member = tarfile.TarInfo(path)
            member.mtime = TIME
            member.mode = 0o755 if item.executable or item.target else 0o644
            if item.target:
                member.type, member.linkname = tarfile.SYMTYPE, item.target
            else:
                member.size = len(item.data)
            tar.addfile(member, io.BytesIO(item.data))
    return buffer.getvalue()


def put(archive, name, data):
    archive.writestr(zipfile.ZipInfo(name, (2025, 10, 9, 0, 0, 0)), data)


def metapackage(name, version, depends, **rest):
    return Package(name, version, depends=depends, noarch="generic", **rest)


def for_this_python():
    """What a package needs that is built for one version of Python."""
    major, minor = map(int, PYTHON.split("."))
    tag = f"cp{major}{minor}"
    return [f"python >={PYTHON},<{major}.{minor + 1}.0a0", f"python_abi {PYTHON}.* *_{tag}"]


def python_tag():
    return "py" + PYTHON.replace(".", "")
