"""Whole networks as TensorRT builds engines of them: what a layer takes in costs nothing but its bytes.

A convolution, a linear layer and a product of matrices are cut into tiles as single convolutions are
(`latpred.models.calibrated.tensorrt`), with numbers of their own: kernels in an engine wait less for one another, and
other releases were measured. Those of 3×3 and stride 1 may be Winograd's F(2×2, 3×3); those in groups run group after
group, each a kernel, or all on the lanes without tiles. Everything else is bound by the bandwidth. Where a device has
no tensor cores, FP16 is that of the lanes, two halves at a time, with the numbers of FP32.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from latpred.devices.libraries import ENGINES, Number
from latpred.models.calibrated.tensorrt import (
    LANE_STEP,
    LANE_TILES,
    LEAST_MACS,
    TENSOR_STEP,
    WHOLE,
    WINOGRAD_PIXELS,
    or_winograd,
    slowdown,
)
from latpred.models.calibrated.triton import Device, Times
from latpred.models.tiling import Numbers, ceil_div
from latpred.precision import element_bytes
from latpred.workloads import operators as op

__all__ = ["LEAST_MACS", "Work", "numbers", "times", "work_of"]

#: Time that a multiply-add takes longer in a tile of 32×32, on the lanes and on the tensor cores.
LANE_LOSS, TENSOR_LOSS = 0.19, 0.3
#: Tiles on the tensor cores.
TENSOR_TILES = ((128, 128), (128, 64), (64, 64), (64, 32), (32, 32))
#: Passes of a layer norm, which has no kernel of its own.
NORM_PASSES = 4


class Work(NamedTuple):
    """What an operator asks for; numbers, or arrays over operators.

    As a GEMM: `products` of `rows` × `columns`, sums of `channels` × `taps`, of which `groups` are those of a
    convolution in groups, else 0. `blocks` are the 8×16 pixels of a 3×3 convolution of stride 1. A depthwise
    convolution has `planes` (maps of all samples) and `lane_macs`, one in groups has `lane_macs` too. `kernels` is 0
    where it is fused.
    """

    rows: Numbers = 1.0
    columns: Numbers = 1.0
    channels: Numbers = 1.0
    taps: Numbers = 1.0
    products: Numbers = 0.0
    groups: Numbers = 0.0
    blocks: Numbers = 0.0
    planes: Numbers = 0.0
    lane_macs: Numbers = 0.0
    bytes: Numbers = 0.0
    kernels: Numbers = 1.0


def numbers(precision: str) -> dict[str, Number]:
    """The numbers to fit."""
    return ENGINES[precision]


def work_of(operator: op.Operator, batch: Numbers, precision: str) -> Work | None:
    """What an operator asks for; None for one of a dynamic network, and for convolutions with rates."""
    build = BUILDERS.get(type(operator))
    if build is None or not op.is_whole(operator):
        return None
    return build(operator, 1.0 * np.asarray(batch), element_bytes(precision))


def times(work: Work, fitted: Mapping[str, Numbers], device: Device) -> Times:
    """How long the fastest kernel takes; all of its memory time is off-chip."""
    n, engines = fitted, device.engines
    lanes = "winograd_efficiency" in n
    peak = device.macs / engines
    step, loss, tiles = (LANE_STEP, LANE_LOSS, LANE_TILES) if lanes else (TENSOR_STEP, TENSOR_LOSS, TENSOR_TILES)
    whole = ceil_div(work.channels * (work.taps if lanes else 1.0), step) * step * (1.0 if lanes else work.taps)

    def product(count: Numbers) -> Numbers:
        """The time of so many products at once, in the fastest tile [s]."""
        found = []
        for down, across in tiles:
            rounds = ceil_div(count * ceil_div(work.rows, down) * ceil_div(work.columns, across), engines)
            slower = slowdown(loss, down, across)
            outputs = rounds * down * across
            found.append(outputs * (whole * slower / (n["efficiency"] * peak) + n["program_s"] / WHOLE))
        least: Numbers = np.minimum.reduce(found)
        return least + whole * n["wait_s"]

    grouped, depthwise = np.asarray(work.groups) > 0, np.asarray(work.planes) > 0
    compute = product(work.products)
    if lanes:
        compute = or_winograd(compute, work, n, device)
    one_by_one = work.groups * (product(1.0) + n["group_s"])
    rate = device.macs if lanes else 2 * device.lane_macs
    together = work.lane_macs / (n["group_efficiency"] * rate)
    compute = np.where(grouped, np.minimum(one_by_one, together), compute)
    filtered = work.lane_macs / (n["depthwise_efficiency"] * rate) + work.planes / engines * n["plane_s"]
    compute = np.where(depthwise, filtered, np.where(np.asarray(work.products) > 0, compute, 0.0))
    return Times(compute, work.bytes / (n["dram_efficiency"] * device.dram), n["kernel_s"] * work.kernels)


# --- operators


def convolution(o: op.PlainConvolution, N: Numbers, size: int) -> Work:
    """Dense, in groups, or depthwise."""
    groups, taps = 1.0 * np.asarray(o.groups), 1.0 * np.asarray(o.kernel_height * o.kernel_width)
    depthwise, several = np.asarray(o.is_depthwise), groups > 1
    square = (np.asarray(o.kernel_height) == 3) & (np.asarray(o.kernel_width) == 3) & (np.asarray(o.dilation) == 1)
    blocks = N * ceil_div(o.out_height, WINOGRAD_PIXELS[0]) * ceil_div(o.out_width, WINOGRAD_PIXELS[1])
    return Work(
        rows=N * o.out_height * o.out_width,
        columns=o.c_out / groups,
        channels=o.c_in / groups,
        taps=taps,
        products=1.0 * ~depthwise,
        groups=groups * (several & ~depthwise),
        blocks=blocks * (square & (np.asarray(o.stride) == 1) & ~several),
        planes=N * o.c_in * depthwise,
        lane_macs=o.macs(N) * several,
        bytes=size * o.elements(N),
    )


def same_convolution(o: op.Convolution, N: Numbers, size: int) -> Work | None:
    """One that keeps the map; none where channels switch together."""
    return None if o.channel_group else convolution(op.plain(o), N, size)


def _product(o: Any, N: Numbers, size: int, rows: Numbers, channels: Numbers, columns: Numbers, products: Any) -> Work:
    return Work(1.0 * rows, 1.0 * columns, 1.0 * channels, products=1.0 * products, bytes=size * o.elements(N))


def linear(o: op.Linear, N: Numbers, size: int) -> Work:
    """A product with the weights."""
    return _product(o, N, size, N * o.tokens, o.c_in, o.c_out, 1.0)


def fully_connected(o: op.FullyConnected, N: Numbers, size: int) -> Work:
    """A product with the weights, of a row per sample."""
    return _product(o, N, size, N, o.c_in, o.c_out, 1.0)


def matrix_product(o: op.MatrixProduct, N: Numbers, size: int) -> Work:
    """As many products as samples and heads."""
    return _product(o, N, size, o.rows, o.inner, o.columns, N * o.groups)


def one_pass(o: Any, N: Numbers, size: int) -> Work:
    """What is read and written."""
    return Work(bytes=size * o.elements(N))


def norm(o: op.LayerNorm, N: Numbers, size: int) -> Work:
    """Averages, differences, squares and products, each a pass."""
    return Work(bytes=NORM_PASSES * size * o.elements(N), kernels=NORM_PASSES)


def taken_in(o: Any, N: Numbers, size: int) -> Work:
    """An addition that the convolution before it does: one map more is read."""
    return Work(bytes=size * o.elements(N) / 3.0, kernels=0.0)


BUILDERS: dict[type[op.Operator], Callable[..., Work | None]] = {
    op.PlainConvolution: convolution,
    op.Convolution: same_convolution,
    op.Linear: linear,
    op.FullyConnected: fully_connected,
    op.MatrixProduct: matrix_product,
    op.Add: taken_in,
    op.TokenAdd: taken_in,
    op.LayerNorm: norm,
    **dict.fromkeys(
        (
            op.BatchNorm,
            op.ElementWise,
            op.Softmax,
            op.ChannelScale,
            op.Pool,
            op.GlobalPool,
            op.AveragePool,
            op.Copy,
            op.Unfold,
        ),
        one_pass,
    ),
}
