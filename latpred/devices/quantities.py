"""The numbers of a device file: as a person types them, and within what any device could have."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import AfterValidator, Field

from latpred.records import Count as AnyCount
from latpred.records import Plain, Positive, Typed
from latpred.units import si


def _within(low: float, high: float, usual: tuple[float, float], unit: str, *, zero: bool = False) -> AfterValidator:
    """Refuse what lies outside, saying what it would mean and what was meant: most often a prefix is missing.

    Of the values that another prefix makes, the one meant is the first beyond the near end of `usual`.
    """

    def check(value: float) -> float:
        if low <= value <= high or (zero and not value):
            return value
        meant = value
        while meant < usual[0] if value < low else meant > usual[1]:
            meant *= 1e3 if value < low else 1e-3
        raise ValueError(f"{value:g} would be {si(value, unit)}; write {_written(meant)} for {si(meant, unit)}")

    return AfterValidator(check)


def _written(value: float) -> str:
    """A number as a data sheet has it, its exponent a multiple of three: `1.3e9`."""
    exponent = 3 * math.floor(math.log10(value) / 3 + 1e-12)
    return f"{value / 10.0**exponent:.6g}" + (f"e{exponent}" if exponent else "")


Number = Annotated[Positive, Typed]
_FromZero = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False), Plain, Typed]
Count = Annotated[AnyCount, Field(le=10**6), Typed]
#: From 1 MHz and 100 MB/s on; a clock typed in MHz or a bandwidth in GB/s lies below.
Clock = Annotated[Number, _within(1e6, 1e11, (1e8, 1e10), "Hz")]
Bandwidth = Annotated[Number, _within(1e8, 1e15, (1e10, 1e13), "B/s")]
Size = Annotated[Number, _within(1e3, 1e12, (1e5, 1e9), "B")]
Duration = Annotated[_FromZero, _within(0, 0.1, (1e-7, 1e-4), "s")]
#: Multiply-adds per second as measured, floating-point operations per second as data sheets have them; of units that
#: not every device has, 0 says that there are none.
MacRate = Annotated[Number, _within(1e8, 1e18, (1e12, 1e15), "MAC/s")]
Flops = Annotated[Number, _within(1e8, 1e18, (1e12, 1e15), "FLOP/s")]
MacRateOrNone = Annotated[_FromZero, _within(1e8, 1e18, (1e12, 1e15), "MAC/s", zero=True)]
FlopsOrNone = Annotated[_FromZero, _within(1e8, 1e18, (1e12, 1e15), "FLOP/s", zero=True)]
#: L2 over off-chip bandwidth.
Ratio = Annotated[float, Field(ge=1, le=1000, strict=True, allow_inf_nan=False), Plain, Typed]
#: An error, as a share of what was measured or predicted.
Error = Annotated[_FromZero, Field(le=1e6)]
Finite = Annotated[float, Field(strict=True, allow_inf_nan=False), Plain, Typed]
