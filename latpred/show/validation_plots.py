"""Validations as pictures: predicted against measured time, and rℓ over r with curves predicted and points measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import ceil, floor, log10
from typing import TYPE_CHECKING, Any

from latpred.errors import InputError
from latpred.measuring.judging import NetworkValidation
from latpred.measuring.validation import Prediction, Validation
from latpred.show.canvas import COLOURS, GRANULARITY_ORDER, from_zero, look, panels, share_legend, style, titled
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.paradigms import Paradigm, Static

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Most blocks, and granularities, in the picture of rates.
MOST_PANELS, MOST_GRANULARITIES = 6, 6
#: Line and marker of each paradigm there, and the colour of one without granularity.
LOOKS = {"spatial": ("-", "o"), "channel": ("--", "^"), "layer": (":", "s")}
WITHOUT_GRANULARITY = "#000000"
#: Hollow, as many lie on one another.
POINTS: dict[str, Any] = {"markersize": 5, "fillstyle": "none"}


def scatter(found: Sequence[Validation]) -> Figure:
    """A panel per model: predicted over measured time of every row, a colour per paradigm or for operators."""
    found = [item for item in found if item.predictions]
    kinds = sorted({_kind(prediction) for item in found for prediction in item.predictions})
    with style():
        figure, grid = panels(max(len(found), 1))
        for axes, item in zip(grid, found, strict=False):
            for number, kind in enumerate(kinds):
                rows = [prediction for prediction in item.predictions if _kind(prediction) == kind]
                measured = [row.measurement.seconds for row in rows]
                predicted = [row.seconds for row in rows]
                axes.loglog(measured, predicted, ".", color=look(number).colour, markersize=3, label=kind, alpha=0.6)
            ends = axes.get_xlim()
            axes.loglog(ends, ends, color="0.3", linewidth=1, label="as measured")
            axes.set_title(titled(f"{item.model} model", *_measured_with(item)))
            axes.set_xlabel("measured [s]")
            axes.set_ylabel("predicted [s]")
        share_legend(figure, markerscale=3)
    return figure


def network_scatter(found: Sequence[NetworkValidation]) -> Figure:
    """A panel per device: predicted over measured time of every network, a colour per library and precision."""
    from matplotlib.ticker import NullFormatter

    found = [item for item in found if item.predictions]
    devices = list(dict.fromkeys(item.device for item in found))
    kinds = sorted({f"{item.precision} with {item.library}" for item in found})
    with style():
        figure, grid = panels(max(len(devices), 1))
        for axes, device in zip(grid, devices, strict=False):
            times: list[float] = []
            for item in (item for item in found if item.device == device):
                kind = f"{item.precision} with {item.library}"
                measured = [prediction.measurement.seconds for prediction in item.predictions]
                predicted = [prediction.seconds for prediction in item.predictions]
                colour = look(kinds.index(kind)).colour
                axes.loglog(measured, predicted, ".", color=colour, markersize=4, label=kind, alpha=0.7)
                times += (*measured, *predicted)
            # Whole decades: labels between them would collide.
            ends = 10.0 ** floor(log10(min(times))), 10.0 ** ceil(log10(max(times)))
            axes.loglog(ends, ends, color="0.3", linewidth=1, label="as measured")
            axes.set(xlim=ends, ylim=ends, title=device, xlabel="measured [s]", ylabel="predicted [s]")
            for axis in (axes.xaxis, axes.yaxis):
                axis.set_minor_formatter(NullFormatter())
        share_legend(figure, markerscale=3)
    return figure


def _measured_with(item: Validation) -> list[str]:
    """Device, precisions and libraries of the rows."""
    rows = [prediction.measurement for prediction in item.predictions]
    return [
        " and ".join(sorted({str(getattr(row, name)) for row in rows})) for name in ("device", "precision", "library")
    ]


def _kind(prediction: Prediction) -> str:
    row = prediction.measurement
    return row.paradigm.name if isinstance(row.target, Bottleneck) else "operators"


def rate_curves(found: Sequence[Validation]) -> Figure:
    """rℓ over r, a panel per block, those with most points: lines as the calibrated model predicts, points as measured.

    Colours are those of S and G in every picture, lines and markers are the paradigm's.

    Raises
    ------
    InputError
        No block was measured at several rates and without skipping.
    """
    item = next((item for item in reversed(found) if item.model == "calibrated"), found[-1])
    series = _series(item.predictions)
    colours = _colours(setting.granularity for settings in series.values() for setting in settings)
    drawn = {
        place: {setting: points for setting, points in settings.items() if setting.granularity in colours}
        for place, settings in series.items()
    }
    shown = sorted(drawn, key=lambda place: (-sum(map(len, drawn[place].values())), place))[:MOST_PANELS]
    if not shown:
        raise InputError("there are no blocks measured under several rates to draw")
    with style():
        figure, grid = panels(len(shown))
        _explain_looks(grid[0], {setting for place in shown for setting in drawn[place]}, colours)
        for axes, place in zip(grid, shown, strict=False):
            for setting, points in drawn[place].items():
                rates, predicted, measured = zip(*sorted(points), strict=True)
                line, marker = LOOKS[setting.name]
                colour = colours[setting.granularity]
                axes.plot(rates, predicted, color=colour, linestyle=line, linewidth=1)
                axes.plot(rates, measured, color=colour, linestyle="", marker=marker, **POINTS)
            axes.axhline(1.0, color="0.3", linewidth=1, linestyle="--", label="break-even")
            name, batch, precision = place
            axes.set_title(titled(name, f"batch {batch}", f"{item.model} model", precision))
            axes.set_xlim(0, 1.05)
            from_zero(axes)
            axes.set_xlabel("activation rate r")
            axes.set_ylabel(r"$r_\ell = \ell_{dyn}\,/\,\ell_{stat}$")
        share_legend(figure)
    return figure


def _explain_looks(axes: Axes, settings: set[Paradigm], colours: dict[Any, str]) -> None:
    """An entry of the legend for every setting in any panel, in order, and what lines and points are."""
    for setting in sorted(settings, key=lambda setting: ([*LOOKS].index(setting.name), setting.granularity or 0)):
        line, marker = LOOKS[setting.name]
        field = setting.granularity_field
        label = f"{field} = {setting.granularity}" if field else setting.name
        colour = colours[setting.granularity]
        axes.plot([], [], color=colour, linestyle=line, linewidth=1, marker=marker, label=label, **POINTS)
    axes.plot([], [], color="0.3", linewidth=1, label="lines: predicted")
    axes.plot([], [], color="0.3", linestyle="", marker="o", label="points: measured", **POINTS)


def _colours(granularities: Iterable[int | None]) -> dict[int | None, str]:
    """Those of other pictures; a granularity without a colour there has one that is left, the commonest first."""
    counts = Counter(granularities)
    ordered = sorted((size for size in counts if size is not None), key=lambda size: (_rank(size), -counts[size]))
    drawn = ordered[:MOST_GRANULARITIES]
    own: dict[int | None, str] = {size: COLOURS[_rank(size)] for size in drawn if _rank(size) < len(COLOURS)}
    free = [colour for colour in COLOURS if colour not in (*own.values(), WITHOUT_GRANULARITY)]
    others = [size for size in drawn if size not in own]
    return {None: WITHOUT_GRANULARITY, **own, **dict(zip(others, free, strict=False))}


def _rank(size: int) -> int:
    return GRANULARITY_ORDER.index(str(size)) if str(size) in GRANULARITY_ORDER else len(GRANULARITY_ORDER)


def _series(
    predictions: Sequence[Prediction],
) -> dict[tuple[str, int, str], dict[Paradigm, list[tuple[float, float, float]]]]:
    """Per block, batch and precision, and per setting: rate, predicted rℓ, measured rℓ; of several rates only."""
    blocks = [item for item in predictions if isinstance(item.measurement.target, Bottleneck)]
    static = {_place(item): item for item in blocks if item.measurement.paradigm == Static()}
    found: dict[tuple[str, int, str], dict[Paradigm, list[tuple[float, float, float]]]] = {}
    for item in blocks:
        paradigm, base = item.measurement.paradigm, static.get(_place(item))
        if base is not None and paradigm.name in LOOKS:
            ratios = (item.seconds / base.seconds, item.measurement.seconds / base.measurement.seconds)
            settings = found.setdefault(_place(item), {})
            settings.setdefault(paradigm.at_rates(1.0), []).append((float(paradigm.rate), *ratios))
    several = {
        place: {setting: points for setting, points in settings.items() if len(points) > 1}
        for place, settings in found.items()
    }
    return {place: settings for place, settings in several.items() if settings}


def _place(item: Prediction) -> tuple[str, int, str]:
    row = item.measurement
    return getattr(row.target, "name", ""), row.batch, row.precision
