# shellcheck shell=bash
# A home folder with spaces and accents, in the plainest locale.
# On: bookworm; about 26 s

machine odd "$RELEASE-apt"
as root usermod --home "/home/José et l'été à la mer" --move-home user
lend_wheels user
aitk user LC_ALL=C LANG=C -- apply --budget low --framework none --yes
expect_code 0
keep_wheels user
aitk user LC_ALL=C LANG=C -- verify --deep
expect_code 0
aitk user LC_ALL=C LANG=C -- run -- python -c 'import sys, numpy; print(sys.prefix)'
expect_code 0
expect_said 'José'
