# shellcheck shell=bash
# Many environments: 64 with 10,000 packages in all, from a channel of 30,000 names, and 200 runs of earlier. What only looks, and what has
# nothing to do, takes no more memory than it may (64 MB); how long it takes is said, for a quarter of them and for all.
# On: bookworm; about 500 s

readonly ENVIRONMENTS=64 EACH=156 RUNS=200 MOST=64000
serve_channel
cp -al "$CHANNEL/many" "$WORK/load"
"$HERE/../support/load/packages" "$WORK/load" "$EACH"
serve load "$WORK" && LOAD_URL=$URL/load

machine ready "$RELEASE-apt"
home=$(home_of user)
python3 - "$HERE/../support/tiny.toml" "$EACH" >"$home/load.toml" <<'END'
import sys
wanted = ", ".join(f'"load-{number:03}"' for number in range(int(sys.argv[2])))
print(open(sys.argv[1]).read().replace('requirements = ["six"]', f'requirements = []\nconda = [{wanted}]'), end="")
END
cat >"$ROOT/usr/local/bin/measured" <<'END'
#!/usr/bin/python3
import os, sys
process = os.spawnv(os.P_NOWAIT, "/usr/local/bin/aitk", ["aitk", *sys.argv[1:]])
_, status, usage = os.wait4(process, 0)
open(os.path.expanduser("~/most"), "w").write(str(usage.ru_maxrss))
sys.exit(os.waitstatus_to_exitcode(status))
END
chmod 755 "$ROOT/usr/local/bin/measured"
wish=(--profile load.toml --manager conda --channel "$LOAD_URL" --python "$(channel_python)" --yes)

# `measure WORD…`: what it takes, and that it is no more memory than it may be.
measure() {
    PROGRAM=measured SHOW=2 aitk user -- "$@"
    expect_code 0
    local most
    most=$(<"$home/most")
    say "$1${2:+ $2}: $SECONDS_TAKEN s, $((most / 1000)) MB"
    ((most <= MOST)) || die "aitk $* takes $most kB"
}
all() {
    say "$1 environments:"
    measure status --history
    measure apply "${wish[@]}" --env e1
    expect_said 'Nothing to do'
    measure clean --dry-run
    measure remove --dry-run
}

step "environments"
for ((number = 1; number <= ENVIRONMENTS; number++)); do
    SHOW=0 aitk user -- apply "${wish[@]}" --env "e$number" >/dev/null
    expect_code 0
    ((number != ENVIRONMENTS / 4)) || all "$number"
done
packages=$(find "$home/.local/share/aitk/envs" -path '*/conda-meta/*.json' | wc -l)
((packages > 10000)) || die "there are only $packages packages"

step "runs of earlier"
runs=$home/.local/state/aitk/runs
while (($(find "$runs" -mindepth 1 -maxdepth 1 -type d | wc -l) < RUNS)); do
    last=$(find "$runs" -mindepth 1 -maxdepth 1 -type d | sort | tail -n 1)
    cp -a "$last" "${last%-*}-$(printf 'x%05d' $RANDOM)"
done
all "$ENVIRONMENTS"
