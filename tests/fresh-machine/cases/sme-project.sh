# shellcheck shell=bash
# A project for a small company: shown, written, changed by its user, written anew with another part, judged, taken back.
# On: bookworm; about 150 s

machine project "$RELEASE-apt"
lend_wheels user
home=$(home_of user)
WISH=(--budget sme --platform containers --manager venv)

# `files FOLDER`: every file below a folder of the user's with its hash.
files() {
    (cd "$home/$1" && find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

step "what does not go together, and what is mistyped"
for wrong in "--platform=contaners:AITK-O22:--platform containers" "--part=abc:AITK-O23:--part ab" \
    "--set=weigth=5:AITK-O20:--set weight" "--set=name=a b:AITK-O21:--set name=churn" "--set=name=x\"y:AITK-O21:--set name=churn"; do
    IFS=: read -r flag code said <<<"$wrong"
    platform=(--platform containers)
    [[ $flag != --platform=* ]] || platform=()
    aitk user -- plan --budget sme "${platform[@]}" --no-resolve "$flag"
    expect_code 64
    expect_one_error "$code"
    expect_said "$said"
done
aitk user -- plan --budget sme
expect_code 64
expect_said 'platform containers'

step "the plan shows every file and writes none"
aitk user -- plan "${WISH[@]}" --json
expect_code 0
jq -e '.data.project.platform == "containers" and .data.choices.framework == "none"
    and (.data.steps[] | select(.kind == "project") | .status == "needed" and (.spec.files | length > 40 and all(.change == "write")))' \
    "$OUT" >/dev/null || die "$(jq .data.project "$OUT")"
expected=$(jq -r '.data.steps[] | select(.kind == "project") | .spec.files[] | "\(.sha256)  ./\(.path)"' "$OUT" | sort -k 2)
[[ ! -e $home/churn ]] || die "a plan writes"

step "it is written as it was shown, with the environment that it needs"
aitk user -- apply "${WISH[@]}" --yes
expect_code 0
expect_said 'make test'
keep_wheels user
written=$(files churn | grep -v ' \./\.aitk/' | sort -k 2)
[[ $written == "$expected" ]] || die "other files are there than were shown"
[[ $(find "$home/churn" ! -user user) == "" ]] || die "some of it is not the user's"
as user aitk run -- poetry --version
aitk user -- apply --yes
expect_said 'Nothing to do'
aitk user -- verify
expect_code 0

step "what has aged is told, and what is newer in this aitk"
as user env -C churn aitk status --json >"$WORK/status.json"
jq -e '.data.project | .aged == [] and .newer == [] and .pins == [] and (.written | test("^[0-9-]{10}$"))' "$WORK/status.json" >/dev/null ||
    die "$(jq .data.project "$WORK/status.json")"
newer=$home/.config/aitk/targets/model/files
mkdir -p "$newer"
sed 's/scikit-learn==[0-9.]*/scikit-learn==99.1/' "$HERE/../../profiles/targets/model/files/pyproject.toml" >"$newer/pyproject.toml"
chroot "$ROOT" chown -R user: /home/user/.config
as user env -C churn aitk status >"$OUT"
expect_said 'scikit-learn==[0-9.]*.* is .*99\.1'
expect_said 'aitk apply --budget sme --platform containers'
as user env -C churn aitk doctor --json >"$WORK/doctor.json" || true
jq -e '.data.findings[] | select(.code == "AITK-H62") | .aitk == "aitk apply --budget sme --platform containers"' "$WORK/doctor.json" >/dev/null ||
    die "$(jq .data.findings "$WORK/doctor.json")"
rm -r "$home/.config/aitk/targets/model"

step "what the user changes stays, and what is new comes beside it"
echo 'answer = 42' >>"$home/churn/src/churn/data.py"
sed -i '1s/$/, and mine/' "$home/churn/README.md"
rm "$home/churn/.pre-commit-config.yaml"
files churn | grep -E 'README|data\.py' >"$WORK/mine"
aitk user -- apply "${WISH[@]}" --part ab --yes
expect_code 0
[[ -e $home/churn/compose.ab.yaml && ! -e $home/churn/.pre-commit-config.yaml ]] || die "the part is not there"
grep -q ', and mine' "$home/churn/README.md" || die "the user's words are gone"
grep -q 'answer = 42' "$home/churn/src/churn/data.py" || die "the user's data are gone"
[[ ! -e $home/churn/.aitk/conflicts ]] || die "there are conflicts: $(find "$home/churn/.aitk/conflicts")"

as user env -C churn aitk status --json >"$WORK/status.json"
jq -e '.data.project | .platform == "containers" and .parts == ["ab"] and (.changed | length) == 2 and .away == [".pre-commit-config.yaml"]' \
    "$WORK/status.json" >/dev/null || die "$(jq .data.project "$WORK/status.json")"

step "a folder that is somebody's own is left alone"
as user mkdir thesis
as user touch thesis/chapter-1
SHOW=8 aitk user -- apply "${WISH[@]}" --folder thesis --yes
expect_code 1
expect_said 'is not empty'
[[ $(ls -A "$home/thesis") == chapter-1 ]] || die "it was written into"

step "killed at any moment, nothing of the user's is lost and it goes on"
for number in 1 2 3 4 5 6; do
    echo "# round $number" >>"$home/churn/src/churn/data.py"
    files churn | grep 'data\.py' >"$WORK/before"
    part=logs && ((number % 2)) || part=monitoring
    as user timeout -s KILL "0.$number" aitk apply "${WISH[@]}" --part "$part" --yes >/dev/null 2>&1 || true
    files churn | grep 'data\.py' >"$WORK/after"
    expect_same "$WORK/before" "$WORK/after" "the user's file"
done
aitk user -- apply "${WISH[@]}" --part logs --part monitoring --yes
expect_code 0
aitk user -- apply --yes
expect_said 'Nothing to do'

step "the tools of those who read such files judge a project, and refuse what is wrong"
own=$home/.config/aitk/targets/tiny
mkdir -p "$own/files"
cat >"$own/target.toml" <<'TARGET'
schema = 1
budgets = ["sme"]
source = "made for this test"
as_of = "2020-01-01"

[client]
command = "tinyctl"
minimum = "2.0"
credentials = ["tinyctl", "whoami"]
variables = ["TINY_TOKEN"]

[[support]]
what = "tiny 1"
until = "2021-01-01"
source = "made for this test"
as_of = "2026-11-28"

[[file]]
path = "run.py"

[[judge]]
tool = "ruff"
files = ["run.py"]
TARGET
printf 'when = "to test"\n' | tee "$own/texts.en.toml" >"$own/texts.fr.toml"
printf 'print("hello")\n' >"$own/files/run.py"
chroot "$ROOT" chown -R user: /home/user/.config
TINY=(--budget sme --platform tiny --manager venv --env tiny --check --yes)
aitk user -- apply "${TINY[@]}"
expect_code 0
expect_said 'vendors. tools judge'
aitk user -- apply --env tiny --yes
expect_said 'Nothing to do'
# `doctor ARGUMENT… -- FILTER`: what the doctor says in the project's folder.
doctor() {
    as user TINY_TOKEN=letmein env -C tiny aitk doctor --json "${@:1:$#-2}" >"$WORK/doctor.json" || true
    jq -e ".data.findings | map({(.code): (.evidence | join(\" \"))}) | add // {} | ${*: -1}" "$WORK/doctor.json" >/dev/null ||
        die "$(jq .data.findings "$WORK/doctor.json")"
}
doctor -- '.["AITK-H60"] | test("tinyctl.*not on the PATH")'
doctor -- '.["AITK-H62"] | test("2020-01-01") and test("tiny 1 has ended on 2021-01-01")'
tinyctl=$ROOT/usr/local/bin/tinyctl
cat >"$tinyctl" <<'EOF'
#!/bin/sh
case $1 in --version) echo "tiny client 1.9.2" ;; *) echo "asked" >>/tmp/asked; [ "$TINY_TOKEN" = letmein ] ;; esac
EOF
chmod +x "$tinyctl"
doctor -- '.["AITK-H60"] | test("is 1.9.2; 2.0 or newer")'
sed -i 's/1\.9\.2/2.0.1/' "$tinyctl"
doctor -- '.["AITK-H60"] == null and .["AITK-H61"] == null'
[[ ! -e $ROOT/tmp/asked ]] || die "the platform was asked though nobody said so"
doctor --check-credentials -- '.["AITK-H61"] == null'
[[ -e $ROOT/tmp/asked ]] || die "nobody was asked"
sed -i 's/letmein/other/' "$tinyctl"
doctor --check-credentials -- '.["AITK-H61"] | test("tinyctl whoami")'
printf 'import os\nprint(undefined)\n' >"$home/tiny/run.py"
aitk user -- verify --env tiny
expect_code 2
SHOW=20 aitk user -- apply --env tiny --yes
expect_code 1
expect_said 'Undefined name'
printf 'print("mended")\n' >"$home/tiny/run.py"
aitk user -- apply --env tiny --yes
expect_code 0

step "in its folder only what nobody touched is taken away"
as user env -C churn aitk remove --dry-run >"$WORK/dry"
grep -q 'stays' "$WORK/dry" "$WORK/output/"* || true
as user env -C churn aitk remove --yes
(cd "$home/churn" && find . -type f | sort) >"$WORK/left"
printf '%s\n' ./README.md ./src/churn/data.py >"$WORK/expected"
expect_same "$WORK/expected" "$WORK/left" "what is left"
aitk user -- remove --yes
expect_code 0
[[ -e $home/tiny/run.py && -e $home/churn/README.md ]] || die "a project went with the environment"
