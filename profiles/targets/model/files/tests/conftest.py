«% set package = parameters.package or parameters.name|replace("-", "_") %»
"""A model of its own for each run of the tests: no registry and no network."""

import pytest
import skops.io

from «package|word».data import FEATURES, TARGET
from «package|word».model import ALGORITHMS, pack, split


@pytest.fixture(scope="session")
def rows():
    """What is trained on, and what is held out."""
    return split()


@pytest.fixture(scope="session")
def held_out(rows):
    return rows[1]


@pytest.fixture(scope="session", params=sorted(ALGORITHMS))
def model_dir(request, tmp_path_factory, rows):
    """What is served, of each algorithm."""
    train, _ = rows
    model = ALGORITHMS[request.param]().fit(train[FEATURES], train[TARGET])
    folder = tmp_path_factory.mktemp("model")
    pack(folder, skops.io.dumps(model), train, name="test", version="0", run="test")
    return folder
