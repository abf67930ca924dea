"""The density of the fullest tile: by listing outcomes, and in exact fractions (MODEL §2)."""

import math
from fractions import Fraction
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from latpred.models.published.densities import fullest_density


def brute_force_density(n, c, p):
    """E[channels on in the fullest tile]/c by listing all 2^(n·c) outcomes, in exact fractions; at least p."""
    p = Fraction(p)
    expected = Fraction(0)
    for outcome in product((0, 1), repeat=n * c):
        on = sum(outcome)
        fullest = max(sum(outcome[tile * c : (tile + 1) * c]) for tile in range(n))
        expected += p**on * (1 - p) ** (n * c - on) * fullest
    return max(p, expected / c)


@pytest.mark.parametrize(("n", "c"), [(1, 1), (1, 6), (2, 1), (2, 4), (3, 3), (4, 2), (10, 1), (12, 1)])
@pytest.mark.parametrize("p", [0.0, 0.25, 0.5, 0.8125, 1.0])
def test_the_fullest_density_by_listing_all_outcomes(n, c, p):
    assert float(fullest_density(n, c, p)) == pytest.approx(float(brute_force_density(n, c, p)), rel=1e-12, abs=1e-15)


@given(n=st.integers(1, 300), c=st.integers(1, 600), p=st.floats(0.001, 1))
def test_the_fullest_density_in_exact_fractions(n, c, p):
    exact, cdf = Fraction(p).limit_denominator(1000), Fraction(0)
    expected = 0.0
    for k in range(c):
        cdf += math.comb(c, k) * exact**k * (1 - exact) ** (c - k)
        expected += 1 - float(cdf) ** n
    found = float(fullest_density(n, c, float(exact)))
    assert found == pytest.approx(max(float(exact), expected / c), rel=1e-9)
    assert exact <= Fraction(found) + Fraction(1, 10**12)
    assert found <= 1


def test_the_fullest_of_many_wide_tiles_is_exact():
    """Reference in exact fractions; a sum of 1 − Φ^n with Φ in floating point is off by 1.0e-9 here."""
    assert float(fullest_density(225, 576, 0.125)) == pytest.approx(0.16479220000651507, rel=1e-11)
