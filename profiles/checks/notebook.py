"""A notebook runs through the environment's kernel, as Jupyter starts it, on the Python that is meant."""

import os
import sys
import tempfile

kernel = os.environ["AITK_KERNEL"]
with tempfile.TemporaryDirectory() as folder:
    # Nothing of this run shall stay in the home folder.
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        os.environ[name] = os.path.join(folder, name.lower())
    # The file of a kernel that is not registered yet: it comes before all others.
    if content := os.environ.get("AITK_KERNELSPEC"):
        os.makedirs(os.path.join(folder, "kernels", kernel))
        with open(os.path.join(folder, "kernels", kernel, "kernel.json"), "w", encoding="utf-8") as file:
            file.write(content)
        os.environ["JUPYTER_PATH"] = folder
    import nbformat
    from jupyter_client.kernelspec import KernelSpecManager
    from nbclient import NotebookClient

    # Whoever starts Jupyter may have variables that lead Python elsewhere. What the kernel's file clears must not come
    # through.
    elsewhere = os.path.join(folder, "elsewhere")
    os.mkdir(elsewhere)
    cleared = [name for name, value in KernelSpecManager().get_kernel_spec(kernel).env.items() if not value]
    session = dict(os.environ, **dict.fromkeys(cleared, elsewhere))

    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell("import sys\nsum(range(101))"),
        nbformat.v4.new_code_cell("print(sys.prefix)"),
        nbformat.v4.new_code_cell("print(sys.path)"),
    ]
    client = NotebookClient(notebook, kernel_name=kernel, timeout=120, resources={"metadata": {"path": folder}})
    client.execute(env=session)

answer = notebook.cells[0].outputs[-1]["data"]["text/plain"]
prefix = notebook.cells[1].outputs[-1]["text"].strip()
if answer != "5050":
    fail("the notebook computes {answer} instead of 5050", answer=answer)
if os.path.realpath(prefix) != os.path.realpath(sys.prefix):
    fail("the kernel {kernel} runs on {prefix} instead of {own}", kernel=kernel, prefix=prefix, own=sys.prefix)
if elsewhere in notebook.cells[2].outputs[-1]["text"]:
    fail("the kernel {kernel} lets PYTHONPATH lead it elsewhere", kernel=kernel)
say("a notebook ran through the kernel {kernel}", kernel=kernel)
