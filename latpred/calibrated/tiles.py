"""What the Triton kernels ship: their tiles, and the rule that picks one. Without torch: predictions ask it too."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from latpred.tiling import ceil_div

#: Engines of the device that the rule was tuned on; a library ships one rule for a family of devices.
TUNED_ENGINES = 132


class Tile(NamedTuple):
    """A block of a GEMM that one program computes: output rows × output columns, `depth` of the sum per step.

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


#: Tiles by precision, large to small: the fastest of 13 to 15 on an H200 (docs/accuracy.md).
TILES: dict[str, tuple[Tile, ...]] = {
    "fp32": (Tile(64, 64, 32, 4, 2, 0.84, 1.19), Tile(16, 32, 64, 2, 3, 0.31, 0.95)),
    "tf32": (Tile(32, 64, 32, 4, 4, 0.16, 0.33), Tile(16, 64, 32, 4, 4, 0.12, 0.19)),
    "fp16": (
        Tile(128, 128, 64, 8, 3, 0.59, 0.67),
        Tile(64, 64, 64, 4, 4, 0.22, 0.39),
        Tile(32, 32, 64, 4, 4, 0.11, 0.27),
    ),
}


def width(tile: Tile, columns: Any) -> Any:
    """Columns of a program: the tile's, or the power of two that holds all there are, at least 16."""
    return np.minimum(tile.columns, _power(columns))


def depth(tile: Tile, channels: Any) -> Any:
    """Channels per step of the sum: the tile's, or the power of two that holds all there are, at least 16."""
    return np.minimum(tile.depth, _power(channels))


def _power(n: Any) -> Any:
    return np.maximum(16, 2 ** np.ceil(np.log2(np.maximum(n, 1)))).astype(int)


def choose(precision: str, rows: Any, columns: Any, channels: Any, taps: int, planes: Any) -> Any:
    """Index of the tile in TILES[precision] that should finish first; an array where an argument is.

    Programs share an engine at the tile's `busy` time per step, and none finishes sooner than its steps take alone.
    """
    times = []
    for tile in TILES[precision]:
        programs = ceil_div(rows, tile.rows) * ceil_div(columns, tile.columns) * planes
        steps = taps * ceil_div(channels, depth(tile, channels))
        times.append(steps * np.maximum(ceil_div(programs, TUNED_ENGINES) * tile.busy, tile.alone))
    return np.argmin(np.array(np.broadcast_arrays(*times)), axis=0)
