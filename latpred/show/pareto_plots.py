"""Accuracy over latency: trained settings, the front as a line, names at the points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from latpred.report import kernels_in_words
from latpred.show.canvas import Look, look, panels, share_legend, style, titled
from latpred.show.labels import FONT_POINTS, Label, place_labels

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Panels are larger than others, for names need room.
SCALE = 1.6
#: Names beside those of the front that are looked for a place for.
MOST_NAMES = 80


def draw_pareto(frame: pandas.DataFrame) -> Figure:
    """A panel per device; points of one network and paradigm look alike."""
    kinds = [
        f"{network}, {paradigm or 'static'}"
        for network, paradigm in zip(frame["network"], frame["paradigm"], strict=True)
    ]
    frame = frame.assign(kind=kinds, milliseconds=frame["latency_per_image_s"] * 1e3)
    looks = {kind: look(number) for number, kind in enumerate(dict.fromkeys(kinds))}
    devices = list(frame.groupby("device", sort=False))
    with style():
        figure, grid = panels(len(devices), SCALE)
        for axes, (device, rows) in zip(grid, devices, strict=True):
            _draw(axes, str(device), rows, looks)
        share_legend(figure)
        # A legend takes room, and names need to know how much there is.
        for axes, (_, rows) in zip(grid, devices, strict=True):
            _name(figure, axes, rows)
    return figure


def _draw(axes: Axes, device: str, rows: pandas.DataFrame, looks: dict[str, Look]) -> None:
    if rows["latency_low_s"].notna().all():
        ends = (rows[f"latency_{end}_s"] / rows["batch"] * 1e3 for end in ("low", "high"))
        axes.hlines(rows["accuracy"], *ends, color="0.85", linewidth=2, zorder=1, label="80 % band")
    for kind, alike in rows.groupby("kind", sort=False):
        own = looks[str(kind)]
        options = {"color": own.colour, "fillstyle": own.filling, "markersize": 5, "label": str(kind)}
        axes.plot(alike["milliseconds"], alike["accuracy"], own.marker, **options)
    axes.plot(*_front(rows).T, color="0.3", linewidth=1, zorder=1, label="front")
    first = rows.iloc[0]
    kernels = kernels_in_words(first["precision"], first["library"], first["like"])
    axes.set_title(titled(f"{device}, batch {first['batch']}", f"{first['model']} model", kernels))
    axes.set(xlabel="latency per image [ms]", ylabel="accuracy")
    axes.margins(0.08)


def _front(rows: pandas.DataFrame) -> NDArray[np.float64]:
    """Milliseconds and accuracies of the front, the fastest first, (points, 2)."""
    front = rows[rows["on_front"]].sort_values("milliseconds")
    course: NDArray[np.float64] = front[["milliseconds", "accuracy"]].to_numpy(float)
    return course


def _name(figure: Figure, axes: Axes, rows: pandas.DataFrame) -> None:
    """Names of the front, then of the most accurate others while there is room; how many are left out is said."""
    wanted = rows.sort_values(["on_front", "accuracy"], ascending=False)[: int(rows["on_front"].sum()) + MOST_NAMES]
    labels = map(Label, wanted["milliseconds"], wanted["accuracy"], wanted["name"].map(str))
    points = rows[["milliseconds", "accuracy"]].to_numpy(float)
    unnamed = place_labels(figure, axes, list(labels), points, _front(rows)) + len(rows) - len(wanted)
    if unnamed:
        text = f"{unnamed} of {len(rows)} names are left out"
        corner = axes.annotate(text, (1, 0), (-4, 4), "axes fraction", "offset points")
        corner.set(horizontalalignment="right", fontsize=FONT_POINTS, color="0.4")
