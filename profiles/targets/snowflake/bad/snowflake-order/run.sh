#!/bin/sh
# Starts what costs, and nothing watches it.
[ "$1" = up ] || exit 0
[ -n "${UNTIL:-}" ] && [ "$UNTIL" != 2020-01-01 ] || exit 2
snow sql --query 'create warehouse churn_ml'
