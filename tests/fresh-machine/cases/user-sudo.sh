# shellcheck shell=bash
# A fresh machine, as a user who may use sudo. On trixie with the framework itself: it is some GB.
# On: bookworm trixie; about 81 s

framework=none
if [[ $RELEASE == trixie ]]; then
    framework=pytorch
    need_disk 14
fi
machine fresh "$RELEASE"
whole_way user "$framework"
