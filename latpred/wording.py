"""What error lines say of names and values: the nearest name, long values quoted in part, long lists listed in part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

#: Characters of a value, and names of a list, that an error line shows.
MOST_CHARACTERS, MOST_NAMES = 60, 20


def quoted(value: object, most: int = MOST_CHARACTERS) -> str:
    """A value as Python writes it, in part where that is long.

    >>> quoted("v10")
    "'v10'"
    >>> quoted("a" * 10_000, most=16)
    "'aaaaaaaaaaa… (10,000 characters)"
    """
    if isinstance(value, str) and len(value) > most:
        return f"{value[:most]!r}"[: most - 4] + f"… ({len(value):,} characters)"
    if isinstance(value, int) and value.bit_length() > 4 * most:
        # Python refuses to write out a number of more than 4,300 digits.
        return f"a number of about {int(value.bit_length() * 0.30103):,} digits"
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return f"a {type(value).__name__}"
    return text if len(text) <= most else f"{text[: most - 1]}…"


def listed(names: Iterable[object], most: int = MOST_NAMES, between: str = ", ") -> str:
    """Names with commas, or what is given, between them, those beyond the first `most` as their number.

    >>> listed("abcde", most=3)
    'a, b, c and 2 more'
    """
    shown = [str(name) if len(str(name)) <= MOST_CHARACTERS else f"{str(name)[:MOST_CHARACTERS]}…" for name in names]
    rest = f" and {len(shown) - most:,} more" if len(shown) > most else ""
    return between.join(shown[:most]) + rest


def in_stages(numbers: Sequence[int]) -> str:
    """Stages by their numbers.

    >>> in_stages([1, 7])
    'stages 1, 7'
    """
    return f"stage{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"


def nearest(name: object, known: Iterable[str]) -> str | None:
    """The known name that a mistyped one is nearest to; None where none is near.

    >>> nearest("V10", ["tx2", "v100"])
    'v100'
    """
    from difflib import get_close_matches

    by_lower = {each.lower(): each for each in known}
    found = get_close_matches(str(name)[:MOST_CHARACTERS].lower(), by_lower, n=1)
    return by_lower[found[0]] if found else None


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """`; did you mean v100?` for a name near a known one, else nothing.

    >>> did_you_mean("hight", ["width", "height"])
    '; did you mean height?'
    """
    found = nearest(name, known)
    return f"; did you mean {found}?" if found else ""


def unknown(what: str, name: object, known: Iterable[str], otherwise: str = "") -> str:
    """The line about a name that is not known: the nearest, then all there are, then what else could be given.

    >>> unknown("device", "v10", ["tx2", "v100"], "the path of a .yaml file")
    "unknown device 'v10'; did you mean v100? Choose tx2, v100, or give the path of a .yaml file"
    """
    choices = list(known)
    hint = did_you_mean(name, choices)
    choose = f"{' C' if hint else '; c'}hoose {listed(choices)}"
    return f"unknown {what} {quoted(name)}{hint}{choose}" + (f", or give {otherwise}" if otherwise else "")
