"""The knapsack against trying every choice."""

from itertools import product

import numpy as np
import pytest

from latpred.studies.budget import knapsack
from latpred.studies.budget.knapsack import best_choice


def problems(count):
    """Times and worths of up to four stages' options, for one or two limits, and the limits; of some, choices tie."""
    rng = np.random.default_rng(0)
    for number in range(count):
        kinds, counts = rng.integers(1, 3), rng.integers(1, 7, rng.integers(1, 5))
        times = [rng.random((n, kinds)) + 0.01 for n in counts]
        worths = [rng.random(n) for n in counts]
        if number % 3 == 0:
            times, worths = [np.ceil(8 * time) for time in times], [np.floor(6 * worth) for worth in worths]
        yield times, worths, sum(time.mean(axis=0) for time in times) * rng.uniform(0.3, 1.6)


def all_choices(times, worths, limits):
    """Worth of every choice within the limits."""
    for choice in product(*(range(len(worth)) for worth in worths)):
        total = sum(time[place] for time, place in zip(times, choice, strict=True))
        if np.all(total <= limits):
            yield sum(worth[place] for worth, place in zip(worths, choice, strict=True))


@pytest.mark.parametrize(("few", "at_once"), [(0, 2_000_000), (0, 7), (knapsack.FEW, 7)], ids=["priced", "bits", "all"])
def test_no_choice_is_worth_more(monkeypatch, few, at_once):
    monkeypatch.setattr(knapsack, "FEW", few)
    monkeypatch.setattr(knapsack, "_AT_ONCE", at_once)
    solved = 0
    for times, worths, limits in problems(600):
        choice = best_choice(times, worths, limits)
        best = max(all_choices(times, worths, limits), default=None)
        assert (choice is None) == (best is None)
        if choice:
            solved += 1
            assert np.all(sum(time[place] for time, place in zip(times, choice, strict=True)) <= limits)
            worth = sum(worth[place] for worth, place in zip(worths, choice, strict=True))
            assert worth == pytest.approx(best, rel=1e-12)
    assert solved > 300


def test_most_options_of_a_large_problem_are_ruled_out():
    """Seven stages of 300 options: 2·10¹⁷ choices, and the same worth as by another order of the stages."""
    rng = np.random.default_rng(0)
    times = [np.sort(rng.random((300, 1)), axis=0) + 0.1 for _ in range(7)]
    worths = [np.sqrt(time[:, 0]) + 0.01 * rng.random(300) for time in times]
    limits = np.array([3.0])
    choice, turned = best_choice(times, worths, limits), best_choice(times[::-1], worths[::-1], limits)
    worth = sum(worth[place] for worth, place in zip(worths, choice, strict=True))
    assert worth == pytest.approx(sum(w[place] for w, place in zip(worths[::-1], turned, strict=True)), rel=1e-12)
    # Each of a thousand greedy choices, by another price of time, is worth less.
    for price in np.linspace(0, 3, 1000):
        places = [int(np.argmax(worth - price * time[:, 0])) for time, worth in zip(times, worths, strict=True)]
        if sum(time[place, 0] for time, place in zip(times, places, strict=True)) <= 3.0:
            assert sum(w[place] for w, place in zip(worths, places, strict=True)) <= worth + 1e-12
