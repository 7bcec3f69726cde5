# shellcheck shell=bash
# What is asked for besides comes with the environment, is proven, and works by hand.
# On: bookworm; about 94 s

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

home=$(home_of user)
cp "$HERE/execute.py" "$home/execute.py"
# `execute NOTEBOOK [NAME=VALUE…]`: runs a notebook to its end in the environment; what it said is in $OUT.
execute() {
    local notebook=$1
    shift
    echo "+ $notebook $*"
    OUT=$WORK/output/executed ERR=$WORK/output/executed.err
    as user "$@" aitk run -- python execute.py "$notebook" >"$OUT" 2>"$ERR" ||
        die "$notebook failed: $(tail -n 30 "$OUT" "$ERR")"
    sed 's/^/  | /' "$OUT"
}

step "the notebook for anywhere installs what is missing, with the hashes of the lock"
aitk user -- export notebook --budget low --framework none --with mlflow -o any.ipynb
expect_code 0
# Two are missing, and one is older than scikit-learn wants it.
as user aitk run -- pip uninstall --quiet --yes threadpoolctl flask
as user aitk run -- pip install --quiet --disable-pip-version-check --no-deps joblib==1.3.2
execute any.ipynb
for said in 'Platform: none' 'Installed: flask [0-9].*joblib [0-9].*threadpoolctl [0-9]' 'answers as the saved one' "'accuracy': 0\.9" 'There is no PyTorch here'; do
    expect_said "$said"
done
[[ -s $home/aitk-starter-notebook/runs.db && -s $home/aitk-starter-notebook/digits.joblib ]] || die "nothing was kept"

step "what a person mistypes, and what does not go together"
aitk user -- apply --budget free
expect_code 64
expect_one_error 'AITK-N02.*platform'
expect_said 'platform kaggle .*hours'
aitk user -- apply --budget free --platform kagle
expect_code 64
expect_one_error 'AITK-P06'
expect_said 'did you mean .--platform kaggle'
aitk user -- apply --budget low --platform kaggle --yes
expect_code 64
expect_one_error 'AITK-N03.*--platform does not go with --budget low'
aitk user -- apply --budget free --platform colab --push
expect_code 64
expect_one_error 'AITK-N06'
expect_said 'File › Upload notebook'
aitk user -- lock --budget free
expect_code 64
expect_one_error 'AITK-N01'

step "for Kaggle, where nothing is kept but in its own folder"
aitk user -- plan --budget free --platform kaggle --detailed-exitcode --json
expect_code 2
jq -e '[.data.steps[] | select(.status == "skipped") | .packages[]] | length > 50 and all(.sha256)' "$OUT" >/dev/null || die "$(cat "$OUT")"
jq -e '.data.steps[] | select(.id == "project") | .status == "needed" and (.spec.files | length == 3 and all(.change == "write"))' "$OUT" >/dev/null || die "$(cat "$OUT")"
[[ ! -e $home/aitk-kaggle ]] || die "a plan writes"
aitk user -- apply --budget free --platform kaggle
expect_code 64
expect_one_error 'AITK-C0[0-9].*'
[[ ! -e $home/aitk-kaggle ]] || die "nobody agreed to it"
aitk user -- apply --budget free --platform kaggle --yes
expect_code 0
expect_said 'Project .kaggle. in .*/aitk-kaggle'
expect_said 'push. sends the folder'
expect_not_said 'JupyterLab'
times_of "$home/aitk-kaggle" >"$WORK/times.before"
aitk user -- apply --budget free --platform kaggle --yes
expect_code 0
expect_said 'Nothing to do'
as user env -C aitk-kaggle aitk status --json >"$WORK/status.json"
jq -e '.data.project | .platform == "kaggle" and .changed == [] and .files == 3' "$WORK/status.json" >/dev/null || die "$(cat "$WORK/status.json")"
jq -e '.data.wish.budget == "low"' "$WORK/status.json" >/dev/null || die "what was wished for here is forgotten"
times_of "$home/aitk-kaggle" >"$WORK/times.after"
expect_same "$WORK/times.before" "$WORK/times.after" "the folder"
mkdir -p "$ROOT/kaggle/working"
chroot "$ROOT" chown user: /kaggle/working
as user aitk run -- pip uninstall --quiet --yes threadpoolctl
# Kaggle's image is made from Colab's, and has its signs.
execute aitk-kaggle/aitk-starter-notebook.ipynb KAGGLE_KERNEL_RUN_TYPE=Batch COLAB_RELEASE_TAG=release
expect_said 'Platform: kaggle'
# The hashes are for another Python than this.
expect_said 'installed by version alone'
expect_said 'Installed: threadpoolctl'
[[ -s $ROOT/kaggle/working/aitk-starter-notebook/runs.db ]] || die "nothing was kept"

