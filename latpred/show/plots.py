"""Sweeps as pictures: rℓ over the rate, rℓ over the granularity, latency per image over the batch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, starmap
from math import isnan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from latpred.report import kernels_in_words
from latpred.show.canvas import (
    BAND_LABEL,
    GRANULARITY_ORDER,
    PANEL_INCHES,
    Look,
    from_zero,
    look,
    panels,
    plot_line,
    share_legend,
    style,
    tell_apart,
    titled,
    with_legend,
)

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Most granularities that are named below the axis.
MOST_TICKS = 14
#: The largest over the smallest latency from which their axis is logarithmic.
LOG_FROM = 30
BAND_ALPHA = 0.15
_SYMBOLS = {"spatial": "S", "channel": "G"}
_X_LABELS = {"r": "activation rate r", "batch": "batch size [images]"}


class Plan(NamedTuple):
    """Which columns of a sweep tell lines apart, and the look of every value of the first."""

    by: list[str]
    looks: dict[Any, Look]


def draw(frame: pandas.DataFrame, x: str | None = None) -> Figure:
    """A panel per target and device of a sweep; `x` is r, granularity or batch, by default what has the most values."""
    x = x or _longest_axis(frame)
    frame = _named(frame)
    groups = list(frame.groupby(_panel_columns(x), sort=False))
    plan = _plan(frame, x)
    with style():
        figure, grid = panels(len(groups))
        for axes, (key, rows) in zip(grid, groups, strict=True):
            (_draw_latency if x == "batch" else _draw_ratio)(rows, x, axes, plan)
            axes.set_title(titled(_shown(key, rows), *_fixed_settings(rows, x), *_models(rows)))
        if x != "batch":
            top = max(axes.get_ylim()[1] for axes in grid)
            for axes in grid:
                axes.set_ylim(0, top)
        share_legend(figure)
    return figure


def _panel_columns(x: str) -> list[str]:
    return ["target"] if x == "batch" else ["target", "device"]


def _shown(key: Sequence[str], frame: pandas.DataFrame) -> str:
    """The target of a panel, and the device where it is the only one."""
    devices = frame["device"].unique()
    return f"{key[0]} on {devices[0]}" if len(devices) == 1 else key[0]


def _fixed_settings(frame: pandas.DataFrame, x: str) -> list[str]:
    """The settings that are the same in the whole panel."""
    fixed = [name for name in ("setting", "r", "batch") if name != x and frame[name].nunique() == 1]
    if x == "granularity":
        fixed = [name for name in fixed if name != "setting"]
    return [_name(name, frame[name].iloc[0]) for name in fixed]


def _models(frame: pandas.DataFrame) -> list[str]:
    """The cost models of a panel, and the precision and library of their kernels."""
    kernels = starmap(kernels_in_words, zip(frame["precision"], frame["library"], frame["like"], strict=True))
    return [f"{' and '.join(frame['model'].unique())} model", " and ".join(dict.fromkeys(kernels))]


def _longest_axis(frame: pandas.DataFrame) -> str:
    return max(("r", "granularity", "batch"), key=lambda name: int(frame[name].nunique()))


def ratio(frame: pandas.DataFrame, x: str = "r", axes: Axes | None = None) -> Axes:
    """rℓ over r or over the granularity, a line per value of the other, the break-even line at 1."""
    axes, frame = axes or _new_axes(), _named(frame)
    _draw_ratio(frame, x, axes, _plan(frame, x))
    return with_legend(axes)


def _draw_ratio(frame: pandas.DataFrame, x: str, axes: Axes, plan: Plan) -> None:
    static = frame["static_latency_s"]
    if "latency_low_s" in frame:
        frame = frame.assign(low=frame["latency_low_s"] / static, high=frame["latency_high_s"] / static)
    _lines(frame, x, "ratio", axes, plan)
    axes.axhline(1.0, color="0.3", linewidth=1, linestyle="--", label="break-even")
    axes.set_ylabel(r"$r_\ell = \ell_{dyn}\,/\,\ell_{stat}$")
    axes.set_xlabel(_X_LABELS.get(x) or _granularity_label(frame))
    if x == "granularity":
        # Categories are placed at 0, 1, 2, …; of many, some are named.
        sizes = list(dict.fromkeys(frame["granularity"]))
        step = -(-len(sizes) // MOST_TICKS)
        axes.set_xticks(range(0, len(sizes), step), sizes[::step])
    from_zero(axes)


def _apart(sizes: Sequence[int]) -> list[int]:
    """Of sizes in order those whose numbers have room beside each other on a logarithmic axis."""
    least = (sizes[-1] / sizes[0]) ** (1 / MOST_TICKS)
    kept = list(sizes[:1])
    for size in sizes[1:]:
        if size >= kept[-1] * least:
            kept.append(size)
    return kept


def latency(frame: pandas.DataFrame, x: str = "batch", axes: Axes | None = None) -> Axes:
    """Latency per image over the batch, a line per device and setting, the static form dashed."""
    axes, frame = axes or _new_axes(), _named(frame)
    _draw_latency(frame, x, axes, _plan(frame, x))
    return with_legend(axes)


def _draw_latency(frame: pandas.DataFrame, x: str, axes: Axes, plan: Plan) -> None:
    per_image = 1e3 / frame["batch"]
    columns = {
        "milliseconds": "latency_s",
        "static": "static_latency_s",
        "low": "latency_low_s",
        "high": "latency_high_s",
    }
    frame = frame.assign(**{name: frame[column] * per_image for name, column in columns.items() if column in frame})
    shown = frame[["milliseconds", "static"]]
    log = bool(shown.max().max() > LOG_FROM * shown.min().min() > 0)
    _lines(frame, x, "milliseconds", axes, plan, log=log)
    for device, rows in frame.groupby("device", sort=False):
        once = rows.drop_duplicates(x)
        colour = plan.looks[device].colour if plan.by[0] == "device" else "0.3"
        axes.plot(once[x], once["static"], color=colour, linestyle="--", linewidth=1, label=f"_{device}, static")
    axes.plot([], [], color="0.3", linestyle="--", linewidth=1, label="dashed: static")
    axes.set_xscale("log", base=2)
    sizes = _apart(sorted(frame["batch"].unique()))
    axes.set_xticks(sizes, list(map(str, sizes)))
    axes.minorticks_off()
    axes.set_ylabel("latency per image [ms]")
    axes.set_xlabel(_X_LABELS["batch"])
    if log:
        axes.set_yscale("log")
    else:
        from_zero(axes)


def draw_comparison(lines: dict[str, dict[str, tuple[list[float], list[float]]]], target_macs: float) -> Figure:
    """Latency per image over MACs, a panel per title, a line per paradigm; the target is dotted."""
    names = list(dict.fromkeys(name for curves in lines.values() for name in curves))
    with style():
        figure, grid = panels(len(lines))
        for axes, (title, curves) in zip(grid, lines.items(), strict=True):
            axes.set_title(titled(*title.split(", ")))
            ends = list(curves.values())
            for (name, (macs, latencies)), shared in zip(curves.items(), tell_apart(ends), strict=True):
                milliseconds = [value * 1e3 for value in latencies]
                options = {"linestyle": "", "marker": "*", "markersize": 9} if len(macs) == 1 else shared
                plot_line(axes, macs, milliseconds, look(names.index(name)), label=name, **options)
            axes.axvline(target_macs, color="0.3", linewidth=1, linestyle=":", label=f"{target_macs:g} of the MACs")
            axes.set_xlabel("MACs / static MACs")
            axes.set_ylabel("latency per image [ms]")
            from_zero(axes)
        share_legend(figure)
    return figure


def _new_axes() -> Axes:
    from matplotlib.figure import Figure

    return Figure(figsize=PANEL_INCHES, layout="constrained").subplots()


def _named(frame: pandas.DataFrame) -> pandas.DataFrame:
    """With a column `setting`, as `S = 4`, and the granularity as text, where there is none the paradigm."""
    settings, sizes = [], []
    options = frame["options"] if "options" in frame else [""] * len(frame)
    for paradigm, size, more in zip(frame["paradigm"], map(_size_text, frame["granularity"]), options, strict=True):
        setting = f"{_SYMBOLS[paradigm]} = {size}" if size and paradigm in _SYMBOLS else f"{paradigm} {size}".rstrip()
        settings.append(f"{setting}, {more}" if more else setting)
        sizes.append(size or paradigm)
    named: pandas.DataFrame = frame.assign(setting=settings, granularity=sizes, options=options)
    return named


def _size_text(size: Any) -> str:
    """A granularity; pandas holds a missing one as NaN, and then the others as floats."""
    if size is None or (isinstance(size, float) and isnan(size)):
        return ""
    return f"{size:g}" if isinstance(size, float) else str(size)


def _plan(frame: pandas.DataFrame, x: str) -> Plan:
    """What tells the lines of all panels apart, and looks that are the same in every panel."""
    by = {"r": ["setting", "batch"], "batch": ["device", "setting", "r"]}.get(x, ["r", "batch", "paradigm", "options"])
    inside = frame.groupby(_panel_columns(x), sort=False)
    by = [name for name in by if (inside[name].nunique() > 1).any()] or by[:1]
    values = list(frame[by[0]].unique())
    if by[0] == "r":
        # Rates have an order, and so have their colours; never those of a granularity.
        from matplotlib import colormaps

        shades = [colormaps["cividis"](0.9 * index / max(len(values) - 1, 1)) for index in range(len(values))]
        return Plan(by, {value: look(n)._replace(colour=shades[n]) for n, value in enumerate(values)})
    own: dict[Any, int] = {}
    if by[0] == "setting":
        # A setting per stage has the colour of its first stage, where that tells the settings apart.
        firsts = [str(value).rpartition(" = ")[2].split("-")[0] for value in values]
        known = zip(values, firsts, strict=True)
        own = {v: GRANULARITY_ORDER.index(f) for v, f in known if f in GRANULARITY_ORDER and firsts.count(f) == 1}
    free = (index for index in count() if index not in own.values())
    return Plan(by, {value: look(own[value] if value in own else next(free)) for value in values})


def _lines(frame: pandas.DataFrame, x: str, y: str, axes: Axes, plan: Plan, *, log: bool = False) -> None:
    """A line per combination of the plan's columns, with its band where there is one."""
    from matplotlib.patches import Rectangle

    groups = list(frame.groupby(plan.by, sort=False))
    others = list(dict.fromkeys(key[1:] for key, _ in groups))
    heights = np.log(frame[y]) - np.log(frame[y].min()) if log else frame[y]
    ends = [(rows[x].tolist(), heights[rows.index].tolist()) for _, rows in groups]
    if "low" in frame and frame["low"].notna().any():
        # An entry of the legend for all bands, which have their lines' colours.
        axes.add_artist(Rectangle((0, 0), 0, 0, color="0.3", alpha=2 * BAND_ALPHA, linewidth=0, label=BAND_LABEL))
    for (key, rows), shared in zip(groups, tell_apart(ends), strict=True):
        own = plan.looks[key[0]]
        if "low" in rows and rows["low"].notna().all():
            axes.fill_between(rows[x], rows["low"], rows["high"], color=own.colour, alpha=BAND_ALPHA, linewidth=0)
        label = ", ".join(_name(name, value) for name, value in zip(plan.by, key, strict=True))
        turn = others.index(key[1:])
        options = {"linestyle": ("-", "-.", ":")[turn % 3]} | shared
        if turn % 2:
            own = own._replace(filling="none")
        plot_line(axes, rows[x], rows[y], own, label=label, **options)


def _name(name: str, value: Any) -> str:
    if name == "r":
        return f"r = {value:g}"
    return f"batch {value}" if name == "batch" else str(value)


def _granularity_label(frame: pandas.DataFrame) -> str:
    symbols = "/".join(dict.fromkeys(_SYMBOLS[name] for name in frame["paradigm"].unique() if name in _SYMBOLS))
    return {"S": "patch edge S [pixels]", "G": "channels per group G"}.get(symbols, "granularity")
