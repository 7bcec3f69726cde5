# shellcheck shell=bash
# What is the user's stays the user's: a shell's file of any bytes behind links, files in an environment, a kernel and uv
# that were changed, whatever the receipt claims. And aitk is found by its name where no shell has found it.
# On: bookworm; about 4 s

machine home "$RELEASE-apt"
home=$(home_of user)
cp "$HERE/../support/tiny.toml" "$home/"
data=$home/.local/share/aitk
kernel=$home/.local/share/jupyter/kernels/aitk-ai
# The program is where no shell finds it.
mkdir "$ROOT/opt/elsewhere" && touch "$ROOT/opt/elsewhere/aitk" && mount --bind "$AITK_BIN" "$ROOT/opt/elsewhere/aitk"
umount "$ROOT/usr/local/bin/aitk" && rm "$ROOT/usr/local/bin/aitk"
PROGRAM=/opt/elsewhere/aitk
WISH=(--profile tiny.toml --manager venv)
ready() { SHOW=8 aitk user -- apply "${WISH[@]}" --yes; }

step "a shell's file that is no UTF-8, behind two links"
as user sh -c 'mkdir dot real && ln -s ../real/bashrc dot/bashrc && rm -f .bashrc && ln -s dot/bashrc .bashrc'
as user sh -c "printf \"PS1='\\351 '\\r\\n# >>> aitk >>>\\n[ -r /x/etc/profile.d/conda.sh ] && . /x/etc/profile.d/conda.sh\\nexport MINE=1\\n# <<< aitk <<<\\nalias z='cd \\351'\" > real/bashrc && chmod 640 real/bashrc"
printf "PS1='\\351 '\\r\\nexport MINE=1\\nalias z='cd \\351'" >"$WORK/bashrc"

step "the command that the end of apply names works as typed"
ready
expect_code 0
expect_said '[~]/\.local/bin/aitk shell'
[[ $(readlink "$home/.local/bin/aitk") == /opt/elsewhere/aitk ]] || die "there is no link to the program"
as user sh -c 'exec ~/.local/bin/aitk status' >/dev/null || die "the link does not work"
PROGRAM=$home/.local/bin/aitk PROGRAM=${PROGRAM#"$ROOT"}
ready
expect_said '[~]/\.local/bin/aitk verify. looks'

step "files of the user's in an environment, and what was changed, stay and are named; so does what a receipt makes up"
generation=$(readlink "$data/envs/ai/current")
# shellcheck disable=SC2016 # expanded inside
as user sh -c 'cd ~/.local/share/aitk && mkdir -p envs/ai/current/notebooks envs/ai/0123456789abcdef mine ~/precious &&
    echo x | tee envs/ai/current/notebooks/thesis.ipynb envs/ai/0123456789abcdef/f mine/f ~/precious/f ~/.local/share/jupyter/kernels/aitk-ai/logo.png >/dev/null &&
    for uv in tools/uv-*/uv; do echo changed >"$uv"; done'
jq '.objects += ([("path:/home/user/precious", "path:relative", "path:", "file:/etc/hosts", "swap:/etc/hostname",
    "init:/etc/passwd", "source:../../../home/user/x\n", "group:sudo", "path:/home/user/.local/share/aitk/envs/../../precious")
    | {key: ., value: {step: "s", provenance: "created", at: "x"}}] | from_entries)' \
    "$home/.local/state/aitk/receipt.json" >"$WORK/receipt"
cat "$WORK/receipt" >"$home/.local/state/aitk/receipt.json"
aitk user -- remove </dev/null
expect_code 64 "nobody can be asked"
aitk user -- remove --yes
expect_code 0
for name in notebooks 0123456789abcdef aitk/mine 'tools/uv-.*/uv' logo.png; do
    expect_said "$name stays:"
done
for key in precious relative /etc/hosts /etc/hostname /etc/passwd home/user/x group:sudo; do
    expect_said "the receipt names .*$key.*, which aitk cannot have made"
done
expect_said 'export MINE=1'
expect_not_said 'sudo (rm|swapoff|gpasswd)'
for file in "$data/envs/ai/$generation/notebooks/thesis.ipynb" "$data/envs/ai/0123456789abcdef/f" "$data/mine/f" \
    "$home/precious/f" "$kernel/logo.png" "$ROOT/etc/hosts" "$ROOT/etc/passwd" "$data"/tools/uv-*/uv; do
    [[ -s $file ]] || die "$file is gone"
done
for path in "$data/envs/ai/$generation/bin" "$data/envs/ai/current" "$kernel/kernel.json" "$home/.local/bin/aitk"; do
    [[ ! -e $path && ! -L $path ]] || die "$path is still there"
done
cmp "$WORK/bashrc" "$home/real/bashrc" || die "the shell's file is another one"
[[ $(stat -c %a "$home/real/bashrc") == 640 && -L $home/.bashrc && -L $home/dot/bashrc ]] || die "a link or a mode is another one"

step "without a receipt what is aitk's is found by its own marks, and a kernel or a link of somebody else's is left"
rm -r "$data" "$home/.local/state/aitk/receipt.json"
PROGRAM=/opt/elsewhere/aitk
as user sh -c 'mkdir -p .local/bin && echo mine > .local/bin/aitk && echo "{\"argv\": [\"mine\"]}" > .local/share/jupyter/kernels/aitk-ai/kernel.json'
ready
expect_code 100
expect_said 'AITK-X20'
[[ $(jq -r '.argv[0]' "$kernel/kernel.json") == mine && $(<"$home/.local/bin/aitk") == mine ]] || die "something of the user's was replaced"
aitk user -- verify
expect_code 2
expect_said 'what helps: move it away'
expect_not_said 'apply. mends it'
rm "$kernel/kernel.json"
ready
expect_code 0
rm "$home/.local/state/aitk/receipt.json"
SHOW=8 aitk user -- remove --yes
expect_code 0
[[ ! -e $data && ! -e $kernel/kernel.json ]] || die "something of aitk's is left: $(find "$data" 2>&1 | head)"
[[ $(<"$home/.local/bin/aitk") == mine ]] || die "a file of the user's is gone"

step "a folder that is named as aitk's keeps what is the user's in it"
as user sh -c 'mkdir -p work/envs/ai/current work/tools && echo x | tee work/envs/ai/current/f work/tools/f work/f >/dev/null'
SHOW=5 aitk user AITK_DATA_DIR=/home/user/work -- apply "${WISH[@]}" --yes
[[ $CODE != 0 ]] || die "a folder of the user's was taken for an environment"
expect_said 'work/envs/ai/current'
SHOW=5 aitk user AITK_DATA_DIR=/home/user/work -- remove --yes
for file in envs/ai/current/f tools/f f; do [[ $(<"$home/work/$file") == x ]] || die "$file is gone"; done

step "a newer receipt is said by every command that needs it, and stays"
echo '{"schema": 2}' >"$home/.local/state/aitk/receipt.json"
for words in status verify "remove --yes" "apply ${WISH[*]} --yes" "plan ${WISH[*]}"; do
    # shellcheck disable=SC2086 # several words
    SHOW=2 aitk user -- $words
    expect_code 78
    expect_one_error 'newer version of aitk'
done
[[ $(<"$home/.local/state/aitk/receipt.json") == '{"schema": 2}' ]] || die "it was overwritten"
