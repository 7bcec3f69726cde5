#!/bin/sh
# Starts what costs, and nobody has looked at what the month costs.
[ "$1" = up ] || exit 0
[ -n "${UNTIL:-}" ] && [ "$UNTIL" != 2020-01-01 ] && [ -n "${ALERT:-}" ] || exit 2
doctl registry create churn-images
