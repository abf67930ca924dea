"""Convolutions at many channel rates: the few tiles that can be the cheapest at a rate, found once for a shape.

Every tile's cost grows with the rate. So on an interval of rates a tile is out of question that costs more at its lower
end than the cheapest at its upper end; and everywhere, a tile that asks for no less of anything than another one with
as many channels. What is left is searched as ever.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latpred.models.interface import Cost
from latpred.models.published.convolutions import Shares, Traffic, at_rates, in_tiles, off_chip
from latpred.models.published.densities import DensityTable
from latpred.models.published.machine import Machine, Terms
from latpred.models.tiling import TIE_TOLERANCE, ceil_div, tile_edges
from latpred.workloads import operators as op

Floats = NDArray[np.float64]
Places = NDArray[np.int64]
Counts = NDArray[np.int16]

#: The most output channels whose densities are tabulated; a table for more of them takes seconds.
MOST_CHANNELS = 4096
#: Intervals of rates, narrow at both ends, where the densities are steep.
_INTERVALS = 128
#: Rates that are searched together, those with as many candidates side by side.
_TOGETHER = 2048


class Candidates(NamedTuple):
    """Of every operator of a stack and interval of rates, the `many` tiles from `start` on."""

    dense_s: Floats
    l2: Traffic
    pair: Places
    start: Places
    many: Counts
    densities: DensityTable


def switched_sides(o: op.Convolution) -> tuple[str, ...]:
    """The sides of a stack whose channels have several rates, the same on both; none where there is no table for it."""
    sides = tuple(name for name in ("input_rate", "output_rate") if isinstance(getattr(o, name), np.ndarray))
    alike = len(sides) < 2 or o.input_rate is o.output_rate or np.array_equal(o.input_rate, o.output_rate)
    return sides if alike and np.max(o.c_out) <= MOST_CHANNELS else ()


def convolutions(o: op.Convolution, M: Machine, N: int) -> Cost:
    """A stack at one or more rates of each of its operators: MODEL §3, over the candidates alone."""
    sides = switched_sides(o)
    found = _candidates(op.members(o), sides, M, N)
    rates = getattr(o, sides[0])
    rate, operator = rates.ravel(), np.broadcast_to(np.arange(rates.shape[-1]), rates.shape).ravel()
    interval = np.minimum((np.arcsin(np.sqrt(rate)) * (2 * _INTERVALS / np.pi)).astype(np.int64), _INTERVALS - 1)
    start, many = found.start[operator, interval], found.many[operator, interval]
    dram = Traffic(*(np.broadcast_to(part, rates.shape[-1:]) for part in off_chip(o, M, N)))
    depthwise = np.broadcast_to(o.is_depthwise, rates.shape[-1:])
    terms = np.empty((3, rate.size))
    for part in np.array_split(np.argsort(many, kind="stable"), -(-rate.size // _TOGETHER)):
        tiles = start[part] + np.minimum(np.arange(many[part].max())[:, np.newaxis], many[part] - 1)
        shares = _shares(o, rate[part], sides, depthwise[operator[part]])
        density = found.densities.at(found.pair[tiles], shares.weights)
        dram_s, l2 = Traffic(*(each[operator[part]] for each in dram)), Traffic(*(each[tiles] for each in found.l2))
        terms[:, part] = _cheapest(M, at_rates(N, dram_s, found.dense_s[tiles], l2, shares, density))
    compute, memory, l2_s = terms.reshape(3, *rates.shape)
    return M.cost(compute, memory, l2_s)


def _shares(o: op.Convolution, rate: Floats, sides: tuple[str, ...], depthwise: Any) -> Shares:
    """Shares at a rate of the sides that are switched."""
    rho_i, rho_o = (rate if side in sides else getattr(o, side) for side in ("input_rate", "output_rate"))
    return Shares(rho_i, rho_o, np.where(depthwise, 1.0, rho_i))


def _cheapest(M: Machine, terms: Terms) -> Terms:
    """The terms of the first tile that costs the least, of shape (tiles, rates) before."""
    cost = M.join(*terms[:2])
    first = np.argmax(cost <= cost.min(axis=0) * (1 + TIE_TOLERANCE), axis=0)
    rates = np.arange(cost.shape[1])
    compute, memory, l2_s = (np.broadcast_to(term, cost.shape)[first, rates] for term in terms)
    return compute, memory, l2_s


@lru_cache(maxsize=32)
def _candidates(shapes: tuple[op.Convolution, ...], sides: tuple[str, ...], M: Machine, N: int) -> Candidates:
    widths = sorted({o.c_out for o in shapes})
    first_pair = dict(zip(widths, np.cumsum([0, *(len(tile_edges(c_out)) for c_out in widths)]), strict=False))
    found = [_of_shape(o, sides, M, N) for o in shapes]
    dense_s, *l2 = np.hstack([parts for parts, _, _ in found])
    pair = np.concatenate([pair + first_pair[o.c_out] for o, (_, pair, _) in zip(shapes, found, strict=True)])
    many = np.array([count for _, _, count in found], dtype=np.int16)
    start = (np.cumsum(many, dtype=np.int64) - many.ravel()).reshape(many.shape)
    densities = DensityTable.joined([_densities(c_out) for c_out in widths])
    return Candidates(dense_s, Traffic(*l2), pair, start, many, densities)


@lru_cache(maxsize=64)
def _densities(c_out: int) -> DensityTable:
    """The densities of tiles of all candidate edges c_t, in their order."""
    c_t = tile_edges(c_out).astype(float)
    return DensityTable.of(ceil_div(c_out, c_t), c_t)


@lru_cache(maxsize=1024)
def _of_shape(o: op.Convolution, sides: tuple[str, ...], M: Machine, N: int) -> tuple[Floats, Places, Places]:
    """Parts and pairs of one operator's candidates, interval after interval, and how many there are in each."""
    axes = [tile_edges(extent).astype(float) for extent in (o.c_out, o.out_height, o.out_width)]
    dense_s, l2 = in_tiles(o, M, N, *np.meshgrid(*axes, indexing="ij"))
    asked = np.stack([dense_s, *l2]).reshape(4, len(axes[0]), -1)
    pair, place = np.nonzero(_undominated(asked))
    parts = asked[:, pair, place]
    rate = np.sin(np.arange(_INTERVALS + 1) * (np.pi / 2 / _INTERVALS)) ** 2
    shares = _shares(o, rate, sides, o.is_depthwise)
    density = _densities(o.c_out).at(np.arange(len(axes[0]))[:, np.newaxis], shares.weights)[pair]
    dense_s, *moved = parts[:, :, np.newaxis]
    cost = M.join(*at_rates(N, off_chip(o, M, N), dense_s, Traffic(*moved), shares, density)[:2])
    possible = cost[:, :-1] <= cost[:, 1:].min(axis=0) * (1 + 2 * TIE_TOLERANCE)
    _, chosen = np.nonzero(possible.T)
    return parts[:, chosen], pair[chosen], possible.sum(axis=0)


def _undominated(asked: Floats) -> NDArray[np.bool_]:
    """Of tiles in rows, whether no other of the row asks for as little of everything; the first of equals."""
    rows = np.arange(asked.shape[1])
    left = np.ones(asked.shape[1:], dtype=bool)
    undominated = ~left
    in_all = (asked / asked.min(axis=-1, keepdims=True)).sum(axis=0)
    while left.any():
        # What asks for the least in all is dominated by none of those left; with it goes what it dominates.
        least = np.argmin(np.where(left, in_all, np.inf), axis=-1)
        undominated[rows, least] |= left[rows, least]
        left &= ~np.all(asked[:, rows, least, np.newaxis] <= asked, axis=0)
    return undominated
