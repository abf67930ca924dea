"""Which patch edges and channel groups there are: those that fit, and of these the ones worth a try."""

from __future__ import annotations

from math import gcd, isqrt


def dividing_edges(height: int, width: int) -> list[int]:
    """Every S that divides both edges of a map, the whole of a square map included.

    >>> dividing_edges(14, 14)
    [1, 2, 7, 14]
    """
    common = gcd(height, width)
    small = [S for S in range(1, isqrt(common) + 1) if common % S == 0]
    return sorted({*small, *(common // S for S in small)})


def powers_of_two(most: int) -> list[int]:
    """1, 2, 4, … up to `most`."""
    return [2**i for i in range(most.bit_length())]


def patch_edges(height: int, width: int) -> list[int]:
    """S worth a try on a map: its divisors, smaller than the map, which would be layer skipping; at least 1.

    Little divides both edges of a map that is not square; there powers of two count with the patches that stick out.

    >>> patch_edges(14, 14), patch_edges(25, 42), patch_edges(1, 1)
    ([1, 2, 7], [1, 2, 4, 8, 16], [1])
    """
    edge = min(height, width)
    edges = {*dividing_edges(height, width), *(powers_of_two(edge) if height != width else ())}
    return sorted(S for S in edges if edge > S) or [1]


def channel_groups(switched: int, most: int) -> list[int]:
    """G worth a try: powers of two that divide the `switched` channels and leave two groups of `most`; at least 1.

    >>> channel_groups(48, 48)
    [1, 2, 4, 8, 16]
    """
    return [G for G in powers_of_two(most) if most >= 2 * G and switched % G == 0] or [1]
