"""Validations as pictures: predicted against measured time, and rℓ over r with curves predicted and points measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from latpred.blocks import Bottleneck
from latpred.errors import InputError
from latpred.paradigms import Static
from latpred.plot import COLOURS, MARKERS, PANEL_INCHES, STYLE
from latpred.validate import Prediction, Validation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Most blocks, and settings of a block, in the picture of rates.
MOST_PANELS, MOST_SETTINGS = 6, len(COLOURS)


def scatter(found: Sequence[Validation]) -> Figure:
    """A panel per model: predicted over measured time of every row, a colour per paradigm or for operators."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    found = [item for item in found if item.predictions]
    with rc_context(STYLE):
        figure = Figure(figsize=(PANEL_INCHES[0] * len(found), PANEL_INCHES[1] * 1.15), layout="constrained")
        panels = figure.subplots(1, max(len(found), 1), squeeze=False)[0]
        for axes, item in zip(panels, found, strict=False):
            kinds = sorted({_kind(prediction) for prediction in item.predictions})
            for number, kind in enumerate(kinds):
                rows = [prediction for prediction in item.predictions if _kind(prediction) == kind]
                measured = [row.measurement.seconds for row in rows]
                predicted = [row.seconds for row in rows]
                axes.loglog(measured, predicted, ".", color=COLOURS[number], markersize=3, label=kind, alpha=0.6)
            ends = axes.get_xlim()
            axes.loglog(ends, ends, color="0.3", linewidth=1)
            axes.set_title(f"{item.model} model")
            axes.set_xlabel("measured [s]")
            axes.set_ylabel("predicted [s]")
            axes.legend(markerscale=3)
    return figure


def _kind(prediction: Prediction) -> str:
    row = prediction.measurement
    return row.paradigm.name if isinstance(row.target, Bottleneck) else "operators"


def rate_curves(found: Sequence[Validation]) -> Figure:
    """rℓ over r of the blocks with most rows: lines predicted by the last model that has bands, points measured."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    item = next((item for item in reversed(found) if item.model == "calibrated"), found[-1])
    series = _series(item.predictions)
    panels = sorted(series, key=lambda key: -sum(map(len, series[key].values())))[:MOST_PANELS]
    if not panels:
        raise InputError("there are no blocks measured under several rates to draw")
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows), layout="constrained")
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes, key in zip(grid, panels, strict=False):
            name, batch, precision = key
            settings = list(series[key].items())
            step = max(1.0, len(settings) / MOST_SETTINGS)
            shown = [settings[int(index * step)] for index in range(min(len(settings), MOST_SETTINGS))]
            for number, (setting, points) in enumerate(shown):
                rates, predicted, measured = zip(*sorted(points), strict=True)
                colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
                axes.plot(rates, predicted, color=colour, linewidth=1)
                axes.plot(rates, measured, marker, color=colour, markersize=4, label=setting)
            axes.axhline(1.0, color="0.3", linewidth=1, linestyle="--")
            axes.set_title(f"{name}, batch {batch}, {precision}")
            axes.set_xlabel("activation rate r")
            axes.set_ylabel("rℓ (lines predicted, points measured)")
            axes.legend(fontsize=6)
        for axes in grid[len(panels) :]:
            axes.remove()
    return figure


def _series(predictions: Sequence[Prediction]) -> dict[Any, dict[str, list[tuple[float, float, float]]]]:
    """Per block, batch and precision, and per setting: rate, predicted rℓ, measured rℓ."""
    blocks = [item for item in predictions if isinstance(item.measurement.target, Bottleneck)]
    static = {_place(item): item for item in blocks if item.measurement.paradigm == Static()}
    found: dict[Any, dict[str, list[tuple[float, float, float]]]] = {}
    for item in blocks:
        paradigm, base = item.measurement.paradigm, static.get(_place(item))
        if base is None or paradigm.rate is None:
            continue
        setting = paradigm.text(rates=False)
        point = (
            float(paradigm.rate),
            item.seconds / base.seconds,
            item.measurement.seconds / base.measurement.seconds,
        )
        found.setdefault(_place(item), {}).setdefault(setting, []).append(point)
    for key, settings in found.items():
        found[key] = {setting: points for setting, points in sorted(settings.items()) if len(points) > 1}
    return {key: settings for key, settings in found.items() if settings}


def _place(item: Prediction) -> tuple[str, int, str]:
    row = item.measurement
    return getattr(row.target, "name", ""), row.batch, row.precision
