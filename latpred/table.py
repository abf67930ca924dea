"""Reports as rich tables, and sentences about them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from latpred.networks import Network
from latpred.paradigms import Static
from latpred.profile import HardwareProfile
from latpred.recommend import Candidate, Recommendation, spell
from latpred.report import OperatorRow, Report, StageTotal
from latpred.units import count, number, seconds, si

if TYPE_CHECKING:
    import pandas

#: What is known about the error of a cost model.
CAVEATS = {
    "published": "published model: it reproduces the papers; its error on real hardware is not known",
    "roofline": "roofline: a lower bound, not an estimate",
}


def _table(title: str, columns: Sequence[str], *, left: int = 1) -> Table:
    """A table whose first `left` columns are text, the rest numbers."""
    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold", box=SIMPLE_HEAD)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index < left else "right", no_wrap=True)
    return table


def operator_table(report: Report) -> Table:
    """A row per operator, then the totals of the dynamic and of the static form."""
    columns = ("operator", "MACs", "bytes", "compute", "memory", "launch", "total", "share", "bound by")
    table = _table(heading(report), columns)
    for row in report.operators:
        share = row.latency_s / report.latency_s if report.latency_s else 0.0
        table.add_row(row.name, *_cells([row]), seconds(row.latency_s), f"{share:.1%}", row.bound)
    table.add_section()
    table.add_row("dynamic" if report.static_operators != report.operators else "total", *_totals(report.operators))
    if report.operators != report.static_operators:
        table.add_row("static", *_totals(report.static_operators))
    return table


def _cells(rows: Sequence[OperatorRow]) -> list[str]:
    def total(field: str) -> float:
        return sum(float(getattr(row, field)) for row in rows)

    return [
        count(total("macs")),
        si(total("bytes"), "B"),
        *(seconds(total(field)) for field in ("compute_s", "memory_s", "launch_s")),
    ]


def _totals(rows: Sequence[OperatorRow]) -> list[str]:
    return [*_cells(rows), seconds(sum(row.latency_s for row in rows)), "", ""]


def stage_table(report: Report, network: Network) -> Table:
    """A row per stage of a network, then the total."""
    table = _table(heading(report), ("stage", "map", "blocks", "MACs", "of static", "dynamic", "static", "rℓ", "share"))
    for stage, shape, (height, width) in zip(report.stages, network.stages, network.maps, strict=True):
        share = f"{stage.latency_s / report.latency_s:.1%}" if report.latency_s else ""
        table.add_row(str(stage.stage), f"{height}×{width}", str(shape.blocks), *_ratio_cells(stage), share)
    table.add_section()
    table.add_row("total", "", str(sum(stage.blocks for stage in network.stages)), *_ratio_cells(report), "")
    return table


def _ratio_cells(part: StageTotal | Report) -> list[str]:
    macs_ratio = "" if part.macs_ratio is None else f"{part.macs_ratio:.3f}"
    return [
        count(part.macs),
        macs_ratio,
        seconds(part.latency_s),
        seconds(part.static_latency_s),
        f"{part.ratio:.3f}",
    ]


def heading(report: Report) -> str:
    """What was predicted, on what."""
    return f"{report.target} on {report.device}: {report.paradigm}, batch {report.batch}"


def verdict(report: Report) -> str:
    """The ratio in words, beside the saving on paper and the break-even rate."""
    per_image = f", {seconds(report.latency_per_image_s)} per image" if report.batch > 1 else ""
    lines = [f"ℓ = {seconds(report.latency_s)}{per_image}"]
    if report.paradigm.name != "static":
        lines = [f"ℓ_dyn = {seconds(report.latency_s)}{per_image}; ℓ_stat = {seconds(report.static_latency_s)}"]
        change = abs(1 - report.ratio)
        word = "faster than static" if report.ratio < 1 else "slower than static"
        paper = "" if report.macs_ratio is None else f"; on paper (MACs) {report.macs_ratio:.3f}"
        lines.append(f"rℓ = {report.ratio:.3f}, {change:.1%} {word}{paper}")
        lines.append(break_even(report.break_even_rate))
    lines += [f"note: {note}" for note in report.notes]
    lines.append(CAVEATS[report.model])
    return "\n".join(lines)


def break_even(rate: float | None) -> str:
    """Where rℓ crosses 1, in words."""
    if rate is None:
        return "break-even: never, rℓ > 1 at every rate"
    if rate == 1:
        return "break-even: rℓ ≤ 1 at every rate"
    return f"break-even: rℓ ≤ 1 up to r* = {rate:.3f}"


def recommendation_table(recommendation: Recommendation) -> Table:
    """A row per candidate, the chosen one marked, layer skipping as the alternative."""
    symbol = recommendation.symbol
    title = (
        f"{recommendation.target} on {recommendation.device}: {recommendation.paradigm}, batch {recommendation.batch}"
    )
    columns = ("stage", symbol, "", "r", "latency", "static", "rℓ", "to the best", "r*")
    table = _table(title, columns, left=3)
    for candidate in recommendation.candidates:
        table.add_row(*_candidate_cells(candidate), end_section=candidate.granularity is None)
    return table


def _candidate_cells(candidate: Candidate) -> list[str]:
    rate = candidate.break_even_rate
    return [
        str(candidate.stage),
        "layer" if candidate.granularity is None else str(candidate.granularity),
        "← chosen" if candidate.chosen else "",
        number(candidate.rate),
        seconds(candidate.latency_s),
        seconds(candidate.static_latency_s),
        f"{candidate.ratio:.3f}",
        f"{candidate.margin:+.1%}",
        "never" if rate is None else "always" if rate == 1 else f"{rate:.3f}",
    ]


def recommendation_text(recommendation: Recommendation) -> str:
    """The choice, why, and how it moves with the rate."""
    symbol = recommendation.symbol
    rates = sorted(set(recommendation.rates))
    at = f"r = {number(rates[0])}" if len(rates) == 1 else "the rates given"
    lines = [
        f"{symbol} = {recommendation.text}",
        f"Per stage the smallest {symbol} within {recommendation.tolerance:.1%} of the fastest at {at}: "
        "a finer mask would cost latency, a coarser one only flexibility.",
    ]
    for shift, choice in recommendation.neighbours:
        change = "the same" if choice == recommendation.choice else spell(choice)
        lines.append(f"At r {shift:+g}: {change}")
    lines.append("`layer` is layer skipping at the same rate, the alternative to one patch as large as the map.")
    lines.append(CAVEATS[recommendation.model])
    return "\n".join(lines)


def sweep_table(frame: pandas.DataFrame) -> Table:
    """A row per prediction."""
    columns = ("target", "device", "paradigm", "granularity", "r", "batch", "per image", "static", "rℓ", "MACs ratio")
    table = _table(f"{len(frame)} predictions, {frame['model'].iloc[0]} model", columns, left=4)
    for row in frame.itertuples():
        granularity = "" if row.granularity is None else str(row.granularity)
        cells = (row.target, row.device, row.paradigm, granularity, number(row.r), str(row.batch))
        static = row.static_latency_s / row.batch
        table.add_row(
            *cells, seconds(row.latency_per_image_s), seconds(static), f"{row.ratio:.3f}", f"{row.macs_ratio:.3f}"
        )
    return table


def device_table(profiles: Iterable[HardwareProfile]) -> Table:
    """A row per device."""
    columns = ("device", "", "PEs", "lanes", "clock", "FP32 peak", "off-chip", "L2", "kernel", "batch")
    table = _table("Devices", columns, left=2)
    for profile in profiles:
        table.add_row(
            profile.name,
            profile.title,
            str(profile.pes),
            str(profile.fp32_lanes_per_pe),
            si(profile.clock_hz, "Hz"),
            si(2 * profile.fp32_peak_macs, "FLOP/s"),
            si(profile.dram_bandwidth, "B/s"),
            f"{profile.l2_bandwidth_ratio:g}×",
            seconds(profile.kernel_s),
            str(profile.default_batch),
        )
    return table


#: Units of a profile's fields, where they have one.
_FIELD_UNITS = {
    "clock_hz": "Hz",
    "dram_bandwidth": "B/s",
    "kernel_s": "s",
    "l2_bytes": "B",
    "fp32_peak_flops": "FLOP/s",
    "fp16_tensor_peak_flops": "FLOP/s",
}


def profile_table(profile: HardwareProfile) -> Table:
    """A row per parameter: its value, the data sheet's where it is known, and the source."""
    sources = {source.field: source.text for source in profile.sources}
    sheet = profile.datasheet.model_dump(exclude={"source"}, exclude_none=True) if profile.datasheet else {}
    table = _table(f"{profile.name} {profile.title}".rstrip(), ("parameter", "value", "data sheet", "source"), left=1)
    table.columns[-1].justify, table.columns[-1].no_wrap = "left", False
    parameters = profile.model_dump(exclude={"name", "title", "sources", "datasheet"})
    for field in dict.fromkeys((*parameters, *sheet)):
        cells = [_field_text(field, values[field]) if field in values else "" for values in (parameters, sheet)]
        table.add_row(field, *cells, sources.get(field, ""))
    return table


