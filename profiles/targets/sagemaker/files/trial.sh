#!/usr/bin/env bash
# A trial account: the alarm first, and what is left of the trial. ./sagemaker/trial.sh up|down
set -euo pipefail
cd "$(dirname "$0")"
export AWS_PAGER='' AWS_DEFAULT_REGION=«parameters.region» AWS_REGION=«parameters.region»
stack=«parameters.name ~ "-trial"»

up() {
  aws sts get-caller-identity --query Account --output text
  aws cloudformation deploy --stack-name "$stack" --template-file trial.yaml --no-fail-on-empty-changeset
  # Only one region knows that.
  aws freetier get-account-plan-state --region us-east-1 --output table ||
    echo "how long the trial lasts could not be asked: look in the console, under Billing" >&2
}
down() {
  aws cloudformation delete-stack --stack-name "$stack"
  aws cloudformation wait stack-delete-complete --stack-name "$stack"
}

case ${1:-} in
up | down) "$1" ;;
*)
  echo "$0 up|down" >&2
  exit 2
  ;;
esac
