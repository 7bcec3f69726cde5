# shellcheck shell=bash
# The folders for environments and downloads are too small, and /var is: it says so, takes nothing half-done for whole, and goes on
# once there is room.
# On: bookworm; about 55 s

# Everything of the user's is on a disk of this size; the room can grow later.
machine small "$RELEASE-apt"
home=$(home_of user)
mkdir -p "$home/disk"
mount -t tmpfs -o size=300m tmpfs "$home/disk"
chroot "$ROOT" chown -R user: /home/user/disk
small=(AITK_DATA_DIR=/home/user/disk/data AITK_CACHE_DIR=/home/user/disk/cache)

step "a plan sees that there is too little room"
aitk user "${small[@]}" -- apply --budget low --framework none --yes
((CODE != 0)) || die "it claims success on a disk of 300 MB"
expect_said '(space|room|left|needed)'
[[ ! -e $home/disk/data/envs/ai/current ]] || die "a half-built environment is in use"

step "the disk fills up on the way"
# There seems to be room, but another program takes it meanwhile.
mount -o remount,size=1500m "$home/disk"
(
    until [[ -n $(find "$home/disk/data/envs" -name numpy -print -quit 2>/dev/null) ]]; do sleep 0.1; done
    head -c 1500m /dev/zero >"$home/disk/ballast" 2>/dev/null || true
) &
aitk user "${small[@]}" -- apply --budget low --framework none --yes
kill $! 2>/dev/null || true
((CODE != 0)) || die "it claims success on a full disk"
expect_said '(No space left|no space|free)'
[[ ! -e $home/disk/data/envs/ai/current ]] || die "a half-built environment is in use"
SHOW=10 aitk user "${small[@]}" -- verify
((CODE != 0)) || die "verify takes a half-built environment for whole"

step "there is room again"
rm "$home/disk/ballast"
aitk user "${small[@]}" -- apply --budget low --framework none --yes
expect_code 0
aitk user "${small[@]}" -- verify --deep
expect_code 0
power_off

step "/var is too small"
machine var "$RELEASE-apt"
cp -a "$ROOT/var" "$WORK/var"
used=$(du -sk "$WORK/var" | cut -f 1)
mount -t tmpfs -o "mode=755,size=$((used + 1000))k" tmpfs "$ROOT/var"
cp -a "$WORK/var/." "$ROOT/var/"
{
    sed '/^\[\[step/,$d' "$HERE/../support/tiny.toml"
    printf '[[step]]\nid = "system.repair"\nphase = "system"\nkind = "apt-repair"\ntitle = "Repair"\nwhy = "w"\n'
    printf '[[step]]\nid = "system.gawk"\nphase = "system"\nkind = "apt-packages"\ntitle = "Install gawk"\nwhy = "w"\npackages = ["gawk"]\nneeds = ["system.repair"]\n'
} >"$(home_of user)/gawk.toml"
wish=(apply --profile gawk.toml --manager venv --yes)
aitk user -- "${wish[@]}"
expect_code 1
expect_said 'it takes .* and /var has .* left'

step "/var fills up while dpkg works"
mount -o "remount,size=$((used + 100000))k" "$ROOT/var"
echo 'DPkg::Pre-Invoke { "head -c 500m /dev/zero >/var/ballast 2>/dev/null || true"; };' >"$ROOT/etc/apt/apt.conf.d/99fills"
SHOW=12 aitk user -- "${wish[@]}"
((CODE != 0)) || die "it claims success on a full /var"
expect_one_error 'AITK-A12.*No space left'

step "there is room again"
rm "$ROOT/var/ballast" "$ROOT/etc/apt/apt.conf.d/99fills"
SHOW=12 aitk user -- "${wish[@]}"
expect_code 0
[[ -z $(as root dpkg --audit) ]] || die "dpkg has unfinished packages"
as user gawk 'BEGIN { exit 0 }'
