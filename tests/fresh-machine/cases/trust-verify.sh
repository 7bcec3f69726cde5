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

step "no framework is named that is not there"
aitk user -- status
grep -qi pytorch "$OUT" && die "status names a framework that was not installed"
[[ $(aitk user -- status --json && jq -r .data.framework "$OUT") == *null ]] || die "a framework in JSON"

# `named WHAT REMEDY [--deep]`: verify finds this and says what helps; that is done, and then nothing is found.
named() {
    local what=$1 remedy=$2 said
    shift 2
    SHOW=8 aitk user -- verify --json "$@"
    expect_code 2
    jq -e --arg what "$what" '.data.findings | length == 1 and (.[0].message | contains($what))' "$OUT" >/dev/null ||
        die "verify does not name $what alone"
    said=$(jq -r '.data.findings[0].remedy' "$OUT")
    [[ $said == "$remedy"* ]] || die "the remedy is \`$said\`"
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
