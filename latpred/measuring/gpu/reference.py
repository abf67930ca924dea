"""What the kernels must compute, in plain PyTorch and double precision: dense maps times masks; slow and obvious."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch

from latpred.measuring.gpu.blocks import Weights
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.paradigms import Channel, Layer, Paradigm, Spatial

Tensor: TypeAlias = torch.Tensor


def convolution(x: Tensor, weights: Tensor, stride: int = 1) -> Tensor:
    """A convolution of the NHWC map `x` with `weights` (groups, taps, C in, C out), cropped to H//s × W//s."""
    groups, taps, channels, columns = weights.shape
    edge = round(taps**0.5)
    filters = weights.double().permute(0, 3, 2, 1).reshape(groups * columns, channels, edge, edge)
    planes = x.double().permute(0, 3, 1, 2)
    y = torch.nn.functional.conv2d(planes, filters, stride=stride, padding=edge // 2, groups=groups)
    return y[:, :, : x.shape[1] // stride, : x.shape[2] // stride].permute(0, 2, 3, 1)


def pixel_mask(on: Tensor, S: int, height: int, width: int) -> Tensor:
    """Patches that are on (N, patches) as a mask of pixels (N, height, width, 1)."""
    grid = on.view(on.shape[0], -(-height // S), -(-width // S))
    pixels = grid.repeat_interleave(S, 1).repeat_interleave(S, 2)[:, :height, :width]
    return pixels[..., None].double()


def block(shape: Bottleneck, paradigm: Paradigm, x: Tensor, w: Weights, limits: Tensor) -> Tensor:
    """The block on a batch, whose items with a threshold below zero are on."""
    x, on = x.double(), limits < 0
    channels: Any = 1.0
    pixels = torch.ones(x.shape[0], shape.out_height, shape.out_width, 1, dtype=x.dtype, device=x.device)
    counted: float = shape.out_height * shape.out_width
    if isinstance(paradigm, Channel):
        channels = on.repeat_interleave(int(paradigm.granularity), 1)[:, None, None, :]
    elif isinstance(paradigm, Layer):
        pixels = pixels * on.view(-1, 1, 1, 1)
    elif isinstance(paradigm, Spatial):
        S = int(paradigm.granularity)
        pixels = pixel_mask(on, S, shape.out_height, shape.out_width)
        counted = int(on.sum(1)[0]) * S**2
    residual = x if w.shortcut is None else convolution(x, w.shortcut, shape.stride)
    y = torch.relu(convolution(x, w.conv1)) * channels
    y = torch.relu(convolution(y, w.conv2, shape.stride)) * channels
    if shape.se:
        mean = (y * pixels).sum((1, 2)) / counted
        factors = torch.sigmoid(torch.relu(mean @ w.squeeze.double().T) @ w.excite.double().T)
        y = y * factors[:, None, None, :]
    return torch.relu(residual + convolution(y, w.conv3) * pixels)
