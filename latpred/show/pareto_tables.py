"""The front of trained settings as a table."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from latpred.report import kernels_in_words
from latpred.show.layout import FittedTable, new_table
from latpred.units import number, seconds, with_band

if TYPE_CHECKING:
    import pandas


def front_table(frame: pandas.DataFrame, device: str) -> FittedTable:
    """A row per point of the front on a device, the fastest first."""
    rows = frame[frame["device"] == device]
    front = rows[rows["on_front"]].sort_values("latency_s")
    first = rows.iloc[0]
    kernels = kernels_in_words(first["precision"], first["library"], first["like"])
    title = f"{device}, batch {first['batch']}, {first['model']} model, {kernels}: "
    title += f"{len(front)} of {len(rows)} points are on the front"
    columns = ("name", "network", "paradigm", "granularity", "r", "accuracy", "latency", "rℓ", "MACs")
    table = new_table(
        title, columns, left=3, texts=("granularity", "r"), gives_way=("MACs", "rℓ", "network", "granularity")
    )
    for row in front.to_dict("records"):
        about = [_text(row[column]) for column in ("name", "network", "paradigm", "granularity", "r")]
        ends = (row["latency_s"], row["latency_low_s"], row["latency_high_s"])
        latency = seconds(ends[0]) if isnan(ends[1]) else with_band(*ends)
        table.add_row(*about, number(row["accuracy"]), latency, f"{row['ratio']:.3f}", f"{row['macs_ratio']:.3f}")
    return table


def _text(cell: object) -> str:
    """A cell of the points as a person would write it."""
    if isinstance(cell, tuple):
        return "-".join(map(_text, cell))
    if isinstance(cell, float):
        return "" if isnan(cell) else number(cell)
    return "" if cell is None else str(cell)
