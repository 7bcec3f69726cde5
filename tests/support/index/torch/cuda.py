"""The stand-in never has a graphics processor: builds for one behave as on a machine without."""

from . import version


def is_available():
    return False


def device_count():
    return 0


def get_device_name(device=None):
    raise _absent()


def get_device_capability(device=None):
    raise _absent()


def _absent():
    if version.cuda is None and version.hip is None:
        return AssertionError("Torch not compiled with CUDA enabled")
    return RuntimeError("Found no NVIDIA driver on your system; this torch is a stand-in of the tests")
