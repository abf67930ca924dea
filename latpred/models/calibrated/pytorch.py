"""Eager PyTorch on cuDNN and cuBLAS, channels last, as equations: every operator a kernel of its own.

Products of matrices, and convolutions as such, are cut into tiles that an engine takes in turn, so that

    time = rounds·(tile·depth/rate + start), rounds = ⌈products·⌈rows/tile rows⌉·⌈columns/tile columns⌉/engines⌉,

and FP32 convolutions of 3×3 and stride 1 have two more kernels: Winograd's F(2×2, 3×3) in one, and F(4×4, 3×3) in
three, whose middle one is 36 products. `latpred.models.calibrated.pytorch_work` says what each operator asks for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from latpred.devices.libraries import NUMBERS, Number
from latpred.models.calibrated.pytorch_work import BUILDERS, FUSED_PIXELS, SPLIT_EDGE, Work
from latpred.models.calibrated.tensorrt import slowdown
from latpred.models.calibrated.triton import Device, Times, join
from latpred.models.tiling import Numbers, ceil_div
from latpred.precision import element_bytes
from latpred.workloads import operators as op

#: Rows × columns of the tiles on the FP32 lanes and on the tensor cores; of batched products the largest alone.
LANE_TILES = ((256, 128), (256, 64), (128, 128), (128, 64), (64, 64), (64, 32))
TENSOR_TILES = ((256, 128), (128, 128), (128, 64), (64, 64))
PRODUCT_TILE = (128, 128)
#: Share of the time that a multiply-add takes longer in a tile of 32×32.
LANE_LOSS, TENSOR_LOSS = 1.5, 1.0
#: Elements of a sum that a program takes at a time.
LANE_STEP, TENSOR_STEP = 8, 16
#: Outputs of the program that `program_s` is the time of.
WHOLE = 128 * 128
#: F(2×2, 3×3): 4 multiply-adds per output and channel instead of 9, in programs of 8×16 pixels of 32 channels.
FUSED_MACS, FUSED_COLUMNS = 4, 32
#: F(4×4, 3×3): as many products as a tile of 4×4 outputs has numbers after the transformation; and the most tiles that
#: there is workspace for.
SPLIT_PRODUCTS, MOST_TILES = 36, 10_000
#: Multiply-adds per output and input channel that F(4×4, 3×3) does, of the nine.
LEAST_MACS = SPLIT_PRODUCTS / (9 * SPLIT_EDGE**2)
#: Maps of which half are found in the L2, over its size, and how sharply they stop being found there.
CACHE_SHARE, CACHE_EXPONENT = 0.6, 3


#: What a program of attention takes to start, in kernels' time.
ATTENTION_START = 1.2
#: What the host takes to call an operator of a network from Python: the median of 30 networks at batch 1 in three
#: precisions beside an H200, of which four in five take 25 to 53 µs; beside an H100 it was 22, and 18 to 31 µs [s].
HOST_S = 3.3e-5
HOST_BAND = (0.55, 1.6)
#: What a kernel takes longer behind another one: it makes the device's time of those networks in a CUDA graph right at
#: batch 1 and 16 in three precisions [s].
SWITCH_S = 1.5e-6
#: A call that is timed alone, from the host, is long; behind other kernels it takes no longer than this [s].
CHAINED_KERNEL_S = 2e-6


def numbers(precision: str) -> dict[str, Number]:
    """The numbers to fit."""
    return NUMBERS["pytorch"][precision]


def work_of(operator: op.Operator, batch: Numbers, precision: str) -> Work | None:
    """What an operator asks for; None for one of a dynamic network, and for convolutions with rates."""
    build = BUILDERS.get(type(operator))
    if build is None or not op.is_whole(operator):
        return None
    return build(operator, 1.0 * np.asarray(batch), precision)


def times(work: Work, fitted: Mapping[str, Numbers], device: Device) -> Times:
    """How long it takes, the fastest kernel where there are several."""
    n = fitted
    products = np.asarray(work.products) > 0
    lanes = "winograd_efficiency" in n
    compute = _lane_product(work, n, device) if lanes else _tensor_product(work, n, device)
    halves = 2.0 if "widened" in n else 1.0
    share: Numbers = np.where(work.uneven, n.get("uneven_efficiency", 1.0), n["depthwise_efficiency"])
    compute = np.where(products, compute, work.lane_macs / (share * (halves * device.lane_macs)))
    peak = device.macs / device.engines
    each = work.program_macs / (n["attention_efficiency"] * peak) + ATTENTION_START * n["kernel_s"]
    compute = compute + ceil_div(work.programs, device.engines) * each
    compute = compute + work.clocks / (n["pass_efficiency"] * device.engines * device.clock_hz)
    moved = work.bytes + work.norm_bytes * n.get("widened", 1.0)
    off_chip, l2 = _moved(moved, n, device)
    chained = np.asarray(work.chained) > 0
    kernel_s = np.where(chained, np.minimum(n["kernel_s"], CHAINED_KERNEL_S), n["kernel_s"])
    constant = kernel_s * work.kernels + np.where(chained, SWITCH_S, 0.0)
    found = Times(compute, off_chip + l2, constant, l2)
    return _or_split(found, work, n, device) if lanes else found


def _outputs(work: Work, down: int, across: int, engines: int) -> Numbers:
    """Outputs that an engine computes in all rounds over a tile; batched products come in one tile alone."""
    rows, columns = (np.where(work.batched, edge, own) for edge, own in zip(PRODUCT_TILE, (down, across), strict=True))
    programs = work.products * ceil_div(work.rows, rows) * ceil_div(work.columns, columns)
    return ceil_div(programs, engines) * rows * columns


def _gemm(
    work: Work, depth: Numbers, rate: Numbers, tiles: Sequence[tuple[int, int]], loss: float, start: float, engines: int
) -> Numbers:
    """The time with the fastest tile [s]; `rate` is an engine's [multiply-adds/s] in tiles of 64×64 and more."""
    found = []
    for down, across in tiles:
        outputs = _outputs(work, down, across, engines)
        slower = slowdown(loss, down, across)
        found.append(outputs * (depth * slower / rate + start / WHOLE))
    least: Numbers = np.minimum.reduce(found)
    return least


