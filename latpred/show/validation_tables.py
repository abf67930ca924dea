"""Calibrations and validations as rich tables."""

from __future__ import annotations

from collections.abc import Iterable

from latpred.devices.calibration import Calibration
from latpred.measuring.judging import NetworkValidation
from latpred.measuring.validation import Metrics, Validation
from latpred.show.layout import FittedTable, new_table


def calibration_table(item: Calibration) -> tuple[FittedTable | str, ...]:
    """A row per class with its errors on left-out shapes, then the fitted numbers."""
    origin = item.provenance
    title = f"{item.precision} with {item.library}: {origin.rows} rows of {origin.device}, errors on shapes left out"
    table = new_table(title, ("class", "rows", "median", "mean", "80 % of measured/predicted"))
    for error in item.errors:
        band = f"{error.low:.3f}–{error.high:.3f}"
        table.add_row(error.name, str(error.n), f"{error.median_error:.1%}", f"{error.mean_error:.1%}", band)
    numbers = ", ".join(f"{number.name} = {number.value:.4g}" for number in item.numbers)
    return table, f"{len(item.numbers)} fitted numbers: {numbers}", ""


def validation_tables(found: Iterable[Validation]) -> list[FittedTable]:
    """Per model, a row for all operators, for all blocks, and for every class."""
    tables = []
    for item in found:
        columns = ("of", "rows", "MAPE", "median", "p90", "bias", "Spearman", "|Δrℓ|", "regret p95", "in band")
        table = new_table(f"{item.model} model", columns, gives_way=("p90", "median", "bias"))
        table.add_row("all operators", *_cells(item.operators))
        table.add_row("all blocks", *_cells(item.blocks), end_section=True)
        for name, metrics in item.by_class.items():
            table.add_row(name, *_cells(metrics))
        tables.append(table)
    return tables


def network_tables(found: Iterable[NetworkValidation]) -> list[FittedTable | str]:
    """Per device, library and precision, a row for all networks and for every family; and what has no prediction."""
    columns = ("networks", "rows", "MAPE", "median", "p90", "bias", "Spearman", "in band")
    shown: list[FittedTable | str] = []
    for item in found:
        if item.predictions:
            table = new_table(item.title, columns)
            for name, metrics in {"all": item.networks, **item.by_family}.items():
                cells = _cells(metrics)
                table.add_row(name, *cells[:6], cells[-1], end_section=name == "all")
            shown.append(table)
        shown += item.notes
    return shown


def _cells(metrics: Metrics) -> list[str]:
    def percent(value: float | None, sign: str = "") -> str:
        return "" if value is None else f"{value:{sign}.1%}"

    def plain(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    return [
        str(metrics.n),
        percent(metrics.mape),
        percent(metrics.median_ape),
        percent(metrics.p90_ape),
        percent(metrics.bias, "+"),
        plain(metrics.spearman),
        plain(metrics.ratio_mae),
        percent(metrics.granularity_regret_p95),
        percent(metrics.band_coverage),
    ]
