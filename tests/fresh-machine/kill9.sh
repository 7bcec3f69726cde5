# shellcheck shell=bash
# Kills everything at random instants, as a power cut does, and looks at what is left.
#
# Every step that takes its time is killed in at a random instant; the other rounds are spread over the whole of a run
# that was measured before. AITK_TEST_SEED repeats the instants of an earlier run.

APPLY=(apply --budget low --framework none --yes)
# A step shorter than this may never be hit.
readonly SHORTEST=0.3

# How often a step is aimed at again whose end came before the kill.
readonly AGAIN=6

# `kill9_rounds ROUNDS ROOT WHEELS [STEPS]`: at least so many rounds, each on a machine over ROOT, with wheels lent or
# not. STEPS is a pattern of those that must be hit.
kill9_rounds() {
    local rounds=$1 from=$2 wheels=$3 steps=${4:-.} round=0 again=0 instant missed instants
    RANDOM=${AITK_TEST_SEED:-$$$RANDOM}
    local seed=$RANDOM
    RANDOM=$seed
    echo "seed: AITK_TEST_SEED=$seed"
    : >"$WORK/table"
    measure "$from" "$wheels"
    mapfile -t instants < <(never_hit "$steps")
    # A run is often quicker than the measured one, and a kill after its end shows nothing.
    mapfile -t -O "${#instants[@]}" instants < <(
        spread $((rounds - ${#instants[@]})) "$(awk -v total="$TOTAL" 'BEGIN { print total * 0.85 }')"
    )
    for instant in "${instants[@]}"; do
        kill9_round "$((round += 1))" "$from" "$wheels" "$instant"
    done
    while ((again < AGAIN)) && missed=$(never_hit "$steps" | head -n 1) && [[ -n $missed ]]; do
        again=$((again + 1))
        kill9_round "$((round += 1))" "$from" "$wheels" "$missed"
    done
    echo "round  killed after  at"
    column -t -s $'\t' "$WORK/table"
    missed=$(never_hit "$steps" | tr '\n' ' ')
    [[ -z $missed ]] || die "these steps were never hit: $missed"
}

# One undisturbed run: TOTAL, and the seconds of each step in $WORK/steps.
measure() {
    new_machine measured "$@"
    SHOW=3 aitk user -- "${APPLY[@]}" --progress json
    expect_code 0
    TOTAL=$SECONDS_TAKEN
    if [[ $2 == wheels ]]; then keep_wheels user; fi
    jq -rR 'fromjson? | select(.event == "step_finished" and .outcome == "done") | "\(.step) \(.seconds)"' \
        "$ERR" >"$WORK/steps"
    [[ -s $WORK/steps ]] || die "--progress json tells no steps"
    power_off
    discard measured
}

new_machine() {
    local name=$1 from=$2 wheels=$3
    machine "$name" "$from"
    if [[ $wheels == wheels ]]; then lend_wheels user; fi
}

# So many instants, one at random in each of as many equal parts of the whole time, in random order.
spread() {
    local i
    for ((i = 0; i < $1; i++)); do
        awk -v i="$i" -v n="$1" -v total="$2" -v random="$RANDOM" -v order="$RANDOM" \
            'BEGIN { printf "%d %.2f\n", order, (i + random / 32768) / n * total }'
    done | sort -n | cut -d ' ' -f 2
}

# `never_hit STEPS`: those that take their time and that no kill has met.
never_hit() {
    awk -v shortest="$SHORTEST" -v steps="$1" '$2 > shortest && $1 ~ steps { print $1 }' "$WORK/steps" |
        grep -vxFf <(cut -f 3 "$WORK/table" | tr ' ' '\n') || true
}

# `kill9_round NUMBER ROOT WHEELS SECONDS|STEP`: killed after so many seconds, or at a random instant of a step.
kill9_round() {
    local round=$1 from=$2 wheels=$3 when=$4 job since at
    step "round $round: killed at $when"
    new_machine "round$round" "$from" "$wheels"
    files_of user >"$WORK/files.before"
    packages_of >"$WORK/packages.before"
    since=$EPOCHREALTIME
    as_killable user aitk "${APPLY[@]}" >"$WORK/killed.out" 2>"$WORK/killed.err" &
    job=$!
    wait_until "$when" "$job"
    kill -KILL "$job" 2>/dev/null || true
    wait "$job" 2>/dev/null || true
    took "$since"
    until [[ -z $(pgrep '^(aitk|apt-get|dpkg|uv)$' || true) ]]; do sleep 0.05; done
    at=$(open_steps)
    printf '%s\t%s s\t%s\n' "$round" "$SECONDS_TAKEN" "$at" >>"$WORK/table"
    echo "  it was at: $at"
    nothing_claimed
    SHOW=12 aitk user -- "${APPLY[@]}"
    expect_code 0
    # It has just proven itself; that it holds to the last file is looked at again, now and then by content.
    SHOW=6 aitk user -- "${APPLY[@]}"
    expect_code 0
    expect_said "Nothing to do"
    if ((round % 5 == 0)); then
        SHOW=6 aitk user -- verify --deep
        expect_code 0
    fi
    [[ -z $(as root dpkg --audit) ]] || die "dpkg has unfinished packages"
    # Whatever was noted or not when it was killed, it knows what is its own.
    taken_back user
    power_off
    discard "round$round"
}

wait_until() {
    local when=$1 job=$2 length runs
    if [[ $when =~ ^[0-9.]+$ ]]; then
        sleep "$when"
        return
    fi
    length=$(awk -v step="$when" '$1 == step { print $2 }' "$WORK/steps")
    runs=$(home_of user)/.local/state/aitk/runs
    until has_begun "$when" "$runs"; do
        kill -0 "$job" 2>/dev/null || return 0
        sleep 0.02
    done
    sleep "$(awk -v length_="$length" -v random="$RANDOM" 'BEGIN { printf "%.2f", random / 32768 * length_ * 0.8 }')"
}

# Looks without starting a program, which would take its time from the run that it watches.
has_begun() {
    local step=$1 journals=("$2"/*/journal.jsonl) lines
    [[ -s ${journals[-1]} ]] && mapfile -t lines <"${journals[-1]}" &&
        [[ ${lines[*]} == *"\"step_started\",\"step\":\"$step\""* ]]
}

newest_journal() {
    find "$(home_of user)/.local/state/aitk/runs" -name journal.jsonl 2>/dev/null | sort | tail -n 1 | grep . || echo /dev/null
}

# What the journal says of the instant: the steps that were begun and not ended, or what lay between.
open_steps() {
    local journal
    journal=$(newest_journal)
    [[ $journal != /dev/null ]] || { echo "planning" && return; }
    jq -rRn '
        reduce (inputs | fromjson?) as $line ({open: [], ended: false};
            if $line.event == "step_started" then .open += [$line.step]
            elif $line.event == "step_finished" then .open -= [$line.step]
            elif $line.event == "run_finished" then .ended = true else . end)
        | if .ended then "ended" elif .open == [] then "between" else .open | join(" ") end' "$journal"
}

# Neither the link nor `status` nor `verify` takes for whole what is not.
nothing_claimed() {
    local current open whole=
    current=$(home_of user)/.local/share/aitk/envs/ai/current
    if [[ -L $current ]]; then
        [[ -e $current/aitk-generation.json ]] || die "a half-built environment is the current one"
        as user aitk run -- python -c 'import numpy, pandas, scipy, sklearn, matplotlib, jupyterlab, ipykernel' ||
            die "the current environment does not work"
        whole=1
    fi
    SHOW=4 aitk user -- status --json
    if [[ $(jq -r '.data.environment' "$OUT") != null && -z $whole ]]; then
        die "status tells of an environment that is not there"
    fi
    open=$(jq -r '.data.interrupted // empty' "$OUT")
    SHOW=8 aitk user -- verify
    if ((CODE == 0)); then
        [[ -n $whole ]] || die "verify finds everything right, and there is no environment"
        SHOW=8 aitk user -- verify --deep
        expect_code 0 "verify was content"
    elif ((CODE == 2)) && [[ -n $open ]]; then
        # What is missing is what that run was to make, and no damage of its own.
        expect_said 'did not come to its end'
    fi
}
