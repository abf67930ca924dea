"""The kernels of `latpred.measuring.gpu` as equations: what each asks of the device, and how long that takes.

An operator becomes `Work`: programs, steps of their sum, multiply-adds and bytes, all known from its shape and from the
tile that the library ships. `times` turns work into time with the fitted numbers of
`latpred.devices.libraries`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from latpred.devices.libraries import NUMBERS, Number
from latpred.errors import InputError
from latpred.models.calibrated.tiles import (
    LINEAR_IN,
    LINEAR_OUT,
    POOL_CHANNELS,
    POOL_PIXELS,
    TILES,
    Tile,
    depth,
    halvings,
    pitch_halvings,
    tiles,
    width,
)
from latpred.models.tiling import Numbers, ceil_div
from latpred.precision import element_bytes
from latpred.workloads import operators as op

#: Edges of the convolutions' filters.
KERNEL_EDGES = (1, 3)
#: The least share of an operator's multiply-adds that is done.
LEAST_MACS = 1.0
#: Place of the smallest tile among the sizes, of which a library may have two only.
SMALLEST = 2
#: Outputs of a warp up to which a program starts and ends in `program_s`, 32 in each of its threads, and how the time
#: grows beyond.
FEW_OUTPUTS, START_EXPONENT = 32 * 32, 1 / 3
#: The exponent of libraries that fit none.
USUAL_OVERLAP = 2.5
#: How sharply maps stop being found in the L2 as they outgrow it.
CACHE_EXPONENT = 3
#: Scores that a program of the compaction reads while it waits once: four for each thread of eight warps.
COMPACTION_READ = 1024


class Work(NamedTuple):
    """What one kernel asks of the device; numbers, or arrays that broadcast.

    `step_macs` are those of one step of a program, padding included, zero in kernels that only wait for memory. `size`
    is 0 for the largest tile, 1 for the middle and 2 for the smallest, and a program has 4·`quarters` warps and takes
    `start` times as long to start and end as one of few outputs a thread.
    `weight_bytes` come from the off-chip memory, `map_bytes` from there or from the L2. `halved` is how often accesses
    to weights and maps are halved, `chained` 1 where another kernel runs before. `programs` to `start` have a first
    axis, over tiles that the library may take; the fastest counts.
    """

    programs: Numbers
    steps: Numbers
    step_macs: Numbers = 0.0
    size: Numbers = 0.0
    quarters: Numbers = 1.0
    start: Numbers = 1.0
    weight_bytes: Numbers = 0.0
    map_bytes: Numbers = 0.0
    halved: Numbers = 0.0
    chained: Numbers = 0.0


class Device(NamedTuple):
    """Peaks: engines, multiply-adds/s in the precision and on the FP32 lanes, bandwidths [bytes/s], L2 size [bytes].

    `clock_hz` is that at which the lanes reach their peak [Hz].
    """

    engines: int
    macs: float
    lane_macs: float
    dram: float
    l2: float
    l2_bytes: float
    clock_hz: float


class Times(NamedTuple):
    """Compute and memory time, which overlap, and constant time [s]; `l2` is the part of memory within the L2."""

    compute: Numbers
    memory: Numbers
    constant: Numbers
    l2: Numbers = 0.0


def times(work: Work, fitted: Mapping[str, Numbers], device: Device) -> Times:
    """How long it takes."""
    n = fitted
    share = ceil_div(work.programs, device.engines)
    some = np.minimum(share, 1)
    by_size = (n["large_efficiency"], n.get("middle_efficiency", 1.0), n["small_efficiency"])
    efficiency = np.choose(np.asarray(work.size, dtype=int), by_size)
    busy = work.step_macs * device.engines / (device.macs * efficiency)
    alone = busy * n["alone_slowdown"] / work.quarters
    full, lone = (n[name] ** work.halved for name in ("gather_factor", "gather_alone"))
    gemm = work.steps * np.maximum(share * busy * full, some * alone * lone) + share * n["program_s"] * work.start
    # The first program's waits follow one another; each further one adds a single wait, since it overlaps the others'.
    waits = (some * work.steps + share - some) * n["serial_s"]
    compute = np.where(np.asarray(work.step_macs) > 0, gemm, waits).min(axis=0)
    cache = n["cache_share"] * device.l2_bytes
    missing = work.map_bytes**CACHE_EXPONENT / (work.map_bytes**CACHE_EXPONENT + cache**CACHE_EXPONENT)
    off_chip = (work.weight_bytes + missing * work.map_bytes) / device.dram
    l2 = (1 - missing) * work.map_bytes / device.l2
    return Times(compute, off_chip + l2, n["kernel_s"] + work.chained * n["switch_s"], l2)


def join(compute: Numbers, memory: Numbers, fitted: Mapping[str, Numbers]) -> Numbers:
    """(computeᵖ + memoryᵖ)^(1/p), by the larger of them, so that nothing overflows."""
    p = fitted.get("overlap", USUAL_OVERLAP)
    largest = np.maximum(np.maximum(compute, memory), 1e-30)
    return largest * ((compute / largest) ** p + (memory / largest) ** p) ** (1 / p)


def numbers(precision: str) -> dict[str, Number]:
    """The numbers to fit."""
    return NUMBERS["triton"][precision]


def work_of(operator: op.Operator, batch: Numbers, precision: str) -> Work | None:
    """What an operator asks for; None where the library has no kernel for its type.

    Raises InputError for a setting that the kernel of its type does not have.
    """
    build = BUILDERS.get(type(operator))
    if build is None:
        return None
    if isinstance(operator, op.Convolution | op.MaskerConvolution):
        _check_kernels(operator)
    return build(operator, batch, precision)


def _check_kernels(o: Any) -> None:
    """Raise InputError for a convolution that the kernels do not compute."""
    kernels = set(np.ravel(getattr(o, "kernel", 1)).tolist())
    group = getattr(o, "channel_group", None)
    switched = any(np.ndim(rate) or rate != 1 for rate in (getattr(o, "input_rate", 1.0), o.output_rate))
    if not kernels.issubset(KERNEL_EDGES):
        edge = int(max(kernels))
        problem = f"{edge}×{edge} convolutions (it has 1×1 and 3×3)"
    elif switched and type(o) is not op.Convolution:
        problem = "patches with channel skipping"
    elif switched and not group:
        problem = "channels that switch one by one: give channel_group, the channels that switch together"
    elif group and np.any(np.asarray(o.groups) > 1):
        problem = "channel skipping in grouped convolutions"
    else:
        return
    raise InputError(f"the calibrated (triton) model has no kernels of {problem}")


def _gemm(
    precision: str,
    rows: Numbers,
    columns: Numbers,
    channels: Numbers,
    taps: Numbers,
    planes: Numbers,
    *,
    masker: bool = False,
    halved: Numbers = 0.0,
    **rest: Numbers,
) -> Work:
    offered = tiles(precision, masker=masker)
    dimensions = max(map(np.ndim, (rows, columns, channels, taps, planes)))
    # A first axis over tiles, then those of the other arrays.
    shape = (-1, *[1] * dimensions)
    fields: Any = [np.array(field).reshape(shape) for field in zip(*offered, strict=True)]
    tile = Tile(*fields)
    wide, deep = width(tile, columns), depth(tile, channels)
    places = {tile: place for place, tile in enumerate(TILES[precision][:-1])}
    return Work(
        programs=ceil_div(rows, tile.rows) * ceil_div(columns, wide) * planes,
        steps=taps * ceil_div(channels, deep),
        step_macs=_step_macs(tile, wide, deep),
        size=np.array([places.get(tile, SMALLEST) for tile in offered]).reshape(shape),
        quarters=tile.warps / 4,
        start=np.maximum(tile.rows * wide / (FEW_OUTPUTS * tile.warps), 1.0) ** START_EXPONENT,
        halved=halved + pitch_halvings(precision, channels, columns),
        **rest,
    )


def _step_macs(tile: Tile, wide: Numbers, step: Numbers) -> Numbers:
    """Those of a step as wide as the tile that takes as long as one of `wide` columns.

    Its products fall with the width, the rows that it reads do not: the geometric mean of both.
    """
    return step * tile.rows * np.sqrt(tile.columns * wide)


def convolution(o: op.Convolution, N: Numbers, precision: str, *, masker: bool = False) -> Work:
    """Dense or grouped; of patches where the operator has them."""
    if o.channel_group:
        return _channel_convolution(o, N, precision)
    size, pixels = element_bytes(precision), o.out_height * o.out_width
    rows: Numbers = pixels
    # In floating point, where products of whole numbers never wrap around.
    read = np.where(o.kernel > 1, 1.0 * o.height * o.width, 1.0 * pixels)
    if isinstance(o, op.ActivePatches):
        rows = o.active * o.patch_edge**2
        halo = np.minimum(o.active * (o.patch_edge * o.stride + o.kernel - 1) ** 2, read)
        read = np.where(o.indexed, halo, rows)
    maps = N * (o.c_in * read + o.c_out * rows)
    columns, channels = np.asarray(o.c_out // o.groups), np.asarray(o.c_in // o.groups)
    return _gemm(
        precision,
        N * rows,
        columns,
        channels,
        o.kernel**2,
        o.groups,
        weight_bytes=o.weights * size,
        map_bytes=maps * size,
        masker=masker,
    )


def _channel_convolution(o: op.Convolution, N: Numbers, precision: str) -> Work:
    """With gathered channel groups: a GEMM per sample, of the channels that are on for it."""
    size, group, pixels = element_bytes(precision), o.channel_group or 1, o.out_height * o.out_width
    channels, columns = _active(o.c_in, o.input_rate, group), _active(o.c_out, o.output_rate, group)
    used = np.minimum(N * (channels / o.c_in) * (columns / o.c_out), 1.0)
    maps = N * (o.height * o.width * channels + pixels * columns)
    gathers_in, gathers_out = _switches(o.input_rate), _switches(o.output_rate)
    return _gemm(
        precision,
        np.asarray(pixels),
        columns,
        channels,
        o.kernel**2,
        N,
        weight_bytes=o.weights * used * size,
        map_bytes=maps * size,
        halved=halvings(precision, group, gathers_in=gathers_in, gathers_out=gathers_out),
    )


def _switches(rate: Any) -> bool:
    """Whether the channels of a side are gathered; a rate of 1 says that they are not."""
    return bool(np.any(np.asarray(rate) < 1))


def _active(channels: Numbers, rate: Any, group: int) -> Numbers:
    """Channels of the groups that are on, at least one of them; all where the side does not switch."""
    if not _switches(rate):
        return channels * np.ones_like(rate, dtype=float)
    return np.maximum(np.ceil(np.asarray(rate) * (channels // group) - 1e-9), 1) * group


def masker_convolution(o: op.MaskerConvolution, N: Numbers, precision: str) -> Work:
    """Dense, whatever the rate, with the masker in the same kernel."""
    return convolution(o.dense, N, precision, masker=True)


def _small(programs: Numbers, steps: Numbers, map_bytes: Numbers) -> Work:
    """A kernel that multiplies no matrices and has one tile."""
    return Work(np.asarray(programs)[np.newaxis], np.asarray(steps)[np.newaxis], map_bytes=map_bytes)


def elementwise(o: op.Operator, N: Numbers, precision: str) -> Work:
    """One pass over maps; where a patch is stored must be known before it is read."""
    steps = 2.0 if isinstance(o, op.ScatterAdd) else 1.0
    return _small(1.0, steps, map_bytes=o.elements(N) * element_bytes(precision))


def pool(o: Any, N: Numbers, precision: str) -> Work:
    """Partial means: a program per POOL_PIXELS pixels, channel block and sample; it reads, and adds up twice."""
    pixels = o.active * o.S**2 if isinstance(o, op.PatchGlobalPool) else o.height * o.width
    programs = ceil_div(pixels, POOL_PIXELS) * ceil_div(o.channels, POOL_CHANNELS) * N
    return _small(programs, 3.0, map_bytes=o.elements(N) * element_bytes(precision))


def fully_connected(o: op.FullyConnected, N: Numbers, _: str) -> Work:
    """A program per block of outputs and sample; every step but the first waits for its input, then its weights.

    The pool's partial means that it adds up are not counted: they are read at once.
    """
    programs = ceil_div(o.c_out, LINEAR_OUT) * N
    return _small(programs, 2.0 * ceil_div(o.c_in, LINEAR_IN) - 1, map_bytes=4.0 * o.c_in * o.c_out)


def mask_compaction(o: op.MaskCompaction, N: Numbers, _: str) -> Work:
    """A program per map: it reads its scores, sums those of an item, reads thresholds and writes what is on.

    Reading and writing are counted in parts of a wait, since they overlap.
    """
    pixels = o.height * o.width
    steps = 1.0 + (o.items < pixels) + (pixels + 2.0 * o.items) / COMPACTION_READ
    return _small(o.maps(N) * 1.0, steps, map_bytes=4.0 * o.elements(N))


BUILDERS: dict[type[op.Operator], Callable[..., Work]] = {
    op.Convolution: convolution,
    op.PatchConvolution: convolution,
    op.HaloConvolution: convolution,
    op.MaskerConvolution: masker_convolution,
    op.Add: elementwise,
    op.ScatterAdd: elementwise,
    op.ChannelScale: elementwise,
    op.PatchChannelScale: elementwise,
    op.GlobalPool: pool,
    op.PatchGlobalPool: pool,
    op.AveragePool: pool,
    op.FullyConnected: fully_connected,
    op.MaskCompaction: mask_compaction,
}
