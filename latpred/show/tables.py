"""Reports as rich tables, and sentences about them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import starmap
from math import floor, isnan
from typing import TYPE_CHECKING

from latpred.report import OperatorRow, Report, Rival, Subtotal, Totals, collected, kernels_in_words, largest_part
from latpred.show.layout import FittedTable, new_table
from latpred.units import count, number, seconds, si, with_band
from latpred.wording import in_stages
from latpred.workloads.networks import Network, PlacedNetwork
from latpred.workloads.paradigms import spelled

if TYPE_CHECKING:
    import pandas

    from latpred.studies.ablation import Ablation
    from latpred.studies.comparison import Comparison
    from latpred.studies.distribution import Distribution
    from latpred.studies.granularity_choice import Candidate, Recommendation


def operator_table(report: Report) -> FittedTable:
    """A row per operator, equal ones of several blocks together; then the totals of the dynamic and static form."""
    columns = ("operator", "MACs", "bytes", "compute", "memory", "launch", "total", "share", "bound by")
    table = new_table(heading(report), columns, gives_way=("bytes", "share", "bound by", "launch", "MACs"))
    for name, rows in _by_name(report.operators).items():
        latency = sum(row.latency_s for row in rows)
        share = f"{latency / report.latency_s:.1%}" if report.latency_s else ""
        label = f"{name} ×{len(rows)}" if len(rows) > 1 else name
        table.add_row(label, *_cells(rows), seconds(latency), share, largest_part(rows))
    table.add_section()
    table.add_row("dynamic" if report.static_operators != report.operators else "total", *_totals(report.operators))
    if report.operators != report.static_operators:
        table.add_row("static", *_totals(report.static_operators))
    return table


def _by_name(operators: Sequence[OperatorRow]) -> dict[str, list[OperatorRow]]:
    rows: dict[str, list[OperatorRow]] = {}
    for row in operators:
        rows.setdefault(row.name, []).append(row)
    return rows


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


def stage_table(report: Report, network: Network) -> FittedTable:
    """A row per stage of a network, then its other parts, then the total."""
    compared = ("of static", "dynamic", "static", "rℓ") if report.paradigm.parts else ("latency",)
    of_stages = ("stage", "map", "blocks") if network.stages else ("part",)
    columns = (*of_stages, "MACs", *compared, "share")
    table = new_table(heading(report), columns, gives_way=("map", "blocks", "share", "MACs"))
    for stage, shape, (height, width) in zip(report.stages, network.stages, network.maps, strict=True):
        place = (str(stage.stage), f"{height}×{width}", str(shape.count))
        table.add_row(*place, *_compared_cells(stage, compared), f"{stage.latency_s / report.latency_s:.1%}")
    aside = ("",) * (len(of_stages) - 1)
    outside = [row for row in report.operators if row.stage is None]
    names = collected([row.name for row in outside])
    for name in dict.fromkeys(names):
        rows = tuple(row for row, own in zip(outside, names, strict=True) if own == name)
        part = Subtotal(rows, rows)
        label = f"{name} ×{len(rows)}" if len(rows) > 1 else name
        table.add_row(label, *aside, *_compared_cells(part, compared), f"{part.latency_s / report.latency_s:.1%}")
    table.add_section()
    blocks = ("", str(sum(network.blocks_per_stage))) if network.stages else ()
    table.add_row("total", *blocks, *_compared_cells(report, compared), "")
    return table


def _compared_cells(part: Totals, compared: Sequence[str]) -> list[str]:
    if len(compared) == 1:
        return [count(part.macs), seconds(part.latency_s)]
    macs_ratio = "" if part.macs_ratio is None else f"{part.macs_ratio:.3f}"
    latencies = (seconds(part.latency_s), seconds(part.static_latency_s))
    return [count(part.macs), macs_ratio, *latencies, f"{part.ratio:.3f}"]


def heading(report: Report) -> str:
    """What was predicted, on what."""
    return f"{report.target} on {report.device}: {report.paradigm}, batch {report.batch}"


def model_in_words(report: Report) -> str:
    """Which cost model a prediction is of, and of which kernels."""
    return f"{report.model} model, {kernels_in_words(report.precision, report.library, report.like)}"


def verdict(report: Report) -> str:
    """The ratio in words, beside the saving on paper and the break-even rate."""
    per_image = f", {seconds(report.latency_per_image_s)} per image" if report.batch > 1 else ""
    latency = seconds(report.latency_s)
    if report.latency_low_s is not None and report.latency_high_s is not None:
        latency = with_band(report.latency_s, report.latency_low_s, report.latency_high_s)
    lines = [f"ℓ = {latency}{per_image}"]
    if report.paradigm.parts:
        lines = [f"ℓ_dyn = {latency}{per_image}; ℓ_stat = {seconds(report.static_latency_s)}"]
        change = abs(1 - report.ratio)
        word = "less time than static" if report.ratio < 1 else "more time than static"
        paper = "" if report.macs_ratio is None else f"; on paper (MACs) {report.macs_ratio:.3f}"
        lines.append(f"rℓ = {report.ratio:.3f}, {change:.1%} {word}{paper}")
        lines.append(break_even(report.break_even_rate))
    if report.rival:
        lines.append(against_in_words(report.rival, report.latency_s))
    if isinstance(report.asked.of, PlacedNetwork):
        rest = " and ".join(report.uncounted)
        lines.append(f"counted: all but {rest}" if rest else "counted: the whole network")
    lines += [f"note: {note}" for note in report.notes]
    lines.append(_caveat(report))
    return "\n".join(lines)


def against_in_words(rival: Rival, latency_s: float) -> str:
    """What a latency is of that of another library's static network."""
    ratio = latency_s / rival.latency_s
    change = f"{abs(1 - ratio):.1%} {'less' if ratio < 1 else 'more'} time"
    return f"against {rival.library}: ℓ_stat = {seconds(rival.latency_s)}; rℓ = {ratio:.3f}, {change}"


