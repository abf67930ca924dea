"""Train towards a latency: the loss (ℓ_dyn/ℓ_stat − t)² in PyTorch, on a latency table.

    latpred lut --network resnet50 --device tx2 --S 1,2,4,7 --output lut.npz
    python examples/latency_loss.py lut.npz

It is the latency counterpart of the papers' FLOPs loss: give it the activation rates of the blocks, as the maskers
produce them, and add it to the task's loss. Here the rates are free parameters, so that the loss can be seen at work.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import torch

import latpred


class TableLatency(torch.autograd.Function):
    """ℓ [s] of blocks at their rates; the gradient is the table's slope, steps joined by lines."""

    @staticmethod
    def forward(ctx: Any, rates: torch.Tensor, table: latpred.LatencyTable, entries: np.ndarray) -> torch.Tensor:
        """Latency of each block; `rates` has the shape of `entries`, or more samples before it."""
        values = rates.detach().cpu().double().numpy()
        slope = table.slope(entries, values)
        ctx.save_for_backward(torch.as_tensor(slope, dtype=rates.dtype, device=rates.device))
        found = table.lookup(entries, values, smooth=True)
        return torch.as_tensor(found, dtype=rates.dtype, device=rates.device)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """dℓ/dr."""
        (slope,) = ctx.saved_tensors
        return gradient * slope, None, None


class LatencyRatioLoss(torch.nn.Module):
    """(ℓ_dyn/ℓ_stat − t)² of a network whose blocks run at given rates.

    Parameters
    ----------
    table
        From `latpred lut`.
    entries
        The table's entry for every block, e.g. `table.indices("spatial", S)`.
    target
        The wanted ratio of latencies, t.
    """

    def __init__(self, table: latpred.LatencyTable, entries: np.ndarray, target: float) -> None:
        """Keep the table, and the static latency."""
        super().__init__()
        self.table, self.entries, self.target = table, entries, target
        self.static_s = float(table.lookup(table.indices("static"), 1.0).sum())

    def ratio(self, rates: torch.Tensor) -> torch.Tensor:
        """ℓ_dyn/ℓ_stat, the mean over samples; `rates` has shape (…, blocks)."""
        return TableLatency.apply(rates, self.table, self.entries).sum(-1).mean() / self.static_s

    def forward(self, rates: torch.Tensor) -> torch.Tensor:
        """The loss."""
        return (self.ratio(rates) - self.target) ** 2


def main() -> None:
    """Move the rates of ResNet-50's blocks until it takes half of its static latency."""
    table = latpred.LatencyTable.load(sys.argv[1])
    per_block = [{"1": 4, "2": 4, "3": 2, "4": 1}[name.split("-stage")[1][0]] for name in table.blocks]
    loss = LatencyRatioLoss(table, table.indices("spatial", per_block), target=0.5)
    logits = torch.full((len(table.blocks),), 2.0, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.Adam([logits], lr=0.1)
    for step in range(101):
        rates = torch.sigmoid(logits)
        value = loss(rates)
        if step % 25 == 0:
            with torch.no_grad():
                print(f"step {step:3d}: mean r = {rates.mean():.3f}, rℓ = {loss.ratio(rates):.4f}, loss {value:.2e}")
        optimiser.zero_grad()
        value.backward()
        optimiser.step()


if __name__ == "__main__":
    main()
