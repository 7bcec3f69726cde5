"""Waits for a process of a name, and prints the most memory that it has used, in kB.

    peak.py NAME INTERVAL READY

Reads VmHWM, the high-water mark of the process alone, every INTERVAL milliseconds until the process has ended.
READY is a file that is made when it begins to look.
"""

import sys
import time
from pathlib import Path


def process(name: str) -> Path | None:
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                if (folder / "comm").read_text() == f"{name}\n":
                    return folder
            except OSError:
                pass
    return None


def main() -> None:
    name, interval = sys.argv[1], int(sys.argv[2]) / 1000
    peak, found = 0, None
    Path(sys.argv[3]).touch()
    while not found:
        found = process(name)
        if not found:
            time.sleep(min(interval, 0.001))
    while True:
        try:
            status = (found / "status").read_text()
        except OSError:
            break
        # A process that has ended has no memory, but is listed until its parent looks.
        lines = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        if not lines:
            break
        peak = max(peak, int(lines[0].split()[1]))
        time.sleep(interval)
    print(peak)


main()
