# shellcheck shell=bash
# A plan that is exported as a list of packages: the tools that it is for read it, and what they install is what the lock
# names, each file checked by its hash.
# On: bookworm; about 47 s

serve_channel
serve_indexes
machine files "$RELEASE-apt"
home=$(home_of plain)
CONDA=(--budget low --manager conda --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --framework none)
VENV=(--profile small.toml --manager venv --torch-index "$INDEXES_URL/whl/{build}")
# Few libraries, as each tool downloads them; the framework is a stand-in with an index of its own.
awk -v RS= '/^# The budget/ || /\[memory\]/ || /id = "(manager.uv|manager.environment|libraries|framework|environment.current)"/ { print $0 "\n" }' \
    "$HERE/../../profiles/low.toml" |
    sed -E 's/^needs = .*/needs = []/; s/^requirements = \["numpy".*/requirements = ["numpy", "python-dateutil"]/' >"$home/small.toml"

# `exported TARGET PATH FLAG…`: twice, and both are the same.
exported() {
    local target=$1 path=$2
    shift 2
    aitk plain -- export "$target" "$@" -o "$path"
    expect_code 0
    aitk plain -- export "$target" "$@" -o again/"$path"
    expect_code 0
    diff -r "$home/$path" "$home/again/$path" || die "two exports of $target differ"
}
exported pylock.toml pylock.toml "${VENV[@]}"
exported requirements.txt requirements.txt "${VENV[@]}"
exported sbom venv.cdx.json "${VENV[@]}"
exported environment.yml environment.yml "${CONDA[@]}"
exported pixi.toml pixi "${CONDA[@]}"
exported sbom conda.cdx.json "${CONDA[@]}"
aitk plain -- lock "${CONDA[@]}" -o both.lock
expect_code 0
aitk plain -- export pixi.toml "${VENV[@]}"
expect_code 64
expect_one_error 'AITK-O02'

as plain python3 -m venv tools
as plain tools/bin/pip install -q --upgrade pip uv
as plain tools/bin/uv pip install -q --python tools/bin/python py-rattler 'cyclonedx-python-lib[json-validation]'
as plain tools/bin/python -c '
import tomllib
for package in tomllib.load(open("pylock.toml", "rb"))["packages"]:
    print(package["name"], package["version"], sep="==")' | sort >"$WORK/locked"
grep -q '^torch==.*+cpu$' "$WORK/locked" || die "the lock has no torch of the framework's own index: $(cat "$WORK/locked")"

# `installs NAME COMMAND…`: in a virtual environment of this name the command installs what the lock names.
installs() {
    local name=$1
    shift
    step "$name"
    as plain tools/bin/uv venv -q --python /usr/bin/python3 "$name"
    as plain "$@"
    as plain tools/bin/uv pip check --python "$name/bin/python"
    as plain tools/bin/uv pip list --python "$name/bin/python" --format freeze | sort >"$WORK/installed"
    expect_same "$WORK/locked" "$WORK/installed" "what $name has installed"
}
# Debian's own pip, which is older than the form `pylock.toml`.
installs pip-requirements python3 -m pip --python pip-requirements/bin/python install -q --require-hashes -r requirements.txt
installs uv-requirements tools/bin/uv pip sync -q --python uv-requirements/bin/python --require-hashes requirements.txt
installs pip-pylock tools/bin/pip --python pip-pylock/bin/python install -q -r pylock.toml
installs uv-pylock tools/bin/uv pip sync -q --python uv-pylock/bin/python pylock.toml
[[ torch==$(as plain uv-pylock/bin/python -c 'import torch; print(torch.__version__)') == "$(grep '^torch==' "$WORK/locked")" ]] || die "it is another torch"
cp "$WORK/locked" "$WORK/wheels"

step "a file of another content is refused"
sed '/^torch @/,$s/sha256:..../sha256:0000/' "$home/requirements.txt" >"$home/other.txt"
for command in "python3 -m pip --python pip-requirements/bin/python install --force-reinstall" "tools/bin/uv pip install --reinstall --python uv-requirements/bin/python"; do
    # shellcheck disable=SC2086 # a command and its flags
    if as plain $command --require-hashes -r other.txt >"$WORK/refused" 2>&1; then die "$command takes a file of another hash"; fi
    grep -qi 'hash.* mismatch\|do not match the hashes' "$WORK/refused" || die "$(cat "$WORK/refused")"
