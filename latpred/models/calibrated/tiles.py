"""What the Triton kernels ship: their tiles, and the rule that picks one. Without torch: predictions ask it too."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from latpred.models.tiling import ceil_div
from latpred.precision import element_bytes

#: Engines of the device that the rule was tuned on; a library ships one rule for a family of devices.
TUNED_ENGINES = 132


class Tile(NamedTuple):
    """A block of a GEMM that one program computes: output rows × output columns, `depth` of the sum per step.

    Of several tiles at once, the fields are arrays.

    `busy` and `alone` are the rule's weights: relative time of a step where the device is full, and where a program
    has an engine for itself.
    """

    rows: int
    columns: int
    depth: int
    warps: int
    stages: int
    busy: float
    alone: float


#: Tiles by precision, large to small: the fastest of 8 to 10 on an H200 (docs/accuracy.md).
TILES: dict[str, tuple[Tile, ...]] = {
    "fp32": (Tile(64, 64, 32, 4, 2, 0.83, 1.39), Tile(16, 32, 64, 2, 3, 0.3, 0.72)),
    "tf32": (
        Tile(128, 128, 32, 4, 3, 0.53, 0.67),
        Tile(64, 64, 32, 4, 4, 0.27, 0.3),
        Tile(32, 32, 64, 4, 3, 0.18, 0.36),
    ),
    "fp16": (
        Tile(128, 128, 64, 8, 3, 0.49, 0.67),
        Tile(64, 64, 64, 4, 4, 0.25, 0.39),
        Tile(32, 32, 64, 4, 4, 0.12, 0.28),
    ),
}
#: How the small kernels cut their work: pixels and channels of a program of the pool, outputs and inputs of a step of a
#: linear layer.
POOL_PIXELS, POOL_CHANNELS = 128, 64
LINEAR_OUT, LINEAR_IN = 8, 512
#: Bytes of the widest access, and of what the memory reads at least.
WIDEST_ACCESS, SECTOR = 16, 32
#: Halvings that FP32 weights count as which are adjacent along the inputs, whatever the group: between 6 and 10 the
#: errors on shapes left out are the same, below they grow (docs/accuracy.md).
SIDEWAYS_HALVINGS = 8.0


def tiles(precision: str, *, masker: bool = False) -> tuple[Tile, ...]:
    """The tiles of a kernel; on the tensor cores, one with a masker never takes the smallest, whose time it doubles."""
    every = TILES[precision]
    return (*every[:-1], every[-2]) if masker and precision != "fp32" else every


def inputs_adjacent(precision: str, group: int = 1, *, gathers_out: bool = False) -> bool:
    """Whether a filter's input channels lie side by side in memory, rather than its output channels.

    TF32 products need them so; FP32 ones are two to three times as fast the other way, FP16 ones alike. Gathering is
    cheap across the adjacent channels and dear along them: FP16 lays them across what is gathered out, and FP32 does
    where a group does not fill a whole access.
    """
    short = group * element_bytes(precision) < WIDEST_ACCESS
    return precision == "tf32" or (gathers_out and (short or precision == "fp16"))


def halvings(precision: str, group: int, *, gathers_in: bool, gathers_out: bool) -> float:
    """How often what is read of the weights at a time is halved, from a sector of the memory down to a group."""
    adjacent = inputs_adjacent(precision, group, gathers_out=gathers_out)
    if adjacent and precision == "fp32":
        return SIDEWAYS_HALVINGS
    along = gathers_in if adjacent else gathers_out
    return max(float(np.log2(SECTOR / (group * element_bytes(precision)))), 0.0) if along else 0.0


def pitch_halvings(precision: str, channels: Any, columns: Any) -> Any:
    """How often accesses to maps are halved, because not all pixels begin at a whole one.

    Channels in and out are told to the compiler in units of the largest power of two that divides both, which decides
    how wide an access can be, and whether it lies within one sector of the memory: a halving for either. The FP32
    kernels, which are bound by their lanes, are as fast with any.
    """
    if precision == "fp32":
        return 0.0
    common = np.gcd(np.asarray(channels).astype(np.int64), np.asarray(columns).astype(np.int64))
    unit = (common & -common) * element_bytes(precision)
    return sum(np.maximum(np.log2(whole / unit), 0.0) for whole in (WIDEST_ACCESS, SECTOR))


def width(tile: Tile, columns: Any) -> Any:
    """Columns of a program: the tile's, or the power of two that holds all there are, at least 16."""
    return np.minimum(tile.columns, _power(columns))


def depth(tile: Tile, channels: Any) -> Any:
    """Channels per step of the sum: the tile's, or the power of two that holds all there are, at least 16."""
    return np.minimum(tile.depth, _power(channels))


def _power(n: Any) -> Any:
    return np.maximum(16, 2 ** np.ceil(np.log2(n))).astype(int)


def choose(
    precision: str, rows: Any, columns: Any, channels: Any, taps: int, planes: Any, *, masker: bool = False
) -> Any:
    """Index of the tile among `tiles` that should finish first; an array where an argument is.

    Programs share an engine at the tile's `busy` time per step, and none finishes sooner than its steps take alone.
    """
    times = []
    for tile in tiles(precision, masker=masker):
        programs = ceil_div(rows, tile.rows) * ceil_div(columns, tile.columns) * planes
        steps = taps * ceil_div(channels, depth(tile, channels))
        times.append(steps * np.maximum(ceil_div(programs, TUNED_ENGINES) * tile.busy, tile.alone))
    return np.argmin(np.array(np.broadcast_arrays(*times)), axis=0)
