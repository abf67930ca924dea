"""Numbers for people: seconds, bytes, counts and rates with a unit prefix. Nothing else knows prefixes."""

from __future__ import annotations

import math
import re

_PREFIXES = {-9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}


def si(value: float, unit: str, digits: int = 3) -> str:
    """`value` [unit] with an SI prefix and `digits` significant digits.

    >>> si(0.0024136, "s"), si(9.0e11, "B/s"), si(0.0, "s"), si(999.96e-6, "s")
    ('2.41 ms', '900 GB/s', '0 s', '1.00 ms')
    """
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    rounded = float(f"{value:.{digits - 1}e}")
    exponent = min(max(3 * math.floor(math.log10(abs(rounded)) / 3), min(_PREFIXES)), max(_PREFIXES))
    scaled = rounded / 10.0**exponent
    decimals = max(digits - 1 - math.floor(math.log10(abs(scaled))), 0)
    return f"{scaled:.{decimals}f} {_PREFIXES[exponent]}{unit}"


def seconds(value: float) -> str:
    """A duration [s], e.g. `2.41 ms`."""
    return si(value, "s")


def to_seconds(text: str) -> float:
    """A duration as a person writes it, in ns, us (µs), ms or s [s]; a bare number is seconds. Raises ValueError.

    >>> to_seconds("10ms"), to_seconds("850 us"), to_seconds("0.01")
    (0.01, 0.00085, 0.01)
    """
    match = re.fullmatch(r"\s*([-+.\deE]+?)\s*(?:([nuµμm]?)s)?\s*", text)
    if not match:
        raise ValueError(text)
    # As a decimal fraction, so that 850us is 0.00085 and not a neighbour.
    return float(match[1]) if not match[2] else float(f"{float(match[1])!r}e{_SMALL[match[2]]}")


_SMALL = {"n": -9, "u": -6, "µ": -6, "μ": -6, "m": -3}


def duration(value: float) -> str:
    """A long time [s] as people say it.

    >>> duration(42.0), duration(900.0), duration(1e6)
    ('42 seconds', '15 minutes', '278 hours')
    """
    size, unit = (1, "seconds") if value < 120 else (60, "minutes") if value < 7200 else (3600, "hours")
    return f"{value / size:,.0f} {unit}"


def with_band(value: float, low: float, high: float) -> str:
    """A duration [s] with its band in the same unit.

    >>> with_band(0.00241, 0.00225, 0.00258)
    '2.41 ms (2.25–2.58)'
    """
    text = seconds(value)
    number, unit = text.split(" ")
    scale = value / float(number) if float(number) else 1.0
    decimals = len(number.partition(".")[2])
    low, high = (end / 10 ** round(math.log10(scale)) for end in (low, high))
    return f"{number} {unit} ({low:.{decimals}f}–{high:.{decimals}f})"


def count(value: float) -> str:
    """A number of things, e.g. `218 M`; small whole numbers as they are."""
    return f"{value:.0f}" if 0 <= value < 1000 and value == int(value) else si(value, "").rstrip()


def number(value: float) -> str:
    """A plain number without trailing zeros, e.g. a rate: `0.6`."""
    return f"{value:.6g}"
