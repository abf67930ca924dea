"""How full the fullest tile of a channel-dynamic kernel is (MODEL §2)."""

from __future__ import annotations

from functools import lru_cache

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
    density = np.empty(p.shape)
    for channels in np.unique(c):
        at = c == channels
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
