# shellcheck shell=bash
# After `remove --all` the whole file tree is as it was before the first `apply`, but for what apt itself leaves: with a
# virtual environment, with conda and its lines in the shell's file, and with a project.
# On: trixie; about 100 s

# What apt, dpkg and what they start leave, as docs/reliability.md lists it.
APT_LEAVES='^/var/(lib/(apt|dpkg)|cache/(apt|debconf|ldconfig|man)|log/(apt|dpkg\.log|alternatives\.log))(/|$)'

# Folders of the desktop's standard, as everybody makes them: whose an empty one is nobody can tell.
EVERYBODYS='^/home/user/\.(cache|local(/share(/jupyter(/kernels)?)?|/state)?)$'

# Everything in the machine with its kind, rights, owner and content; what the kernel or a restart makes anew aside.
whole_tree() {
    (
        cd "$ROOT" || exit
        local aside=(-path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./tmp)
        find . \( "${aside[@]}" \) -prune -o -printf '/%P %y %m %U %G %l\n'
        find . \( "${aside[@]}" \) -prune -o -type f -print0 | xargs -0 -r sha256sum | sed 's|^\([^ ]*\)  \.|\1 |'
    ) | sort
}

# `gone WHAT`: takes it all away, and compares.
gone() {
    SHOW=6 aitk user -- remove --all --yes
    expect_code 0
    whole_tree >"$WORK/tree.after"
    diff "$WORK/tree.before" "$WORK/tree.after" >"$WORK/difference" || true
    sed -nE 's/^[<>] (([0-9a-f]{64}) )?(\/[^ ]*).*/\3/p' "$WORK/difference" |
        sort -u >"$WORK/tree.different"
    grep -vE -e "$APT_LEAVES" -e "$EVERYBODYS" "$WORK/tree.different" >"$WORK/tree.left" || true
    [[ ! -s $WORK/tree.left ]] || {
        head -n 40 "$WORK/tree.left"
        die "$1 leaves more than apt does"
    }
}

serve_channel
machine ready "$RELEASE-apt"
# What sudo leaves in a home with the first command is none of aitk's.
as user sudo -n true
printf 'alias mine=true' >"$(home_of user)/.bashrc"
whole_tree >"$WORK/tree.before"

step "a virtual environment"
lend_wheels user
SHOW=5 aitk user -- apply --budget low --framework none --yes
expect_code 0
gone "a virtual environment"

step "conda, with lines in the shell's file"
SHOW=5 aitk user SHELL=/bin/bash -- apply --budget low --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" \
    --framework none --init-shell --yes
expect_code 0
grep -q "aitk" "$(home_of user)/.bashrc" || die "the shell's file has no lines of aitk's"
gone "conda"

step "a project, which goes in its own folder"
SHOW=5 aitk user -- apply --budget sme --platform containers --user-only --yes -o work
expect_code 0
as user bash -c 'cd work && aitk remove --yes' | tail -n 3
gone "a project"
