# shellcheck shell=bash
# Power cuts at any instant of a run with conda: solving, downloading, unpacking, linking, moving the link.
# On: bookworm; about 135 s

# shellcheck source=tests/fresh-machine/kill9.sh
source "$HERE/kill9.sh"
serve_channel
APPLY+=(--manager conda --channel "$CHANNEL_URL/conda-forge" --python "$(channel_python)" --user-only)
kill9_rounds 5 "$RELEASE" downloads
