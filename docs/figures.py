"""The figures of the pages on the model and on explaining: tiles and waves, where data moves, where time goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrow, Rectangle

import latpred
from latpred.models.published.densities import fullest_density
from latpred.models.published.machine import efficiency
from latpred.show import canvas as plot
from latpred.show.budget_plots import draw_budgets
from latpred.show.explanation_plots import draw_explanations
from latpred.show.pareto_plots import draw_pareto
from latpred.workloads.densities import active_patches

BLUE, ORANGE, GREEN, PINK, GREY = *plot.COLOURS[:4], "0.85"
POINTS = Path(__file__).parents[1] / "examples" / "paper_points.csv"
EDGE = {"edgecolor": "white", "linewidth": 1.5}


def tiles_and_waves() -> Figure:
    """An output map of 14×14 in tiles of 4×4; its 16 tiles on 6 engines take 3 waves, the last with 2 idle."""
    with plot.style():
        figure = Figure(figsize=(8, 3), layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
        for n in range(16):
            row, column, colour = n // 4, n % 4, plot.COLOURS[n // 6]
            left.add_patch(Rectangle((4 * column, 4 * row), 4, 4, facecolor=colour, alpha=0.75, **EDGE))
            left.text(4 * column + 2, 4 * row + 2, str(n + 1), ha="center", va="center", color="white")
        left.add_patch(Rectangle((0, 0), 14, 14, fill=False, edgecolor="black", linewidth=1.5))
        _bare(left, (-0.5, 17.2), (16.5, -0.5))
        left.set_title("14×14 map in tiles of 4×4: n = 16")
        for n in range(18):
            wave, engine = divmod(n, 6)
            colour = plot.COLOURS[wave] if n < 16 else GREY
            right.add_patch(Rectangle((wave, engine), 1, 1, facecolor=colour, alpha=0.75, **EDGE))
            label = str(n + 1) if n < 16 else "idle"
            right.text(wave + 0.5, engine + 0.5, label, ha="center", va="center", color="white" if n < 16 else "0.4")
        right.set(xlim=(0, 3), ylim=(6, 0), xticks=(0.5, 1.5, 2.5), xticklabels=("wave 1", "wave 2", "wave 3"))
        right.set(yticks=np.arange(6) + 0.5, yticklabels=[f"engine {k + 1}" for k in range(6)])
        right.grid(visible=False)
        right.set_title("P = 6 engines: ⌈16/6⌉ = 3 waves, 16 of 18 slots full")
    return figure


def memory_levels() -> Figure:
    """The three levels that data passes, and what each counts."""
    levels = [
        ("off-chip memory\nB = 4β", "inputs, weights, outputs:\nonce", BLUE),
        ("L2, shared\nλB = 4β₂", "every tile reads its inputs\nand halo again", ORANGE),
        ("engine: F lanes\nκ cycles in flight", "W multiply-adds in\nW/(f·F·e(tile, Fκ))", GREEN),
    ]
    with plot.style():
        figure = Figure(figsize=(8, 1.9), layout="constrained")
        axes = figure.subplots()
        for k, (name, what, colour) in enumerate(levels):
            axes.add_patch(Rectangle((3 * k, 0.75), 2, 1.2, facecolor=colour, alpha=0.8))
            axes.text(3 * k + 1, 1.35, name, ha="center", va="center", color="white", fontsize=10)
            axes.text(3 * k + 1, 0.6, what, ha="center", va="top")
            if k < 2:
                axes.add_patch(FancyArrow(3 * k + 2.1, 1.35, 0.7, 0, width=0.08, head_length=0.15, color="0.4"))
        _bare(axes, (-0.2, 8.2), (-0.2, 2.1))
    return figure


def staircases() -> Figure:
    """Where a latency steps: lanes, patches; and what the fullest tile costs a channel-dynamic kernel."""
    with plot.style():
        figure = Figure(figsize=(9.6, 2.9), layout="constrained")
        lanes, patches, channels = figure.subplots(1, 3)
        x = np.arange(1, 1601)
        lanes.plot(x, efficiency(x, 512), color=BLUE)
        lanes.set(xlabel="outputs of a tile", ylabel="e(x, 512)", ylim=(0, 1.05), title="lanes in use")
        r = np.linspace(0, 1, 1001)
        for S, colour in ((28, plot.COLOURS[6]), (14, plot.COLOURS[5]), (1, BLUE)):
            n = (56 // S) ** 2
            patches.plot(r, active_patches(r, n) / n, color=colour, label=f"S = {S}, {n} patches")
        patches.set(xlabel="activation rate r", ylabel="computed share ⌈r·n⌉/n", title="56×56 map in patches")
        patches.legend()
        for tiles, colour in ((1, BLUE), (8, ORANGE), (64, GREEN)):
            channels.plot(r, fullest_density(tiles, 32, r), color=colour, label=f"{tiles} tile{'s'[: tiles > 1]}")
        channels.set(xlabel="activation rate r", ylabel="D(n, 32, r)", title="fullest of n tiles of 32 channels")
        channels.legend()
    return figure


def explanation() -> Figure:
    """A network's time, operator by operator."""
    network, profile = latpred.load_network("resnet50"), latpred.load_profile("tx2")
    return draw_explanations([latpred.explain(network, profile, latpred.Spatial(S=[4, 4, 2, 1], r=0.5))])


def budget() -> Figure:
    """What two devices have room for within 15 ms."""
    return draw_budgets([latpred.budget("resnet50", ["tx2", "nano"], latency_s=0.015)])


def front() -> Figure:
    """The papers' points on a device that they did not show."""
    return draw_pareto(latpred.pareto(POINTS, "orin"))


def _bare(axes: Axes, xlim: tuple[float, float], ylim: tuple[float, float]) -> None:
    axes.set(xlim=xlim, ylim=ylim)
    axes.set_aspect("equal", adjustable="box")
    axes.axis("off")


def write(folder: Path) -> None:
    """Write every figure to a folder."""
    for draw in (tiles_and_waves, memory_levels, staircases, explanation, budget, front):
        plot.save(draw(), folder / f"{draw.__name__.replace('_', '-')}.png")
