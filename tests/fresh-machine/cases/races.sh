# shellcheck shell=bash
# Two real commands of every pair at once: each does what it says, or says that another one is at work; what is in use works afterwards, and
# the same wish comes to its end. AITK_TEST_ROUNDS says how often every pair runs.
# On: trixie; about 300 s

readonly ROUNDS=${AITK_TEST_ROUNDS:-1}
readonly COMMANDS=(apply add drop upgrade rollback clean remove verify status)

machine ready "$RELEASE-apt"
lend_wheels user
home=$(home_of user)
cp "$HERE/../support/tiny.toml" "$home/"
chmod 644 "$home/tiny.toml"
echo mine >"$home/thesis.txt"
wish=(--profile tiny.toml --manager venv --yes)

words() {
    case $1 in
        apply) echo "apply ${wish[*]}" ;;
        add) echo "add iniconfig --yes" ;;
        drop) echo "drop iniconfig --yes" ;;
        upgrade | rollback | clean | remove) echo "$1 --yes" ;;
        verify | status) echo "$1" ;;
    esac
}

# `race NAME COMMAND`: runs it beside another one, with what it says and how it ends in files of its own.
race() {
    local words code=0
    read -ra words <<<"$(words "$2")"
    as user aitk "${words[@]}" >"$WORK/$1.out" 2>&1 || code=$?
    echo "$code" >"$WORK/$1.code"
}

# What a command may end with: done, something is amiss (what the other one is just changing), another run. An error has its code.
ended_well() {
    local code
    code=$(<"$WORK/$1.code")
    ! grep -q panicked "$WORK/$1.out" || die "$2 beside $3: $(tail -n 20 "$WORK/$1.out")"
    case $code in
        0 | 75) ;;
        1 | 2) grep -qE 'AITK-|✗|nothing|Nothing|not ' "$WORK/$1.out" || die "$2 beside $3 ends with $code: $(tail -n 20 "$WORK/$1.out")" ;;
        *) die "$2 beside $3 ends with $code: $(tail -n 20 "$WORK/$1.out")" ;;
    esac
    ((code != 75)) || grep -q 'another run' "$WORK/$1.out" || die "$2 beside $3 does not say why: $(tail -n 20 "$WORK/$1.out")"
}

# Two generations, with a package of the user's own in the one in use.
ready() {
    if ! as user test -e .local/share/aitk/envs/ai/current/lib; then
        SHOW=0 aitk user -- apply "${wish[@]}" >/dev/null
        expect_code 0
    fi
    if ! compgen -G "$home/.local/share/aitk/envs/ai/current/lib/python3*/site-packages/iniconfig" >/dev/null; then
        SHOW=0 aitk user -- add iniconfig --yes >/dev/null
        expect_code 0
    fi
}

ready
waits=0
for ((round = 0; round < ROUNDS; round++)); do
    for ((one = 0; one < ${#COMMANDS[@]}; one++)); do
        for ((two = one; two < ${#COMMANDS[@]}; two++)); do
            first=${COMMANDS[one]} second=${COMMANDS[two]}
            ready
            race first "$first" &
            race second "$second" &
            wait
            ended_well first "$first" "$second"
            ended_well second "$second" "$first"
            if grep -qx 75 "$WORK/first.code" "$WORK/second.code"; then waits=$((waits + 1)); fi
            [[ $(<"$home/thesis.txt") == mine ]] || die "$first beside $second: the user's file is changed"
            if as user test -e .local/share/aitk/envs/ai/current; then
                as user .local/share/aitk/envs/ai/current/bin/python -c 'import six' || die "$first beside $second: what is in use does not work"
                SHOW=0 aitk user -- verify --deep >/dev/null
                # shellcheck disable=SC2153 # what aitk ends with
                ((CODE == 0)) || die "$first beside $second: $(cat "$OUT" "$ERR")"
            elif [[ $first != remove && $second != remove ]]; then
                die "$first beside $second: nothing is in use"
            fi
        done
    done
done
say "of all pairs $waits met each other"
((waits > 0)) || die "no two ever met"
SHOW=2 aitk user -- remove --all --yes
expect_code 0
[[ ! -e $home/.local/share/aitk ]] || die "something is left: $(find "$home/.local/share/aitk")"
