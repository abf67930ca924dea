"""The papers' latency pictures, and their figures beside latpred's, from the published model.

python examples/reproduce_paper.py --output figures/
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import paper_numbers
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import latpred
from latpred.show import canvas, plots
from latpred.studies.ablation import ablate_fusion

RATES = np.linspace(0.05, 1.0, 20)
#: Network, device and the patch edges that are shown for each stage.
SHOWN = {
    ("resnet50", "v100"): ([1, 2, 4, 7, 8, 14, 28], [1, 2, 4, 7, 14], [1, 2, 7], [1]),
    ("regnety-800mf", "tx2"): ([1, 2, 4, 7, 8, 14, 28], [1, 2, 4, 7, 14], [1, 2, 7], [1]),
}
BATCHES = [1, 2, 4, 8, 16, 32, 64, 128]
SETTINGS = [(1, 1, 1, 1), (4, 4, 2, 1), (8, 4, 7, 1)]
#: Each paradigm with its colour: those of S = 4-4-2-1 and G = 2 elsewhere.
PARADIGMS = {
    "spatial, S = 4-4-2-1": (latpred.Spatial(S=[4, 4, 2, 1], r=1.0), canvas.COLOURS[2]),
    "channel, G = 2": (latpred.Channel(G=2, r=1.0), canvas.COLOURS[1]),
    "layer": (latpred.Layer(r=1.0), canvas.COLOURS[6]),
}
DEVICES = ["v100", "rtx3090", "rtx3060", "tx2", "nano"]


def ratio_over_rate(network: str, device: str) -> Figure:
    """rℓ over r, a panel per stage, a line per S."""
    return _stages(network, device, "r", RATES)


def ratio_over_granularity(network: str, device: str) -> Figure:
    """rℓ over S, a panel per stage, a line per rate."""
    return _stages(network, device, "granularity", [0.2, 0.4, 0.6, 0.8])


def _stages(network: str, device: str, x: str, rates) -> Figure:
    profile = latpred.load_profile(device)
    with canvas.style():
        figure = Figure(figsize=(9.6, 6), layout="constrained")
        for stage, (axes, edges) in enumerate(
            zip(figure.subplots(2, 2).ravel(), SHOWN[network, device], strict=True), start=1
        ):
            block = latpred.load_block(f"{network}-stage{stage}")
            frame = latpred.sweep([block], [profile], latpred.grid(latpred.Spatial, granularity=edges, r=rates))
            plots.ratio(frame, x, axes)
            axes.set_title(f"stage {stage}, {block.out_height}×{block.out_width}")
        _title(figure, latpred.load_network(network), profile)
        canvas.share_legend(figure)
    return figure


def _title(figure: Figure, network: latpred.Network, profile: latpred.HardwareProfile) -> None:
    figure.suptitle(f"{network.title} on {profile.title}, batch {profile.default_batch}")


def ratio_over_channel_rate(network: str, device: str) -> Figure:
    """rℓ over r, a panel per stage, a line per G."""
    profile = latpred.load_profile(device)
    settings = latpred.grid(latpred.Channel, granularity=[1, 2, 4, 8], r=RATES)
    with canvas.style():
        figure = Figure(figsize=(9.6, 6), layout="constrained")
        for stage, axes in enumerate(figure.subplots(2, 2).ravel(), start=1):
            block = latpred.load_block(f"{network}-stage{stage}")
            plots.ratio(latpred.sweep([block], [profile], settings), "r", axes)
            axes.set_title(f"stage {stage}, {block.inner} inner channels")
        _title(figure, latpred.load_network(network), profile)
        canvas.share_legend(figure)
    return figure


def latency_over_batch() -> Figure:
    """Latency per image over the batch size on three devices, dynamic and static."""
    profiles = [latpred.load_profile(name) for name in ("v100", "rtx3090", "rtx3060")]
    setting = latpred.Spatial(S=[4, 4, 2, 1], r=0.5)
    with canvas.style():
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = plots.latency(
            latpred.sweep([latpred.load_network("resnet50")], profiles, [setting], batches=BATCHES),
            axes=figure.subplots(),
        )
        axes.set_title(f"ResNet-50: {setting}")
    return figure


def granularity_settings() -> Figure:
    """rℓ over r of whole networks under three granularity settings."""
    shown = [("resnet101", "v100"), ("resnet101", "tx2"), ("regnety-800mf", "tx2"), ("regnety-800mf", "nano")]
    with canvas.style():
        figure = Figure(figsize=(9.6, 6), layout="constrained")
        for axes, (name, device) in zip(figure.subplots(2, 2, sharey=True).ravel(), shown, strict=True):
            network, profile = latpred.load_network(name), latpred.load_profile(device)
            frame = latpred.sweep([network], [profile], latpred.grid(latpred.Spatial, granularity=SETTINGS, r=RATES))
            plots.ratio(frame, "r", axes).set_title(f"{network.title} on {profile.title}")
        canvas.share_legend(figure)
    return figure


def paradigms_on_devices(name: str = "resnet50") -> Figure:
    """Latency per image over r of the three paradigms, a panel per device."""
    network = latpred.load_network(name)
    with canvas.style():
        figure = Figure(figsize=(11, 6.2), layout="constrained")
        *panels, spare = figure.subplots(2, 3).ravel()
        for axes, device in zip(panels, DEVICES, strict=True):
            _paradigms(axes, network, latpred.load_profile(device))
        spare.axis("off")
        spare.legend(*panels[0].get_legend_handles_labels(), loc="center", title=network.title, fontsize=10)
    return figure


def _paradigms(axes: Axes, network: latpred.Network, profile: latpred.HardwareProfile) -> None:
    for label, (paradigm, colour) in PARADIGMS.items():
        frame = latpred.sweep([network], [profile], [paradigm.at_rates(float(rate)) for rate in RATES])
        axes.plot(RATES, frame["latency_per_image_s"] * 1e3, color=colour, label=label)
    static = frame["static_latency_s"].iloc[0] / profile.default_batch * 1e3
    axes.axhline(static, color="0.3", linewidth=1, linestyle="--", label="static")
    axes.set(title=f"{profile.title}, batch {profile.default_batch}", ylim=(0, None))
    axes.set(xlabel="activation rate r", ylabel="latency per image [ms]")


def fusion_ablation() -> Figure:
    """Latency of a block with each combination of fusions."""
    block = latpred.load_block("resnet50-stage1")
    with canvas.style():
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        for axes, device in zip(figure.subplots(1, 2, sharey=True), ("v100", "tx2"), strict=True):
            profile = latpred.load_profile(device)
            rows = ablate_fusion(block, profile, S=4, r=0.6)
            milliseconds = [row.latency_s / row.batch * 1e3 for row in rows]
            names = [" + ".join(row.fused) or "none" for row in rows]
            bars = axes.barh(names, milliseconds, color=canvas.COLOURS[0], height=0.7)
            axes.bar_label(bars, [f"{row.gain:+.1%}" for row in rows], padding=3)
            axes.set(title=f"{profile.title}, batch {rows[0].batch}", xlabel="latency per image [ms]")
            axes.set_xlim(0, max(milliseconds) * 1.18)
            axes.grid(visible=False, axis="y")
        axes.invert_yaxis()
        figure.suptitle("ResNet-50, stage 1, S = 4, r = 0.6: what is fused, and the gain over nothing")
    return figure


def papers_beside_latpred(comparisons: list[paper_numbers.Comparison]) -> Figure:
    """How far latpred is from every published latency."""
    kinds = {"": "static", "spatial": "spatial", "channel": "channel", "layer": "layer"}
    kinds |= {"dynconv": "DynConv", "convaig": "ConvAIG"}
    with canvas.style():
        figure = Figure(figsize=(6.6, 3.4), layout="constrained")
        axes = figure.subplots()
        for (kind, label), colour, marker in zip(kinds.items(), canvas.COLOURS, canvas.MARKERS, strict=False):
            points = [row for row in comparisons if row.published.kind == kind and not row.published.is_reduction]
            published, percent = [row.published.value for row in points], [100 * row.difference for row in points]
            axes.plot(published, percent, marker, color=colour, markersize=5, alpha=0.8, label=label)
        axes.axhline(0, color="0.3", linewidth=1, linestyle="--")
        ticks = [0.5, 1, 2, 5, 10, 20, 50]
        axes.set(xscale="log", xlabel="published latency per image [ms]", ylabel="latpred beside it [%]")
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.minorticks_off()
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def pictures(comparisons: list[paper_numbers.Comparison]) -> dict[str, Callable[[], Figure]]:
    """What draws each picture, by file name."""
    drawn: dict[str, Callable[[], Figure]] = {}
    for network, device in SHOWN:
        drawn[f"{network}-{device}-ratio-over-r"] = lambda n=network, d=device: ratio_over_rate(n, d)
        drawn[f"{network}-{device}-ratio-over-S"] = lambda n=network, d=device: ratio_over_granularity(n, d)
        drawn[f"{network}-{device}-channel"] = lambda n=network, d=device: ratio_over_channel_rate(n, d)
    return drawn | {
        "latency-over-batch": latency_over_batch,
        "granularity-settings": granularity_settings,
        "paradigms-on-devices": paradigms_on_devices,
        "fusion-ablation": fusion_ablation,
        "papers-beside-latpred": lambda: papers_beside_latpred(comparisons),
    }


def main() -> None:
    """Write every picture and `paper_numbers.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("figures"), help="folder, made where it is missing")
    parser.add_argument("--suffix", default=".png", help="of the pictures: .png, .svg, .pdf")
    arguments = parser.parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    comparisons = paper_numbers.compare()
    for name, draw in pictures(comparisons).items():
        canvas.save(draw(), arguments.output / f"{name}{arguments.suffix}")
    (arguments.output / "paper_numbers.md").write_text(paper_numbers.markdown(comparisons), encoding="utf-8")
    print(f"wrote {len(pictures(comparisons))} pictures and paper_numbers.md to {arguments.output}")


if __name__ == "__main__":
    main()
