#!/bin/sh
# Secrets in files that may be committed: encrypted by age for whoever stands in recipients.txt, and for nobody else.
#
#   secrets.sh key           makes a key of your own, and prints the line for recipients.txt
#   secrets.sh seal NAME     encrypts what comes on standard input
#   secrets.sh open NAME     prints it
set -eu
here=$(cd "$(dirname "$0")" && pwd)
key=${AGE_KEY:-$HOME/.config/age/key.txt}

case ${1:-}:${2:-} in
    key:)
        [ ! -e "$key" ] || { age-keygen -y "$key" && exit; }
        mkdir -p "$(dirname "$key")"
        (umask 077 && age-keygen -o "$key" 2>/dev/null)
        age-keygen -y "$key"
        ;;
    seal:*[!a-z0-9_-]* | open:*[!a-z0-9_-]*)
        echo "a name has small letters, digits, - and _" >&2
        exit 2
        ;;
    seal:?*)
        grep -q '^age1' "$here/recipients.txt" || { echo "nobody stands in recipients.txt yet" >&2 && exit 1; }
        mkdir -p "$here/secrets"
        # Aside, and then in one move: what is there stays whole if this fails.
        age --encrypt --armor --recipients-file "$here/recipients.txt" --output "$here/secrets/.$2.new"
        mv "$here/secrets/.$2.new" "$here/secrets/$2.age"
        ;;
    open:?*) age --decrypt --identity "$key" "$here/secrets/$2.age" ;;
    *) sed -n '2,6s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
