"""NumPy, pandas, SciPy, scikit-learn and Matplotlib compute something whose answer is known."""

import io
import os

os.environ.setdefault("MPLCONFIGDIR", os.devnull)
os.environ["MPLBACKEND"] = "agg"

import numpy as np
import pandas as pd
import scipy.linalg
import sklearn
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def equal(what, found, expected, tolerance=1e-9):
    if not np.allclose(found, expected, rtol=0, atol=tolerance):
        fail("{what}: {found} instead of {expected}", what=what, found=found, expected=expected)


# The Hilbert matrix of order 5 has the determinant 1/266716800000, and its inverse holds integers.
hilbert = 1.0 / (np.arange(5)[:, None] + np.arange(5)[None, :] + 1)
equal("numpy", 1 / np.linalg.det(hilbert) / 266716800000, 1.0, 1e-6)
equal("scipy", scipy.linalg.inv(hilbert)[0], [25, -300, 1050, -1400, 630], 1e-5)

table = pd.read_csv(io.StringIO("city,year,value\na,1,2\na,2,4\nb,1,10\nb,2,30\n"))
means = table.groupby("city")["value"].mean()
equal("pandas", [means["a"], means["b"]], [3, 20])

features, species = load_iris(return_X_y=True)
model = LogisticRegression(max_iter=1000).fit(features, species)
score = model.score(features, species)
if score < 0.95:
    fail("scikit-learn: it learns the irises with {score} instead of 0.97", score=f"{score:.2f}")

import contextlib

with contextlib.redirect_stderr(io.StringIO()):
    from matplotlib.figure import Figure

    picture = io.BytesIO()
    Figure().subplots().figure.savefig(picture, format="png")
if not picture.getvalue().startswith(b"\x89PNG"):
    fail("matplotlib: it draws no PNG")

say("NumPy {numpy}, pandas {pandas}, scikit-learn {sklearn} compute known answers", numpy=np.__version__, pandas=pd.__version__, sklearn=sklearn.__version__)
