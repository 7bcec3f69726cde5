# shellcheck shell=bash
# A home folder with spaces and accents, in the plainest locale, with conda. (An apostrophe cannot be: the packages
# themselves write their folder into quotes, and the plan says so.)
# On: trixie; about 54 s

serve_channel
machine odd "$RELEASE"
as root usermod --home "/home/José à la mer" --move-home user
WISH=(--budget low --manager conda --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --framework none
    --user-only --init-shell --yes)
aitk user LC_ALL=C LANG=C SHELL=/bin/bash -- apply "${WISH[@]}"
expect_code 0
SHOW=3 aitk user LC_ALL=C LANG=C -- verify --deep
expect_code 0
SHOW=3 aitk user LC_ALL=C LANG=C -- run -- python -c 'import sys, numpy; print(sys.prefix)'
expect_code 0
expect_said 'José'

step "a new shell knows the environment by its name"
as user bash -ic 'conda activate ai && python -c "import sys; print(sys.prefix)"' >"$WORK/shell.out" 2>"$WORK/shell.err" ||
    die "$(cat "$WORK/shell.err")"
grep -q 'José.*envs/ai' "$WORK/shell.out" || die "activating leads elsewhere: $(cat "$WORK/shell.out" "$WORK/shell.err")"
