"""One option of each stage, so that times stay within limits and worth is greatest: a multiple-choice knapsack."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from math import prod
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

#: Fewer combinations are all tried; of more, most are ruled out by what a unit of time is worth.
FEW = 10_000
#: Most combinations among which one that is no better than another is looked for in pairs.
_PAIRS = 2_000
#: Combinations that are held in memory at once.
_AT_ONCE = 2_000_000
#: Prices at which a good choice is looked for, in those of a mixed one.
_DEARER = np.geomspace(1.0, 4.0, 60)
#: Sums in another order differ by less, as a share.
ROUNDING = 1e-12


class _Partial(NamedTuple):
    """Choices up to a stage: time (choices, limits), worth and loss (choices,), and where each came from."""

    time: Floats
    worth: Floats
    loss: Floats
    before: Places
    option: Places


def best_choice(times: Sequence[Floats], worths: Sequence[Floats], limits: Floats) -> list[int] | None:
    """The option of each stage, so that the sum of worths is greatest; None where nothing stays within the limits.

    A dynamic programme over the stages, which keeps what no other choice beats in time and worth: the answer is exact.

    Parameters
    ----------
    times
        Of each stage's options, shape (options, limits).
    worths
        Of each stage's options, shape (options,).
    limits
        That the sums of the times may reach, shape (limits,); the times may be of several devices.

    Examples
    --------
    >>> fast_or_slow = np.array([[1.0], [3.0]])
    >>> best_choice([fast_or_slow, fast_or_slow], [np.array([1.0, 2.0]), np.array([1.0, 5.0])], np.array([4.0]))
    [0, 1]
    """
    rest = np.cumsum([time.min(axis=0) for time in reversed(times)], axis=0)[::-1]
    if np.any(rest[0] > limits * (1 + ROUNDING)):
        return None
    rest = np.vstack([rest[1:], np.zeros_like(limits)])
    ruled_out = _losses(times, worths, limits)
    if ruled_out is None:
        return None
    losses, most = ruled_out
    start = np.zeros(1)
    steps = [_Partial(np.zeros((1, len(limits))), start, start, start.astype(np.int64), start.astype(np.int64))]
    for time, worth, loss, least in zip(times, worths, losses, rest, strict=True):
        options = np.flatnonzero(loss <= most)
        is_last = len(steps) == len(times)
        room, keep = (limits, _best) if is_last else (limits * (1 + ROUNDING) - least, _unbeaten)
        steps.append(_extended(steps[-1], time[options], worth[options], loss[options], options, room, most, keep))
    if not steps[-1].worth.size:
        return None
    place, choice = 0, []
    for step in reversed(steps[1:]):
        choice.append(int(step.option[place]))
        place = int(step.before[place])
    return choice[::-1]


def _extended(
    before: _Partial,
    time: Floats,
    worth: Floats,
    loss: Floats,
    options: Places,
    limits: Floats,
    most: float,
    keep: Callable[[Floats, Floats], Places],
) -> _Partial:
    """Every choice so far with every option that is to `keep` of those within the limits that do not lose too much."""
    size = max(_AT_ONCE // max(len(options), 1), 1)
    parts = []
    for start in range(0, len(before.worth), size):
        these = slice(start, start + size)
        total_time = (before.time[these, np.newaxis] + time).reshape(-1, time.shape[1])
        total_loss = np.add.outer(before.loss[these], loss).ravel()
        kept = np.flatnonzero(np.all(total_time <= limits, axis=1) & (total_loss <= most))
        source, option = np.divmod(kept, max(len(options), 1))
        source += start
        total_worth = before.worth[source] + worth[option]
        found = _Partial(total_time[kept], total_worth, total_loss[kept], source, options[option])
        parts.append(_kept(found, keep))
    if len(parts) < 2:
        return parts[0] if parts else before
    return _kept(_Partial(*map(np.concatenate, zip(*parts, strict=True))), keep)


def _kept(found: _Partial, keep: Callable[[Floats, Floats], Places]) -> _Partial:
    kept = keep(found.time, found.worth)
    time, worth, loss, before, option = found
    return _Partial(time[kept], worth[kept], loss[kept], before[kept], option[kept])


def _best(time: Floats, worth: Floats) -> Places:
    """The place of the choice that is worth most, of equals the one with the least time; none of none."""
    alike = np.flatnonzero(worth == np.max(worth, initial=-np.inf))
    return alike[np.lexsort(time[alike].T[::-1])][:1]


def _unbeaten(time: Floats, worth: Floats) -> Places:
    """The places of choices that none beats: of those with no less worth, none has no more time of any kind."""
    order = np.lexsort((*time.T[::-1], -worth))
    ordered = time[order]
    beaten = np.zeros(len(order), dtype=bool)
    if time.shape[1] == 1:
        beaten[1:] = ordered[1:, 0] >= np.minimum.accumulate(ordered[:, 0])[:-1]
    elif len(order) <= _PAIRS:
        beaten = np.any(np.triu(np.all(ordered[:, np.newaxis] <= ordered, axis=2), 1), axis=0)
    return np.asarray(order[~beaten])


def _losses(times: Sequence[Floats], worths: Sequence[Floats], limits: Floats) -> tuple[list[Floats], float] | None:
    """What each option falls short of its stage's best, were time sold at a price; and the most that may be lost.

    At any price the best choice's worth is at most the price of the limits plus what each stage's best earns beyond its
    time; a choice that falls short by more than the lead over a known one cannot be the best. The price is that of the
    linear programme that may mix options; None where not even a mixture stays within the limits.
    """
    if prod(len(worth) for worth in worths) <= FEW:
        return [np.zeros(len(worth)) for worth in worths], 0.0
    from scipy.optimize import linprog

    scale = max(np.abs(worth).max() for worth in worths) or 1.0
    shares = [time / limits for time in times]
    one_each = np.repeat(np.eye(len(times)), [len(worth) for worth in worths], axis=1)
    within = {"A_ub": np.concatenate(shares).T, "b_ub": np.ones(len(limits))}
    mixed = linprog(-np.concatenate(worths) / scale, **within, A_eq=one_each, b_eq=np.ones(len(times)), method="highs")
    if mixed.ineqlin.marginals is None:
        return None
    price = np.maximum(-mixed.ineqlin.marginals, 0.0) * scale
    earned = [worth - share @ price for worth, share in zip(worths, shares, strict=True)]
    bound = price.sum() + sum(values.max() for values in earned)
    choices = [_choice_at(price * dearer, times, worths, shares, limits) for dearer in _DEARER]
    good = max(filter(None, choices), key=lambda choice: _total(worths, choice), default=None)
    known = -np.inf if good is None else _total(worths, _exchanged(good, times, worths, limits))
    return [values.max() - values for values in earned], float(bound - known) + ROUNDING * scale * len(times)


def _choice_at(
    price: Floats, times: Sequence[Floats], worths: Sequence[Floats], shares: Sequence[Floats], limits: Floats
) -> list[int] | None:
    """What each stage would take at a price, then the best that it has room for; None where that is too slow."""
    choice = [int(np.argmax(worth - share @ price)) for worth, share in zip(worths, shares, strict=True)]
    total = np.sum([time[place] for time, place in zip(times, choice, strict=True)], axis=0)
    if np.any(total > limits):
        return None
    for stage, (time, worth) in enumerate(zip(times, worths, strict=True)):
        room = np.all(total - time[choice[stage]] + time <= limits, axis=1)
        better = int(np.argmax(np.where(room, worth, -np.inf)))
        total += time[better] - time[choice[stage]]
        choice[stage] = better
    return choice


def _exchanged(
    choice: Sequence[int], times: Sequence[Floats], worths: Sequence[Floats], limits: Floats
) -> Sequence[int]:
    """A choice with the options of two stages at a time exchanged, as long as that is worth more."""
    better = list(choice)
    for one, other in combinations(range(len(choice)), 2):
        rest = sum(
            time[place]
            for stage, (time, place) in enumerate(zip(times, better, strict=True))
            if stage not in (one, other)
        )
        taken = rest + times[one][:, np.newaxis] + times[other]
        both = np.where(np.all(taken <= limits, axis=2), np.add.outer(worths[one], worths[other]), -np.inf)
        better[one], better[other] = map(int, np.unravel_index(np.argmax(both), both.shape))
    if _total(worths, better) <= _total(worths, choice):
        return choice
    return _exchanged(better, times, worths, limits)


def _total(worths: Sequence[Floats], choice: Sequence[int]) -> float:
    return float(sum(worth[place] for worth, place in zip(worths, choice, strict=True)))
