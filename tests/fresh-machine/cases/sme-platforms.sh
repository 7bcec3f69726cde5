# shellcheck shell=bash
# What the clouds and the data platforms get is judged by their makers' own tools and against stand-ins, and every judge refuses its
# bad file. What all of them have is judged by sme-judges.
# On: trixie; about 480 s

# shellcheck source=tests/fresh-machine/platforms.sh
source "$HERE/platforms.sh"
need_disk 6
machine platforms "$RELEASE-apt"
lend_wheels user
alone model image ci-github managed

for row in "sagemaker ab trial" "vertex-ai ab trial" "azure-ml ab trial" "digitalocean" "databricks ab trial drift" "snowflake ab trial"; do
    read -r platform parts <<<"$row"
    # shellcheck disable=SC2086 # each is a word
    judged sme "$platform" prove $parts
    refused "$platform" "$platform" "$platform"
done

step "the price of a cloud is told in the person's language"
aitk user -- plan --budget sme --platform sagemaker --part ab --no-resolve --lang fr
expect_code 0
expect_said 'de mémoire, non vérifié'
expect_not_said 'remembered'
