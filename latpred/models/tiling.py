"""How a kernel cuts its tensor into tiles: the candidate edges, and the one search for the cheapest (MODEL §2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Candidates this close to the least cost count as ties, and the first in lexicographic order wins (MODEL §2).
TIE_TOLERANCE = 1e-9

Axis = NDArray[np.int64]
#: Grids and rates mix Python numbers, NumPy scalars and arrays; they broadcast, which no narrower type expresses.
Numbers = Any


@lru_cache(maxsize=1024)
def tile_edges(n: int) -> Axis:
    """Candidate tile edges T(n) for an extent `n`, ascending: powers of two, even splits, small edges.

    >>> tile_edges(7).tolist()
    [1, 2, 3, 4, 5, 6, 7, 8]
    """
    splits = {-(-n // i) for i in range(1, min(n, 8))}
    small = set(range(2, min(n, 8)))
    return np.array(sorted(set(power_edges(n).tolist()) | splits | small), dtype=np.int64)


@lru_cache(maxsize=1024)
def power_edges(n: int) -> Axis:
    """Candidate tile edges {2^i : i < 8, 2^i ≤ 2n}, ascending.

    >>> power_edges(3).tolist()
    [1, 2, 4]
    """
    return np.array([2**i for i in range(8) if 2**i <= 2 * n], dtype=np.int64)


def ceil_div(a: Numbers, b: Numbers) -> Numbers:
    """⌈a/b⌉, exact for whole numbers below 2^53."""
    return np.ceil(a / b)


def cheapest(axes: tuple[Axis, ...], latency: Callable[..., Numbers]) -> tuple[Numbers, ...]:
    """The tile with the least `latency(*tile)` over the Cartesian product of `axes`.

    `latency` is called once, on an open grid with one axis per tile edge and a last axis for rates, so that it may
    return any shape that broadcasts to (*tile axes, rates). The result is one integer per axis, or one array of
    `rates` integers per axis where the latency depends on several rates.

    >>> cheapest((tile_edges(4), tile_edges(4)), lambda a, b: abs(a * b - 6.0))
    (2, 3)
    """
    shape = tuple(len(axis) for axis in axes)
    # In floating point, where products of whole numbers are exact up to 2^53 and never wrap around.
    grid = [axis.astype(float).reshape(-1, *[1] * (len(axes) - place)) for place, axis in enumerate(axes)]
    values = np.asarray(latency(*grid), dtype=float)
    rates = values.shape[-1]
    values = np.broadcast_to(values, (*shape, rates)).reshape(-1, rates)
    first = np.argmax(values <= values.min(axis=0) * (1 + TIE_TOLERANCE), axis=0)
    tile = tuple(axis[index] for axis, index in zip(axes, np.unravel_index(first, shape), strict=True))
    return tuple(int(edge[0]) for edge in tile) if rates == 1 else tile