def _caveat(report: Report) -> str:
    """What is known about the error of the prediction."""
    if report.band is None:
        return report.asked.cost_model.about
    if report.like:
        return f"{report.asked.cost_model.about}; 80 % band in brackets"
    kernels = kernels_in_words(report.precision, report.library, report.like)
    return (
        f"calibrated model, {kernels}: 80 % band in brackets; median error on shapes left out of the fit "
        f"{report.band.median_error:.1%} ({report.band.of})"
    )


def break_even(rate: float | None) -> str:
    """Where rℓ crosses 1, in words."""
    if rate is None:
        return "break-even: never, rℓ > 1 at every rate"
    if rate == 1:
        return "break-even: rℓ ≤ 1 at every rate"
    return f"break-even: rℓ ≤ 1 up to r* = {_rounded_down(rate)}"


def _rounded_down(rate: float) -> str:
    """Three decimals that are still a rate at which skipping pays."""
    return f"{floor(rate * 1000 + 1e-3) / 1000:.3f}"


def recommendation_table(recommendation: Recommendation) -> FittedTable:
    """A row per candidate, the chosen one marked, layer skipping as the alternative."""
    symbol = recommendation.symbol
    title = (
        f"{recommendation.target} on {recommendation.device}: {recommendation.paradigm}, batch {recommendation.batch}"
    )
    columns = ("stage", symbol, "", "r", "latency", "static", "rℓ", "to the best", "r*")
    table = new_table(title, columns, left=3, gives_way=("static", "r"))
    for candidate in recommendation.candidates:
        table.add_row(*_candidate_cells(candidate), end_section=candidate.granularity is None)
    return table


def _candidate_cells(candidate: Candidate) -> list[str]:
    return [
        str(candidate.stage),
        "layer" if candidate.granularity is None else str(candidate.granularity),
        "← chosen" if candidate.chosen else "",
        f"{candidate.rate:.4g}",
        seconds(candidate.latency_s),
        seconds(candidate.static_latency_s),
        f"{candidate.ratio:.3f}",
        # Adding 0 makes a plain 0 of a negative one.
        f"{round(candidate.margin, 3) + 0.0:+.1%}",
        _break_even_cell(candidate.break_even_rate),
    ]


def _break_even_cell(rate: float | None) -> str:
    return "never" if rate is None else "always" if rate == 1 else _rounded_down(rate)


def recommendation_text(recommendation: Recommendation) -> str:
    """The choice, why, and how it moves with the rate."""
    symbol = recommendation.symbol
    rates = sorted(set(recommendation.rates))
    at = f"r = {number(rates[0])}" if len(rates) == 1 else "the stages' own rates"
    lines = [
        f"{symbol} = {recommendation.text}",
        f"Per stage the smallest {symbol} within {recommendation.tolerance:.1%} of the fastest at {at}.",
    ]
    if recommendation.static_is_faster:
        stages = in_stages(recommendation.static_is_faster)
        lines.append(f"In {stages} the static block is faster than any of them.")
    if recommendation.without_choice:
        stages = in_stages(recommendation.without_choice)
        lines.append(f"In {stages} no block can skip so: the 1 there only keeps the place.")
    if not recommendation.neighbours:
        lines.append("An S at which the masks skip less than 1% of the patches is not chosen.")
    for neighbour in recommendation.neighbours:
        change = "the same" if neighbour.choice == recommendation.choice else spelled(neighbour.choice, whole=True)
        near = sorted(set(neighbour.rates))
        place = f"r = {number(near[0])}" if len(near) == 1 else f"rates {spelled(neighbour.rates)}"
        lines.append(f"At {place}: {change}")
    instead = ", the alternative to one patch as large as the map" if recommendation.paradigm == "spatial" else ""
    lines.append(f"`layer` is layer skipping at the same rate{instead}.")
    if recommendation.regret_p95 is not None:
        lines.append(
            f"Measured on shapes left out of the fit, such a choice costs at most {recommendation.regret_p95:.1%} more "
            "than the best S in 95 % of all cases."
        )
    if recommendation.rival:
        lines.append(f"All stages, {against_in_words(recommendation.rival, recommendation.latency_s)}.")
    lines.append(recommendation.asked.cost_model.about)
    return "\n".join(lines)


