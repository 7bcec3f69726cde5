"""JAX multiplies matrices on each device that was chosen and agrees with NumPy."""

import os
import time

cuda = os.environ.get("AITK_ACCELERATOR_KIND") == "cuda"
# With `cuda` alone there is no falling back to the processor in silence.
os.environ["JAX_PLATFORMS"] = "cuda" if cuda else "cpu"

import jax
import jax.numpy as jnp
import numpy as np

random = np.random.default_rng(0)
one = random.standard_normal((768, 768), dtype=np.float32)
other = random.standard_normal((768, 768), dtype=np.float32)
expected = one.astype(np.float64) @ other.astype(np.float64)
multiply = jax.jit(jnp.matmul)

for device in jax.devices() if cuda else jax.devices()[:1]:
    here, there = jax.device_put(one, device), jax.device_put(other, device)
    multiply(here, there).block_until_ready()
    since = time.perf_counter()
    product = multiply(here, there).block_until_ready()
    seconds = time.perf_counter() - since
    name = f"{device.device_kind} ({device.compute_capability})" if cuda else "the CPU"
    if not np.allclose(product, expected, rtol=1e-3, atol=1e-2):
        fail("JAX multiplies matrices wrongly on {name}", name=name)
    with jax.default_device(device):
        slope = float(jax.grad(lambda x: x * x)(5.0))
    if slope != 10.0:
        fail("JAX finds the slope {slope} instead of 10 on {name}", slope=slope, name=name)
    if cuda:
        # Convolutions come from a library of their own (cuDNN), which may not know a device that multiplies well.
        image = random.standard_normal((1, 3, 32, 32), dtype=np.float32)
        kernel = random.standard_normal((8, 3, 3, 3), dtype=np.float32)
        with jax.default_device(device):
            here = np.asarray(jax.lax.conv(jnp.asarray(image), jnp.asarray(kernel), (1, 1), "VALID"))
        windows = np.lib.stride_tricks.sliding_window_view(image[0], (3, 3), axis=(1, 2))
        there = np.einsum("cyxij,ocij->oyx", windows, kernel)
        if not np.allclose(here[0], there, rtol=1e-2, atol=1e-1):
            fail("JAX convolves wrongly on {name}", name=name)
    rate = 2 * 768**3 / seconds / 1e9
    say("JAX {version} multiplies matrices on {name} at {rate} GFLOP/s", version=jax.__version__, name=name, rate=f"{rate:.0f}")
