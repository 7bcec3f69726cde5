"""A stand-in of the tests for PyTorch: it can be imported and says its version, and computes nothing."""

from . import version
from .version import __version__

__all__ = ["__version__", "version"]


class StandInError(AttributeError, NotImplementedError):
    """Something was asked for that only the real PyTorch can do."""


def __getattr__(name):
    # What Python itself looks for has to look absent in its own way.
    if name.startswith("__"):
        raise AttributeError(name)
    raise StandInError(f"torch.{name}: this torch is a stand-in of the tests, which computes nothing")