def _field_text(field: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    return si(value, _FIELD_UNITS[field]) if field in _FIELD_UNITS else f"{value:g}"


def networks_table(networks: Iterable[Network]) -> Table:
    """A row per network."""
    table = _table("Networks", ("network", "", "alias", "blocks per stage", "channels", "maps"), left=3)
    for network in networks:
        table.add_row(
            network.name,
            network.title,
            ", ".join(network.aliases),
            spell([stage.blocks for stage in network.stages]),
            spell([stage.c_out for stage in network.stages]),
            ", ".join(f"{height}×{width}" for height, width in network.maps),
        )
    return table


def network_table(network: Network) -> Table:
    """A row per stage: its map, channels and blocks."""
    columns = ("stage", "map", "blocks", "c_in", "inner", "c_out", "stride", "groups", "SE", "MACs")
    table = _table(f"{network.name} {network.title}".rstrip(), columns)
    for stage_number, (stage, (height, width)) in enumerate(zip(network.stages, network.maps, strict=True), start=1):
        first = network.block(stage_number, first=True)
        macs = sum(step.operator.macs(1) for step in network.stage(stage_number).lower(Static()).steps)
        table.add_row(
            str(stage_number),
            f"{height}×{width}",
            str(stage.blocks),
            str(stage.c_in),
            str(first.inner),
            str(stage.c_out),
            str(stage.stride),
            str(first.groups),
            "yes" if network.se else "no",
            count(macs),
        )
    return table