done

step "pixi's lock, read and installed by py-rattler, and the workspace that it is for"
cat >"$home/pixi.py" <<'PYTHON'
import asyncio, sys, tomllib
import rattler

lock, name, prefix = sys.argv[1:4]


def records(path, name):
    environment = rattler.LockFile.from_path(path).environment(name)
    [platform] = environment.platforms()
    return environment, environment.conda_repodata_records_for_platform(platform)


environment, locked = records(lock, name)
asyncio.run(rattler.install(locked, prefix))
if len(sys.argv) > 4:
    workspace = tomllib.load(open(sys.argv[4], "rb"))
    assert workspace["workspace"]["channels"] == [str(channel) for channel in environment.channels()], workspace
    subdirs = {record.subdir for record in locked} - {"noarch"}
    assert workspace["workspace"]["platforms"] == sorted(subdirs), subdirs
    assert [name for name, _ in rattler.LockFile.from_path(lock).environments()] == ["default"]
    for wanted, spec in workspace["dependencies"].items():
        match = rattler.MatchSpec(f"{wanted} {spec['version']} {spec['build']}")
        assert any(match.matches(record) for record in locked), match
    assert {"python", "numpy", "jupyterlab"} <= set(workspace["dependencies"])
for record in locked:
    print(record.name.normalized, record.version, record.build, sep="=")
PYTHON
as plain tools/bin/python pixi.py pixi/pixi.lock default prefix pixi/pixi.toml | sort >"$WORK/locked"
jq -r '"\(.name)=\(.version)=\(.build)"' "$home"/prefix/conda-meta/*.json | sort >"$WORK/installed"
expect_same "$WORK/locked" "$WORK/installed" "what py-rattler has installed"
as plain prefix/bin/python -c 'import numpy, sklearn, jupyterlab'
sed '/^packages:/,$s/sha256: ..../sha256: 0000/' "$home/pixi/pixi.lock" >"$home/other.lock"
if as plain XDG_CACHE_HOME=/home/plain/other RATTLER_CACHE_DIR=/home/plain/other tools/bin/python pixi.py other.lock default other-prefix >"$WORK/refused" 2>&1; then
    die "py-rattler takes files of other hashes"
fi
grep -qi 'hash' "$WORK/refused" || die "$(cat "$WORK/refused")"

step "conda solves environment.yml to just what it names"
as plain tools/bin/python pixi.py both.lock base base >"$WORK/base"
# This conda has no solver of its own.
as plain tools/bin/uv pip install -q --python base/bin/python python-sat
as plain CONDA_SOLVER=classic CONDA_SAT_SOLVER=pysat base/bin/conda env create --dry-run --json -f environment.yml >"$WORK/solved"
sed -nE 's/^  - ([^/]+=[^/]+=[^/]+)$/\1/p' "$home/environment.yml" | sort >"$WORK/named"
expect_same "$WORK/locked" "$WORK/named" "what environment.yml names"
jq -r '.dependencies[]' "$WORK/solved" | sed 's/.*:://; s/==/=/' | sort >"$WORK/installed"
expect_same "$WORK/named" "$WORK/installed" "what conda would install"

step "the bill of materials holds to its schema, strictly"
cat >"$home/sbom.py" <<'PYTHON'
import json, sys
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

text = open(sys.argv[1]).read()
assert (wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is None, wrong
bom = Bom.from_json(json.loads(text))
bom.validate()
for component in bom.components:
    assert str(component.purl) == component.bom_ref.value and component.hashes, component
    print(component.name, component.version, sep="==")
PYTHON
as plain tools/bin/python sbom.py venv.cdx.json | sort >"$WORK/told"
expect_same "$WORK/wheels" "$WORK/told" "what the bill tells"
as plain tools/bin/python sbom.py conda.cdx.json | sort >"$WORK/told"
expect_same <(sed 's/=[^=]*$//; s/=/==/' "$WORK/locked" "$WORK/base" | sort -u) "$WORK/told" "what the bill tells"
