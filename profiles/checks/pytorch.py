"""PyTorch multiplies matrices on each device that was chosen, learns a line there, and agrees with NumPy."""

import os
import time

import numpy as np
import torch


def prove(device: torch.device, name: str) -> None:
    torch.manual_seed(0)
    one = torch.randn(768, 768, dtype=torch.float32, device=device)
    other = torch.randn(768, 768, dtype=torch.float32, device=device)
    # The first product loads the libraries; `.cpu()` waits until a device has finished.
    (one @ other).cpu()
    since = time.perf_counter()
    product = (one @ other).cpu()
    seconds = time.perf_counter() - since
    expected = one.double().cpu().numpy() @ other.double().cpu().numpy()
    if not np.allclose(product.numpy(), expected, rtol=1e-3, atol=1e-2):
        fail("PyTorch multiplies matrices wrongly on {name}", name=name)

    if device.type != "cpu":
        # Convolutions come from a library of their own (cuDNN, MIOpen), which may not know a device that multiplies well.
        image, kernel = torch.randn(1, 3, 32, 32, device=device), torch.randn(8, 3, 3, 3, device=device)
        here = torch.nn.functional.conv2d(image, kernel).cpu()
        there = torch.nn.functional.conv2d(image.cpu(), kernel.cpu())
        if not torch.allclose(here, there, rtol=1e-2, atol=1e-2):
            fail("PyTorch convolves wrongly on {name}", name=name)

    x = torch.linspace(-1, 1, 64, device=device).unsqueeze(1)
    y = 3 * x + 2
    model = torch.nn.Linear(1, 1).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
    slope, offset = model.weight.item(), model.bias.item()
    if abs(slope - 3) > 0.01 or abs(offset - 2) > 0.01:
        fail("PyTorch learns {slope} x + {offset} instead of 3 x + 2 on {name}", slope=f"{slope:.2f}", offset=f"{offset:.2f}", name=name)
    rate = 2 * 768**3 / seconds / 1e9
    say("PyTorch {version} multiplies matrices on {name} at {rate} GFLOP/s", version=torch.__version__, name=name, rate=f"{rate:.0f}")


kind = os.environ.get("AITK_ACCELERATOR_KIND", "none")
# That a device is "available" proves nothing: only a kernel that ran does.
if kind in ("cuda", "rocm", "jetson"):
    # PyTorch calls AMD's devices `cuda` as well.
    if not torch.cuda.is_available():
        fail("PyTorch sees no GPU, though the build for {kind} was installed for one: see `aitk doctor`", kind=kind)
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        what = getattr(properties, "gcnArchName", None) or f"{properties.major}.{properties.minor}"
        prove(torch.device("cuda", index), f"{properties.name} ({what})")
elif kind == "xpu":
    if not torch.xpu.is_available():
        fail("PyTorch sees no GPU of Intel's, though the build for one was installed: see `aitk doctor`")
    for index in range(torch.xpu.device_count()):
        prove(torch.device("xpu", index), torch.xpu.get_device_name(index))
else:
    prove(torch.device("cpu"), "the CPU")
