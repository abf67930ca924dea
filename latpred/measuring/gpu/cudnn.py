"""The static block as PyTorch runs it with cuDNN, in the faster of the layouts NCHW and NHWC."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch

from latpred.measuring.gpu import blocks
from latpred.measuring.gpu.blocks import Weights
from latpred.measuring.gpu.timing import Job, Timing, cache_bytes, copies_beyond_cache, timed
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.paradigms import Static

Tensor: TypeAlias = torch.Tensor
LAYOUTS = (torch.channels_last, torch.contiguous_format)


def static_block(block: Bottleneck, batch: int, precision: str) -> Timing:
    """The best of both layouts; cuDNN picks its algorithms by trial."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    return min((timed(_job(block, batch, precision, layout)) for layout in LAYOUTS), key=lambda found: found.median_s)


def _job(block: Bottleneck, batch: int, precision: str, layout: torch.memory_format) -> Job:
    x = blocks.random_input(block, precision, batch, "cuda").permute(0, 3, 1, 2).contiguous(memory_format=layout)
    first = blocks.random_weights(block, Static(), precision, "cuda")
    count = copies_beyond_cache(first.bytes, 4 * x.numel() * x.element_size(), cache_bytes())
    copies = [_filters(blocks.random_weights(block, Static(), precision, "cuda"), layout) for _ in range(count)]
    return Job(lambda number: _run(block, x, copies[number]), count)


def _filters(w: Weights, layout: torch.memory_format) -> dict[str, Tensor]:
    found = {}
    for name in ("conv1", "conv2", "conv3", "shortcut"):
        weights = getattr(w, name)
        if weights is not None:
            groups, taps, channels, columns = weights.shape
            edge = round(taps**0.5)
            filters = weights.permute(0, 3, 2, 1).reshape(groups * columns, channels, edge, edge)
            found[name] = filters.contiguous(memory_format=layout)
    return {**found, "squeeze": w.squeeze, "excite": w.excite}


def _run(block: Bottleneck, x: Tensor, w: dict[str, Any]) -> Tensor:
    convolve = torch.nn.functional.conv2d
    residual = convolve(x, w["shortcut"], stride=block.stride) if "shortcut" in w else x
    y = convolve(x, w["conv1"]).relu_()
    y = convolve(y, w["conv2"], stride=block.stride, padding=1, groups=block.groups).relu_()
    if block.se:
        hidden = torch.relu(y.mean((2, 3)).float() @ w["squeeze"].T)
        y = y * torch.sigmoid(hidden @ w["excite"].T).to(y.dtype)[:, :, None, None]
    return convolve(y, w["conv3"]).add_(residual).relu_()
