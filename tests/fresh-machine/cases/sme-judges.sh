# shellcheck shell=bash
# The tools of those who read such files find nothing wrong in a project with all its parts, and find what is.
# On: trixie; about 330 s

machine judges "$RELEASE-apt"
lend_wheels user
home=$(home_of user)
as root apt-get install -y -q --no-install-recommends prometheus prometheus-alertmanager nginx-light docker-compose \
    >/dev/null
WISH=(--budget sme --platform containers --manager venv --check --yes)

step "every tool judges every part"
aitk user -- apply "${WISH[@]}" --part ab --part drift --part logs
keep_wheels user
expect_code 0
expect_not_said 'is not here'
aitk user -- apply --yes
expect_said 'Nothing to do'

step "what is wrong is found by the tool whose business it is"
printf 'FROM debian\nRUN cd /tmp && apt-get install curl\n' >"$home/churn/Dockerfile"
printf 'groups: [{name: a, rules: [{alert: b, expr: "up =="}]}]\n' >"$home/churn/observability/prometheus/rules.yml"
SHOW=60 aitk user -- apply --yes
expect_code 1
for tool in hadolint promtool-rules; do expect_said "$tool"; done
