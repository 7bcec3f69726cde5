# shellcheck shell=bash
# An ordinary user without sudo, on a machine without Python and without certificates: conda needs none of them.
# On: bookworm; about 19 s

serve_channel
machine fresh "$RELEASE"
[[ -z $(chroot "$ROOT" sh -c 'command -v python3') ]] || die "this machine has a Python already"
[[ ! -e $ROOT/etc/ssl/certs/ca-certificates.crt ]] || die "this machine has certificates"
mapfile -t SESSION < <(printf '%s\n' "${SESSION[@]}" | grep -v '=/etc/aitk-test-ca.crt$')
WISH=(--budget low --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --framework none --user-only --yes)

step "the manager is conda because the channel answers"
aitk plain -- apply "${WISH[@]}"
expect_code 0
SHOW=5 aitk plain -- verify
expect_code 0
does_nothing plain "${WISH[@]}"
