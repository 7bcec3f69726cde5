"""Solves and installs environments with py-rattler, and prints the seconds, packages and the most memory as JSON.

    rattler_install.py CHANNEL CACHE [PREFIX SPEC,SPEC…]…

Without an environment to install, one SPEC list after an empty PREFIX is only solved. The time is that of solving and
installing alone: neither Python's start nor the imports are counted.
"""

import asyncio
import json
import os
import resource
import sys
import time

from rattler import Client, Gateway, VirtualPackage, install, solve


async def main() -> None:
    channel, cache, *wishes = sys.argv[1:]
    client = Client()
    since = time.perf_counter()
    gateway = Gateway(cache_dir=f"{cache}/repodata", client=client)
    packages = 0
    for prefix, specs in zip(wishes[::2], wishes[1::2], strict=True):
        records = await solve(
            [channel], specs.split(","), gateway=gateway, virtual_packages=VirtualPackage.detect()
        )
        packages += len(records)
        if prefix:
            await install(records, prefix, cache_dir=f"{cache}/pkgs", client=client, show_progress=False)
    seconds = time.perf_counter() - since
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "packages": packages, "memory": memory}))


asyncio.run(main())
# Its threads may still touch Python's objects while the interpreter takes itself down: now and then that ended with a
# segmentation fault, after everything was measured.
sys.stdout.flush()
os._exit(0)
