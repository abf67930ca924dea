"""The latencies and reductions that the papers print, beside what latpred's published model gives.

`paper_numbers.csv` holds points digitised from LAUDNet's main figure, and reductions quoted in the abstracts. The
papers state no activation rates, so a dynamic point is predicted at the rate, common to all blocks, that gives the
multiply-adds of the figure's point of the same accuracy; the papers' own rates differ from block to block.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import median

import latpred
from latpred.question import ask
from latpred.studies.comparison import rate_for_macs

FIGURES = Path(__file__).with_name("paper_numbers.csv")
#: The published model says how these run; DeiT is latpred's own lowering of it.
STATED = {"resnet50", "resnet101", "regnety-400mf", "regnety-800mf", "t2t-vit-19"}


@dataclass(frozen=True)
class Published:
    """One figure of a paper: a latency per image [ms], or a reduction against the static network [%]."""

    paper: str
    item: str
    network: str
    preset: str
    device: str
    batch: int | None
    value: float
    accuracy_pct: float | None
    gmacs: float | None
    static_gmacs: float | None
    source: str

    @property
    def is_reduction(self) -> bool:
        """A reduction, not a latency."""
        return "reduction" in self.item

    @property
    def kind(self) -> str:
        """The paradigm or method; empty for a static network."""
        return self.preset.removesuffix(f"-{self.network}").removeprefix("laudnet-")


@dataclass(frozen=True)
class Comparison:
    """A published figure, and latpred's in the same unit at the rate `r`."""

    published: Published
    latpred: float
    r: float | None

    @property
    def difference(self) -> float:
        """Relative for a latency; in percentage points for a reduction."""
        if self.published.is_reduction:
            return self.latpred - self.published.value
        return self.latpred / self.published.value - 1


def read(path: Path = FIGURES) -> list[Published]:
    """The published figures."""
    with path.open(encoding="utf-8", newline="") as file:
        return [_published(row) for row in csv.DictReader(file)]


def _published(row: dict[str, str]) -> Published:
    numbers = {name: float(row[name]) if row[name] else None for name in ("accuracy_pct", "gmacs", "static_gmacs")}
    texts = {name: row[name] for name in ("paper", "item", "network", "preset", "device")}
    batch = int(row["batch"]) if row["batch"] else None
    return Published(**texts, **numbers, batch=batch, value=float(row["value"]), source=row["kind"])


def compare() -> list[Comparison]:
    """Every published figure beside latpred's."""
    return [_compare(published) for published in read()]


def _compare(published: Published) -> Comparison:
    profile = latpred.load_profile(published.device)
    if not published.preset:
        report = latpred.predict(latpred.load_network(published.network), profile, batch=published.batch)
        return Comparison(published, report.latency_per_image_s * 1e3, None)
    preset, network = latpred.load_preset(published.preset)
    r = _rate(published.preset, published.gmacs / published.static_gmacs)
    report = latpred.predict(network, profile, preset.paradigm.at_rates(r), batch=published.batch)
    found = 100 * (1 - report.ratio) if published.is_reduction else report.latency_per_image_s * 1e3
    return Comparison(published, found, r)


@cache
def _rate(name: str, share: float) -> float | None:
    """The rate at which MACs are this share of the static ones, stem and head included, as the figure counts them."""
    preset, network = latpred.load_preset(name)
    # Multiply-adds depend on no device and no cost model: take the quickest.
    asked = ask(network.including("stem", "head"), "v100", batch=1, model="roofline")
    return rate_for_macs(asked, preset.paradigm, share)


def markdown(comparisons: list[Comparison]) -> str:
    """Tables of every figure, and how far they agree."""
    latencies = [row for row in comparisons if not row.published.is_reduction]
    static = [row for row in latencies if not row.published.preset]
    stated = [row for row in static if row.published.network in STATED]
    others = [row for row in static if row.published.network not in STATED]
    dynamic = [row for row in latencies if row.published.preset]
    reductions = [row for row in comparisons if row.published.is_reduction]
    return "\n".join(
        [
            "# The papers' figures beside latpred's",
            "",
            "Written by `python examples/reproduce_paper.py`, from the published model. Sources: LASNet (NeurIPS 2022,",
            "arXiv 2210.06223) and LAUDNet (TPAMI 2024, arXiv 2308.15949); points are digitised from LAUDNet's main",
            "figure, good to half a pixel: 0.0016 ms on V100, 0.034 ms on TX2. These are predictions beside",
            "predictions: the papers' latencies come from this model, not from a stopwatch.",
            "",
            "## Static networks",
            "",
            f"Largest difference: {max(abs(row.difference) for row in stated):.2%}.",
            "",
            *_latency_table(stated),
            "",
            "DeiT is not among the networks that the published model describes; latpred builds it from the same",
            "operators, and the papers may have built it otherwise.",
            "",
            *_latency_table(others),
            "",
            "## Quoted reductions",
            "",
            "At the multiply-adds of the figure's point of no less accuracy than the static network; LASNet's abstract",
            "names neither batch nor rate. The difference is in percentage points.",
            "",
            "| paper | item | network | device | r | published | latpred | difference |",
            "|---|---|---|---|---:|---:|---:|---:|",
            *(_reduction_row(row) for row in reductions),
            "",
            "## Dynamic networks",
            "",
            "At the common rate that gives the multiply-adds of the figure's point of the same accuracy. Median",
            f"difference of {len(dynamic)} points: {median(abs(row.difference) for row in dynamic):.1%}. What is left",
            "is the papers' rates, which differ from block to block, and markers that may be paired wrongly.",
            "",
            *_latency_table(dynamic),
            "",
        ]
    )


def _latency_table(rows: list[Comparison]) -> list[str]:
    header = ["| network | method | device | batch | r | published [ms] | latpred [ms] | difference |"]
    return [*header, "|---|---|---|---:|---:|---:|---:|---:|", *(_latency_row(row) for row in rows)]


def _latency_row(row: Comparison) -> str:
    point = row.published
    rate = "" if row.r is None else f"{row.r:.3f}"
    value = f"{point.value:.4g}" + (" (by eye)" if "by eye" in point.source else "")
    cells = (point.network, point.kind or "static", point.device, str(point.batch), rate, value, f"{row.latpred:.4g}")
    return f"| {' | '.join(cells)} | {row.difference:+.2%} |"


def _reduction_row(row: Comparison) -> str:
    point = row.published
    paper, least = point.paper.split(" (")[0], "at least " if "at least" in point.item else ""
    what = f"{point.kind}, {point.source}"
    published, found = f"{least}{point.value:g} %", f"{row.latpred:.1f} %"
    return (
        f"| {paper} | {what} | {point.network} | {point.device} | {row.r:.3f} | {published} | {found} "
        f"| {row.difference:+.1f} |"
    )
