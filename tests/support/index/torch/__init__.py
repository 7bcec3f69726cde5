"""A stand-in of the tests for PyTorch: tensors on the processor, which NumPy computes and gradients flow back through.

It has what the checks of the profiles ask for and no more; everything else fails by its name.
"""

import numpy as np

from . import version
from .version import __version__

float32, float64 = np.dtype(np.float32), np.dtype(np.float64)
_random = np.random.default_rng()


class device:
    def __init__(self, type, index=None):
        name, _, number = str(type).partition(":")
        self.type, self.index = name, int(number) if number else index

    def __eq__(self, other):
        return str(self) == str(other)

    def __hash__(self):
        return hash(str(self))

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self):
        return f"device({str(self)!r})"


def _on_processor(where):
    """There is no other device, whatever the build is made for."""
    if where is not None and device(where).type != "cpu":
        raise RuntimeError(f"this torch is a stand-in of the tests, which has no device {where}")


class Tensor:
    """An array, and the tensors that it was computed from, each with what a gradient becomes on its way there."""

    def __init__(self, data, requires_grad=False, sources=()):
        self.data, self.requires_grad, self.grad = np.asarray(data), requires_grad, None
        self._sources = [pair for pair in sources if pair[0].requires_grad]
        self.requires_grad = requires_grad or bool(self._sources)

    @property
    def shape(self):
        return self.data.shape

    @property
    def dtype(self):
        return self.data.dtype

    @property
    def device(self):
        return device("cpu")

    def __matmul__(self, other):
        return Tensor(
            self.data @ other.data,
            sources=[(self, lambda grad: grad @ other.data.T), (other, lambda grad: self.data.T @ grad)],
        )

    def __add__(self, other):
        other = _tensor(other, self.dtype)
        return Tensor(self.data + other.data, sources=[(self, lambda grad: grad), (other, lambda grad: grad)])

    def __mul__(self, other):
        other = _tensor(other, self.dtype)
        return Tensor(
            self.data * other.data,
            sources=[(self, lambda grad: grad * other.data), (other, lambda grad: grad * self.data)],
        )

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + -_tensor(other, self.dtype)

    def t(self):
        return Tensor(self.data.T, sources=[(self, lambda grad: grad.T)])

    def mean(self):
        count = self.data.size
        return Tensor(self.data.mean(), sources=[(self, lambda grad: np.full(self.shape, grad / count, self.dtype))])

    def unsqueeze(self, dim):
        return Tensor(np.expand_dims(self.data, dim), sources=[(self, lambda grad: grad.reshape(self.shape))])

    def double(self):
        return Tensor(self.data.astype(float64), sources=[(self, lambda grad: grad.astype(self.dtype))])

    def to(self, where):
        _on_processor(where)
        return self

    def cpu(self):
        return self

    def numpy(self):
        if self.requires_grad:
            raise RuntimeError("Can't call numpy() on Tensor that requires grad")
        return self.data

    def item(self):
        return self.data.item()

    def backward(self):
        if self.data.size != 1:
            raise RuntimeError("grad can be implicitly created only for scalar outputs")
        self._receive(np.ones(self.shape, self.dtype))

    def _receive(self, grad):
        """Adds what comes by one way; the ways that lead here are followed one after the other."""
        # What was stretched to the other's shape is summed again.
        grad = grad.sum(axis=tuple(range(grad.ndim - self.data.ndim)))
        grad = grad.sum(axis=tuple(axis for axis, size in enumerate(self.shape) if size == 1), keepdims=True)
        if not self._sources:
            self.grad = Tensor(grad if self.grad is None else self.grad.data + grad)
        for source, way in self._sources:
            source._receive(way(grad))

    def __repr__(self):
        return f"tensor({self.data})"


def _tensor(value, dtype):
    return value if isinstance(value, Tensor) else Tensor(np.asarray(value, dtype))


def tensor(data, dtype=None, device=None):
    _on_processor(device)
    array = np.asarray(data, dtype)
    return Tensor(array.astype(float32) if dtype is None and array.dtype == float64 else array)


def manual_seed(seed):
    global _random
    _random = np.random.default_rng(seed)


def randn(*size, dtype=float32, device=None):
    _on_processor(device)
    return Tensor(_random.standard_normal(size).astype(dtype))


def linspace(start, end, steps, dtype=float32, device=None):
    _on_processor(device)
    return Tensor(np.linspace(start, end, steps, dtype=dtype))


def matmul(one, other):
    return one @ other


from . import cuda, nn, optim, xpu  # noqa: E402  they are made of the above

__all__ = ["Tensor", "__version__", "cuda", "device", "float32", "float64", "linspace", "manual_seed", "matmul", "nn"]
__all__ += ["optim", "randn", "tensor", "version", "xpu"]
