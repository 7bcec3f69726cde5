# shellcheck shell=bash
# Conda from a real channel on loopback: a machine without Python becomes one with conda, mamba and an environment.
# On: trixie; about 48 s

serve_channel
PYTHON=$(channel_python)
WISH=(--budget low --manager conda --channel "$CHANNEL_URL/conda-forge" --python "$PYTHON" --framework none)

machine fresh "$RELEASE"
[[ -z $(chroot "$ROOT" sh -c 'command -v python3') ]] || die "this machine has a Python already"

home=$(home_of user)
files_of user >"$WORK/files.before"
packages_of >"$WORK/packages.before"

step "the plan is exact"
aitk user -- plan "${WISH[@]}" --json
expect_code 0
jq -e '.data.manager == "conda"' "$OUT" >/dev/null || die "the plan is not for conda"
jq -e '[.data.steps[] | select(.kind == "layer") | .packages[]] | length > 50 and all(.sha256 and .size and .build)' \
    "$OUT" >/dev/null || die "a package of the plan has no build, size or hash"
planned=$(jq -r '[.data.steps[].packages[] | select(.build) | "\(.name) \(.version) \(.build)"] | unique | .[]' "$OUT")

step "apply, with new shells that know conda"
aitk user SHELL=/bin/bash -- apply "${WISH[@]}" --init-shell --yes
expect_code 0
step "verify"
SHOW=10 aitk user -- verify
expect_code 0
SHOW=10 aitk user -- verify --deep
expect_code 0
aitk user -- status --json
jq -e '.data.environment.manager == "conda"' "$OUT" >/dev/null || die "status does not say conda"

step "what is there is what was planned"
there=$(find "$home/.local/share/aitk/envs" -path '*/conda-meta/*.json' -exec jq -r '"\(.name) \(.version) \(.build)"' {} + | sort -u)
diff <(sort -u <<<"$planned") <(echo "$there") >&2 || die "the environments hold something else than the plan"

step "apply again"
does_nothing user "${WISH[@]}" --init-shell --yes

step "a new shell knows conda, mamba and the environment by its name"
as user bash -ic 'conda activate ai && python -c "import sys; print(sys.prefix)" && conda list | tail -n 5 && mamba --version' \
    >"$WORK/shell.out" 2>&1 || die "$(cat "$WORK/shell.out")"
cat "$WORK/shell.out"
grep -q 'envs/ai' "$WORK/shell.out" || die "activating leads elsewhere"

step "conda lists what the lock names"
as user aitk run -- conda list --json 2>/dev/null | jq -r '.[] | "\(.name) \(.version) \(.build_string)"' | sort -u >"$WORK/listed"
as user aitk lock "${WISH[@]}" -o locked.lock
# Only the environment's part, by the files' names.
sed '/^packages:/,$d' "$home/locked.lock" | awk '/^  base:/ { base = 1 } /^  default:/ { base = 0 } !base' |
    sed -nE 's#.*/([^/]+)\.conda$#\1#p' | sort -u >"$WORK/locked"
sed 's/ /-/g' "$WORK/listed" | sort -u >"$WORK/listed.names"
[[ -s $WORK/locked ]] || die "the lock could not be read"
diff "$WORK/locked" "$WORK/listed.names" >&2 || die "conda lists something else than the lock names"

step "remove takes back what aitk has made, and the shell's file is as it was"
rm "$home/locked.lock"
SHOW=10 aitk user -- remove --dry-run
expect_code 0
[[ -L $home/.local/share/aitk/envs/ai/current ]] || die "a dry run removed the environment"
taken_back user
! grep -q aitk "$home/.bashrc" || die "aitk's lines are still in .bashrc"
[[ ! -e $home/.local/share/aitk ]] || die "aitk's own folder is still there"
