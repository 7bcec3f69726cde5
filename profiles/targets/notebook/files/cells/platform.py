import os
import shutil
import subprocess
import sys
import time

started = time.monotonic()
PLATFORMS = [
«% for row in platforms %»
    «{"name": row.name, "sign": row.sign, "folder": row.folder, "mount": row.mount, "keeps": row.keeps}|json»,
«% endfor %»
]


def is_here(sign):
    return os.path.isdir(sign) if sign.startswith("/") else sign in os.environ


place = next((row for row in PLATFORMS if is_here(row["sign"])), None)
gpu = ""
if shutil.which("nvidia-smi"):
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    gpu = subprocess.run(query, capture_output=True, text=True).stdout.strip()
print(«texts.platform.runs_on», place["name"] if place else «texts.platform.elsewhere»)
print(«texts.platform.python», sys.version.split()[0])
print(«texts.platform.gpu», gpu or «texts.platform.none»)
