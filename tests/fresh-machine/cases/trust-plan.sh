# shellcheck shell=bash
# A stranger's file asks and never commands: saved plans, bundles and profiles that would write what they do not show.
# On: bookworm; about 7 s

machine trust "$RELEASE-apt"
home=$(home_of user)
state=$home/.local/share/aitk
cp "$HERE/../support/tiny.toml" "$home/tiny.toml"
SHOW=0 aitk user -- plan --profile tiny.toml --manager venv --framework none -o plan.json
expect_code 0

# `refused CODE WHAT FILTER [FLAG…]`: the plan, changed so, is refused, and nothing of root's or the user's was made.
refused() {
    local code=$1 what=$2 filter=$3
    jq "$filter" "$home/plan.json" >"$home/changed.json"
    SHOW=4 aitk user -- apply changed.json --yes "${@:4}"
    expect_code "$code"
    expect_one_error "$what"
    [[ ! -e $state/envs ]] || die "something was built from it"
    [[ ! -e $ROOT/etc/sudoers.d/zz-evil ]] || die "root wrote what the plan asked for"
}

step "a plan that shows a library and means a rule for sudo"
refused 78 'AITK-C30' '.data.steps |= [(.[] | select(.id == "libraries")
    | .kind = "system-file" | .spec = {path: "/etc/sudoers.d/zz-evil", content: "user ALL=(ALL) NOPASSWD: ALL\n"})]'

step "a plan with sources of its own"
refused 64 'AITK-C31.*--index-url http://127.0.0.1:9/simple' '.data.choices.index_url = "http://127.0.0.1:9/simple"'

step "a plan with a name that is a path"
refused 78 'name of an environment' '.data.choices.env = "../../../../work"'

step "a profile that writes as root, or installs a file as a package"
{ cat "$home/tiny.toml"; printf '[[step]]\nid = "hold"\nphase = "check"\nkind = "driver-hold"\ntitle = "t"\nwhy = "w"\npath = "/etc/sudoers.d/zz-evil"\ncontent = "x"\n'; } >"$home/evil.toml"
SHOW=4 aitk user -- apply --profile evil.toml --manager venv --framework none --yes
expect_code 78
expect_one_error 'AITK-P07.*hold'
{ cat "$home/tiny.toml"; printf '[[step]]\nid = "deb"\nphase = "check"\nkind = "apt-packages"\ntitle = "t"\nwhy = "w"\npackages = ["/home/user/x.deb"]\n'; } >"$home/evil.toml"
SHOW=4 aitk user -- apply --profile evil.toml --manager venv --framework none --yes
expect_code 78
expect_one_error 'package of the system'

step "a lock whose packages come from elsewhere"
SHOW=0 aitk user -- lock --profile tiny.toml --manager venv --framework none -o pylock.toml
expect_code 0
sed -E 's#^(url = "|.*url = ")https?://[^/"]+#\1http://127.0.0.1:9#' "$home/pylock.toml" >"$home/elsewhere.toml"
SHOW=4 aitk user -- apply --profile tiny.toml --manager venv --framework none --locked elsewhere.toml --yes
expect_code 64
expect_one_error 'AITK-C31.*http://127.0.0.1:9'
[[ ! -e $state/envs ]] || die "something was built from it"
SHOW=4 aitk user -- apply --profile tiny.toml --manager venv --framework none --locked elsewhere.toml --yes --accept-sources
expect_code 69 "nothing answers there, and it was asked"

step "the plan itself"
SHOW=4 aitk user -- apply plan.json --yes
expect_code 0
jq -e '.environments.ai.choices.index_url == null' "$home/.local/state/aitk/receipt.json" >/dev/null || die "a source was kept"
SHOW=3 aitk user -- apply plan.json --yes
expect_code 0
expect_said "Nothing to do"
