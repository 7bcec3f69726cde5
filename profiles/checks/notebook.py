"""A notebook runs through the kernel that is registered, on the Python that is meant."""

import os
import sys
import tempfile

kernel = os.environ["AITK_KERNEL"]
with tempfile.TemporaryDirectory() as folder:
    # Nothing of this run shall stay in the home folder.
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        os.environ[name] = os.path.join(folder, name.lower())
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell("import sys\nsum(range(101))"),
        nbformat.v4.new_code_cell("print(sys.prefix)"),
    ]
    client = NotebookClient(notebook, kernel_name=kernel, timeout=120, resources={"metadata": {"path": folder}})
    client.execute()

answer = notebook.cells[0].outputs[-1]["data"]["text/plain"]
prefix = notebook.cells[1].outputs[-1]["text"].strip()
if answer != "5050":
    raise SystemExit(f"the notebook computes {answer} instead of 5050")
if os.path.realpath(prefix) != os.path.realpath(sys.prefix):
    raise SystemExit(f"the kernel {kernel} runs on {prefix} instead of {sys.prefix}")
print(f"a notebook ran through the kernel {kernel}")
