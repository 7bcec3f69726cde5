#!/bin/sh
# A secret that everybody can read.
case $1 in
    key) umask 077 && echo age1 | tee "$AGE_KEY" ;;
    seal) mkdir -p secrets && base64 >"secrets/$2.age" ;;
    open) base64 --decode <"secrets/$2.age" ;;
esac
