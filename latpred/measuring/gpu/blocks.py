"""Residual blocks as chains of kernels: static, spatial, channel and layer skipping.

The steps are those of `latpred.workloads.lowering.kernels`, in the same order; a test compares the numbers with plain
PyTorch.
Which patches, channels or samples are on is forced through the maskers' thresholds, so that a measurement has the rate
it says, while the maskers do all their work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch

from latpred.errors import InputError
from latpred.measuring.gpu import launch
from latpred.measuring.gpu.launch import Active, Tensor
from latpred.models.calibrated.tiles import inputs_adjacent
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.densities import active_patches, patch_count
from latpred.workloads.lowering.paper import channel_masker_widths
from latpred.workloads.paradigms import Channel, Layer, Paradigm, Spatial

DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16}


@dataclass(frozen=True)
class Weights:
    """One copy of a block's weights."""

    conv1: Tensor
    conv2: Tensor
    conv3: Tensor
    shortcut: Tensor | None
    masker: tuple[Tensor, ...]
    squeeze: Tensor
    excite: Tensor

    @property
    def bytes(self) -> int:
        """Of the convolutions."""
        return sum(
            w.numel() * w.element_size() for w in (self.conv1, self.conv2, self.conv3, self.shortcut) if w is not None
        )


def random_weights(block: Bottleneck, paradigm: Paradigm, precision: str, device: str) -> Weights:
    """Normal numbers of the variance that keeps a map's."""

    def filters(groups: int, taps: int, c_in: int, c_out: int, gathered: bool = False) -> Tensor:
        adjacent = inputs_adjacent(precision, int(paradigm.granularity or 1), gathers_out=gathered)
        return random_filters((groups, taps, c_in, c_out), precision, device, adjacent)

    def matrix(c_out: int, c_in: int) -> Tensor:
        return torch.randn(c_out, c_in, device=device) / math.sqrt(c_in)

    w, squeezed = block.inner, block.squeezed
    widths: tuple[int, ...] = (block.c_in, 1)
    if isinstance(paradigm, Channel):
        widths = channel_masker_widths(block, int(paradigm.granularity), paradigm.masker_layers)
    channel = isinstance(paradigm, Channel)
    masker = tuple(matrix(c_out, c_in) for c_in, c_out in pairwise(widths))
    if isinstance(paradigm, Spatial):
        masker = (score_filters(block.c_in, precision, device),)
    return Weights(
        conv1=filters(1, 1, block.c_in, w, channel),
        conv2=filters(block.groups, 9, w // block.groups, w // block.groups, channel),
        conv3=filters(1, 1, w, block.c_out),
        shortcut=filters(1, 1, block.c_in, block.c_out) if block.bypass else None,
        masker=masker,
        squeeze=matrix(squeezed, w),
        excite=matrix(w, squeezed),
    )


def random_filters(shape: tuple[int, int, int, int], precision: str, device: str, adjacent: bool) -> Tensor:
    """Weights (groups, taps, C in, C out) of a convolution, whose C in are `adjacent` in memory, or else its C out."""
    groups, taps, c_in, c_out = shape
    scaled = (torch.randn(groups, c_out, taps, c_in, device=device) / math.sqrt(taps * c_in)).to(DTYPES[precision])
    filters = scaled.permute(0, 2, 3, 1)
    return filters if adjacent else filters.contiguous()


def score_filters(c_in: int, precision: str, device: str) -> Tensor:
    """Weights of a masker's score, as the first of the sixteen rows that tensor cores take at least."""
    rows = torch.zeros(16, c_in, device=device)
    rows[0] = torch.randn(c_in, device=device) / math.sqrt(c_in)
    return rows.to(DTYPES[precision])


def random_input(block: Bottleneck, precision: str, batch: int, device: str) -> Tensor:
    """A map as a ReLU leaves it."""
    shape = (batch, block.height, block.width, block.c_in)
    return torch.relu(torch.randn(shape, device=device)).to(DTYPES[precision])


def forced(maps: int, items: int, active: int, device: str) -> Tensor:
    """Thresholds that let exactly `active` random items of each map pass."""
    order = torch.rand(maps, items, device=device).argsort(dim=1).argsort(dim=1)
    return torch.where(order < active, -1e30, 1e30).contiguous()


def thresholds(block: Bottleneck, paradigm: Paradigm, batch: int, device: str) -> Tensor:
    """The masker's thresholds for a paradigm's rate; one number for a static block."""
    if isinstance(paradigm, Spatial):
        S = int(paradigm.granularity)
        patches = patch_count(block.out_height, block.out_width, S)
        return forced(batch, patches, int(active_patches(paradigm.rate, patches)), device)
    if isinstance(paradigm, Channel):
        groups = block.inner // int(paradigm.granularity)
        return forced(batch, groups, int(active_patches(paradigm.rate, groups)), device)
    if isinstance(paradigm, Layer):
        return forced(1, batch, int(active_patches(paradigm.rate, batch)), device)
    return torch.zeros(1, 1, device=device)


def check(block: Bottleneck, paradigm: Paradigm) -> None:
    """Raise InputError for what the kernels do not compute."""
    if isinstance(paradigm, Channel) and (block.groups > 1 or block.se):
        raise InputError(
            f"{block.name}: the kernels of channel skipping take neither grouped convolutions nor SE; "
            "choose spatial or layer skipping"
        )
    if isinstance(paradigm, Channel) and block.inner % int(paradigm.granularity):
        raise InputError(f"{block.name}: G={paradigm.granularity} does not divide the {block.inner} inner channels")
    if paradigm.name not in ("static", "spatial", "channel", "layer"):
        raise InputError(f"the kernels do not compute {paradigm.name} skipping")


def run(block: Bottleneck, paradigm: Paradigm, x: Tensor, w: Weights, limits: Tensor, precision: str) -> Tensor:
    """The block on a batch `x` (N, H, W, C)."""
    body = {"spatial": _spatial, "channel": _channel, "layer": _layer}.get(paradigm.name, _static)
    active = _active(block, paradigm, x.shape[0])
    residual = x if w.shortcut is None else launch.convolution(x, w.shortcut, stride=block.stride, precision=precision)
    return body(block, paradigm, x, residual, w, limits, active, {"precision": precision})


def _active(block: Bottleneck, paradigm: Paradigm, batch: int) -> int:
    items = {"channel": block.inner // (paradigm.granularity or 1), "layer": batch}.get(
        paradigm.name, patch_count(block.out_height, block.out_width, int(paradigm.granularity or 1))
    )
    return int(active_patches(1.0 if paradigm.rate is None else paradigm.rate, items))


def _static(block: Bottleneck, _: Any, x: Tensor, residual: Tensor, w: Weights, __: Any, ___: Any, how: Any) -> Tensor:
    return launch.scatter_add(residual, _convolutions(block, x, w, how))


def _convolutions(block: Bottleneck, x: Tensor, w: Weights, how: Any, samples: Active | None = None) -> Tensor:
    """conv1 (of the active samples only), conv2, SE, conv3."""
    y = launch.convolution(x, w.conv1, relu=True, patches=samples, **how)
    y = launch.convolution(y, w.conv2, relu=True, stride=block.stride, **how)
    y = _squeeze_excitation(y, w, y.shape[0]) if block.se else y
    return launch.convolution(y, w.conv3, **how)


def _squeeze_excitation(y: Tensor, w: Weights, samples: int) -> Tensor:
    hidden = launch.linear(launch.pool(y, samples), w.squeeze, "relu")
    return launch.scale(y, launch.linear(hidden, w.excite, "sigmoid"))


def _spatial(
    block: Bottleneck,
    paradigm: Paradigm,
    x: Tensor,
    residual: Tensor,
    w: Weights,
    limits: Tensor,
    active: int,
    how: Any,
) -> Tensor:
    S, s = int(paradigm.granularity), block.stride
    y, scores = launch.convolution(x, w.conv1, relu=True, mask_weights=w.masker[0], **how)
    on = launch.compact(scores, limits, active, (S * s, S * s))
    on = replace(on, height=S, width=S)
    y = launch.convolution(y, w.conv2, relu=True, stride=s, patches=on, **how)
    y = _squeeze_excitation(y, w, x.shape[0]) if block.se else y
    return launch.scatter_add(residual, launch.convolution(y, w.conv3, **how), on)


def _channel(
    block: Bottleneck,
    paradigm: Paradigm,
    x: Tensor,
    residual: Tensor,
    w: Weights,
    limits: Tensor,
    active: int,
    how: Any,
) -> Tensor:
    G: Any = {"group_size": int(paradigm.granularity)}
    scores = launch.pool(x, x.shape[0])
    for layer, matrix in enumerate(w.masker, start=1):
        scores = launch.linear(scores, matrix, "none" if layer == len(w.masker) else "relu")
    on = launch.compact(scores, limits, active, local=True)
    y = launch.convolution(x, w.conv1, relu=True, groups_out=on, **G, **how)
    y = launch.convolution(y, w.conv2, relu=True, stride=block.stride, groups_in=on, groups_out=on, **G, **how)
    return launch.scatter_add(residual, launch.convolution(y, w.conv3, groups_in=on, **G, **how))


def _layer(
    block: Bottleneck,
    paradigm: Paradigm,
    x: Tensor,
    residual: Tensor,
    w: Weights,
    limits: Tensor,
    active: int,
    how: Any,
) -> Tensor:
    samples = x.shape[0]
    scores = launch.linear(launch.pool(x, samples), w.masker[0]).view(1, 1, samples)
    on = launch.compact(scores, limits, active)
    on = Active(on.items, on.ranks.view(samples, 1), block.height, block.width)
    y = _convolutions(block, x, w, how, samples=on)
    return launch.scatter_add(residual, y, replace(on, height=block.out_height, width=block.out_width))
