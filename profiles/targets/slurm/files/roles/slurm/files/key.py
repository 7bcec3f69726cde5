"""Puts munge's key, which comes in base64, where munge reads it; says whether it is another."""

import base64
import os
import pathlib
import shutil
import sys

PLACE = pathlib.Path("/etc/munge/munge.key")


def main() -> None:
    """Does it."""
    key = base64.b64decode(sys.stdin.read().strip(), validate=True)
    if PLACE.exists() and PLACE.read_bytes() == key:
        return
    new = PLACE.with_suffix(".new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
        file.write(key)
    shutil.chown(new, "munge", "munge")
    new.replace(PLACE)
    print("another")


if __name__ == "__main__":
    main()