step "Kaggle's own client: what it would send, and what it would send it with"
PUSH=(apply --budget free --platform kaggle --offline --push --yes)
aitk user -- "${PUSH[@]}"
expect_code 1
expect_one_error 'AITK-N05'
as user aitk run -- pip install --quiet --disable-pip-version-check kaggle six
# aitk as a program of the environment finds it there.
printf '#!/bin/sh\nexec aitk run -- aitk "$@"\n' >"$ROOT/usr/local/bin/inside"
chmod +x "$ROOT/usr/local/bin/inside"
# `push CODE MESSAGE [ARGUMENT…]`: without a network, so nothing can be sent.
push() {
    AS=as_offline PROGRAM=inside aitk user -- "${PUSH[@]}" "${@:3}"
    expect_code "$1"
    expect_one_error "$2"
}
push 77 'AITK-N04.*there are none'
key=0123456789abcdef0123456789abcdef
credentials=$home/.kaggle/kaggle.json
mkdir "$home/.kaggle"
echo "{\"username\": \"ada\", \"key\": \"$key\"}" >"$credentials"
chroot "$ROOT" chown -R user: /home/user/.kaggle
push 77 'AITK-N04.*others on this machine can read'
chmod 600 "$credentials"
echo "{\"username\": \"ada\", \"key\": $key" >"$credentials"
push 77 'AITK-N04.*is no JSON'
echo "{\"username\": \"ada\", \"key\": \"$key\"}" >"$credentials"
push 1 'AITK-N07'
expect_said 'kaggle kernels push -p .*/aitk-kaggle'
expect_said '[Rr]esol.*kaggle\.com'
grep -q '"id": "ada/aitk-starter-notebook"' "$home/aitk-kaggle/kernel-metadata.json" || die "whose notebook it is stands nowhere"
! grep -rq "$key" "$home/aitk-kaggle" "$WORK/output" || die "the key was copied or shown"
as_offline user aitk run -- kaggle kernels push -p aitk-kaggle >"$WORK/client.out" 2>&1 && die "it was sent"
! grep -q 'does not resolve to the specified id' "$WORK/client.out" || die "the slug is not that of the title"
sed -i 's/"language": "python"/"language": "cobol"/' "$home/aitk-kaggle/kernel-metadata.json"
as_offline user aitk run -- kaggle kernels push -p aitk-kaggle >"$WORK/client.out" 2>&1 && die "it was sent"
grep -q 'A valid language must be specified' "$WORK/client.out" || die "the client does not look: $(cat "$WORK/client.out")"

step "for Colab without its own module, in French"
as user mkdir colab
as user touch colab/mine.txt
aitk user -- apply --budget free --platform colab --lang fr -o colab --yes
expect_code 1
[[ $(ls -A "$home/colab") == mine.txt ]] || die "it was written into"
aitk user -- apply --budget free --platform colab --lang fr -o colab --yes --force
expect_code 0
execute colab/aitk-starter-notebook.ipynb COLAB_RELEASE_TAG=release
expect_said 'Plateforme : colab'
expect_said 'Installé : rien'
# Where nothing else is kept it is the folder of the first notebook, with its record.
[[ $(grep -c "'accuracy'" "$OUT") == 2 ]] || die "the first run is forgotten"
expect_said 'disparaît avec la session'

step "for Studio Lab"
aitk user -- apply --budget free --platform studio-lab --accelerator cpu --yes
expect_code 0
as user aitk run -- python -c '
import yaml
with open("aitk-studio-lab/environment.yml") as file:
    environment = yaml.safe_load(file)
assert environment["name"] != "base" and "ipykernel" in environment["dependencies"], environment'
mkdir "$ROOT/home/studio-lab-user"
chroot "$ROOT" chown user: /home/studio-lab-user
execute aitk-studio-lab/aitk-starter-notebook.ipynb
expect_said 'Platform: studio-lab'
[[ -s $ROOT/home/studio-lab-user/aitk-starter-notebook/digits.joblib ]] || die "nothing was kept"

step "the notebook becomes a product by the command that its README says, and what is the user's stays"
command=$(sed -n 's/^aitk \(apply --budget sme .*\)$/\1/p' "$home/aitk-kaggle/README.md")
as user mkdir -p aitk-kaggle/src/churn
as user sh -c 'echo "# mine" >aitk-kaggle/src/churn/data.py'
echo "+ aitk $command"
# shellcheck disable=SC2086
as user env -C aitk-kaggle aitk $command --yes >"$OUT" 2>&1 || die "$(tail -n 20 "$OUT")"
[[ $(cat "$home/aitk-kaggle/src/churn/data.py") == "# mine" ]] || die "the user's data are gone"
[[ -s $home/aitk-kaggle/Makefile && -s $home/aitk-kaggle/kernel-metadata.json ]] || die "what the user has changed is gone"
[[ ! -e $home/aitk-kaggle/aitk-starter-notebook.ipynb ]] || die "what nobody has changed stays"
as user env -C aitk-kaggle aitk status --json >"$WORK/status.json"
jq -e '.data.project | .platform == "containers" and .conflicts == []' "$WORK/status.json" >/dev/null || die "$(cat "$WORK/status.json")"
