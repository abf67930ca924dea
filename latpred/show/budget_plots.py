"""What fits into a latency as a picture: MACs kept over latency, a curve per paradigm, the budget as a line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from latpred.report import kernels_in_words
from latpred.show.canvas import Look, look, panels, plot_line, share_legend, style, titled
from latpred.studies.budget.answer import Budget
from latpred.units import seconds

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_budgets(answers: Sequence[Budget]) -> Figure:
    """A panel per target and device. A curve is a paradigm with its fastest granularity, a large point what fits."""
    each = [one for answer in answers for one in (answer, *answer.elsewhere)]
    names = dict.fromkeys(tried.paradigm for answer in each for tried in answer.tried)
    looks = {name: look(number) for number, name in enumerate(names)}
    with style():
        figure, grid = panels(len(each))
        for axes, answer in zip(grid, each, strict=True):
            _draw(answer, looks, axes)
        share_legend(figure)
    return figure


def _draw(answer: Budget, looks: dict[str, Look], axes: Axes) -> None:
    batches = {tried.batch for tried in answer.tried}
    for tried in answer.tried:
        plot_line(
            axes, tried.latency_s * 1e3, tried.macs_ratio, looks[tried.paradigm], label=tried.paradigm, markersize=0
        )
    for option in answer.options:
        own = looks[option.way]
        axes.plot(
            option.latency_s * 1e3, option.macs_ratio or 0.0, own.marker, color=own.colour, markersize=8, zorder=3
        )
    static = answer.static
    axes.plot(static.latency_s * 1e3, static.macs_ratio or 0.0, "*", color="0.3", markersize=10, label="static")
    for limit_s in dict.fromkeys(option.limit_s for option in (*answer.options, static)):
        axes.axvline(limit_s * 1e3, color="0.3", linewidth=1, linestyle="--", label="budget")
        axes.annotate(seconds(limit_s), (limit_s * 1e3, 0), (3, 3), textcoords="offset points", fontsize=8, color="0.3")
    kernels = f"{answer.model} model", kernels_in_words(answer.precision, answer.library, answer.like)
    batch = f"batch {answer.batch}" if batches <= {answer.batch} else ""
    axes.set_title(titled(f"{answer.target} on {answer.device}", batch, *kernels))
    axes.set(xlabel="latency of the batch [ms]", ylabel="MACs kept / static MACs", xlim=(0, None), ylim=(0, None))
