"""pytest finds a test that holds and one that does not."""

import subprocess
import sys
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "test_sums.py").write_text("def test_right():\n    assert 1 + 1 == 2\n\n\ndef test_wrong():\n    assert 1 + 1 == 3\n")
    # The environment stays as it is: nothing is cached.
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if ran.returncode != 1 or "1 failed, 1 passed" not in ran.stdout:
        fail("pytest ends with {status} and says: {said}", status=ran.returncode, said=(ran.stdout + ran.stderr).strip())
import pytest

say("pytest {version} tells a test that holds from one that does not", version=pytest.__version__)
