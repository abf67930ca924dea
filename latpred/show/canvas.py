"""The look of every picture: colours, panels, legends beside them, and files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from latpred.files import check_output, whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.legend import Legend

#: What the shaded areas of all panels are, in a legend.
BAND_LABEL = "shaded: 80 % band"
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
    "axes.titlesize": 9,
    "figure.dpi": 150,
    "font.size": 9,
    "grid.alpha": 0.3,
    "legend.edgecolor": "none",
    "legend.framealpha": 0.8,
    "svg.hashsalt": "latpred",
}
PANEL_INCHES = (4.2, 3.1)
#: Characters of a panel's title, and the height of an entry of a legend.
TITLE_WIDTH, ENTRY_INCHES = 52, 0.21
#: Most markers on a line.
MOST_MARKERS = 12
#: Lines that lie so close together, as a share of the largest value, cover one another.
CLOSE = 0.01
#: What marks a line that is dashed because it shares its course with others.
_SHARED = "shared"


class Look(NamedTuple):
    """Colour, marker and the marker's filling of a line."""

    colour: Any
    marker: str
    filling: str


def look(index: int) -> Look:
    """One of 64: after eight colours, the markers are hollow and others."""
    turn = index // len(COLOURS)
    marker = MARKERS[(index + turn) % len(MARKERS)]
    return Look(COLOURS[index % len(COLOURS)], marker, "none" if turn else "full")


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


def panels(count: int, scale: float = 1.0) -> tuple[Figure, list[Axes]]:
    """A picture of so many panels, at most three beside one another, with room for a legend at the right."""
    from matplotlib.figure import Figure

    columns = 2 if count == 4 else min(count, 3)
    rows = -(-count // columns)
    width, height = (scale * edge for edge in PANEL_INCHES)
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[count:]:
        axes.remove()
    return figure, list(grid[:count])


def titled(what: str, *settings: str) -> str:
    """What a panel shows, and below it how, in lines that fit the panel."""
    return "\n".join([*wrap(what, TITLE_WIDTH), *wrap(", ".join(filter(None, settings)), TITLE_WIDTH)])


def share_legend(figure: Figure, *, markerscale: float = 1.0) -> None:
    """One legend for all panels, beside them: the picture grows by its width, and no data is below it."""
    entries: dict[str, Any] = {}
    for axes in figure.axes:
        entries.update((label, handle) for handle, label in zip(*axes.get_legend_handles_labels(), strict=True))
        if legend := axes.get_legend():
            legend.remove()
    for last in (BAND_LABEL, "break-even"):
        if last in entries:
            entries[last] = entries.pop(last)
    width, height = figure.get_size_inches()
    columns = -(-len(entries) // max(int(height / ENTRY_INCHES) - 1, 1))
    legend = figure.legend(
        entries.values(), entries.keys(), loc="outside right upper", ncols=columns, markerscale=markerscale
    )
    _draw_solid(legend, entries.values())
    figure.set_size_inches(width + legend.get_window_extent().width / figure.dpi, height)


def with_legend(axes: Axes) -> Axes:
    """A legend beside the axes, where it covers nothing."""
    handles, labels = axes.get_legend_handles_labels()
    _draw_solid(axes.legend(handles, labels, loc="upper left", bbox_to_anchor=(1, 1), borderaxespad=0), handles)
    return axes


def _draw_solid(legend: Legend, drawn: Iterable[Any]) -> None:
    """Lines that share their course are dashed in turn; their entries are not."""
    from matplotlib.lines import Line2D

    for entry, line in zip(legend.legend_handles, drawn, strict=True):
        if isinstance(entry, Line2D) and isinstance(line, Line2D) and line.get_gid() == _SHARED:
            entry.set_linestyle("-")


def from_zero(axes: Axes) -> None:
    """From zero to a little above the largest value of all panels that share the axis."""
    axes.update_datalim([(0.0, 0.0)], updatex=False)
    axes.autoscale(axis="y")
    axes.set_ylim(bottom=0)


def plot_line(axes: Axes, x: Any, y: Any, look: Look, **options: Any) -> None:
    """A line with its look, and few enough markers to be told from the line."""
    markers = {"marker": look.marker, "fillstyle": look.filling, "markersize": 3.5}
    every = {"markevery": max(-(-len(x) // MOST_MARKERS), 1)}
    axes.plot(x, y, **{"color": look.colour, **markers, **every, **options})


def tell_apart(lines: Sequence[tuple[Sequence[Any], Sequence[float]]]) -> list[dict[str, Any]]:
    """Options for lines, as x and y, that cover one another: they are dashed in turn, so that each is seen."""
    top = max((abs(value) for _, y in lines for value in y), default=0.0)
    courses: list[list[int]] = []
    for number, (x, y) in enumerate(lines):
        for course in courses:
            if _same_course((x, y), lines[course[0]], CLOSE * top):
                course.append(number)
                break
        else:
            courses.append([number])
    options: list[dict[str, Any]] = [{} for _ in lines]
    for course in courses:
        size, every = len(course), max(-(-len(lines[course[0]][0]) // MOST_MARKERS), 1)
        for place, number in enumerate(course if size > 1 else ()):
            dashes = (4 * (size - place), (4, 4 * (size - 1)))
            options[number] = {"linestyle": dashes, "gid": _SHARED, "markevery": (place * every, size * every)}
    return options


def _same_course(one: tuple[Any, Any], other: tuple[Any, Any], close: float) -> bool:
    """Whether two lines lie within `close` of one another, where both are."""
    (x, y), (other_x, other_y) = one, other
    if list(x) == list(other_x):
        return bool(np.all(np.abs(np.subtract(y, other_y)) <= close))
    if isinstance(x[0], str):
        return False
    both = (np.asarray(x) >= other_x[0]) & (np.asarray(x) <= other_x[-1])
    apart = np.abs(np.interp(x, other_x, other_y) - y)[both]
    return bool(both.mean() > 0.5 and np.all(apart <= close))


def save(figure: Figure, path: Path) -> None:
    """Write a picture in the format of its suffix, whole or not at all. Raises InputError for an unknown suffix."""
    check_file(path)
    # No date inside, so that the same sweep gives the same file.
    metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower())
    with whole_file(path) as temporary, style():
        figure.savefig(temporary, metadata=metadata)
