"""JAX multiplies matrices on what was chosen and agrees with NumPy."""

import os
import time

cuda = os.environ.get("AITK_ACCELERATOR_KIND") == "cuda"
os.environ["JAX_PLATFORMS"] = "cuda" if cuda else "cpu"

import jax
import jax.numpy as jnp
import numpy as np

random = np.random.default_rng(0)
one = random.standard_normal((768, 768), dtype=np.float32)
other = random.standard_normal((768, 768), dtype=np.float32)
multiply = jax.jit(jnp.matmul)
multiply(one, other).block_until_ready()
since = time.perf_counter()
product = multiply(one, other).block_until_ready()
seconds = time.perf_counter() - since
if not np.allclose(product, one.astype(np.float64) @ other.astype(np.float64), rtol=1e-3, atol=1e-2):
    raise SystemExit("JAX multiplies matrices wrongly")
slope = float(jax.grad(lambda x: x * x)(5.0))
if slope != 10.0:
    raise SystemExit(f"JAX finds the slope {slope} instead of 10")
rate = 2 * 768**3 / seconds / 1e9
print(f"JAX {jax.__version__} multiplies matrices on {jax.devices()[0].device_kind if cuda else "the CPU"} at {rate:.0f} GFLOP/s")
