"""TensorFlow multiplies matrices on each device that was chosen and agrees with NumPy."""

import os
import time

import numpy as np
import tensorflow as tf

random = np.random.default_rng(0)
one = random.standard_normal((768, 768), dtype=np.float32)
other = random.standard_normal((768, 768), dtype=np.float32)
expected = one.astype(np.float64) @ other.astype(np.float64)


def prove(device: str, name: str) -> None:
    with tf.device(device):
        tf.matmul(one, other).numpy()
        since = time.perf_counter()
        product = tf.matmul(one, other).numpy()
        seconds = time.perf_counter() - since
        variable = tf.Variable(5.0)
        with tf.GradientTape() as tape:
            square = variable * variable
        slope = tape.gradient(square, variable).numpy()
    if not np.allclose(product, expected, rtol=1e-3, atol=1e-2):
        fail("TensorFlow multiplies matrices wrongly on {name}", name=name)
    if slope != 10.0:
        fail("TensorFlow finds the slope {slope} instead of 10 on {name}", slope=slope, name=name)
    if device != "/CPU:0":
        # Convolutions come from a library of their own (cuDNN), which may not know a device that multiplies well.
        image = random.standard_normal((1, 32, 32, 3), dtype=np.float32)
        kernel = random.standard_normal((3, 3, 3, 8), dtype=np.float32)
        with tf.device(device):
            here = tf.nn.conv2d(image, kernel, strides=1, padding="VALID").numpy()
        with tf.device("/CPU:0"):
            there = tf.nn.conv2d(image, kernel, strides=1, padding="VALID").numpy()
        if not np.allclose(here, there, rtol=1e-2, atol=1e-2):
            fail("TensorFlow convolves wrongly on {name}", name=name)
    rate = 2 * 768**3 / seconds / 1e9
    say("TensorFlow {version} multiplies matrices on {name} at {rate} GFLOP/s", version=tf.__version__, name=name, rate=f"{rate:.0f}")


if os.environ.get("AITK_ACCELERATOR_KIND") == "cuda":
    # A device that is not there would be replaced by the processor in silence.
    tf.config.set_soft_device_placement(False)
    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        fail("TensorFlow sees no GPU, though the build for CUDA was installed for one: see `aitk doctor`")
    for index, gpu in enumerate(gpus):
        details = tf.config.experimental.get_device_details(gpu)
        capability = ".".join(map(str, details.get("compute_capability", ())))
        prove(f"/GPU:{index}", f"{details.get('device_name', gpu.name)} ({capability})")
else:
    prove("/CPU:0", "the CPU")
