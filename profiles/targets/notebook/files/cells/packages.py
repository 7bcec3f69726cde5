import importlib
import importlib.metadata
import platform
import re
import subprocess
import tempfile

from packaging.requirements import Requirement

lines = {line.split("==")[0]: line for line in LOCK.split("\n") if line}
keeps = set(KEEPS) | set(place["keeps"] if place else [])
exact = (sys.version_info[:2], platform.machine()) == (tuple(map(int, PYTHON.split("."))), MACHINE)


def version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def needs(name):
    for text in importlib.metadata.requires(name) or []:
        need = Requirement(text)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            yield re.sub(r"[-_.]+", "-", need.name).lower(), need.specifier


# «texts.packages.lacking|comment»
def lacking():
    missing, seen, ahead = set(), set(), [(name, None) for name in WANTED]
    while ahead:
        name, specifier = ahead.pop()
        if name not in lines:
            continue
        here = version(name)
        if here is None or specifier is not None and not specifier.contains(here, prereleases=True):
            missing.add(name)
        if here is not None and name not in seen:
            seen.add(name)
            ahead.extend(needs(name))
    old = {name for name in missing & keeps if version(name)}
    return missing - old, old


# «texts.packages.install|comment»
def install(names):
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        for name in sorted(names):
            file.write((lines[name] if exact else lines[name].split()[0]) + "\n")
        file.flush()
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        pip += ["--no-deps", "--only-binary", ":all:", "-r", file.name]
        subprocess.run(pip + ["--require-hashes"] * exact, check=True)
    importlib.invalidate_caches()


if not exact:
    print(«texts.packages.other»)
installed = set()
missing, old = lacking()
while missing - installed:
    install(missing - installed)
    installed |= missing
    missing, old = lacking()
if missing:
    raise RuntimeError(«texts.packages.stuck ~ " "» + ", ".join(sorted(missing)))
for name in sorted(old):
    print(f«texts.packages.old ~ " {name} {version(name)}"»)
print(«texts.packages.installed», ", ".join(f"{name} {version(name)}" for name in sorted(installed)) or «texts.packages.nothing»)
print(«texts.packages.ready», ", ".join(f"{name} {version(name)}" for name in WANTED))
