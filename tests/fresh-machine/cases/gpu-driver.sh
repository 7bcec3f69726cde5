# shellcheck shell=bash
# NVIDIA's driver from the vendor's repository: only by name, only with the right key, only what is meant to come from it
# and can be built for the kernel, held back from unattended upgrades, in use after a restart alone, and taken back.
# On: bookworm trixie; about 11 s

# shellcheck source=tests/fresh-machine/driver.sh
source "$HERE/driver.sh"
serve_apt
machine driver "$RELEASE-apt"
tell_of_device chroot "$ROOT"
home=$(home_of user)
mkdir -p "$home/.config/aitk"
profile_of accelerator.source accelerator.driver accelerator.hold check.restart >"$home/driver.toml"
WISH=(--profile driver.toml --framework none --yes)
catalog() { driver_rows "$APT_URL" "$@" >"$home/.config/aitk/catalog.toml"; }
# What belongs to apt's settings, with its content.
settings_of() { (cd "$ROOT/etc" && find apt -type f -print0 | sort -z | xargs -0 -r sha256sum); }
settings_of >"$WORK/settings.before"
packages_of >"$WORK/packages.before"
changed_nothing() {
    settings_of >"$WORK/settings.after"
    packages_of >"$WORK/packages.after"
    expect_same "$WORK/settings.before" "$WORK/settings.after" "apt's settings"
    expect_same "$WORK/packages.before" "$WORK/packages.after" "the installed packages"
}

step "without --drivers none is installed, and the plan says how"
catalog "$(cat "$APT/fingerprint")"
aitk user -- apply "${WISH[@]}"
expect_code 0
changed_nothing
SHOW=60 aitk user -- plan --profile driver.toml --framework none
expect_said 'add --drivers'

step "a key that is not the catalog's is refused before anything changes"
catalog "$(cat "$APT/fingerprint")" wrong.asc
aitk user -- apply "${WISH[@]}" --drivers
expect_code 1
expect_one_error 'AITK-A06'
changed_nothing
other=$(sed -nE 's/.* is ([0-9A-F]{40}),.*/\1/p' "$ERR")

step "a repository that the key did not sign is refused, and nothing of it stays"
catalog "$other" wrong.asc
aitk user -- apply "${WISH[@]}" --drivers
expect_code 1
expect_one_error 'AITK-A05'
changed_nothing

step "a driver that cannot be built for this kernel is refused before dkms tries"
catalog "$(cat "$APT/fingerprint")"
cat >>"$home/.config/aitk/catalog.toml" <<'TOML'

[[nvidia.outgrown]]
kernel = "1.0"
branch = "580"
first = "580.999"
source = "the tests"
as_of = "2026-11-29"
TOML
aitk user -- apply "${WISH[@]}" --drivers
expect_code 1
expect_one_error 'AITK-A11'
packages_of >"$WORK/packages.after"
expect_same "$WORK/packages.before" "$WORK/packages.after" "the installed packages"

step "with the right one the driver comes, and the run ends with a restart to make"
catalog "$(cat "$APT/fingerprint")"
aitk user -- apply "${WISH[@]}" --drivers
expect_code 100
expect_said '[Rr]estart'
# The repository has a newer branch as well, which is another driver.
grep -q ' 59[0-9]\.' <<<"$(chroot "$ROOT" apt-cache madison nvidia-open)" || die "there is no newer branch, so this shows nothing"
[[ $(chroot "$ROOT" dpkg-query -Wf "\${Version}" nvidia-open) == 580.* ]] || die "another branch was installed than the one that is pinned"
[[ -e $ROOT/run/reboot-required ]] || die "the stand-in did not ask for a restart: it was not configured"
grep -q nvidia- "$ROOT/etc/apt/apt.conf.d/60aitk-nvidia" || die "unattended upgrades are not kept off it"

step "nothing else comes from there"
policy=$(chroot "$ROOT" apt-cache policy curl)
grep -q 99 <<<"$(chroot "$ROOT" apt-cache madison curl)" || die "the decoy is not there, so this shows nothing: $policy"
[[ $(awk '$1 == "Candidate:" { print $2 }' <<<"$policy") != 99* ]] || die "apt would take curl from the vendor: $policy"

step "the same command before the restart asks for it again and does nothing else"
apt_traces >"$WORK/apt.before"
aitk user -- apply "${WISH[@]}" --drivers
expect_code 100
apt_traces >"$WORK/apt.after"
expect_same "$WORK/apt.before" "$WORK/apt.after" "what apt and dpkg keep"

step "Docker is told of the GPU, without touching what it was told before"
profile_of tools.docker.source tools.docker.toolkit tools.docker.gpu >"$home/docker.toml"
aitk user -- apply --profile docker.toml --framework none --with docker --env docker --yes
expect_code 0
grep -q nvidia-container-runtime "$ROOT/etc/docker/daemon.json" || die "Docker knows nothing of it"
[[ -s $ROOT/etc/cdi/nvidia.yaml ]] || die "there is no description of the devices (CDI)"
aitk user -- apply --profile docker.toml --framework none --with docker --env docker --yes
expect_code 0
expect_said 'Nothing to do'

step "remove takes the repositories back, tells the packages, and leaves the rest as it was found"
aitk user -- remove --yes
expect_code 0
settings_of >"$WORK/settings.after"
expect_same "$WORK/settings.before" "$WORK/settings.after" "apt's settings"
expect_said 'nvidia-open'
