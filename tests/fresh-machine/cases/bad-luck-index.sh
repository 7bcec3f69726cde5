# shellcheck shell=bash
# A private index of Python packages: its password opens it, and is kept nowhere; what is set for pip, uv and curl opens it to
# all that aitk fetches. A package of it that is much larger than the plan could say: whoever agreed is asked again. An index that
# stays silent: one message.
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

step "behind TLS, to those alone who show a certificate and know the password: as it is set for pip, it opens to aitk, uv and pip"
mkdir "$home/served/simple/uv"
for wheel in "$home"/.cache/aitk/wheels/uv-*.whl; do
    cp "$wheel" "$home/served/files/"
    name=${wheel##*/}
    echo "<a href=\"../../files/$name#sha256=$(sha256sum <"$wheel" | cut -d ' ' -f 1)\">$name</a>" >"$home/served/simple/uv/index.html"
done
# `certificate NAME ISSUER OPTION…`: NAME.pem with its key, signed by ISSUER.
certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$1" -keyout "$WORK/$1.key" \
        -out "$WORK/$1.crt" "${@:2}" 2>"$WORK/openssl.log" || die "$(<"$WORK/openssl.log")"
    cat "$WORK/$1.crt" "$WORK/$1.key" >"$WORK/$1.pem"
}
by=(-CA "$WORK/firm.crt" -CAkey "$WORK/firm.key")
certificate firm
certificate server "${by[@]}" -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE
certificate client "${by[@]}" -addext basicConstraints=critical,CA:FALSE
CHANNEL=$home/served serve_channel --basic "me:$PASSWORD" --tls "$WORK/server.pem" --client-ca "$WORK/firm.crt"
secure=${CHANNEL_URL/http:/https:}
cp "$WORK/firm.crt" "$WORK/client.pem" "$home/"
printf '# of the firm\nmachine 127.0.0.1\n  login me\n  password "%s"\n' "$PASSWORD" >"$home/.netrc"
chmod 600 "$home/.netrc" "$home/client.pem"
mkdir -p "$home/.config/pip"
# `pip_is_told LINE…`: all that pip's file says.
pip_is_told() {
    printf '%s\n' '[global]' "$@" >"$home/.config/pip/pip.conf"
    chroot "$ROOT" chown -R plain: /home/plain
}
# `anew NAME=VALUE… -- ARGUMENT…`: with nothing in any cache.
anew() {
    rm -rf "$ROOT/tmp/anew"
    SHOW=6 aitk plain AITK_DATA_DIR=/tmp/anew/data AITK_CACHE_DIR=/tmp/anew/cache AITK_STATE_DIR=/tmp/anew/state "$@"
    expect_not_said "$PASSWORD"
}
secured=(plan "${WISH[@]}" --index-url "$secure/simple" -vv)
pip_is_told 'cert = ~/firm.crt' 'client-cert = ~/client.pem'
anew -- "${secured[@]}"
expect_code 0
anew -- apply "${WISH[@]}" --index-url "$secure/simple" --yes
expect_code 0
[[ -z $(grep -rl --exclude-dir=served --exclude=.netrc --exclude=typed -e "$PASSWORD" "$home" "$ROOT/tmp/anew" | tee /dev/stderr) ]] || die "the password is kept there"
# The same by the variables of uv's and curl's users, and another place of the passwords.
pip_is_told
as plain mv .netrc own-netrc
anew SSL_CLIENT_CERT=/home/plain/client.pem CURL_CA_BUNDLE=/home/plain/firm.crt NETRC=/home/plain/own-netrc -- "${secured[@]}"
expect_code 0
as plain mv own-netrc .netrc
# Where no index is set it is a pip that is asked for uv.
pip_is_told 'cert = ~/firm.crt' 'client-cert = ~/client.pem' 'no-index = true' "find-links = $secure/simple/uv/"
: >"$CHANNEL_LOG"
anew -- plan "${WISH[@]}"
grep -P '^GET\t/files/uv-.*\t200\t' "$CHANNEL_LOG" || die "pip did not get it: $(<"$CHANNEL_LOG")"

step "what lacks of it is named with the setting that helps, and nobody is trusted unseen"
pip_is_told 'cert = ~/firm.crt'
anew -- "${secured[@]}"
expect_code 69
expect_one_error AITK-E01
expect_said SSL_CLIENT_CERT
pip_is_told 'cert = ~/firm.crt' 'client-cert = ~/gone.pem'
anew -- "${secured[@]}"
expect_code 78
expect_one_error 'AITK-E20.*gone.pem.*/home/plain/.config/pip/pip.conf: client-cert'
pip_is_told 'client-cert = ~/client.pem' 'trusted-host = 127.0.0.1'
anew UV_INSECURE_HOST=127.0.0.1 -- "${secured[@]}"
expect_code 69
expect_one_error AITK-E01
expect_said 'trusted-host.*not followed'
pip_is_told 'cert = ~/firm.crt' 'client-cert = ~/client.pem'
rm "$home/.netrc"
anew -- "${secured[@]}"
expect_code 69
expect_one_error 'AITK-E01.*401'
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
# It gave up by itself: the index would have stayed for a minute.
expect_within 45
