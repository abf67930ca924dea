"""How full the fullest tile of a channel-dynamic kernel is (MODEL §2): one by one, and from tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np
from numpy.typing import ArrayLike, NDArray


def fullest_density(n: ArrayLike, c: ArrayLike, p: ArrayLike) -> NDArray[np.float64]:
    """Expected density of the fullest of `n` tiles of `c` channels, each on with probability `p`: D(n, c, p).

    The engines wait for the fullest tile: D = max(p, (1/c)·Σ_{k<c} (1 − Φ(k)^n)), Φ the CDF of Binomial(c, p),
    since E[max] = Σ_k P(max > k). Arguments broadcast.

    >>> round(float(fullest_density(2, 1, 0.5)), 12)    # of two channels, at least one is on: 1 − 0.5²
    0.75
    """
    n, c, p = np.broadcast_arrays(n, c, p)
    # Of one tile it is the mean, p.
    density = np.array(p, dtype=float)
    for channels in np.unique(c[n > 1]):
        at = (c == channels) & (n > 1)
        beyond = _binomial_tail(int(channels), p[at])
        fullest = np.mean(-np.expm1(n[at] * np.log1p(-beyond)), axis=0)
        density[at] = np.where(p[at] == 0, 0.0, np.maximum(p[at], fullest))
    return density


def _binomial_tail(c: int, p: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 − Φ(k) of Binomial(c, p) for k = 0 … c−1, shape (c, len(p)), just below 1 at most.

    The tail is summed from its small end, because 1 − Φ^n multiplies the rounding error of Φ near 1 by n. Own lines
    because SciPy takes 0.2 s to import.
    """
    k = np.arange(c + 1)[:, np.newaxis]
    p = np.clip(p, 1e-300, 1 - 1e-16)
    log_choose = (_log_factorials(c)[c] - _log_factorials(c) - _log_factorials(c)[::-1])[:, np.newaxis]
    probability = np.exp(log_choose + k * np.log(p) + (c - k) * np.log1p(-p))
    tail: NDArray[np.float64] = np.cumsum(probability[:0:-1], axis=0)[::-1]
    return np.minimum(tail, 1 - 1e-16)


@lru_cache(maxsize=256)
def _log_factorials(c: int) -> NDArray[np.float64]:
    """log(k!) for k = 0 … c."""
    return np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, c + 1)))])


#: Terms of the cosine series of D, per √(n·c): they fall as exp(−m²/(n·c)), and the rest of them is below 1e-15.
_TERMS = 6
#: Nodes of a table, per term.
_NODES = 4
#: Terms of a Taylor series about the nearest node, which leaves out less than 1e-14.
_ORDER = 8


@dataclass(frozen=True, eq=False)
class DensityTable:
    """D(n, c, p) of several pairs (n, c) for any p, to 1e-13.

    With p = sin²(θ/2), D is a polynomial in cos θ, and so a cosine series in θ of which the first terms count. `taylor`
    holds D^(k)(θ)/k! of a pair at `nodes` + 1 angles from 0 to π, from row `first` on; shape (rows, order).
    """

    taylor: NDArray[np.float64]
    first: NDArray[np.int64]
    nodes: NDArray[np.int64]

    @classmethod
    def of(cls, n: NDArray[np.float64], c: NDArray[np.float64]) -> DensityTable:
        """The table of pairs, `n` and `c` of shape (pairs,) each."""
        terms = 16 * int(np.ceil(_TERMS / 16 * np.sqrt(np.max(n * c))))
        nodes, order = terms * _NODES, np.arange(terms + 1)
        samples = fullest_density(n[:, np.newaxis], c[:, np.newaxis], np.sin(order * np.pi / terms / 2) ** 2)
        series = np.fft.rfft(np.hstack([samples, samples[:, -2:0:-1]])).real * _NODES
        taylor = [np.fft.irfft(series * (1j * order) ** k / factorial(k), 2 * nodes) for k in range(_ORDER)]
        rows = np.stack(taylor, axis=-1)[:, : nodes + 1].reshape(-1, _ORDER)
        return cls(rows, np.arange(len(n)) * (nodes + 1), np.full(len(n), nodes))

    @classmethod
    def joined(cls, tables: Sequence[DensityTable]) -> DensityTable:
        """Tables as one, the pairs of one after those of another."""
        before = np.cumsum([0, *(len(table.taylor) for table in tables)])
        first = [table.first + rows for table, rows in zip(tables, before, strict=False)]
        taylor, nodes = [table.taylor for table in tables], [table.nodes for table in tables]
        return cls(np.concatenate(taylor), np.concatenate(first), np.concatenate(nodes))

    def at(self, pair: NDArray[np.int64], p: NDArray[np.float64]) -> NDArray[np.float64]:
        """D of the pairs by number at `p`; both broadcast."""
        theta, nodes = 2 * np.arcsin(np.sqrt(p)), self.nodes[pair]
        nearest = np.rint(theta * nodes / np.pi)
        away = theta - nearest * np.pi / nodes
        coefficients = self.taylor[self.first[pair] + nearest.astype(np.int64)]
        density: NDArray[np.float64] = coefficients[..., -1]
        for k in range(_ORDER - 2, -1, -1):
            density = density * away + coefficients[..., k]
        # What is exact of the sum is exact here.
        return np.where(p == 0, 0.0, np.maximum(density, p))
