"""Sweeps as pictures: rℓ over the rate, rℓ over the granularity, latency per image over the batch."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latpred.files import check_output, whole_file

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Okabe and Ito's colours, distinguishable with every kind of colour blindness; yellow left out, too pale on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#7F7F7F")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
#: The same granularity has the same colour in every picture.
GRANULARITY_ORDER = ("1", "2", "4", "8", "7", "14", "28", "56")
#: One look for every picture.
STYLE: dict[Any, Any] = {
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.dpi": 150,
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.8,
    "svg.hashsalt": "latpred",
}
PANEL_INCHES = (4.2, 3.1)
_SYMBOLS = {"spatial": "S", "channel": "G"}
_X_LABELS = {"r": "activation rate r", "batch": "batch size [images]"}


def style() -> AbstractContextManager[None]:
    """The look of every picture, for a block of your own: `with latpred.show.plots.style(): …`."""
    from matplotlib import rc_context

    return rc_context(STYLE)


def supported_suffixes() -> tuple[str, ...]:
    """File suffixes that a picture can be written as."""
    from matplotlib.backend_bases import FigureCanvasBase

    return tuple(sorted(f".{kind}" for kind in FigureCanvasBase.get_supported_filetypes()))


def check_file(path: Path) -> None:
    """Raise InputError or OutputError, before any work is done, where a picture cannot be written."""
    check_output(path, supported_suffixes(), "a plot")


def draw(frame: pandas.DataFrame, x: str | None = None) -> Figure:
    """A panel per target and device of a sweep; `x` is r, granularity or batch, by default what has the most values."""
    from matplotlib.figure import Figure

    x = x or _longest_axis(frame)
    by = ["target"] if x == "batch" else ["target", "device"]
    panels = list(frame.groupby(by, sort=False))
    columns = min(len(panels), 3 if len(panels) != 4 else 2)
    rows_of_panels = -(-len(panels) // columns)
    with style():
        size = (PANEL_INCHES[0] * columns, PANEL_INCHES[1] * rows_of_panels)
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(rows_of_panels, columns, squeeze=False, sharey=x != "batch").ravel()
        for axis, (key, rows) in zip(axes, panels, strict=False):
            (latency if x == "batch" else ratio)(rows, x, axis)
            axis.set_title("\n".join(filter(None, (" on ".join(key), _fixed_settings(rows, x)))))
        for axis in axes[len(panels) :]:
            axis.remove()
    return figure


def _fixed_settings(frame: pandas.DataFrame, x: str) -> str:
    """The settings that are the same in the whole panel."""
    rows = _with_text_granularity(frame)
    fixed = [name for name in ("granularity", "r", "batch") if name != x and rows[name].nunique() == 1]
    return ", ".join(_name(name, rows[name].iloc[0], rows) for name in fixed)


def _longest_axis(frame: pandas.DataFrame) -> str:
    return max(("r", "granularity", "batch"), key=lambda name: int(frame[name].nunique()))


def ratio(frame: pandas.DataFrame, x: str = "r", axes: Axes | None = None) -> Axes:
    """rℓ over r or over the granularity, a line per value of the other, the break-even line at 1."""
    axes = axes or _new_axes()
    other = "granularity" if x == "r" else "r"
    frame = _with_text_granularity(frame)
    _lines(frame, x, "ratio", [other, "batch", "paradigm"], axes)
    axes.axhline(1.0, color="0.3", linewidth=1, linestyle="--", label="break-even")
    axes.set_ylabel(r"$r_\ell = \ell_{dyn}\,/\,\ell_{stat}$")
    axes.set_xlabel(_X_LABELS.get(x) or _granularity_label(frame))
    axes.set_ylim(bottom=0)
    axes.legend()
    return axes


def latency(frame: pandas.DataFrame, x: str = "batch", axes: Axes | None = None) -> Axes:
    """Latency per image over the batch, a line per device and setting, the static form dashed."""
    axes = axes or _new_axes()
    frame = _with_text_granularity(frame).assign(milliseconds=lambda rows: rows["latency_per_image_s"] * 1e3)
    _lines(frame, x, "milliseconds", ["device", "granularity", "r", "paradigm"], axes)
    for number, (device, rows) in enumerate(frame.groupby("device", sort=False)):
        once = rows.drop_duplicates("batch")
        static = once["static_latency_s"] / once["batch"] * 1e3
        axes.plot(once[x], static, color=COLOURS[number], linestyle="--", linewidth=1, label=f"{device}, static")
    axes.set_xscale("log", base=2)
    axes.set_xticks(sorted(frame["batch"].unique()), [str(size) for size in sorted(frame["batch"].unique())])
    axes.set_ylabel("latency per image [ms]")
    axes.set_xlabel(_X_LABELS["batch"])
    axes.set_ylim(bottom=0)
    axes.legend()
    return axes


def draw_comparison(panels: dict[str, dict[str, tuple[list[float], list[float]]]], target_macs: float) -> Figure:
    """Latency per image over MACs, a panel per network and device, a line per paradigm; the target is dotted."""
    from matplotlib.figure import Figure

    with style():
        width = PANEL_INCHES[0] * len(panels) + 1.6
        figure = Figure(figsize=(width, PANEL_INCHES[1]), layout="constrained")
        for axes, (title, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
            axes.set_title(title)
            for number, (name, (macs, latencies)) in enumerate(lines.items()):
                colour, line_style = COLOURS[number % len(COLOURS)], ("-", "--", "-.")[number // len(COLOURS) % 3]
                marker = "*" if len(macs) == 1 else ""
                milliseconds = [value * 1e3 for value in latencies]
                axes.plot(
                    macs, milliseconds, color=colour, linestyle=line_style, marker=marker, markersize=9, label=name
                )
            axes.axvline(target_macs, color="0.3", linewidth=1, linestyle=":", label=f"{target_macs:g} of the MACs")
            axes.set_xlabel("MACs / static MACs")
            axes.set_ylabel("latency per image [ms]")
            axes.set_ylim(bottom=0)
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def share_legend(figure: Figure) -> None:
    """One legend for all panels, beside them."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        entries.update((label, handle) for handle, label in zip(*axes.get_legend_handles_labels(), strict=True))
        if legend := axes.get_legend():
            legend.remove()
    if "break-even" in entries:
        entries["break-even"] = entries.pop("break-even")
    figure.legend(entries.values(), entries.keys(), loc="outside right upper")


