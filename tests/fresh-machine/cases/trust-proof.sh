# shellcheck shell=bash
# A proof counts for the files that it ran on, and comes before they are used: what fails leaves the environment in use as
# it was, what was built anew or added to is proven again, and what leads elsewhere reaches neither the proof nor the user.
# On: bookworm; about 6 s

machine proof "$RELEASE-apt"
home=$(home_of user)
envs=$home/.local/share/aitk/envs/ai

# `publish VERSION PASSED`: a stand-in of pytest on the index, which tells its two tests apart or does not.
publish() {
    python3 - "$home/served" "$@" <<'END'
import hashlib, pathlib, sys, zipfile
root, version, passed = pathlib.Path(sys.argv[1]), *sys.argv[2:]
page, wheel = root / "simple/pytest/index.html", root / f"files/pytest-{version}-py3-none-any.whl"
info = f"pytest-{version}.dist-info"
for folder in (page.parent, wheel.parent):
    folder.mkdir(parents=True, exist_ok=True)
files = {
    "pytest/__init__.py": f"__version__ = '{version}'\n",
    "pytest/__main__.py": f"print('1 failed, {passed} passed')\nraise SystemExit(1)\n",
    f"{info}/METADATA": f"Metadata-Version: 2.1\nName: pytest\nVersion: {version}\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
with zipfile.ZipFile(wheel, "w") as archive:
    for name, content in files.items():
        archive.writestr(name, content)
digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
with page.open("a") as index:
    index.write(f'<a data-requires-python=">=3" href="../../files/{wheel.name}#sha256={digest}">{wheel.name}</a>\n')
END
}

# With the proof after the switch, as profiles of old have it: the plan has it before.
cat >"$home/own.toml" <<'END'
schema = 1
name = "own"
title = "own"
summary = "own"
memory = { minimum = "1 GiB", comfortable = "2 GiB", swap_below = "1 MiB", swap_size = "1 MiB" }
step = [
    { id = "uv", phase = "manager", kind = "uv", title = "uv", why = "w" },
    { id = "environment", phase = "manager", kind = "environment", title = "environment", why = "w", needs = ["uv"] },
    { id = "library", phase = "libraries", kind = "layer", title = "pytest", why = "w", requirements = ["pytest"], needs = ["environment"] },
    { id = "switch", phase = "tools", kind = "activate", title = "switch", why = "w", needs = ["library"] },
    { id = "kernel", phase = "tools", kind = "kernelspec", title = "kernel", why = "w", needs = ["switch"] },
    { id = "proof", phase = "check", kind = "check", script = "pytest.py", title = "proof", why = "w", needs = ["switch"] },
]
END
publish 1 0
serve served "$home/served"
WISH=(--profile own.toml --manager venv --framework none --index-url "$URL/simple")
kernel=$home/.local/share/jupyter/kernels/aitk-ai/kernel.json
in_use() { readlink "$envs/current" || true; }
SHOW=2 aitk user -- lock --budget low --manager venv --framework none -o lock.toml
expect_code 0 "uv comes from where pip gets it"

step "the first proof of all fails: nothing is in use"
aitk user -- apply "${WISH[@]}" --yes
expect_code 1
expect_one_error 'pytest ends with 1'
[[ ! -e $envs/current && ! -e $kernel ]] || die "what was not proven is in use"
publish 2 1
aitk user -- upgrade --yes
expect_code 0
expect_said 'pytest 2 tells'
jq -e '.env.PYTHONPATH == "" and .env.PIP_USER == "0"' "$kernel" >/dev/null || die "the kernel lets others lead it elsewhere"

step "a later one fails: the one before stays in use"
before=$(in_use)
publish 3 0
SHOW=5 aitk user -- upgrade --yes
expect_code 1
[[ $(in_use) == "$before" ]] || die "what was not proven is in use"
SHOW=5 aitk user -- verify
expect_code 0
publish 4 1
SHOW=0 aitk user -- upgrade --yes
expect_code 0
SHOW=3 aitk user -- apply "${WISH[@]}" --yes
expect_said 'Nothing to do'

step "sources that a saved plan names are used once they are agreed to, and not kept"
# Somebody who has never named that index.
new=(AITK_DATA_DIR=/home/user/new/data AITK_STATE_DIR=/home/user/new/state)
SHOW=0 aitk user "${new[@]}" -- plan "${WISH[@]}" --env other -o saved.json
expect_code 0
SHOW=4 aitk user "${new[@]}" -- apply saved.json --yes
expect_code 64
expect_one_error 'AITK-C31'
SHOW=5 aitk user "${new[@]}" -- apply saved.json --yes --accept-sources
expect_code 0
jq -e '.environments.other.choices | .index_url == null and .profile != null' "$home/new/state/receipt.json" >/dev/null ||
    die "a source of a file's is kept: $(jq -c .environments.other "$home/new/state/receipt.json")"
SHOW=0 aitk user "${new[@]}" -- remove --yes
expect_code 0

step "what is built anew, or added to, is proven anew"
rm -rf "$envs"
SHOW=5 aitk user -- apply "${WISH[@]}" --yes
expect_code 0
expect_said 'pytest 4 tells'
as user sh -c 'cd .local/share/aitk/envs/ai/current/lib/python3*/site-packages && mkdir added-1.dist-info && touch added-1.dist-info/RECORD'
SHOW=5 aitk user -- apply "${WISH[@]}" --yes
expect_code 0
expect_said 'pytest 4 tells'
SHOW=3 aitk user -- apply "${WISH[@]}" --yes
expect_said 'Nothing to do'

step "variables of other installations reach neither the proof nor the user"
as user sh -c 'mkdir -p old/pytest && echo "raise ImportError(1)" >old/pytest/__init__.py'
STRAY=(PYTHONPATH=/home/user/old PYTHONHOME=/nowhere CONDA_PREFIX=/opt/conda PIP_USER=1 PIP_TARGET=/nowhere)
SHOW=5 aitk user "${STRAY[@]}" -- verify
expect_code 0
# shellcheck disable=SC2016 # expanded inside
said=$(as user "${STRAY[@]}" aitk run -- sh -c 'python -c "import pytest; print(pytest.__version__)"; echo "$PYTHONPATH $CONDA_PREFIX $PIP_TARGET $PIP_USER"')
[[ $said == $'4\n   0' ]] || die "it says: $said"

# `doctor_says CODE WHAT REMEDY [NAME=VALUE…]`: that is what the doctor sees, and says that it helps.
doctor_says() {
    SHOW=0 aitk user "${@:4}" -- doctor --json
    expect_code 2
    jq -e --arg code "$1" --arg what "$2" --arg remedy "$3" '.data.findings[] | select(.code == $code) |
        (.evidence | any(contains($what))) and ([.aitk // empty, .remedy[]] | any(contains($remedy)))' "$OUT" >/dev/null ||
        die "the doctor does not say that $2, and that $3 helps: $(cat "$OUT")"
}

step "an interpreter that leads nowhere is named, and mended"
as user ln -sfn /usr/bin/python3.99 "/home/user/.local/share/aitk/envs/ai/current/bin/python"
doctor_says AITK-H36 python3.99 'aitk apply'
SHOW=5 aitk user -- run -- python -V
expect_code 1
expect_one_error 'python3.99'
expect_said 'aitk apply'
SHOW=5 aitk user -- apply "${WISH[@]}" --yes
expect_code 0
SHOW=5 aitk user -- verify
expect_code 0

step "where no Python is left, and apt says that it is there, it is not said that apply mends it"
python=$(chroot "$ROOT" readlink -f /usr/bin/python3)
mv "$ROOT$python" "$ROOT$python.away"
SHOW=5 aitk user -- verify
expect_code 2
expect_said 'apt-get install --reinstall python3-minimal'
expect_not_said 'aitk apply` mends it'
doctor_says AITK-H36 'is gone' 'apt-get install --reinstall python3-minimal'
mv "$ROOT$python.away" "$ROOT$python"
SHOW=5 aitk user -- verify
expect_code 0

step "an environment of which a part belongs to another is named"
chown 1 "$envs/current/pyvenv.cfg"
SHOW=5 aitk user -- verify
expect_code 2
expect_said 'pyvenv.cfg belongs to another user'
expect_said 'sudo chown -R'
doctor_says AITK-H57 'belongs to another user' 'sudo chown -R'
chown --reference="$envs" "$envs/current/pyvenv.cfg"
SHOW=5 aitk user -- verify
expect_code 0

step "an environment that was moved is named, and built anew beside itself"
as user mv .local/share/aitk elsewhere
SHOW=5 aitk user AITK_DATA_DIR=/home/user/elsewhere -- verify
expect_code 2
expect_said 'was built in /home/user/.local/share'
doctor_says AITK-H37 'was built in /home/user/.local/share' 'aitk apply' AITK_DATA_DIR=/home/user/elsewhere
SHOW=5 aitk user AITK_DATA_DIR=/home/user/elsewhere -- apply "${WISH[@]}" --yes
expect_code 0
expect_said 'pytest 4 tells'
SHOW=5 aitk user AITK_DATA_DIR=/home/user/elsewhere -- verify
expect_code 0

step "the distribution is upgraded, and with it the Python that the environment stands on"
machine upgraded trixie-apt
cp -a "$home/." "$(home_of user)/"
SHOW=5 aitk user AITK_DATA_DIR=/home/user/elsewhere -- run -- python -V
expect_code 1
expect_one_error 'AITK-C19'
SHOW=5 aitk user AITK_DATA_DIR=/home/user/elsewhere -- apply "${WISH[@]}" --yes
expect_code 0
as user AITK_DATA_DIR=/home/user/elsewhere aitk run -- python -V | grep -F 'Python 3.13'
SHOW=5 aitk user AITK_DATA_DIR=/home/user/elsewhere -- verify
expect_code 0
