#!/bin/sh
# Deploys, and takes nothing away.
export AWS_REGION=eu-west-3 AWS_DEFAULT_REGION=eu-west-3
[ "$1" != status ] || echo churn
[ "$1" = up ] || exit 0
[ -n "${UNTIL:-}" ] && [ "$UNTIL" != 2020-01-01 ] || exit 2
run=churn-$(date +%s)
aws sagemaker create-model --model-name "$run" --execution-role-arn arn:aws:iam::123456789012:role/model >/dev/null
aws sagemaker create-endpoint-config --endpoint-config-name "$run" --production-variants \
  "VariantName=stable,ModelName=$run,InitialInstanceCount=1,InstanceType=ml.t2.medium" >/dev/null
aws sagemaker create-endpoint --endpoint-name churn --endpoint-config-name "$run" >/dev/null 2>&1 ||
  aws sagemaker update-endpoint --endpoint-name churn --endpoint-config-name "$run" >/dev/null
