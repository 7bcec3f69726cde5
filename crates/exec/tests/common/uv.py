#!/usr/bin/python3 -I
"""A stand-in of uv for tests: real environments of venv from real wheels of an index on loopback, by the words that aitk
calls uv with."""

import base64
import hashlib
import json
import os
import pathlib
import re
import shutil
import sys
import urllib.request
import zipfile

WORDS = sys.argv[1:]


def after(word):
    return WORDS[WORDS.index(word) + 1]


def site_of(root):
    return root / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def venv(root):
    python = pathlib.Path(after("--python"))
    (root / "bin").mkdir(parents=True, exist_ok=True)
    site_of(root).mkdir(parents=True, exist_ok=True)
    for name, leads in ("python", python), ("python3", "python"):
        (root / "bin" / name).unlink(missing_ok=True)
        (root / "bin" / name).symlink_to(leads)
    (root / "bin/activate").write_text(f"VIRTUAL_ENV={root}\n")
    (root / "pyvenv.cfg").write_text(f"home = {python.parent}\ninclude-system-site-packages = false\n")


def install():
    site = site_of(pathlib.Path(after("--python")).parent.parent)
    site.mkdir(parents=True, exist_ok=True)
    again = {WORDS[at + 1] for at, word in enumerate(WORDS) if word == "--reinstall-package"}
    for line in pathlib.Path(after("--requirement")).read_text().splitlines():
        name, version, digest = re.fullmatch(r"(\S+)==(\S+) --hash=sha256:(\w+)", line).groups()
        info = site / f"{name}-{version}.dist-info"
        if info.exists() and name not in again:
            continue
        shutil.rmtree(info, ignore_errors=True)
        wheel = pathlib.Path(after("--find-links")) / f"{name}-{version}-py3-none-any.whl"
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != digest:
            sys.exit(f"{wheel} is another one")
        record = [f"{info.name}/RECORD,,", f"{info.name}/INSTALLER,,"]
        with zipfile.ZipFile(wheel) as archive:
            for file in archive.namelist():
                content = archive.read(file)
                (site / file).parent.mkdir(parents=True, exist_ok=True)
                (site / file).unlink(missing_ok=True)
                (site / file).write_bytes(content)
                seal = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
                record.append(f"{file},sha256={seal},{len(content)}")
        (info / "INSTALLER").write_text("uv\n")
        (info / "RECORD").write_text("\n".join(record) + "\n")


def newest(name):
    for index in [*os.environ.get("UV_INDEX", "").split(), os.environ["UV_DEFAULT_INDEX"]]:
        try:
            with urllib.request.urlopen(f"{index}/{name}/") as answer:
                file = json.load(answer)["files"][0]
            return file["filename"].split("-")[1], file
        except urllib.error.HTTPError:
            continue
    sys.exit(f"no index has {name}")


def compile_():
    names = pathlib.Path(WORDS[WORDS.index("--no-config") + 1]).read_text().split()
    if "pylock.toml" not in WORDS:
        return print("\n".join(f"{name}=={newest(name)[0]}\n    # via -r requirements.in" for name in names))
    print('lock-version = "1.0"')
    for name in names:
        version, file = newest(name)
        print(f'[[packages]]\nname = "{name}"\nversion = "{version}"')
        print(f'wheels = [{{ url = "{file["url"]}", size = {file["size"]}, hashes = {json.dumps(file["hashes"]).replace(":", " =")} }}]')


match WORDS[:2]:
    case ["--version", *_]:
        print("uv 9.9.9")
    case ["venv", _]:
        venv(pathlib.Path(WORDS[-2] if WORDS[-1] == "--allow-existing" else WORDS[-1]))
    case ["pip", "install"]:
        install()
    case ["pip", "compile"]:
        compile_()
    case ["cache", "clean"]:
        pass
    case _:
        sys.exit(f"the stand-in knows nothing of {WORDS}")
