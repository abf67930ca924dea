"""Quantities that a person types with their units: a latency, images per second."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import click

from latpred.units import to_seconds
from latpred.wording import quoted

Callback: TypeAlias = Callable[[click.Context, click.Parameter, str | None], float | None]


def _above_zero(read: Callable[[str], float], wanted: str) -> Callback:
    """A callback that reads a number above 0, or says what is wanted."""

    def callback(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
        try:
            found = None if text is None else read(text)
        except ValueError:
            raise click.BadParameter(f"{quoted(text)} is none; write {wanted}") from None
        if found is not None and not 0 < found < float("inf"):
            raise click.BadParameter(f"must be above 0, got {quoted(text)}")
        return found

    return callback


def _per_second(text: str) -> float:
    return float(text.strip().removesuffix("/s"))


#: A time [s], and images per second.
latency = _above_zero(to_seconds, "10ms, 850us, or seconds as in 0.01")
throughput = _above_zero(_per_second, "images per second, as in 500/s")
