"""Names beside points, none on another, on a point or on a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import cos, pi, sin
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
#: Size of a name, and the room that a point takes on each side [points of a page: 1/72 inch].
FONT_POINTS, POINT_POINTS = 7.0, 3.5
#: How far from its point a name is tried, and in how many directions; from the second on a line leads to it.
_DISTANCES, _DIRECTIONS = (5.0, 14.0, 26.0, 40.0, 58.0), 16
#: From a name that is not beside its point.
_LEADER = {"arrowstyle": "-", "color": "0.6", "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3}
#: Length of the pieces of a line that names keep off.
_ALONG_POINTS = 3.0


class Label(NamedTuple):
    """A name, and its point in the units of the axes."""

    x: float
    y: float
    text: str


def place_labels(figure: Figure, axes: Axes, labels: Sequence[Label], points: Floats, line: Floats) -> int:
    """Write names beside their points, those that come first where they like best; how many found no room.

    Greedy: each name takes the nearest free place, on the line rather than none. The axes must have their final size
    and limits. `points` and `line`, of shape (n, 2), are what names keep off, in the units of the axes.
    """
    figure.draw_without_rendering()
    scale = figure.dpi / 72
    bounds = axes.get_window_extent()
    room = np.array([bounds.x0, bounds.y0, bounds.x1, bounds.y1])
    marks = _boxes(axes.transData.transform(points), POINT_POINTS * scale)
    course = _boxes(axes.transData.transform(line), 0, along=_ALONG_POINTS * scale)
    taken = np.empty((0, 4))
    left_out = 0
    for label in labels:
        at = axes.transData.transform((label.x, label.y))
        size = _size(axes, label.text)
        offsets = np.array(list(_offsets(size / scale)))
        boxes = np.hstack([at + offsets * scale, at + offsets * scale + size])
        free = np.all((boxes[:, :2] >= room[:2]) & (boxes[:, 2:] <= room[2:]), axis=1)
        free &= ~_meet(boxes, np.concatenate([marks, taken]))
        off_line = free & ~_meet(boxes, course)
        if not free.any():
            left_out += 1
            continue
        place = int(np.argmax(off_line if off_line.any() else free))
        taken = np.vstack([taken, boxes[place]])
        written = axes.annotate(
            label.text,
            (label.x, label.y),
            tuple(offsets[place]),
            textcoords="offset points",
            verticalalignment="bottom",
            fontsize=FONT_POINTS,
            arrowprops=_LEADER if place >= _DIRECTIONS else None,
        )
        written.set_in_layout(False)
    return left_out


def _offsets(size: Floats) -> Iterator[tuple[float, float]]:
    """From a point to the lower left corner of a name of some size, nearest first [points of a page]."""
    for distance in _DISTANCES:
        for turn in range(_DIRECTIONS):
            # To the right first, then up and down in turn.
            angle = 2 * pi / _DIRECTIONS * ((turn + 1) // 2) * (1 if turn % 2 else -1)
            across, up = cos(angle), sin(angle)
            yield distance * across + size[0] * (across - 1) / 2, distance * up + size[1] * (up - 1) / 2


def _size(axes: Axes, text: str) -> Floats:
    """Width and height of a name [pixels]."""
    written = axes.text(0, 0, text, fontsize=FONT_POINTS)
    extent = written.get_window_extent()
    written.remove()
    return np.array([extent.width, extent.height])


def _boxes(corners: Floats, half: float, along: float | None = None) -> Floats:
    """Boxes around points [pixels]; or of pieces of the line through them, so long that little is beside it."""
    if along is None:
        return np.hstack([corners - half, corners + half])
    counts = [max(int(np.hypot(*(b - a)) / along), 1) for a, b in pairwise(corners)]
    steps = [np.linspace(a, b, count + 1) for (a, b), count in zip(pairwise(corners), counts, strict=True)]
    ends = [np.hstack([np.minimum(step[:-1], step[1:]), np.maximum(step[:-1], step[1:])]) for step in steps]
    return np.concatenate(ends) if ends else np.empty((0, 4))


def _meet(boxes: Floats, others: Floats) -> NDArray[np.bool_]:
    """Whether each box overlaps any of others; each is left, bottom, right, top."""
    mine, theirs = boxes[:, np.newaxis], others[np.newaxis]
    within = np.all((mine[..., :2] < theirs[..., 2:]) & (theirs[..., :2] < mine[..., 2:]), axis=2)
    return np.asarray(within.any(axis=1))
