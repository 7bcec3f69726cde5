# shellcheck shell=bash
# Another process holds dpkg's lock, as unattended upgrades do on a fresh machine.
# On: bookworm; about 82 s

# Perl is in every Debian; apt and dpkg take POSIX locks, which flock(1) does not.
# `hold_lock SECONDS FILE`
hold_lock() {
    # shellcheck disable=SC2016 # perl's own variables
    as root perl -e '
        use Fcntl qw(:DEFAULT :flock);
        $0 = "upgrader";
        open(my $file, "+>>", $ARGV[1]) or die $!;
        my $lock = pack("s s l! l! i", F_WRLCK, 0, 0, 0, 0);
        fcntl($file, F_SETLK, $lock) or die $!;
        open(my $mark, ">", "/tmp/held"); close($mark);
        sleep($ARGV[0]);' "$@" &
    until [[ -e $ROOT/tmp/held ]]; do sleep 0.1; done
    rm "$ROOT/tmp/held"
}

machine locked "$RELEASE"
lend_wheels user

step "the lock stays held"
hold_lock 60 /var/lib/dpkg/lock-frontend
holder=$!
aitk user -- apply --budget low --framework none --yes --lock-wait 3
expect_code 75
expect_said '(upgrader|perl).*process [0-9]+'
kill "$(pgrep -x upgrader)"
wait "$holder" || true

# `released_later FILE`: the lock on this file is released 5 s after aitk has met it.
released_later() {
    hold_lock 600 "$1"
    (
        until grep -qs 'waiting for' "$WORK/output/$((RUN + 1)).err"; do sleep 0.2; done
        sleep 5
        kill "$(pgrep -x upgrader)"
    ) &
}

step "the lock on the lists is released 5 s after aitk has met it"
rm -f "$ROOT"/var/lib/apt/lists/*_*
released_later /var/lib/apt/lists/lock
SHOW=12 aitk user -- apply --budget low --framework none --yes
expect_code 0
expect_said 'waiting for (upgrader|perl).*lists/lock'

step "dpkg's lock is released 5 s after aitk has met it"
as root DEBIAN_FRONTEND=noninteractive apt-get -y -qq remove git >/dev/null
released_later /var/lib/dpkg/lock-frontend
SHOW=12 aitk user -- apply --budget low --framework none --yes
expect_code 0
expect_said 'waiting for'
SHOW=0 aitk user -- verify
expect_code 0