def sweep_table(frame: pandas.DataFrame) -> FittedTable:
    """A row per prediction."""
    columns = ["target", "device", "paradigm", "granularity", "r", "batch", "per image", "static", "rℓ", "MACs ratio"]
    rivals = " or ".join(frame["against"].unique()) if "against" in frame else ""
    columns += [f"rℓ to {rivals}"] if rivals else []
    asked = zip(frame["precision"], frame["library"], frame["like"], strict=True)
    kernels = dict.fromkeys(starmap(kernels_in_words, asked))
    predictions = f"{len(frame)} prediction{'s' if len(frame) > 1 else ''}"
    title = f"{predictions}, {frame['model'].iloc[0]} model, {' and '.join(kernels)}"
    table = new_table(title, columns, left=4, gives_way=("batch", "MACs ratio", "static"))
    for row in frame.itertuples():
        granularity = "" if row.granularity is None else str(row.granularity)
        rate = "" if isnan(row.r) else number(row.r)
        cells = (row.target, row.device, row.paradigm, granularity, rate, str(row.batch))
        ends = (row.latency_per_image_s, row.latency_low_s / row.batch, row.latency_high_s / row.batch)
        latency = seconds(ends[0]) if isnan(ends[1]) else with_band(*ends)
        static = seconds(row.static_latency_s / row.batch)
        against = [f"{row.against_ratio:.3f}"] if rivals else []
        table.add_row(*cells, latency, static, f"{row.ratio:.3f}", f"{row.macs_ratio:.3f}", *against)
    return table


def distribution_text(spread: Distribution) -> str:
    """Quantiles over samples, and the error of predicting from the mean rate."""
    drawn = f"{spread.samples} samples"
    if spread.batch > 1:
        drawn = f"{spread.draws} batches of {spread.batch} drawn from {drawn} (seed {spread.seed})"
    quantiles = (("mean", spread.mean_s), ("median", spread.median_s), ("p95", spread.p95_s), ("p99", spread.p99_s))
    figures = ", ".join(f"{name} {seconds(value)}" for name, value in (*quantiles, ("worst", spread.worst_s)))
    return (
        f"over {drawn}: {figures}\n"
        f"mean ℓ(r) = {si(spread.mean_s, 's', 4)}, but ℓ(mean r) = {si(spread.at_mean_rate_s, 's', 4)}: "
        f"predicting from mean rates errs by {round(spread.gap, 4) + 0.0:+.2%}"
    )


def comparison_table(target: str, rows: Sequence[Comparison]) -> FittedTable:
    """A row per paradigm at equal multiply-adds, the fastest first; those that do not reach the target or fit last."""
    title = f"{target}: MACs at {rows[0].target_macs:g} of static, batch {rows[0].batch}"
    columns = ("", "paradigm", "r", "MACs", "latency", "static", "rℓ", "r*")
    table = new_table(title, columns, left=2, gives_way=("static", "r*"))
    for row in sorted(rows, key=lambda row: (row.note is not None, row.latency_s is None, row.latency_s)):
        cells = ["left out" if row.note else "not reached", "", "", "", ""]
        if row.r is not None and row.latency_s is not None and row.ratio is not None:
            cells = [f"{row.r:.3f}", f"{row.macs_ratio:.3f}", seconds(row.latency_s), seconds(row.static_latency_s)]
            cells.append(f"{row.ratio:.3f}")
        table.add_row(row.name, row.paradigm, *cells, "" if row.note else _break_even_cell(row.break_even_rate))
    return table


def comparison_notes(rows: Sequence[Comparison]) -> list[str]:
    """Why paradigms are left out, those with the same reason together."""
    names: dict[str, list[str]] = {}
    for row in rows:
        if row.note:
            names.setdefault(row.note, []).append(row.name)
    return [f"note: {', '.join(same)} left out: {note}" for note, same in names.items()]


def ablation_table(rows: Sequence[Ablation]) -> FittedTable:
    """A row per combination of fusions, with what it gains over none."""
    title = f"{rows[0].target} on {rows[0].device}, batch {rows[0].batch}"
    columns = ("fused", "bytes", "memory", "launch", "latency", "rℓ", "gain")
    table = new_table(title, columns, gives_way=("bytes", "launch", "memory"))
    for row in rows:
        table.add_row(
            " + ".join(row.fused) or "none",
            si(row.bytes, "B"),
            seconds(row.memory_s),
            seconds(row.launch_s),
            seconds(row.latency_s),
            f"{row.ratio:.3f}",
            f"{row.gain:+.1%}",
        )
    return table
