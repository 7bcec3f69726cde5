# shellcheck shell=bash
# A private index of Python packages: its password opens it, and is kept nowhere. A package of it that is much larger than
# the plan could say: whoever agreed is asked again. An index that stays silent: one message.
# On: bookworm; about 30 s

PASSWORD=s3cr-word
machine index "$RELEASE-apt"
home=$(home_of plain)

step "an index with two packages, and profiles that ask for them"
python3 - "$home/served" <<'END'
import hashlib, pathlib, random, sys, zipfile
root = pathlib.Path(sys.argv[1])
# 300 MB on disk, and a small part of that to download.
large = "".join(f"{random.getrandbits(64):016x}{'0' * 984}\n" for _ in range(300_000))
for name, data in {"aitk-test-wheel": "", "aitk-test-large": large}.items():
    module = name.replace("-", "_")
    page, wheel = root / f"simple/{name}/index.html", root / f"files/{module}-1.0-py3-none-any.whl"
    info = f"{module}-1.0.dist-info"
    for folder in (page.parent, wheel.parent):
        folder.mkdir(parents=True, exist_ok=True)
    files = {
        f"{module}.py": "ANSWER = 42\n",
        f"{module}.txt": data,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*files, f"{info}/RECORD"])
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file, content in files.items():
            archive.writestr(file, content)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    page.write_text(f'<a data-requires-python=">=3" href="../../files/{wheel.name}#sha256={digest}">{wheel.name}</a>\n')
END
# The steps of the virtual environment alone, with other libraries.
awk -v RS= '/^# The budget/ { sub(/name = "low"/, "name = \"own\""); print; next }
    /\[memory\]/ || /id = "(manager.uv|manager.environment|libraries|environment.current)"/ { print "\n" $0 }' \
    "$HERE/../../profiles/low.toml" |
    sed -E '/^conda = /d; /^(estimate|requires) = /d; s/^needs = .*/needs = []/; s/^requirements = .*/requirements = ["aitk-test-wheel"]/' >"$home/own.toml"
sed 's/aitk-test-wheel/aitk-test-large/' "$home/own.toml" >"$home/large.toml"
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

step "what is much larger than the plan could say: nobody can be asked, and nothing is installed"
LARGE=(--profile large.toml --manager venv --framework none)
SHOW=4 aitk plain -- plan "${LARGE[@]}" --env large --index-url "$INDEX" --no-resolve -o estimate.json
expect_code 0
SHOW=8 aitk plain -- apply estimate.json --index-url "$INDEX" --yes
expect_code 2
expect_one_error 'AITK-X16.*the whole plan takes .* 3[0-9][0-9] MB on disk instead of '
expect_said '--allow-larger'
large=$home/.local/share/aitk/envs/large
[[ ! -e $large/current ]] || die "it was installed"

step "a person says no, and then yes"
for answer in n y; do
    # shellcheck disable=SC2016 # expanded inside
    as plain INDEX="$INDEX" ANSWER=$answer bash -c '
        answer() { until grep -q "$1" typed; do sleep 0.05; done; echo "$2"; }
        : >typed
        { answer "Go ahead?" y; answer "Go ahead with it?" "$ANSWER"; } |
            script -qefc "aitk apply estimate.json --index-url \"$INDEX\"" typed' >"$WORK/typed" 2>&1 && CODE=0 || CODE=$?
    grep -q 'much more than was agreed to.*→' "$WORK/typed" || die "it was not asked: $(cat "$WORK/typed")"
    case $answer:$CODE in
    n:2) [[ ! -e $large/current ]] || die "it was installed" ;;
    y:0) as plain .local/share/aitk/envs/large/current/bin/python -c 'import aitk_test_large' ;;
    *) die "after $answer the exit code is $CODE: $(cat "$WORK/typed")" ;;
    esac
done

step "with the flag that says so beforehand it goes on"
SHOW=4 aitk plain -- plan "${LARGE[@]}" --env larger --index-url "$INDEX" --no-resolve -o estimate.json
expect_code 0
SHOW=8 aitk plain -- apply estimate.json --index-url "$INDEX" --yes --allow-larger
expect_code 0
as plain .local/share/aitk/envs/larger/current/bin/python -c 'import aitk_test_large'
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
