"""Stacks of operators: each keeps the tile that is its own, and their costs stand in a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from latpred.models.interface import Cost, Tiling
from latpred.models.published.machine import Machine
from latpred.models.tiling import Numbers, ceil_div
from latpred.workloads import operators as op

Search = Callable[[Any, Machine, int], tuple[Numbers, ...]]


def chosen(search: Search, o: Any, M: Machine, N: int) -> tuple[Numbers, ...]:
    """The tile that a cached `search` finds for any number of active patches; of a stack, an array per axis."""
    shapes = op.members(o)
    if shapes:
        return _tiles(search, shapes, M, N)
    alike = op.unchecked(type(o), {**o.__dict__, "r": None})
    # Arrays of channel rates have no hash, and are not asked for twice.
    arrays = any(isinstance(value, np.ndarray) for value in alike.__dict__.values())
    return search.__wrapped__(alike, M, N) if arrays else search(alike, M, N)  # type: ignore[attr-defined]


@lru_cache(maxsize=1024)
def _tiles(search: Search, shapes: tuple[op.Operator, ...], M: Machine, N: int) -> tuple[Numbers, ...]:
    return tuple(np.array(edges, dtype=float) for edges in zip(*(search(each, M, N) for each in shapes), strict=True))


def patch_tiling(tile: tuple[Numbers, ...], extents: tuple[int, ...], x: Numbers, parallel: Numbers) -> Tiling | None:
    """The tiling of `x` patches, `m` at a time; None where nothing runs, and for several of them."""
    if np.ndim(x) or not x:
        return None
    m, *edges = tile
    return Tiling(tile, extents, tuple(edges), parallel, float(x) / (ceil_div(x, m) * m))


def end_to_end(costs: Sequence[Cost]) -> Cost:
    """Costs of one operator at some rates each as its cost at all of them."""
    pieces = zip(*(np.broadcast_arrays(*cost[:5]) for cost in costs), strict=True)
    joined: Any = map(np.concatenate, pieces)
    return Cost(*joined)


def in_a_row(costs: Sequence[Cost]) -> Cost:
    """Costs of single operators as those of a stack: the last axis counts the operators."""
    columns = list(zip(*(cost[:5] for cost in costs), strict=True))
    stacked: Any = [np.stack(np.broadcast_arrays(*column), axis=-1) for column in columns]
    return Cost(*stacked)
