"""A small model, on one GPU or on all that torchrun starts it for: put your own in its place."""

import argparse
import os

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel


def trained(rate: float, steps: int, device: torch.device, share: bool) -> float:
    """The error that is left after some steps of learning a plane from points."""
    torch.manual_seed(distributed.get_rank() if share else 0)
    model = nn.Linear(8, 1).to(device)
    model = DistributedDataParallel(model) if share else model
    learner = torch.optim.SGD(model.parameters(), lr=rate)
    truth = torch.arange(8.0, device=device).unsqueeze(1)
    for _ in range(steps):
        points = torch.randn(256, 8, device=device)
        loss = nn.functional.mse_loss(model(points), points @ truth)
        learner.zero_grad()
        loss.backward()
        learner.step()
    return loss.item()


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=0.1)
    parser.add_argument("--steps", type=int, default=200)
    args = parser.parse_args()
    is_gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0)) if is_gpu else 0)
    device = device if is_gpu else torch.device("cpu")
    share = "WORLD_SIZE" in os.environ
    if share:
        distributed.init_process_group("nccl" if is_gpu else "gloo")
    loss = trained(args.rate, args.steps, device, share)
    rank, world = (distributed.get_rank(), distributed.get_world_size()) if share else (0, 1)
    print(f"rank {rank} of {world} on {device}: rate {args.rate}, error {loss:.3g}", flush=True)
    if share:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main()
