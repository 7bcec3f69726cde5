#!/bin/sh
# The proofs of the plan: all of them, or those that are named.
set -eu

export AITK_KERNEL=@KERNEL@ AITK_ACCELERATOR_KIND=@ACCELERATOR@ PYTHONUTF8=1 TF_CPP_MIN_LOG_LEVEL=3

[ $# -gt 0 ] || set -- @CHECKS@
for name in "$@"; do
    python -c "$(cat "/opt/aitk/checks/$name.py")" </dev/null
done
