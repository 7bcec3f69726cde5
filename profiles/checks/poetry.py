"""Poetry begins a project and finds it in order."""

import os
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as folder:
    # Its own settings and caches stay out of the home folder, and what a project may not have yet is not asked for.
    environment = {**os.environ, "POETRY_CONFIG_DIR": folder, "POETRY_CACHE_DIR": folder, "POETRY_DATA_DIR": folder}
    environment["POETRY_VIRTUALENVS_CREATE"] = "false"
    project = os.path.join(folder, "project")
    os.mkdir(project)
    for words in (["init", "--no-interaction", "--name", "aitk-check"], ["check"]):
        command = [sys.executable, "-m", "poetry", *words]
        ran = subprocess.run(command, capture_output=True, text=True, cwd=project, env=environment)
        if ran.returncode != 0:
            fail("`poetry {word}` says: {said}", word=words[0], said=(ran.stdout + ran.stderr).strip())
    with open(os.path.join(project, "pyproject.toml")) as file:
        if "aitk-check" not in file.read():
            fail("Poetry began another project than it was asked for")
from importlib.metadata import version

say("Poetry {version} begins a project and finds it in order", version=version('poetry'))
