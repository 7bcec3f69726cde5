# shellcheck shell=bash
# What the cases about drivers have at hand: a repository of a vendor's, and a device that has no driver.
#
# The packages are stand-ins with the real ones' names; apt, dpkg and the signatures are real. The device is a stand-in,
# too: nothing but what the kernel would tell of an RTX 3060 on the PCI bus.

# `tell_of_device RUN…`: makes the kernel's folder of devices tell of it; RUN is how a command is run as root.
tell_of_device() {
    "$@" bash -c '
        mount -t tmpfs tmpfs /sys/bus && mkdir -p /sys/bus/pci/devices/0000:01:00.0 && cd /sys/bus/pci/devices/0000:01:00.0 &&
            echo 0x10de >vendor && echo 0x2504 >device && echo 0x030000 >class'
}

# `driver_rows URL FINGERPRINT [KEY]`: the catalog's rows, with the vendor's repository at this address.
driver_rows() {
    cat <<TOML
[[apt.source]]
name = "nvidia-container-toolkit"
uri = "$1/"
suite = "./"
arches = { x86_64 = "amd64", aarch64 = "arm64" }
key = "$1/${3:-key.asc}"
fingerprint = "$2"
packages = ["nvidia-container-toolkit*", "libnvidia-container*"]
source = "the tests"
as_of = "2026-11-24"

[[apt.source]]
name = "nvidia"
uri = "$1/"
suite = "./"
arches = { x86_64 = "x86_64", aarch64 = "sbsa" }
key = "$1/${3:-key.asc}"
fingerprint = "$2"
packages = ["nvidia-*", "libnvidia-*", "cuda-*"]
source = "the tests"
as_of = "2026-11-24"

[[apt.driver]]
os = "debian"
versions = ["12", "13"]
open = true
server = false
version = "580.65.06"
source_name = "nvidia"
pin = "580.*"
custom = ["nvidia-open"]
estimate = { download = "1 MB", disk = "2 MB" }
source = "the tests"
as_of = "2026-11-24"
TOML
}

# `profile_of ID…`: a profile with these steps of the budget, which need each other in this order.
profile_of() {
    local ids=$*
    awk -v RS= -v ids="^(${ids// /|})\$" '
        /^# The budget/ || /\[memory\]/ { print $0 "\n" }
        match($0, /id = "[^"]*"/) {
            id = substr($0, RSTART + 6, RLENGTH - 7)
            if (id !~ ids) next
            sub(/needs = \[[^\]]*\]/, "needs = [" (before ? "\"" before "\"" : "") "]")
            before = id
            print $0 "\n"
        }' "$HERE/../../profiles/low.toml"
}
