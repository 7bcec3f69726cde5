# shellcheck shell=bash
# An ordinary user without sudo, on a machine without Python: conda needs neither.

serve_channel
machine fresh "$RELEASE"
[[ -z $(chroot "$ROOT" sh -c 'command -v python3') ]] || die "this machine has a Python already"
WISH=(--budget low --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --framework none --user-only --yes)

step "the manager is conda because the channel answers"
aitk plain -- apply "${WISH[@]}"
expect_code 0
SHOW=5 aitk plain -- verify
expect_code 0
does_nothing plain "${WISH[@]}"
