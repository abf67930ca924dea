"""Numbers that a person types, as callbacks of options: several, ranges, one per stage, with their units."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

import click

from latpred.units import to_seconds
from latpred.wording import quoted

Callback: TypeAlias = Callable[[click.Context, click.Parameter, str | None], float | None]
#: Ranges of more steps are a slip of the pen.
MOST_STEPS = 100_000


def _above_zero(read: Callable[[str], float], what: str, wanted: str) -> Callback:
    """A callback that reads a number above 0, or says what is wanted."""

    def callback(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
        try:
            found = None if text is None else read(text)
        except ValueError:
            raise click.BadParameter(f"{quoted(text)} is no {what}; write {wanted}") from None
        if found is not None and not 0 < found < float("inf"):
            raise click.BadParameter(f"must be above 0, got {quoted(text)}")
        return found

    return callback


def _per_second(text: str) -> float:
    return float(text.strip().removesuffix("/s"))


#: A time [s], and images per second.
latency = _above_zero(to_seconds, "latency", "10ms, 850us, or seconds as in 0.01")
throughput = _above_zero(_per_second, "throughput", "images per second, as in 500/s")


def numbers(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """Numbers separated by commas."""
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{quoted(text)} is not a number; give one, or several separated by commas") from None


def rates(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """Activation rates separated by commas."""
    return _shares(text, numbers(context, parameter, text))


def rate_ranges(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """Activation rates and ranges of them."""
    return _shares(text, ranges(context, parameter, text))


def _shares(text: str | None, given: tuple[float, ...] | None) -> tuple[float, ...] | None:
    """The rates; for those typed as percentages or with a decimal comma the line has the share that is meant."""
    for value in given or ():
        if not 0 <= value <= 1:
            percent = 1 < value <= 100 and value.is_integer()
            instead = f"; write {value / 100:g} for {value:g} %" if percent else ""
            if text and re.fullmatch(r"0,\d+", text):
                instead = f"; a comma stands between rates, write {text.replace(',', '.')}"
            raise click.BadParameter(f"rates are shares from 0 to 1, got {value:g}{instead}")
    return given


def ranges(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """Numbers and ranges start:stop:step, stop included, separated by commas."""
    return None if text is None else tuple(_ranges(text))


def batches(context: click.Context, parameter: click.Parameter, text: str | None) -> list[int]:
    """Whole numbers, and ranges start:stop or start:stop:step of them, separated by commas."""
    found = [] if text is None else _ranges(text, step=1.0)
    for size in found:
        if not size.is_integer():
            raise click.UsageError(f"--batch takes whole numbers, not {size:g}")
    return [int(size) for size in found]


def _ranges(text: str, *, step: float | None = None) -> list[float]:
    """The numbers; a range without a step has `step`, where there is one. Raises BadParameter."""
    found: list[float] = []
    try:
        for part in text.split(","):
            found += _range(part, step)
            if len(found) > MOST_STEPS + 1:
                raise ValueError(text)
    except ValueError:
        raise click.BadParameter(
            f"{quoted(text)} is no range; give numbers separated by commas, or start:stop:step with start ≤ stop, "
            f"step > 0 and at most {MOST_STEPS:,} steps"
        ) from None
    return found


def _range(part: str, step: float | None) -> list[float]:
    if ":" not in part:
        return [float(part)]
    bounds = [float(bound) for bound in part.split(":")]
    start, stop, by = bounds if step is None or len(bounds) > 2 else (*bounds, step)
    if not (by > 0 and start <= stop and stop - start <= by * MOST_STEPS):
        raise ValueError(part)
    # Rounded, so that 0.1:1.0:0.05 ends at 1.0 and has 0.15 in it, not 0.15000000000000002.
    return [round(start + i * by, 12) for i in range(int((stop - start) / by + 1e-6) + 1)]


def granularities(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int | tuple[int, ...], ...] | None:
    """`4`, or `4-4-2-1` for one per stage; several settings separated by commas."""
    if text is None:
        return None
    if not re.fullmatch(r"-?\d{1,9}(-\d{1,9})*(,-?\d{1,9}(-\d{1,9})*)*", text):
        raise click.BadParameter(f"{quoted(text)} is no granularity; write 4, or 4-4-2-1 for one per stage")
    settings = [[int(number) for number in re.findall(r"^-?\d+|\d+", part)] for part in text.split(",")]
    return tuple(setting[0] if len(setting) == 1 else tuple(setting) for setting in settings)


def edges(settings: Sequence[int | tuple[int, ...]] | None) -> list[int]:
    """Every number that some granularities name."""
    listed = (setting if isinstance(setting, tuple) else (setting,) for setting in settings or ())
    return sorted({edge for setting in listed for edge in setting})
