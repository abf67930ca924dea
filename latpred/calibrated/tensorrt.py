"""TensorRT's single convolutions as equations: a library that tries its kernels and ships the fastest.

What it tries is taken to be a grid of tiles, the sum split over programs or not, and for 3×3 kernels of stride 1 a
Winograd form with fewer multiply-adds; `Work` holds all of them along its first axis, and the fastest counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from latpred import operators as op
from latpred.calibrated.triton import ELEMENT_BYTES, Device
from latpred.tiling import Numbers, ceil_div

NUMBERS: dict[str, tuple[float, str]] = {
    "kernel_s": (9e-6, "constant time of an engine with one convolution [s]"),
    "efficiency": (0.95, "share of the peak rate that an endless tile reaches"),
    "tile_loss": (0.3, "loss of a 32×32 tile, its edges over its area, against an endless one"),
    "tail": (0.5, "share of the last, partly filled round that is waited for"),
    "dram_efficiency": (0.9, "share of the off-chip bandwidth"),
    "depth_s": (1e-9, "constant time per element of the sum of a program [s]"),
    "split_s": (2e-6, "constant time of adding up a sum that was split [s]"),
    "winograd_gain": (1.0, "rate of the Winograd form, over a plain one's of as many multiply-adds"),
    "winograd_s": (2e-6, "constant time of the Winograd form [s]"),
    "winograd_bytes": (0.5, "traffic of its transforms, over that of transforming the maps once"),
    "depthwise_efficiency": (0.08, "share of the FP32 lanes' peak rate in a depthwise convolution"),
    "overlap": (3.0, "exponent p of (computeᵖ + memoryᵖ)^(1/p)"),
}
TILES = ((256, 128), (128, 256), (128, 128), (128, 64), (64, 128), (64, 64), (128, 32), (32, 128), (64, 32), (32, 32))
SPLITS = (1, 2, 4, 8, 16, 32)
#: F(2×2, 3×3): 16 products of 4×4 tiles instead of 36.
WINOGRAD_SAVING, WINOGRAD_EDGE = 2.25, 2
#: The least share of an operator's multiply-adds that is done.
LEAST_MACS = 1 / WINOGRAD_SAVING
#: Channels that the tensor cores take at a time.
TENSOR_CHANNELS = 8
#: Numbers of TILES × SPLITS, which broadcast over the operators on the second axis.
_GRID = np.array([(rows, columns, split) for rows, columns in TILES for split in SPLITS], dtype=float).T[:, :, None]


class Work(NamedTuple):
    """A convolution as a GEMM: rows × columns × depth, its bytes, and its Winograd form's rows (0 where it has none).

    `depthwise_macs` replace the GEMM in a depthwise convolution; rows are then 0. `splits` is 1 where
    the sum may be split (1×1 kernels, plain matrix products). Numbers, or arrays over operators.
    """

    rows: Numbers
    columns: Numbers
    depth: Numbers
    winograd_rows: Numbers
    winograd_bytes: Numbers
    bytes: Numbers
    depthwise_macs: Numbers
    splits: Numbers


def numbers(precision: str) -> dict[str, tuple[float, str]]:
    """The numbers to fit."""
    return NUMBERS


def work_of(operator: op.Operator, batch: Numbers, precision: str) -> Work | None:
    """What a convolution asks for; None for anything else, and for convolutions with rates or few groups."""
    if type(operator) is not op.Convolution or operator.channel_group:
        return None
    o, size = operator, ELEMENT_BYTES[precision]
    if o.groups not in (1, o.c_in):
        return None
    depthwise = o.groups == o.c_in and o.c_in > 1
    # Padded maps round up, where the operator's own rounds down.
    height, width = -(-o.height // o.stride), -(-o.width // o.stride)
    rows = batch * height * width * 1.0
    read = height * width if o.kernel == 1 else o.height * o.width
    moved = size * (batch * (read * o.c_in + height * width * o.c_out) + o.weights)
    macs = rows * o.weights
    if depthwise:
        return Work(0.0 * rows, 1.0, 1.0, 0.0 * rows, 0.0, moved, macs, 0.0)
    channels = ceil_div(o.c_in, TENSOR_CHANNELS) * TENSOR_CHANNELS if precision == "fp16" else o.c_in
    winograd: Numbers = 0.0 * rows
    if o.kernel == 3 and o.stride == 1:
        edge = WINOGRAD_EDGE
        winograd = batch * float(ceil_div(height, edge) * ceil_div(width, edge) * edge**2)
    transformed = WINOGRAD_SAVING * size * rows * (o.c_in + o.c_out)
    return Work(
        rows,
        float(o.c_out),
        float(channels * o.kernel**2),
        winograd,
        transformed,
        moved,
        0.0 * rows,
        float(o.kernel == 1),
    )


def times(work: Work, fitted: Mapping[str, Numbers], device: Device) -> tuple[Numbers, Numbers, Numbers]:
    """Compute, memory and constant time [s] of the fastest form."""
    n = fitted
    direct = _gemm(work.rows, work.columns, work.depth, work.splits, n["efficiency"], n, device)
    rate, depth = n["efficiency"] * n["winograd_gain"], work.depth / WINOGRAD_SAVING
    winograd = _gemm(work.winograd_rows, work.columns, depth, 0.0 * depth, rate, n, device)
    winograd = winograd + n["winograd_s"] + n["winograd_bytes"] * work.winograd_bytes / device.dram
    compute = np.where(np.asarray(work.winograd_rows) > 0, np.minimum(direct, winograd), direct)
    compute = compute + work.depthwise_macs / (n["depthwise_efficiency"] * device.lane_macs)
    return compute, work.bytes / (n["dram_efficiency"] * device.dram), n["kernel_s"]


def _gemm(
    rows: Any, columns: Any, depth: Any, splits: Any, rate: Any, n: Mapping[str, Numbers], device: Device
) -> Numbers:
    """The fastest of all tiles, and of all splits where the sum can be split [s]; zero without rows."""
    shape = np.shape(rows)
    rows, columns, depth, splits = (np.atleast_1d(value)[None, :] for value in (rows, columns, depth, splits))
    down, across, split = _GRID
    programs = ceil_div(rows, down) * ceil_div(columns, across) * split
    tail = np.clip(n["tail"], 0.0, 1.0)
    rounds = np.maximum((1 - tail) * programs / device.engines + tail * ceil_div(programs, device.engines), 1.0)
    part = ceil_div(ceil_div(depth, split), 16) * 16
    speed = rate * device.macs / device.engines / (1 + n["tile_loss"] * 16 * (1 / down + 1 / across))
    adding = np.where(split > 1, n["split_s"] + split * rows * columns * 4 / device.dram, 0.0)
    adding = np.where((split > 1) & (splits == 0), np.inf, adding)
    found = (rounds * down * across * part / speed + part * n["depth_s"] + adding).min(axis=0)
    return np.where(rows[0] > 0, found, 0.0).reshape(shape)
