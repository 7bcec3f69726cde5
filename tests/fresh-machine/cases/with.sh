# shellcheck shell=bash
# What is asked for besides comes with the environment, is proven, and works by hand.

machine with "$RELEASE-apt"
lend_wheels user
WISH=(--budget low --framework none --manager venv --with "mlflow,pytest,poetry" --yes)
aitk user -- apply "${WISH[@]}"
expect_code 0
for proof in 'MLflow .* logs a run' 'pytest .* tells' 'Poetry .* begins'; do expect_said "$proof"; done
keep_wheels user
aitk user -- verify
expect_code 0
as user aitk run -- mlflow --version
aitk user -- apply "${WISH[@]}"
expect_said 'Nothing to do'
aitk user -- apply --budget low --with mlfow --yes
expect_code 64
expect_one_error 'AITK-P04'
expect_said 'with mlflow'
