"""Many predictions as one tidy table: targets × devices × paradigms × batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.interface import cost_model
from latpred.prediction import Target, checked_batch, curve, target_name
from latpred.workloads.paradigms import Channel, Layer, Paradigm, Spatial

if TYPE_CHECKING:
    import pandas

#: Columns of a sweep, in order; `granularity` is spelled as in `4-4-2-1` where it differs per stage.
COLUMNS = (
    "target",
    "device",
    "model",
    "paradigm",
    "granularity",
    "r",
    "batch",
    "precision",
    "library",
    "latency_s",
    "latency_per_image_s",
    "static_latency_s",
    "ratio",
    "macs",
    "macs_ratio",
)


def grid(
    paradigm: type[Paradigm], *, r: Iterable[float], granularity: Iterable[int | Sequence[int]] = ()
) -> list[Paradigm]:
    """Every combination of granularity and rate of one paradigm.

    >>> [str(setting) for setting in grid(Spatial, granularity=[1, 4], r=[0.5])]
    ['spatial(S=1, r=0.5)', 'spatial(S=4, r=0.5)']
    """
    if paradigm is Spatial:
        return [Spatial(S=S, r=rate) for S, rate in product(granularity, list(r))]
    if paradigm is Channel:
        return [Channel(G=G, r=rate) for G, rate in product(granularity, list(r))]
    if paradigm is Layer:
        return [Layer(r=rate) for rate in r]
    raise InputError(f"a sweep is over spatial, channel or layer skipping, not {paradigm.__name__}")


def sweep(
    targets: Iterable[Target],
    profiles: Iterable[HardwareProfile],
    paradigms: Iterable[Paradigm],
    *,
    batches: Iterable[int | None] = (None,),
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pandas.DataFrame:
    """One prediction per target, device, batch and paradigm, in that order.

    Paradigms that differ only in a single rate are predicted together, so a sweep over r costs one search. Where a
    paradigm has a rate per stage or block, the column r holds their mean.

    Parameters
    ----------
    paradigms
        Settings to predict, e.g. from `grid`.
    batches
        Batch sizes; None is the device's default.
    progress
        Called with (curves done, curves in all).

    Returns
    -------
    A frame with the columns `COLUMNS`; times in seconds, for the whole batch unless `per_image`.

    Raises
    ------
    InputError
        An empty sweep, or any error of `latpred.predict`.
    """
    import pandas

    lines = _lines(list(paradigms))
    points = list(product(list(targets), list(profiles), list(batches), lines))
    if not points:
        raise InputError("the sweep is empty: give at least one target, device, paradigm, rate and batch")
    parts = []
    for done, (target, profile, wanted_batch, (paradigm, rates)) in enumerate(points):
        if progress:
            progress(done, len(points))
        batch = checked_batch(wanted_batch, profile)
        cost = cost_model(model, profile, precision=precision, library=library)
        found = curve(target, cost, paradigm, rates, batch)
        parts.append(
            {
                "target": target_name(target),
                "device": profile.name,
                "model": model,
                "paradigm": paradigm.label,
                "granularity": _spelled(paradigm.granularity),
                "r": _rates_of(paradigm) if rates is None else rates,
                "batch": batch,
                "precision": precision,
                "library": cost.library,
                "latency_s": found.latency_s,
                "latency_per_image_s": found.latency_s / batch,
                "static_latency_s": found.static_latency_s,
                "ratio": found.latency_s / found.static_latency_s,
                "macs": found.macs,
                "macs_ratio": found.macs / found.static_macs,
            }
        )
    if progress:
        progress(len(points), len(points))
    frame: pandas.DataFrame = pandas.DataFrame({column: _column(parts, column) for column in COLUMNS})
    return frame


def _lines(paradigms: list[Paradigm]) -> list[tuple[Paradigm, NDArray[np.float64] | None]]:
    """Paradigms that differ only in a single rate, each group with its rates; others by themselves, with None."""
    lines: dict[Paradigm, list[float] | None] = {}
    for paradigm in paradigms:
        if isinstance(paradigm.rate, float | int):
            rates = lines.setdefault(paradigm.at_rates(1.0), [])
            if rates is not None:
                rates.append(float(paradigm.rate))
        else:
            lines[paradigm] = None
    return [(paradigm, None if rates is None else np.array(rates)) for paradigm, rates in lines.items()]


def _spelled(granularity: Any) -> Any:
    return "-".join(map(str, granularity)) if isinstance(granularity, tuple) else granularity


def _rates_of(paradigm: Paradigm) -> NDArray[np.float64]:
    """What the column r says of a paradigm with several rates: their mean over stages or blocks, or NaN."""
    rate = paradigm.rate
    return np.array([np.nan if rate is None else np.mean(rate)])


def _column(parts: list[dict[str, Any]], column: str) -> NDArray[Any]:
    """One column over all curves, single values repeated for each rate of their curve."""
    return np.concatenate([np.full(len(part["r"]), part[column]) for part in parts])
