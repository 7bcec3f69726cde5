#!/bin/sh
# The proofs of the plan: all of them, or those that are named.
set -eu

export AITK_KERNEL=«environment.kernel» AITK_ACCELERATOR_KIND=«accelerator.kind» PYTHONUTF8=1 TF_CPP_MIN_LOG_LEVEL=3

[ $# -gt 0 ] || set -- «proofs|map(attribute="name")|words»
for name in "$@"; do
    python -c "$(cat "/opt/aitk/checks/$name.py")" </dev/null
done
