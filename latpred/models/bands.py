"""The band of a sum of predictions, from the band of each."""

from __future__ import annotations

from collections.abc import Hashable, Iterable

import numpy as np

from latpred.models.tiling import Numbers


def band_of_sum(low: float, high: float, parts: Iterable[tuple[Hashable, Numbers]]) -> tuple[Numbers, Numbers]:
    """Where the measured over the predicted time of a sum should lie, if each part's lies between `low` and `high`.

    `parts` are shapes and predicted times [s], each a number or an array of settings. What is off for a shape is off by
    the same factor wherever the shape occurs, at whatever rate; errors of different shapes are independent. So the
    times of each shape add up, those of different shapes by their squares, and the half-widths (in log space) shrink
    around the middle, which all share.

    >>> low, high = band_of_sum(0.9, 1.1, [("a", 3.0), ("b", 2.0), ("b", 2.0)])  # 5/7 of the half-widths
    >>> print(f"{low:.4f}–{high:.4f}")
    0.9262–1.0689
    """
    times: dict[Hashable, Numbers] = {}
    for shape, seconds in parts:
        times[shape] = times.get(shape, 0.0) + seconds
    total = sum(times.values())
    # What takes no time has none to be off by.
    independent = np.sqrt(sum(seconds**2 for seconds in times.values())) / np.where(total == 0, 1.0, total)
    middle = np.sqrt(low * high)
    return middle * (low / middle) ** independent, middle * (high / middle) ** independent


def widened(low: Numbers, high: Numbers, spread: float) -> tuple[Numbers, Numbers]:
    """A band with another, independent cause of errors, whose own band is exp(±`spread`): half-widths add by squares.

    >>> low, high = widened(0.9, 1.1, 0.15)
    >>> print(f"{low:.4f}–{high:.4f}")
    0.8307–1.1918
    """
    middle = np.sqrt(low * high)
    half = np.hypot(np.log(high / middle), spread)
    return middle * np.exp(-half), middle * np.exp(half)
