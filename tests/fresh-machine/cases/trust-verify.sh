# shellcheck shell=bash
# What changes an environment and is easily overlooked: `verify --deep` names it with what takes it away, and that does.
# On: bookworm; about 6 s

machine trusted "$RELEASE-apt"
lend_wheels user
home=$(home_of user)
cp "$HERE/../support/tiny.toml" "$home/tiny.toml"
chmod 644 "$home/tiny.toml"
SHOW=5 aitk user -- apply --profile tiny.toml --manager venv --yes
expect_code 0
env=$home/.local/share/aitk/envs/ai/current
site=$(cd "$env"/lib/python3.*/site-packages && pwd -P)
aitk user -- verify --deep
expect_code 0
aitk user -- verify
expect_code 0
expect_said 'sizes and times, and works; .--deep. reads them'

step "no framework is named that is not there"
aitk user -- status
grep -qi pytorch "$OUT" && die "status names a framework that was not installed"
[[ $(aitk user -- status --json && jq -r .data.framework "$OUT") == *null ]] || die "a framework in JSON"

step "HOME in other spellings: there is nothing to do, nothing is wrong, and nothing is made twice"
as root ln -s /home/user /home/nickname
for other in /home/user/ /home//user /home/./user /home/nickname; do
    SHOW=3 aitk user HOME="$other" -- apply --profile tiny.toml --manager venv --yes
    expect_code 0
    expect_said 'Nothing to do'
    SHOW=3 aitk user HOME="$other" -- apply --yes
    expect_said 'Nothing to do'
    SHOW=3 aitk user HOME="$other" -- verify --deep
    expect_code 0
done
[[ $(find "$home" -name kernel.json -o -name receipt.json -o -name aitk-generation.json | wc -l) == 3 ]] ||
    die "something was made again"

# Leaves in TOLD the findings of the doctor about aitk's own environment: what was seen, and what helps.
doctor() {
    SHOW=0 aitk user -- doctor --json
    TOLD=$(jq -c '[.data.findings[] | select(.code | IN("AITK-H36", "AITK-H37", "AITK-H57")) | {evidence, helps: (.aitk // .remedy[0])}]' "$OUT")
}

# `named WHAT REMEDY [--deep]`: verify finds this and says what helps, and so does the doctor, who reads no files; that is
# done, and then nothing is found.
named() {
    local what=$1 remedy=$2 said
    shift 2
    SHOW=8 aitk user -- verify --json "$@"
    expect_code 2
    jq -e --arg what "$what" '.data.findings | length == 1 and (.[0].message | contains($what))' "$OUT" >/dev/null ||
        die "verify does not name $what alone"
    said=$(jq -r '.data.findings[0].remedy' "$OUT")
    [[ $said == "$remedy"* ]] || die "the remedy is \`$said\`"
    if (($# == 0)); then
        doctor
        jq -e --arg what "$what" --arg said "$said" \
            'length == 1 and (.[0].evidence[0] | contains($what)) and .[0].helps == $said' <<<"$TOLD" >/dev/null ||
            die "the doctor says something else: $TOLD"
    fi
    case $said in
    "aitk "*)
        read -ra words <<<"${said#aitk } --yes"
        SHOW=3 aitk user -- "${words[@]}"
        expect_code 0
        ;;
    *) as user sh -c "$said" ;;
    esac
    SHOW=5 aitk user -- verify --deep
    expect_code 0 "$said does not take it away"
    doctor
    [[ $TOLD == "[]" ]] || die "the doctor still finds it: $TOLD"
}

step "a compiled file is cut"
as user .local/share/aitk/envs/ai/current/bin/python -c 'import six'
compiled=$(echo "$site"/__pycache__/six*.pyc)
truncate -s 100 "$compiled"
named six "aitk apply --deep" --deep
as user .local/share/aitk/envs/ai/current/bin/python -c 'import six'

step "code that runs at every start"
echo 'import os' >"$site/evil.pth"
named evil.pth "rm -r" --deep
echo 'raise SystemExit' >"$site/sitecustomize.py"
named sitecustomize "rm -r" --deep

step "what hides a module of a package"
as user mkdir "${site#"$ROOT"}/six"
: >"$site/six/__init__.py"
named "site-packages/six" "rm -r" --deep
as user mkdir "${site#"$ROOT"}/six-99.0.dist-info"
echo 'Name: six' >"$site/six-99.0.dist-info/METADATA"
named "six-99.0" "rm -r" --deep

step "what hides a program of the system"
echo '#!/bin/sh' >"$env/bin/ls"
named bin/ls "rm -r" --deep

step "another Python, another configuration"
as user ln -sfn /bin/true "${site#"$ROOT"}/../../../bin/python"
named bin/python "aitk apply"
echo 'include-system-site-packages = true' >>"$env/pyvenv.cfg"
named pyvenv.cfg "aitk apply --deep"

step "a file of a package is changed: seen by size and time, without --deep"
echo '# more' >>"$site/six.py"
named six.py "aitk apply --deep"
echo '. /tmp/evil' >>"$env/bin/activate"
named bin/activate "aitk apply --deep"

step "what is known of vulnerabilities is asked of a service in OSV's form, by uv; where that cannot be had, nothing is said to be well"
advisories() {
    rm -f "$WORK/advisories.port"
    "$HERE/../support/advisories" "$WORK/advisories.port" "$@" >"$WORK/advisories.log" &
    SERVER=$!
    until [[ -s $WORK/advisories.port ]]; do sleep 0.05; done
    SERVICE=http://127.0.0.1:$(<"$WORK/advisories.port")
}
advisories six=99.0.0
SHOW=8 aitk user -- verify --audit --advisories "$SERVICE"
expect_code 2
grep -q 'six 1\..*: six trusts .*what it reads (mended in 99.0.0)' "$OUT" || die "the advisory is not shown"
grep -q $'\x1b\\[31mwhat' "$OUT" && die "a stranger's words act on the terminal"
jq -e '.queries | map(.package.name) | index("six")' "$WORK/advisories.log" >/dev/null || die "it was not asked"
SHOW=0 aitk user AITK_ADVISORIES="$SERVICE" -- verify --audit --json
expect_code 2
jq -e '.data.ok and .data.audit.audited >= 1 and .data.audit.advisories[0].id == "TEST-six"' "$OUT" >/dev/null || die "its JSON"
kill "$SERVER"
for gone in "--advisories $SERVICE" "--advisories $SERVICE --offline"; do
    # shellcheck disable=SC2086 # words
    SHOW=8 aitk user -- verify --audit $gone
    expect_code 69
    grep -q AITK-E19 "$OUT" || die "it does not say why"
    if grep -q 'no advisory is known' "$OUT"; then die "it says that all is well"; fi
done
advisories other=1.0
SHOW=4 aitk user -- verify --audit --advisories "$SERVICE"
expect_code 0
grep -q 'no advisory is known for its' "$OUT" || die "it does not say what was looked at"
kill "$SERVER"

step "what came out after a time that is set is left out, as the index dates it; and all of it where nothing is old enough"
SHOW=0 aitk user -- plan --profile tiny.toml --manager venv --env old --exclude-newer 2020-01-01 --json
expect_code 0
jq -e '[.data.steps[].packages[]? | select(.name == "six") | .version] == ["1.13.0"]' "$OUT" >/dev/null || die "another six"
SHOW=8 aitk user -- plan --profile tiny.toml --manager venv --env old --exclude-newer 2001-01-01
expect_code 1
expect_one_error AITK-E03
expect_said 'what came out after 2001-01-01 is left out'
