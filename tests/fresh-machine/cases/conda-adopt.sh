# shellcheck shell=bash
# A conda that is there already is found, left alone, and used on request.
# On: trixie; about 59 s

serve_channel
machine fresh "$RELEASE"
WISH=(--budget low --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --framework none --user-only --yes)

step "somebody's own conda, in its usual place"
SHOW=3 aitk user -- apply "${WISH[@]}"
expect_code 0
# What Miniforge's installer makes: the same packages, in one folder.
# shellcheck disable=SC2016  # the machine's own shell expands it
as user sh -c 'cp -a "$(readlink -f .local/share/aitk/envs/base/current)" miniforge3 && rm -rf .local/share/aitk .local/state/aitk'
# shellcheck disable=SC2016
chroot "$ROOT" sh -c 'sed -i "s|/home/user/.local/share/aitk/envs/base/[0-9a-f]*|/home/user/miniforge3|g" \
    $(grep -rlI .local/share/aitk/envs/base /home/user/miniforge3/bin /home/user/miniforge3/condabin /home/user/miniforge3/etc)'
rm "$(home_of user)/miniforge3/.condarc"
content_of "$(home_of user)/miniforge3" >"$WORK/before"
aitk user -- detect --json
jq -e '.data.conda[0].path == "/home/user/miniforge3"' "$OUT" >/dev/null || die "it was not found"

step "it is left alone"
SHOW=3 aitk user -- apply "${WISH[@]}"
expect_code 0
content_of "$(home_of user)/miniforge3" >"$WORK/after"
expect_same "$WORK/before" "$WORK/after" "the user's own conda"

step "it is used on request"
as user rm -rf .local/share/aitk .local/state/aitk
SHOW=12 aitk user -- apply "${WISH[@]}" --conda-base miniforge3
expect_code 0
[[ ! -e $(home_of user)/.local/share/aitk/envs/base ]] || die "there is a second conda"
as user bash -c '. miniforge3/etc/profile.d/conda.sh && conda activate ai && python -c "import sklearn, sys; print(sys.prefix)"'
does_nothing user "${WISH[@]}" --conda-base miniforge3

step "a place without a conda is refused"
aitk user -- apply "${WISH[@]}" --conda-base /opt
((CODE != 0)) || die "it claims success"
expect_said "no conda in /opt"
does_nothing user

step "remove leaves it there"
aitk user -- remove --yes
expect_code 0
content_of "$(home_of user)/miniforge3" >"$WORK/after"
expect_same "$WORK/before" "$WORK/after" "the user's own conda"
