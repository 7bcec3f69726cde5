#!/usr/bin/env bash
«% if parts.ab %»
# Amazon SageMaker AI: ./sagemaker/run.sh up|share|promote|status|down. It needs the AWS CLI, Docker and credentials.
«% else %»
# Amazon SageMaker AI: ./sagemaker/run.sh up|status|down. It needs the AWS CLI, Docker and credentials.
«% endif %»
«% include "managed/common.sh" %»
export AWS_PAGER='' AWS_DEFAULT_REGION=«parameters.region» AWS_REGION=«parameters.region»
sm() { aws sagemaker "$@"; }
exists() { "$@" >/dev/null 2>&1; }
resource() {
  aws cloudformation describe-stack-resource --stack-name "$name" --logical-resource-id "$1" \
    --query StackResourceDetail.PhysicalResourceId --output text
}
filled() { # a file with its @…@ filled, as the AWS CLI wants it named
  sed -e "s|@RUN@|$run|g; s|@ROLE@|$role|g; s|@BUCKET@|$bucket|g; s|@IMAGE@|$image|g" \
    -e "s|@ALGORITHM@|${algorithm:-}|g; s|@MODEL@|${model:-}|g; s|@PACKAGE@|${package:-}|g" "$1" >"$made/$1"
  echo "file://$made/$1"
}

built() { # builds the image with what lies in model/, brings it to the account's registry, and says its name
  local repository
  [[ -d ../model ]] || { echo "there is no model yet: make train promote" >&2; return 1; }
  repository=$(aws ecr describe-repositories --repository-names "$(resource Repository)" --query 'repositories[0].repositoryUri' --output text)
  aws ecr get-login-password | docker login --username AWS --password-stdin "${repository%%/*}" >&2
  # SageMaker takes no image that has attestations beside it.
  docker build --platform linux/amd64 --provenance=false --tag "$repository:$run" .. >&2
  docker push "$repository:$run" >&2
  echo "$repository:$run"
}

trained() { # trains with an algorithm, registers what came out, and says its name
  local algorithm=$1 job=$name-$run-$1 model
  sm create-training-job --cli-input-json "$(filled training-job.json)" >/dev/null
  sm wait training-job-completed-or-stopped --training-job-name "$job"
  [[ $(sm describe-training-job --training-job-name "$job" --query TrainingJobStatus --output text) == Completed ]]
  model=$(sm describe-training-job --training-job-name "$job" --query ModelArtifacts.S3ModelArtifacts --output text)
  sm create-model-package --cli-input-json "$(filled model-package.json)" --query ModelPackageArn --output text
}
approve() { sm update-model-package --model-package-arn "$1" --model-approval-status Approved >/dev/null; }
approved() {
  sm list-model-packages --model-package-group-name "$name" --model-approval-status "$1" --sort-by CreationTime \
    --sort-order Descending --no-paginate --query 'ModelPackageSummaryList[0].ModelPackageArn' --output text
}
create_model() { # VARIANT PACKAGE
  local package=$2
  sm create-model --cli-input-json "$(filled "model-$1.json")" >/dev/null
}

up() {
  ends
  aws sts get-caller-identity >/dev/null
«% if parts.trial %»
  ./trial.sh up
«% endif %»
  # The budget comes with it: money is watched before anything costs.
  aws cloudformation deploy --stack-name "$name" --template-file stack.yaml --capabilities CAPABILITY_IAM \
    --no-fail-on-empty-changeset --parameter-overrides "Until=$end"
  bucket=$(resource Bucket)
  role=$(aws iam get-role --role-name "$(resource Role)" --query Role.Arn --output text)
  image=${IMAGE:-$(built)}
  exists sm describe-model-package-group --model-package-group-name "$name" ||
    sm create-model-package-group --cli-input-json "$(filled model-package-group.json)" >/dev/null
«% if parts.ab %»
  # What is approved stays; the first time there is nothing yet, and the simpler model is that.
  stable=$(approved Approved)
  if [[ $stable == None ]]; then
    stable=$(trained logistic)
    approve "$stable"
  fi
  create_model stable "$stable"
  create_model candidate "$(trained "${ALGORITHM:-forest}")"
«% else %»
  stable=$(trained "${ALGORITHM:-forest}")
  approve "$stable"
  create_model stable "$stable"
«% endif %»
  sm create-endpoint-config --cli-input-json "$(filled endpoint-config.json)" >/dev/null
  if exists sm describe-endpoint --endpoint-name "$name"; then
    sm update-endpoint --endpoint-name "$name" --endpoint-config-name "$name-$run" >/dev/null
  else
    sm create-endpoint --endpoint-name "$name" --endpoint-config-name "$name-$run" --tags "Key=project,Value=$name" >/dev/null
  fi
  sm wait endpoint-in-service --endpoint-name "$name"
  sm describe-endpoint --endpoint-name "$name" --query '[EndpointStatus,ProductionVariants[].[VariantName,CurrentWeight]]' --output json
  echo "it ends: $end"
}
«% if parts.ab %»

