# shellcheck shell=bash
# All judges on a project with all parts.
# On: trixie; about 600 s
machine check "$RELEASE-apt"
lend_wheels user
as root apt-get install -y -q --no-install-recommends prometheus prometheus-alertmanager nginx-light docker-compose git >/dev/null 2>&1 || true
SHOW=80 aitk user -- apply --budget sme --platform containers --manager venv --part ab --part monitoring --part drift --part logs --check --yes
keep_wheels user
expect_code 0
du -sh "$(home_of user)/.cache/aitk/judges" || true
