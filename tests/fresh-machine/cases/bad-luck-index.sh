# shellcheck shell=bash
# A private index of Python packages: its password opens it, and is kept nowhere. An index that stays silent: one message.
# On: bookworm; about 12 s

PASSWORD=s3cr-word
machine index "$RELEASE-apt"
home=$(home_of plain)

step "an index with one package, and a profile that asks for it"
python3 - "$home/served" <<'END'
import hashlib, pathlib, sys, zipfile
root = pathlib.Path(sys.argv[1])
page, wheel = root / "simple/aitk-test-wheel/index.html", root / "files/aitk_test_wheel-1.0-py3-none-any.whl"
info = "aitk_test_wheel-1.0.dist-info"
for folder in (page.parent, wheel.parent):
    folder.mkdir(parents=True)
files = {
    "aitk_test_wheel.py": "ANSWER = 42\n",
    f"{info}/METADATA": "Metadata-Version: 2.1\nName: aitk-test-wheel\nVersion: 1.0\n",
    f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}
files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"])
with zipfile.ZipFile(wheel, "w") as archive:
    for name, content in files.items():
        archive.writestr(name, content)
digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
page.write_text(f'<a data-requires-python=">=3" href="../../files/{wheel.name}#sha256={digest}">{wheel.name}</a>\n')
END
# The steps of the virtual environment alone, with other libraries.
awk -v RS= '/^# The budget/ { sub(/name = "low"/, "name = \"own\""); print; next }
    /\[memory\]/ || /id = "(manager.uv|manager.environment|libraries|environment.current)"/ { print "\n" $0 }' \
    "$HERE/../../profiles/low.toml" |
    sed -E '/^conda = /d; /^(estimate|requires) = /d; s/^needs = .*/needs = []/; s/^requirements = .*/requirements = ["aitk-test-wheel"]/' >"$home/own.toml"
CHANNEL=$home/served serve_channel --basic "me:$PASSWORD"
INDEX=${CHANNEL_URL/\/\//\/\/me:$PASSWORD@}/simple
WISH=(--profile own.toml --manager venv --framework none)

step "uv comes from where pip gets it"
SHOW=2 aitk plain -- lock --budget low --manager venv --framework none -o lock.toml
expect_code 0

step "plan and apply"
SHOW=8 aitk plain -- plan "${WISH[@]}" --index-url "$INDEX" -o plan.json -vv
expect_code 0
expect_not_said "$PASSWORD"
SHOW=8 aitk plain -- apply "${WISH[@]}" --index-url "$INDEX" --yes -vv
expect_code 0
expect_not_said "$PASSWORD"
as plain aitk run -- python -c 'import aitk_test_wheel'
[[ -z $(grep -rl --exclude-dir=served -e "$PASSWORD" "$home" | tee /dev/stderr) ]] || die "the password is kept there"
stop_channel

step "an index that accepts and stays silent"
python3 -c 'import socket, sys, time
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
time.sleep(60)' >"$WORK/silent.port" &
until [[ -s $WORK/silent.port ]]; do sleep 0.05; done
aitk plain -- plan "${WISH[@]}" --index-url "http://127.0.0.1:$(cat "$WORK/silent.port")/simple" --env other
expect_code 69
expect_one_error "does not answer"
expect_within 10
