#!/bin/sh
# Says whether what this machine logs arrives: where it is sent to somebody answers, and for ten seconds nothing was refused, for then
# systemd would have had to start it anew.
said=$(curl --silent --show-error --noproxy '*' --max-time 10 --cacert «parameters.logs_trust» --output /dev/null «parameters.logs_url» 2>&1) || {
    echo "$said"
    exit
}
since=$(systemctl show --property=ActiveEnterTimestampMonotonic --value aitk-shipping)
now=$(cut -d . -f 1 /proc/uptime)
if systemctl is-active --quiet aitk-shipping && [ $((now - since / 1000000)) -ge 10 ]; then
    echo "it sends, and nothing was refused"
else
    echo "it ends and starts anew, or has only just started: journalctl --unit aitk-shipping says why"
fi
