#!/bin/sh
# Starts, whatever it costs.
exit 0
