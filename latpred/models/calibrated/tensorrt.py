"""TensorRT's single convolutions as equations: a library that tries its kernels and ships the fastest.

A kernel cuts a convolution into programs, each of a tile of the output: rows (pixels of all samples) × columns
(channels). An engine takes ⌈programs/engines⌉ rounds, however few programs are left for the last one, so that

    time = depth·(rounds·tile/rate + wait) + rounds·start,

where depth is C·k², the elements of the sum, and wait the latency of an element that other programs do not hide. What
differs is the tile and the rate:

- FP32: tiles of 128×128 to 32×32 on the FP32 lanes, or, for 3×3 kernels of stride 1, Winograd's F(2×2, 3×3) in one
  kernel, whose programs never leave a sample;
- FP16: tiles of 128×128 and 256×64 on the tensor cores, 64×64 too for 3×3 kernels of stride 1; or the lanes, two halves
  at a time, where channels are few, and always where a filter is larger than the map;
- depthwise convolutions: the lanes, and the bandwidth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from latpred.devices.libraries import NUMBERS, Number
from latpred.models.calibrated.triton import Device, Times
from latpred.models.tiling import Numbers, ceil_div
from latpred.precision import element_bytes
from latpred.workloads import operators as op

#: Rows × columns of the tiles on the FP32 lanes, on the tensor cores, and of the small one there.
LANE_TILES = ((128, 128), (128, 64), (128, 32), (64, 64), (64, 32), (32, 32))
TENSOR_TILES = ((128, 128), (256, 64))
SMALL_TILES = ((64, 64),)
#: Where halves are multiplied on the lanes, a program has 128 rows and as many columns as there are, between these.
HALF_ROWS, HALF_COLUMNS = 128, (64, 256)
#: Elements of a sum that a program on the lanes takes at a time, and channels on the tensor cores.
LANE_STEP, TENSOR_STEP = 8, 32
#: F(2×2, 3×3): 4 multiply-adds per output and channel instead of 9, in programs of 8×16 pixels of 32 channels.
WINOGRAD_SAVING, WINOGRAD_MACS = 2.25, 4
WINOGRAD_PIXELS, WINOGRAD_COLUMNS = (8, 16), 32
#: Outputs of the program that `program_s` is the time of.
WHOLE = 128 * 128
#: The least share of an operator's multiply-adds that is done.
LEAST_MACS = 1 / WINOGRAD_SAVING


class Work(NamedTuple):
    """What a convolution asks for; numbers, or arrays over operators.

    As a GEMM: `rows` (pixels of all samples) × `columns`, a sum of `channels` × `taps`. `blocks` are the 8×16 pixels
    of a 3×3 convolution of stride 1, 0 in others; `outgrown` is 1 where a filter is larger than the map in a batch.
    `bytes` are those of both maps and the weights. A depthwise convolution has `planes` (maps of all samples) and their
    `plane_macs`, both else 0, and `strided_bytes`, its input's where it has a stride.
    """

    rows: Numbers
    columns: Numbers
    channels: Numbers
    taps: Numbers
    blocks: Numbers
    outgrown: Numbers
    bytes: Numbers
    planes: Numbers
    plane_macs: Numbers
    strided_bytes: Numbers


def numbers(precision: str) -> dict[str, Number]:
    """The numbers to fit."""
    return NUMBERS["tensorrt"][precision]


def work_of(operator: op.Operator, batch: Numbers, precision: str) -> Work | None:
    """What a convolution asks for; None for anything else, and for convolutions with rates or few groups."""
    if type(operator) is not op.Convolution or operator.channel_group:
        return None
    o, size = operator, element_bytes(precision)
    known = (o.groups == np.asarray(1)) | (o.groups == np.asarray(o.c_in))
    if not (np.all(known) and op.is_whole(o)):
        return None
    depthwise = (o.groups == np.asarray(o.c_in)) & (o.c_in > np.asarray(1))
    # Padded maps round up, where the operator's own rounds down.
    height, width = -(-o.height // o.stride), -(-o.width // o.stride)
    samples = 1.0 * np.asarray(batch)
    rows = samples * height * width
    # A 1×1 convolution skips rows of its input; the elements between those it needs come with them.
    read = o.width * np.where((o.kernel < o.stride) & ~depthwise, 1.0 * height, 1.0 * o.height) * o.c_in
    blocks = ceil_div(height, WINOGRAD_PIXELS[0]) * ceil_div(width, WINOGRAD_PIXELS[1])
    return Work(
        rows=rows,
        columns=1.0 * np.asarray(o.c_out),
        channels=1.0 * np.asarray(o.c_in),
        taps=1.0 * np.asarray(o.kernel**2),
        blocks=samples * blocks * ((o.kernel == np.asarray(3)) & (o.stride == np.asarray(1))),
        outgrown=1.0 * ((samples > 1) & (o.kernel > np.minimum(o.height, o.width))),
        bytes=size * (samples * read + rows * o.c_out + o.weights),
        planes=samples * o.c_in * depthwise,
        plane_macs=rows * o.weights * depthwise,
        strided_bytes=size * samples * read * (depthwise & (o.stride > np.asarray(1)) & (o.stride <= o.kernel)),
    )


def times(work: Work, fitted: Mapping[str, Numbers], device: Device) -> Times:
    """How long the fastest kernel takes; all of its memory time is off-chip."""
    n, depthwise = fitted, np.asarray(work.planes) > 0
    dense = _halves(work, n, device) if "lane_efficiency" in n else _singles(work, n, device)
    lanes = work.plane_macs / (n["depthwise_efficiency"] * device.lane_macs)
    lanes = lanes + work.planes / device.engines * n.get("plane_s", 0.0)
    moved = work.bytes + work.strided_bytes * (n.get("strided_reads", 1.0) - 1)
    constant = n["kernel_s"] + np.where(depthwise, n.get("depthwise_s", 0.0), 0.0)
    return Times(np.where(depthwise, lanes, dense), moved / (n["dram_efficiency"] * device.dram), constant)


def _singles(work: Work, n: Mapping[str, Numbers], device: Device) -> Numbers:
    """FP32: tiles on the lanes, or Winograd [s]."""
    depth = ceil_div(work.channels * work.taps, LANE_STEP) * LANE_STEP
    slower = [slowdown(n["tile_loss"], *tile) for tile in LANE_TILES]
    rate = n["efficiency"] * device.macs / device.engines / np.array(slower)
    return or_winograd(_gemm(work, depth, LANE_TILES, rate, n, device, n["wait_s"]), work, n, device)


def slowdown(loss: Numbers, down: int, across: int) -> Numbers:
    """What a multiply-add takes in a tile over one in a tile of many: `loss` more in a tile of 32×32."""
    return 1 + loss * (64 / down + 64 / across - 1) / 3


def or_winograd(direct: Numbers, work: Any, n: Mapping[str, Numbers], device: Device) -> Numbers:
    """The time of F(2×2, 3×3) in one kernel, where `work` has its `blocks` and it is faster than `direct` [s]."""
    rounds = ceil_div(work.blocks * ceil_div(work.columns, WINOGRAD_COLUMNS), device.engines)
    outputs = WINOGRAD_PIXELS[0] * WINOGRAD_PIXELS[1] * WINOGRAD_COLUMNS
    depth = ceil_div(work.channels, LANE_STEP) * LANE_STEP * WINOGRAD_MACS
    rate = n["winograd_efficiency"] * device.macs / device.engines
    winograd = rounds * (depth * outputs / rate + n["winograd_program_s"])
    return np.where(rounds > 0, np.minimum(direct, winograd), direct)


def _halves(work: Work, n: Mapping[str, Numbers], device: Device) -> Numbers:
    """FP16: tiles on the tensor cores, or halves in pairs on the lanes [s]."""
    depth = ceil_div(work.channels, TENSOR_STEP) * TENSOR_STEP * work.taps
    peak = device.macs / device.engines
    tensor = _gemm(work, depth, TENSOR_TILES, n["efficiency"] * peak, n, device)
    small = _gemm(work, depth, SMALL_TILES, n["small_efficiency"] * peak, n, device)
    tensor = np.where(np.asarray(work.blocks) > 0, np.minimum(tensor, small), tensor)
    across = np.clip(2 ** np.ceil(np.log2(work.columns)), *HALF_COLUMNS)
    rate = n["lane_efficiency"] * 2 * device.lane_macs / device.engines
    lanes = _gemm(work, work.channels * work.taps, ((HALF_ROWS, across),), rate, n, device)
    return np.where(np.asarray(work.outgrown) > 0, lanes, np.minimum(tensor, lanes))


def _gemm(
    work: Work,
    depth: Numbers,
    tiles: Sequence[tuple[int, Numbers]],
    rate: Numbers,
    n: Mapping[str, Numbers],
    device: Device,
    wait_s: Numbers = 0.0,
) -> Numbers:
    """The time with the fastest of the tiles [s]; `rate` is an engine's [multiply-adds/s], of all tiles or of each."""
    found = []
    for (down, across), speed in zip(tiles, np.broadcast_to(rate, len(tiles)), strict=True):
        rounds = ceil_div(ceil_div(work.rows, down) * ceil_div(work.columns, across), device.engines)
        outputs = rounds * down * across
        found.append(depth * (outputs / speed + wait_s) + outputs * n["program_s"] / WHOLE)
    return np.minimum.reduce(found)
