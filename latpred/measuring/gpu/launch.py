"""One function per kernel: checks shapes, picks the tile, allocates the output, launches."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import torch
import triton
from triton.runtime.errors import OutOfResources

from latpred.errors import InputError
from latpred.measuring.gpu import kernels
from latpred.models.calibrated.tiles import (
    LINEAR_IN,
    LINEAR_OUT,
    POOL_CHANNELS,
    POOL_PIXELS,
    Tile,
    choose,
    depth,
    tiles,
    width,
)

Tensor: TypeAlias = torch.Tensor

#: Elements of a tensor that 32-bit indices reach.
MOST_ELEMENTS = 2**31 - 1
#: Elements that an access is widened to at most, where all channel counts allow it.
WIDEST_ALIGNMENT = 16
#: Scores that a step of the compaction takes, and its warps.
COMPACTION_SCORES, COMPACTION_WARPS = 8192, 8
#: Elements that a step of a linear layer adds up at once.
LINEAR_ELEMENTS = 8192
#: Elements that one program of an element-wise kernel handles.
ELEMENTWISE_BLOCK = 2048


@dataclass(frozen=True)
class Active:
    """Which items of each map are on: `items` lists them, `ranks` says where in the list each item is, or -1.

    Items are rectangles of `height` × `width` pixels, `across` of them side by side, `per_map` in a map; every map
    has the same number of them on. A group of channels or a whole sample is an item as well.
    """

    items: Tensor
    ranks: Tensor
    height: int = 1
    width: int = 1
    across: int = 1
    per_map: int = 1


def convolution(
    x: Tensor,
    weights: Tensor,
    *,
    stride: int = 1,
    precision: str = "fp32",
    relu: bool = False,
    patches: Active | None = None,
    groups_in: Active | None = None,
    groups_out: Active | None = None,
    group_size: int = 1,
    mask_weights: Tensor | None = None,
    tile: Tile | None = None,
) -> Any:
    """The convolution of `x` (N, H, W, C) with `weights` (groups, taps, C in, C out), padded to keep the map.

    The weights are adjacent in memory along C in or along C out.

    With `patches`, only those, as a tensor (patches, patch height, patch width, C out). With `groups_in`, `x` holds
    the active channels only; with `groups_out`, so does the result. With `mask_weights` (16, C), of which the first
    row counts, a pair: the result and a score per pixel. Raises InputError where the device cannot run it.
    """
    samples, height, map_width, pitch = x.shape
    groups, taps, weight_rows, weight_columns = weights.shape
    kernel = {1: 1, 9: 3}[taps]
    out_height, out_width = height // stride, map_width // stride
    channels = pitch if groups_in else weight_rows
    columns = groups_out.items.shape[1] * group_size if groups_out else weight_columns
    whole = (samples, out_height, out_width)
    shape = (patches.items.numel(), patches.height, patches.width) if patches else whole
    pixels = shape[0] * shape[1] * shape[2]
    per_sample = groups_in is not None or groups_out is not None
    planes, rows = (samples, out_height * out_width) if per_sample else (groups, pixels)
    y_pitch = columns if per_sample else groups * columns
    y = torch.empty((*shape, y_pitch), dtype=x.dtype, device=x.device)
    _reachable(x, y)
    scores = torch.empty(pixels if mask_weights is not None else 1, dtype=torch.float32, device=x.device)
    if tile is None:
        tile = _tile(precision, rows, columns, channels, taps, planes, mask_weights is not None)
    block_columns = int(width(tile, columns))
    grid = (triton.cdiv(rows, tile.rows), triton.cdiv(columns, block_columns), planes)
    slots = groups_in.items.shape[1] if groups_in else 1
    inputs_adjacent = weights.stride(2) == 1
    pitches = weights.stride(0), weights.stride(1), weights.stride(3 if inputs_adjacent else 2)
    alignment = math.gcd(channels, columns, pitch, y_pitch, *pitches, WIDEST_ALIGNMENT)
    try:
        kernels.convolution_kernel[grid](
            x,
            weights,
            y,
            patches.items if patches else x,
            groups_in.items if groups_in else x,
            groups_out.items if groups_out else x,
            mask_weights if mask_weights is not None else x,
            scores,
            rows,
            height,
            map_width,
            out_height,
            out_width,
            channels // alignment,
            columns // alignment,
            pitch // alignment,
            y_pitch // alignment,
            *(pitch // alignment for pitch in pitches),
            stride,
            patches.height if patches else 1,
            patches.width if patches else 1,
            patches.across if patches else 1,
            patches.per_map if patches else 1,
            slots,
            ALIGNMENT=alignment,
            INPUTS_ADJACENT=inputs_adjacent,
            GROUP=group_size,
            SLOTS=triton.next_power_of_2(slots),
            RUN=math.gcd(group_size, WIDEST_ALIGNMENT),
            KERNEL=kernel,
            PATCHES=patches is not None,
            GROUPS_IN=groups_in is not None,
            GROUPS_OUT=groups_out is not None,
            MASKER=mask_weights is not None,
            MASKER_DOT=precision != "fp32",
            RELU=relu,
            PRECISION="tf32" if precision == "tf32" else "ieee",
            BLOCK_ROWS=tile.rows,
            BLOCK_COLUMNS=block_columns,
            BLOCK_CHANNELS=int(depth(tile, channels)),
            num_warps=tile.warps,
            num_stages=tile.stages,
        )
    except OutOfResources as error:
        raise InputError(f"this device has too little {error.name} for the {precision} kernels") from None
    return y if mask_weights is None else (y, scores.view(samples, out_height, out_width))


@cache
def _tile(precision: str, rows: int, columns: int, channels: int, taps: int, planes: int, masker: bool) -> Tile:
    chosen = int(choose(precision, rows, columns, channels, taps, planes, masker=masker))
    return tiles(precision, masker=masker)[chosen]


def compact(
    scores: Tensor, thresholds: Tensor, budget: int, patch: tuple[int, int] = (1, 1), *, local: bool = False
) -> Active:
    """The items of each map of `scores` (maps, H, W) above their `thresholds` (maps, items), at most `budget`.

    Items are numbered through all maps, or from 0 in each where `local`.
    """
    maps, height, width = scores.shape
    across = triton.cdiv(width, patch[1])
    items = triton.cdiv(height, patch[0]) * across
    active = torch.empty((maps, budget), dtype=torch.int32, device=scores.device)
    ranks = torch.empty((maps, items), dtype=torch.int32, device=scores.device)
    block_pixels = min(triton.next_power_of_2(patch[0] * patch[1]), 1024)
    kernels.compaction_kernel[(maps,)](
        scores,
        thresholds,
        active,
        ranks,
        height,
        width,
        patch[0],
        patch[1],
        across,
        items,
        budget,
        0 if local else items,
        BLOCK_ITEMS=max(min(triton.next_power_of_2(items), COMPACTION_SCORES // block_pixels), 2),
        BLOCK_PIXELS=block_pixels,
        num_warps=COMPACTION_WARPS,
    )
    return Active(active, ranks, patch[0], patch[1], across, items)


def scatter_add(residual: Tensor, compacted: Tensor, active: Active | None = None, *, relu: bool = True) -> Tensor:
    """residual (N, H, W, C) + the active patches (or + a map of the same shape), and ReLU."""
    samples, height, width, channels = residual.shape
    y = torch.empty_like(residual)
    _reachable(residual)
    block_channels = min(128, triton.next_power_of_2(channels))
    block_pixels = ELEMENTWISE_BLOCK // block_channels
    alignment = math.gcd(channels, WIDEST_ALIGNMENT)
    pixels = samples * height * width
    kernels.scatter_add_kernel[(triton.cdiv(pixels, block_pixels), triton.cdiv(channels, block_channels))](
        residual,
        compacted,
        active.ranks if active else residual,
        y,
        pixels,
        width,
        height * width,
        channels // alignment,
        active.height if active else 1,
        active.width if active else 1,
        active.across if active else 1,
        active.per_map if active else 1,
        ALIGNMENT=alignment,
        SPARSE=active is not None,
        RELU=relu,
        BLOCK_PIXELS=block_pixels,
        BLOCK_CHANNELS=block_channels,
    )
    return y


def pool(x: Tensor, samples: int) -> Tensor:
    """Partial means of `x`, whose pixels are split evenly among `samples`: (samples, splits, C) in FP32.

    Their sum over the splits is the mean; `linear` adds them up.
    """
    channels = x.shape[-1]
    pixels = x.numel() // channels // samples
    splits = triton.cdiv(pixels, POOL_PIXELS)
    y = torch.empty((samples, splits, channels), dtype=torch.float32, device=x.device)
    block_channels = min(POOL_CHANNELS, triton.next_power_of_2(channels))
    alignment = math.gcd(channels, WIDEST_ALIGNMENT)
    kernels.pool_kernel[(splits, triton.cdiv(channels, block_channels), samples)](
        x,
        y,
        pixels,
        channels // alignment,
        splits,
        ALIGNMENT=alignment,
        BLOCK_PIXELS=POOL_PIXELS,
        BLOCK_CHANNELS=block_channels,
    )
    return y


def linear(x: Tensor, weights: Tensor, activation: str = "none") -> Tensor:
    """A fully connected layer (weights (out, in)) on the sum over the splits of `x` (N, splits, in): (N, 1, out)."""
    samples, splits, c_in = x.shape
    c_out = weights.shape[0]
    y = torch.empty((samples, 1, c_out), dtype=torch.float32, device=x.device)
    block_in = min(triton.next_power_of_2(c_in), LINEAR_IN)
    kernels.linear_kernel[(triton.cdiv(c_out, LINEAR_OUT), samples)](
        x,
        weights,
        y,
        splits,
        c_in,
        c_out,
        ACTIVATION=activation,
        BLOCK_OUT=LINEAR_OUT,
        BLOCK_IN=block_in,
        BLOCK_SPLITS=min(triton.next_power_of_2(splits), LINEAR_ELEMENTS // block_in),
    )
    return y


def scale(x: Tensor, factors: Tensor) -> Tensor:
    """`x` times the `factors` (N, 1, C) of its sample and channel."""
    y = torch.empty_like(x)
    elements, samples = x.numel(), factors.shape[0]
    kernels.scale_kernel[(triton.cdiv(elements, ELEMENTWISE_BLOCK),)](
        x, factors, y, elements, elements // samples, x.shape[-1], BLOCK=ELEMENTWISE_BLOCK
    )
    return y


def _reachable(*tensors: Tensor) -> None:
    for tensor in tensors:
        if tensor.numel() > MOST_ELEMENTS:
            raise InputError(f"a tensor of {tensor.numel():,} elements is beyond 32-bit indices; take a smaller batch")
