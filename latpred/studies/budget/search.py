"""The setting of a paradigm that keeps most within a latency, on one device or on several at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from latpred.confidence import untimed
from latpred.errors import InputError
from latpred.prediction import band_of_curve, curve, predict
from latpred.question import Asked
from latpred.report import Report
from latpred.studies.budget.candidates import Candidate, Floats, Table
from latpred.studies.budget.knapsack import ROUNDING, best_choice
from latpred.workloads.paradigms import Paradigm

#: A choice whose own prediction does not fit narrows the search; so often, and it is given up.
MOST_TRIES = 50


class Found(NamedTuple):
    """A setting of a way to skip, its prediction on each device, and what a batch may take there [s]."""

    way: str
    paradigm: Paradigm
    reports: tuple[Report, ...]
    limits_s: Floats

    def fits(self, sure: bool) -> bool:
        """Whether it stays within the limit on every device."""
        counted = (counted_s(report, sure) for report in self.reports)
        return all(taken <= limit for taken, limit in zip(counted, self.limits_s, strict=True))

    @property
    def share(self) -> float:
        """Latency over the limit, on the device where that is greatest."""
        return max(float(r.latency_s / limit) for r, limit in zip(self.reports, self.limits_s, strict=True))

    @property
    def rate(self) -> float:
        """The rate; of several the mean."""
        return float(np.mean(self.paradigm.rate))

    @property
    def kept(self) -> float:
        """Multiply-adds over those of the static target."""
        return self.reports[0].macs_ratio or 0.0

    @property
    def images_per_second(self) -> float:
        """On the device that computes the fewest."""
        return float(min(report.batch / report.latency_s for report in self.reports))


def predicted(way: str, question: Sequence[Asked], paradigm: Paradigm, limits_s: Floats) -> Found:
    """A setting on each device."""
    reports = (predict(one.of, one.profile, paradigm, batch=one.batch, **one.how) for one in question)
    return Found(way, paradigm, tuple(reports), limits_s)


def counted_s(report: Report, sure: bool) -> float:
    """What must fit [s]: the prediction, or the upper end of its band. Raises InputError where no band is known."""
    if not sure:
        return report.latency_s
    if report.latency_high_s is None:
        others = untimed(report.asked.of, report.asked.cost_model.form)
        why = "take the calibrated model, on a device that `latpred devices list` shows to be calibrated"
        raise InputError(
            f"no band is known of {report.target} on {report.device} with the {report.model} model: nothing is sure; "
            + (f"nobody has timed the kernels of {others}" if others else why)
        )
    return report.latency_high_s


@dataclass(frozen=True, eq=False)
class Search:
    """A way to skip, asked of some devices: its table there, and what a batch may take on each [s]."""

    way: Candidate
    asked: Sequence[Asked]
    table: Table
    limits_s: Floats
    sure: bool

    def _found(self, paradigm: Paradigm) -> Found:
        return predicted(self.way.name, self.asked, paradigm, self.limits_s)

    @cached_property
    def most_s(self) -> Floats:
        """What a prediction may be at most on each device [s]: where the upper end must fit, the middle of its band."""
        if not self.sure:
            return self.limits_s
        # All settings of a paradigm share the middle, whatever the width.
        reports = self._fastest_at(0).reports
        squares = [(report.latency_low_s or 0.0) * counted_s(report, self.sure) for report in reports]
        return np.asarray(self.limits_s * [report.latency_s for report in reports] / np.sqrt(squares))

    def _fastest_at(self, place: int) -> Found:
        """The fastest granularity at a rate of the grid; of several devices, on the one with the least room."""
        device = int(np.argmax(self.table.fastest_s[place] / self.limits_s))
        choice = [int(chosen[place]) for chosen in self.table.fastest(device)]
        return self._found(self.way.chosen(choice, float(self.table.rates[place])))

    def fastest(self) -> Found:
        """The setting that is nearest to fit, or fits best."""
        return self._fastest_at(int(np.argmin(np.max(self.table.fastest_s / self.limits_s, axis=1))))

    @cached_property
    def bound(self) -> tuple[float, float] | None:
        """A rate and images per second that no setting at a common rate goes beyond; None where none fits."""
        below = np.flatnonzero(np.all(self.table.fastest_s <= self.most_s * (1 + ROUNDING), axis=1))
        if not below.size:
            return None
        batches = np.array([one.batch for one in self.asked])
        return float(self.table.rates[below[-1]]), float((batches / self.table.fastest_s[below[-1]]).min())

    def at_common_rate(self) -> Found | None:
        """The highest rate of the grid at which any granularity fits, and the finest that does there; None if none.

        At no higher rate of the grid does the granularity of the answer fit.
        """
        below = np.all(self.table.fastest_s <= self.most_s * (1 + ROUNDING), axis=1)
        for place in np.flatnonzero(below)[::-1]:
            times = [latency[:, place] for latency in self.table.latency_s]
            setting = partial(self.way.chosen, rates=float(self.table.rates[place]))
            if chosen := self._choice(times, self.way.fineness(), setting):
                choice, found = chosen
                return self._raised(choice, found, int(place)) if self.sure else found
        return None

    def per_stage(self) -> Found | None:
        """Granularities, and rates of the grid, of each stage that keep most multiply-adds; None if nothing fits.

        Where the upper ends of bands must fit, which are no sums over stages, the predictions of a choice that does not
        fit narrow the search: the answer fits, and is near the best.
        """

        if self.way.stages < 2:
            return self.at_common_rate()

        def setting(choice: Sequence[int]) -> Paradigm:
            sizes, rates = zip(*(self._highest(stage, place) for stage, place in enumerate(choice)), strict=True)
            return self.way.chosen(sizes, tuple(self.table.rates[list(rates)].tolist()))

        times = [latency.reshape(-1, len(self.asked)) for latency in self.table.latency_s]
        chosen, common = self._choice(times, [macs.ravel() for macs in self.table.macs], setting), self.at_common_rate()
        found = [one for one in (chosen and chosen[1], common) if one]
        return max(found, key=lambda one: one.kept, default=None)

    def _highest(self, stage: int, place: int) -> tuple[int, int]:
        """Granularity and rate of a stage's option, the rate the highest of those that cost no more time."""
        size, rate = divmod(place, len(self.table.rates))
        latency_s = self.table.latency_s[stage][size]
        as_fast = np.all(latency_s <= latency_s[rate], axis=1)
        return size, int(np.flatnonzero(as_fast)[-1])

    def _choice(
        self, times: Sequence[Floats], worths: Sequence[Floats], setting: Callable[[Sequence[int]], Paradigm]
    ) -> tuple[list[int], Found] | None:
        """The choice of each stage that is worth most of those that fit, and its setting."""
        limits = self.most_s * (1 + ROUNDING) - self.table.outside_s
        for _ in range(MOST_TRIES):
            choice = best_choice(times, worths, limits)
            if choice is None:
                return None
            found = self._found(setting(choice))
            if found.fits(self.sure):
                return choice, found
            counted = np.array([counted_s(report, self.sure) for report in found.reports])
            total = sum(time[place] for time, place in zip(times, choice, strict=True)) + self.table.outside_s
            narrower = total * (self.limits_s / counted) * (1 - ROUNDING) - self.table.outside_s
            limits = np.where(counted > self.limits_s, np.minimum(limits, narrower), limits)
        return None

    def _raised(self, choice: Sequence[int], found: Found, place: int) -> Found:
        """The same granularity at the highest rate at which it is sure to fit.

        Upper ends of bands are no sums over stages: what narrows the search may hide that it fits at a higher rate.
        """
        paradigm, rates = self.way.chosen(choice, 1.0), self.table.rates
        within = np.ones(len(rates), dtype=bool)
        for one, limit_s in zip(self.asked, self.limits_s, strict=True):
            band = band_of_curve(one, paradigm, rates)
            within &= curve(one, paradigm, rates).latency_s * (band.high if band else np.inf) <= limit_s * (
                1 + ROUNDING
            )
        for higher in np.flatnonzero(within[place + 1 :])[::-1] + place + 1:
            raised = self._found(self.way.chosen(choice, float(rates[higher])))
            if raised.fits(self.sure):
                return raised
        return found


def best_of(searches: Sequence[Search], per_stage: bool) -> tuple[Search, Found | None]:
    """Of searches at several batches the best, by rate (or what is kept), then images per second; with its search."""
    best: tuple[Search, Found] | None = None
    if per_stage:
        both = [(search, search.per_stage()) for search in searches]
        best = max(
            ((search, found) for search, found in both if found),
            key=lambda pair: (pair[1].kept, pair[1].images_per_second),
            default=None,
        )
    else:
        # The most promising first: a batch whose bound is not above what was found needs no search.
        promising = sorted((s for s in searches if s.bound), key=lambda search: search.bound or (0, 0), reverse=True)
        for search in promising:
            if best and search.bound and search.bound <= (best[1].rate, best[1].images_per_second):
                break
            found = search.at_common_rate()
            if found and (
                not best or (found.rate, found.images_per_second) > (best[1].rate, best[1].images_per_second)
            ):
                best = search, found
    return best or (min(searches, key=lambda search: search.fastest().share), None)