def _lane_product(work: Work, n: Mapping[str, Numbers], device: Device) -> Numbers:
    """On the FP32 lanes: tiles, or Winograd in one kernel [s]."""
    peak = device.macs / device.engines
    efficiency = np.where(
        work.linear, n["linear_efficiency"], np.where(work.grouped, n["group_efficiency"], n["efficiency"])
    )
    depth = ceil_div(work.channels * work.taps, LANE_STEP) * LANE_STEP
    direct = _gemm(work, depth, efficiency * peak, LANE_TILES, LANE_LOSS, n["program_s"], device.engines)
    programs = ceil_div(work.blocks * ceil_div(work.columns, FUSED_COLUMNS), device.engines)
    macs = (
        ceil_div(work.channels, LANE_STEP) * LANE_STEP * FUSED_MACS * FUSED_PIXELS[0] * FUSED_PIXELS[1] * FUSED_COLUMNS
    )
    fused = programs * (macs / (n["winograd_efficiency"] * peak) + n["winograd_program_s"])
    return np.where(programs > 0, np.minimum(direct, fused), direct)


def _tensor_product(work: Work, n: Mapping[str, Numbers], device: Device) -> Numbers:
    """On the tensor cores, or without them wherever the device has none [s]."""
    dense = np.where(work.odd, n["odd_efficiency"], np.where(work.linear, n["linear_efficiency"], n["efficiency"]))
    rate = np.where(work.grouped, n["group_efficiency"], dense) * device.macs / device.engines
    depth = ceil_div(work.channels, TENSOR_STEP) * TENSOR_STEP * work.taps
    return _gemm(work, depth, rate, TENSOR_TILES, TENSOR_LOSS, n["program_s"], device.engines)


def _or_split(found: Times, work: Work, n: Mapping[str, Numbers], device: Device) -> Times:
    """The times of F(4×4, 3×3) in place of those `found`, wherever it is faster and the library takes it."""
    tiles = np.asarray(work.tiles) * 1.0
    there = (tiles > 0) & (tiles <= MOST_TILES)
    some = np.maximum(tiles, 1.0)
    split = work._replace(rows=some, products=1.0 * SPLIT_PRODUCTS, taps=1.0, batched=0.0)
    depth = ceil_div(work.channels, LANE_STEP) * LANE_STEP
    rate = n["linear_efficiency"] * device.macs / device.engines
    product = _gemm(split, depth, rate, LANE_TILES, LANE_LOSS, n["program_s"], device.engines)
    # Transformed maps are written and read between the three kernels, which follow one another.
    between = 2 * element_bytes("fp32") * SPLIT_PRODUCTS * some * (work.channels + work.columns)
    off_chip, l2 = _moved(work.bytes + between, n, device)
    few = 1 + (n["winograd_tiles"] / some) ** 2
    # What the host takes to call is paid once.
    constant = found.constant + 2 * np.minimum(found.constant, CHAINED_KERNEL_S)
    times = Times((product + off_chip + l2) * few, 0.0 * some, constant, 0.0 * some)
    faster = there & (_joined(times) < _joined(found))
    return Times(*(np.where(faster, own, other) for own, other in zip(times, found, strict=True)))


def _joined(found: Times) -> Numbers:
    return join(found.compute, found.memory, {}) + found.constant


def _moved(moved: Numbers, n: Mapping[str, Numbers], device: Device) -> tuple[Numbers, Numbers]:
    """Time off-chip and in the L2 of so many bytes [s]."""
    cache = CACHE_SHARE * (device.l2_bytes or 0.0)
    missing = moved**CACHE_EXPONENT / (moved**CACHE_EXPONENT + cache**CACHE_EXPONENT + 1e-30)
    return missing * moved / (n["dram_efficiency"] * device.dram), (1 - missing) * moved / max(device.l2, device.dram)