share() { # the requests are shared as weights.json says
  sm update-endpoint-weights-and-capacities --cli-input-json file://weights.json >/dev/null
  sm wait endpoint-in-service --endpoint-name "$name"
}
promote() { # the candidate is approved and gets all requests; the next `up` makes it the stable one
  local package
  package=$(approved PendingManualApproval)
  [[ $package != None ]] || { echo "there is no candidate" >&2; exit 1; }
  approve "$package"
  sm update-endpoint-weights-and-capacities --endpoint-name "$name" --desired-weights-and-capacities \
    VariantName=stable,DesiredWeight=0 VariantName=candidate,DesiredWeight=1 >/dev/null
  sm wait endpoint-in-service --endpoint-name "$name"
}
«% endif %»

status() { # what costs by the hour in this region, whoever made it
  echo "in $AWS_REGION, by the hour:"
  sm list-endpoints --query 'Endpoints[].[EndpointName,EndpointStatus]' --output text
  sm list-training-jobs --status-equals InProgress --query 'TrainingJobSummaries[].[TrainingJobName,TrainingJobStatus]' --output text
  sm list-notebook-instances --query 'NotebookInstances[].[NotebookInstanceName,NotebookInstanceStatus]' --output text
}

ours() { [[ $1 =~ ^$name(-[0-9]{12}(-[a-z]+)?)?$ ]]; }
take_endpoint() { if [[ $1 == "$name" ]]; then gone sm delete-endpoint --endpoint-name "$1"; fi; }
take_config() { if ours "$1"; then gone sm delete-endpoint-config --endpoint-config-name "$1"; fi; }
take_model() { if ours "$1"; then gone sm delete-model --model-name "$1"; fi; }
take_job() { if ours "$1"; then gone sm stop-training-job --training-job-name "$1"; fi; }
take_package() { gone sm delete-model-package --model-package-name "$1"; }
take_group() {
  [[ $1 == "$name" ]] || return 0
  each take_package sm list-model-packages --model-package-group-name "$1" --query 'ModelPackageSummaryList[].ModelPackageArn' --output text
  gone sm delete-model-package-group --model-package-group-name "$1"
}
down() {
  aws sts get-caller-identity >/dev/null
  bucket=$(resource Bucket 2>/dev/null) || bucket=
  each take_endpoint sm list-endpoints --name-contains "$name" --query 'Endpoints[].EndpointName' --output text
  each take_job sm list-training-jobs --name-contains "$name" --status-equals InProgress --query 'TrainingJobSummaries[].TrainingJobName' --output text
  each take_config sm list-endpoint-configs --name-contains "$name" --query 'EndpointConfigs[].EndpointConfigName' --output text
  each take_model sm list-models --name-contains "$name" --query 'Models[].ModelName' --output text
  each take_group sm list-model-package-groups --name-contains "$name" --query 'ModelPackageGroupSummaryList[].ModelPackageGroupName' --output text
  gone aws cloudformation delete-stack --stack-name "$name"
  gone aws cloudformation wait stack-delete-complete --stack-name "$name"
«% if parts.trial %»
  echo "the alarm of the trial stays until ./sagemaker/trial.sh down"
«% endif %»
  if [[ -n $bucket ]]; then echo "the bucket stays, with the models: aws s3 rb --force s3://$bucket"; fi
  status || failed=1
  return "$failed"
}

case ${1:-} in
«% if parts.ab %»
up | share | promote | status | down) "$1" ;;
*)
  echo "$0 up|share|promote|status|down" >&2
«% else %»
up | status | down) "$1" ;;
*)
  echo "$0 up|status|down" >&2
«% endif %»
  exit 2
  ;;
esac
