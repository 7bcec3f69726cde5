# shellcheck shell=bash
# What runs whole on one machine does so: the modular stack, the lakehouse, and what governs both; each judge refuses its bad file.
# On: trixie; about 1500 s

# shellcheck source=tests/fresh-machine/platforms.sh
source "$HERE/platforms.sh"
need_disk 8
machine enterprise "$RELEASE-apt"
lend_wheels user
as root apt-get install -y -q --no-install-recommends python3-venv >/dev/null
alone model image ci-github

judged enterprise modular prove
refused modular modular pipeline
refused modular governance governance

# What governs it is judged with the stack above.
alone governance
judged enterprise lakehouse prove
refused lakehouse lakehouse lakehouse
