"""Explanations as pictures: a bar per operator, split by what its time is spent on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latpred.show.canvas import COLOURS, PANEL_INCHES, share_legend, style
from latpred.show.explanation_tables import PARTS, label, visible
from latpred.show.tables import heading, model_in_words
from latpred.studies.explanation import Explanation

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw_explanations(explanations: Sequence[Explanation]) -> Figure:
    """A panel per prediction, one below the other."""
    from matplotlib.figure import Figure

    heights = [0.9 + 0.22 * len(one.shares) for one in explanations]
    with style():
        figure = Figure(figsize=(1.7 * PANEL_INCHES[0], sum(heights)), layout="constrained")
        panels = figure.subplots(len(heights), 1, squeeze=False, height_ratios=heights)[:, 0]
        for axes, one in zip(panels, explanations, strict=True):
            names, left = [label(share) for share in one.shares], [0.0] * len(one.shares)
            for (field, name, *_), colour in zip(PARTS, COLOURS, strict=False):
                widths = [visible(share)[field] * 1e3 for share in one.shares]
                axes.barh(names, widths, left=left, color=colour, height=0.7, label=name)
                left = [start + width for start, width in zip(left, widths, strict=True)]
            axes.invert_yaxis()
            axes.set_xlim(left=0)
            axes.grid(visible=False, axis="y")
            axes.set_xlabel("latency of the batch [ms]")
            axes.set_title(f"{heading(one.report)}\n{model_in_words(one.report)}", loc="left")
        share_legend(figure)
    return figure
