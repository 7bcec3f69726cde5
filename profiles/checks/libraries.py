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
        raise SystemExit(f"{what}: {found} instead of {expected}")


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
    raise SystemExit(f"scikit-learn: it learns the irises with {score:.2f} instead of 0.97")

import contextlib

with contextlib.redirect_stderr(io.StringIO()):
    from matplotlib.figure import Figure

    picture = io.BytesIO()
    Figure().subplots().figure.savefig(picture, format="png")
if not picture.getvalue().startswith(b"\x89PNG"):
    raise SystemExit("matplotlib: it draws no PNG")

print(f"NumPy {np.__version__}, pandas {pd.__version__}, scikit-learn {sklearn.__version__} compute known answers")
