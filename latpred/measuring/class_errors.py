"""The errors of rows by what they are of, and the bands that follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latpred.devices.calibration import ClassError
from latpred.measuring.measurements import Measurement
from latpred.measuring.networks import NetworkRow

Floats = NDArray[np.float64]
#: What a fit can be made to: operators and blocks, or whole networks.
Rows: TypeAlias = Sequence[Measurement | NetworkRow]
#: The band holds this share of the measurements.
BAND = 0.8


def class_errors(rows: Rows, ratios: Floats) -> list[ClassError]:
    """The errors of every class, and of all blocks and all operators; `ratios` are measured over predicted times.

    In the band every shape counts alike, however many of its rows were measured: they err together, and what a band is
    asked about is another shape.
    """
    names = [(row.kind, _together(row)) for row in rows]
    found = []
    for name in dict.fromkeys(name for pair in zip(*names, strict=True) for name in sorted(set(pair))):
        inside = np.array([name in pair for pair in names])
        chosen = ratios[inside]
        errors = np.abs(1 / chosen - 1)
        shapes = [row.shape for row, counts in zip(rows, inside, strict=True) if counts]
        low, high = _quantiles(chosen, shapes, [(1 - BAND) / 2, (1 + BAND) / 2])
        found.append(
            ClassError(
                name=name,
                n=len(chosen),
                median_error=round(float(np.median(errors)), 4),
                mean_error=round(float(errors.mean()), 4),
                low=round(float(low), 4),
                high=round(float(high), 4),
            )
        )
    return found


def _quantiles(values: Floats, shapes: Sequence[Any], shares: Sequence[float]) -> Floats:
    """Quantiles in which every shape has the same weight; where each has as many values, the usual ones."""
    numbers = Counter(shapes)
    order = np.argsort(values)
    weights = np.array([1 / numbers[shape] for shape in shapes])[order]
    middles = np.cumsum(weights) - weights / 2
    return np.interp(shares, (middles - middles[0]) / max(middles[-1] - middles[0], 1e-9), values[order])


def _together(row: Measurement | NetworkRow) -> str:
    """What a row's errors are put together with."""
    if isinstance(row, NetworkRow):
        return "networks"
    return "blocks" if row.is_block else "operators"
