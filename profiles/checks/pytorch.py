"""PyTorch multiplies matrices on the CPU, learns a line, and agrees with NumPy."""

import time

import numpy as np
import torch

device = torch.device("cpu")
torch.manual_seed(0)
one = torch.randn(768, 768, dtype=torch.float32, device=device)
other = torch.randn(768, 768, dtype=torch.float32, device=device)
since = time.perf_counter()
product = one @ other
seconds = time.perf_counter() - since
expected = one.double().cpu().numpy() @ other.double().cpu().numpy()
if not np.allclose(product.cpu().numpy(), expected, rtol=1e-3, atol=1e-2):
    raise SystemExit("PyTorch multiplies matrices wrongly")

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
    raise SystemExit(f"PyTorch learns {slope:.2f} x + {offset:.2f} instead of 3 x + 2")
rate = 2 * 768**3 / seconds / 1e9
print(f"PyTorch {torch.__version__} multiplies matrices on the CPU at {rate:.0f} GFLOP/s")
