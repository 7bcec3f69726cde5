# shellcheck shell=bash
# The restart that a driver asks for, in a virtual machine with a kernel and a systemd of its own: the run stops there,
# and the same command goes on afterwards.
# On: trixie; about 163 s

# shellcheck source=tests/fresh-machine/vm.sh
source "$HERE/vm.sh"
# shellcheck source=tests/fresh-machine/driver.sh
source "$HERE/driver.sh"
serve_apt
vm_start
vm_lend "${APT_URL##*:}"
vm_put "$AITK_BIN" /usr/local/bin/aitk
# With a swap file for the guest's little memory.
profile_of system.swap accelerator.source accelerator.driver accelerator.hold check.restart |
    sed 's/^swap_below = .*/swap_below = "4 GiB"/; s/^swap_size = .*/swap_size = "64 MiB"/' >"$WORK/driver.toml"
driver_rows "$APT_URL" "$(cat "$APT/fingerprint")" >"$WORK/catalog.toml"
vm_as tester mkdir -p .config/aitk
vm_put "$WORK/driver.toml" /home/tester/driver.toml
vm_put "$WORK/catalog.toml" /home/tester/.config/aitk/catalog.toml
tell_of_device vm_run
# shellcheck disable=SC2034 # lib.sh uses it
AS=vm_as
WISH=(--profile driver.toml --framework none --drivers --yes)
boot_id() { vm_run cat /proc/sys/kernel/random/boot_id; }

step "the driver is installed, and a restart is asked for"
aitk tester -- apply "${WISH[@]}"
expect_code 100
expect_said '[Rr]estart'
vm_run test -e /run/reboot-required || die "the stand-in did not ask for a restart"
swap_is_on() { vm_run grep -q '^/swapfile ' /proc/swaps || die "there is no swap: $(vm_run cat /proc/swaps /etc/fstab)"; }
swap_is_on
[[ $(vm_run stat -c %a /swapfile) == 600 ]] || die "others can read what was swapped out"
before=$(boot_id)

step "after the restart the same command comes to its end"
vm_restart
[[ $(boot_id) != "$before" ]] || die "the guest was not restarted"
swap_is_on
tell_of_device vm_run
aitk tester -- apply "${WISH[@]}"
expect_code 0

step "and then there is nothing to do"
aitk tester -- apply "${WISH[@]}"
expect_code 0
expect_said 'Nothing to do'

step "remove takes the swap file back as well"
aitk tester -- remove --yes
expect_code 0
if vm_run grep -q swapfile /proc/swaps /etc/fstab || vm_run test -e /swapfile; then die "the swap file is still there"; fi
vm_stop
