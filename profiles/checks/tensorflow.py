"""TensorFlow multiplies matrices on the CPU and agrees with NumPy."""

import time

import numpy as np
import tensorflow as tf

random = np.random.default_rng(0)
one = random.standard_normal((768, 768), dtype=np.float32)
other = random.standard_normal((768, 768), dtype=np.float32)
with tf.device("/CPU:0"):
    tf.matmul(one, other)
    since = time.perf_counter()
    product = tf.matmul(one, other).numpy()
    seconds = time.perf_counter() - since
    variable = tf.Variable(5.0)
    with tf.GradientTape() as tape:
        square = variable * variable
    slope = tape.gradient(square, variable).numpy()
if not np.allclose(product, one.astype(np.float64) @ other.astype(np.float64), rtol=1e-3, atol=1e-2):
    raise SystemExit("TensorFlow multiplies matrices wrongly")
if slope != 10.0:
    raise SystemExit(f"TensorFlow finds the slope {slope} instead of 10")
rate = 2 * 768**3 / seconds / 1e9
print(f"TensorFlow {tf.__version__} multiplies matrices on the CPU at {rate:.0f} GFLOP/s")