def _new_axes() -> Axes:
    from matplotlib.figure import Figure

    return Figure(figsize=PANEL_INCHES, layout="constrained").subplots()


def _with_text_granularity(frame: pandas.DataFrame) -> pandas.DataFrame:
    text = ["" if value is None else str(value) for value in frame["granularity"]]
    named: pandas.DataFrame = frame.assign(granularity=text)
    return named


def _lines(frame: pandas.DataFrame, x: str, y: str, by: list[str], axes: Axes) -> None:
    """A line per combination of `by`; the first of them sets the colour, only those that vary are named."""
    varying = [name for name in by if frame[name].nunique() > 1] or by[:1]
    values = list(frame[varying[0]].unique())
    for number, (key, rows) in enumerate(frame.groupby(varying, sort=False)):
        colour, marker = _look(varying[0], key[0], values)
        label = ", ".join(_name(name, value, frame) for name, value in zip(varying, key, strict=True))
        style = ("-", "-.", ":")[(number // max(len(values), 1)) % 3]
        many = len(rows) > 25
        axes.plot(
            rows[x], rows[y], color=colour, marker="" if many else marker, markersize=3.5, linestyle=style, label=label
        )


def _look(name: str, value: Any, values: list[Any]) -> tuple[Any, str]:
    index = values.index(value)
    if name == "r":
        # Rates have an order, and so have their colours; never those of a granularity.
        from matplotlib import colormaps

        return colormaps["cividis"](0.9 * index / max(len(values) - 1, 1)), MARKERS[index % len(MARKERS)]
    if name == "granularity":
        # A setting per stage has the colour of its first stage, where that tells the settings apart.
        firsts = [str(other).split("-")[0] for other in values]
        if firsts[index] in GRANULARITY_ORDER and firsts.count(firsts[index]) == 1:
            index = GRANULARITY_ORDER.index(firsts[index])
    return COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]


def _name(name: str, value: Any, frame: pandas.DataFrame) -> str:
    if name == "granularity":
        return f"{_symbol(frame)} = {value}" if value else "layer"
    return str(value) if name in ("device", "paradigm") else f"{name} = {value:g}"


def _symbol(frame: pandas.DataFrame) -> str:
    return "/".join(dict.fromkeys(_SYMBOLS[name] for name in frame["paradigm"].unique() if name in _SYMBOLS))


def _granularity_label(frame: pandas.DataFrame) -> str:
    return {"S": "patch edge S [pixels]", "G": "channels per group G"}.get(_symbol(frame), "granularity")


def save(figure: Figure, path: Path) -> None:
    """Write a picture in the format of its suffix, whole or not at all. Raises InputError for an unknown suffix."""
    check_file(path)
    # No date inside, so that the same sweep gives the same file.
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower())
    with whole_file(path) as temporary, style():
        figure.savefig(temporary, metadata=metadata)
