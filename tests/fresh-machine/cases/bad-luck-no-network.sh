# shellcheck shell=bash
# No network at all: one message, soon, and the exit code for it.
# On: bookworm; about 9 s

# Everything but the network is as before.
offline() {
    local user=$1 since=$EPOCHREALTIME
    shift
    OUT=$WORK/offline.out ERR=$WORK/offline.err CODE=0
    echo "+ ($user) aitk $*, without a network"
    # shellcheck disable=SC2016 # expanded inside
    unshare --net bash -c 'source "$1/lib.sh" && ROOT=$2 && shift 2 && as "$@"' bash "$HERE" "$ROOT" \
        "$user" aitk "$@" >"$OUT" 2>"$ERR" || CODE=$?
    took "$since"
    sed 's/^/  ! /' "$ERR"
    echo "  = $CODE after $SECONDS_TAKEN s"
    expect_code 69
    awk -v taken="$SECONDS_TAKEN" 'BEGIN { exit !(taken <= 10) }' || die "it took $SECONDS_TAKEN s to say so"
    [[ $(grep -c '^error\[' "$ERR") == 1 ]] || die "there is not exactly one message"
}

step "Python is there, the environment is not"
machine python "$RELEASE-apt"
offline user apply --budget low --framework none --yes

step "not even Python is there"
machine bare "$RELEASE"
rm -rf "$ROOT"/var/lib/apt/lists/*_*
offline user apply --budget low --framework none --yes
