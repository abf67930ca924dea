"""What would make a prediction faster: a larger S, fusing, a larger batch, another paradigm; each one predicted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from latpred.errors import InputError
from latpred.models.interface import cost_model
from latpred.prediction import predict
from latpred.question import MOST_SAMPLES
from latpred.report import Report
from latpred.studies.comparison import one_of_each, rate_for_macs
from latpred.studies.recommendation import MIN_RATE, recommended
from latpred.workloads.networks import PlacedNetwork
from latpred.workloads.paradigms import Paradigm, Spatial, Static

#: Batches are doubled this often; the smallest within `CLOSE` of the best is named.
DOUBLINGS = 7
CLOSE = 0.02
#: A smaller gain is 0.0 % in a table, and no help.
LEAST_GAIN = 5e-4


@dataclass(frozen=True)
class Remedy:
    """A change of the prediction, and what it gains: the share of the latency per image that it saves."""

    change: str
    paradigm: str
    batch: int
    latency_per_image_s: float
    gain: float


def remedies(report: Report) -> tuple[Remedy, ...]:
    """The best of each kind of change, the most gain first; none that gains less than `LEAST_GAIN`.

    A larger S keeps the rate, another paradigm the multiply-adds.
    """

    asked = report.asked

    def remedy(change: str, paradigm: Paradigm, batch: int) -> Remedy:
        found = predict(asked.of, asked.profile, paradigm, batch=batch, **asked.how).latency_per_image_s
        return Remedy(change, str(paradigm), batch, found, 1 - found / report.latency_per_image_s)

    best: dict[str, Remedy] = {}
    for change, paradigm in _other_paradigms(report):
        try:
            tried = remedy(change, paradigm, report.batch)
        except InputError:  # What the model has no kernels for is no remedy.
            continue
        if change not in best or tried.gain > best[change].gain:
            best[change] = tried
    doubled = [report.batch << doubling for doubling in range(1, DOUBLINGS + 1)]
    batches = [remedy("larger batch", report.paradigm, batch) for batch in doubled if batch <= MOST_SAMPLES]
    least = min((tried.latency_per_image_s for tried in batches), default=0.0)
    close = [tried for tried in batches if tried.latency_per_image_s <= least * (1 + CLOSE)]
    gaining = [tried for tried in (*best.values(), *close[:1]) if tried.gain >= LEAST_GAIN]
    return tuple(sorted(gaining, key=lambda tried: -tried.gain))


def _other_paradigms(report: Report) -> Iterator[tuple[str, Paradigm]]:
    """Kinds of change, each with one or several paradigms to try."""
    paradigm, share = report.paradigm, report.macs_ratio
    if not paradigm.parts or share is None:
        return
    if report.ratio > 1:
        yield "no skipping", Static()
    if isinstance(paradigm, Spatial):
        if paradigm.unfuse:
            yield "fuse all", paradigm.replace(unfuse=())
        for S in _larger(report):
            yield "larger S", paradigm.replace(S=S)
    # Multiply-adds are the same in every model, and quickest to be had from this one.
    on_paper = replace(report.asked, cost_model=cost_model("roofline", report.asked.profile))
    for other in one_of_each(report.asked):
        if other.name not in {part.name for part in paradigm.parts}:
            r = rate_for_macs(on_paper, other, share)
            if r is not None:
                yield f"{other.name} skipping", other.at_rates(r)


def _larger(report: Report) -> list[int | tuple[int, ...]]:
    """Larger S to try: of a block, all that are worth a try; of a network, the fastest of each stage."""
    target: Any = report.asked.of
    S = report.paradigm.granularity
    if not isinstance(target, PlacedNetwork):
        return [edge for edge in target.granularities("spatial") if edge > S]
    now = S if isinstance(S, tuple) else (S,) * len(target.maps)
    rate = report.paradigm.rate
    if isinstance(rate, tuple) and len(rate) != len(now):
        return []
    fastest, above_zero = list(now), np.maximum(rate, MIN_RATE).tolist()
    found = recommended(report.asked, above_zero)
    for number, edge in enumerate(now):
        stage = [row for row in found.candidates if row.stage == number + 1 and (row.granularity or 0) >= edge]
        if stage:
            fastest[number] = min(stage, key=lambda row: row.latency_s).granularity or edge
    return [tuple(fastest)] if tuple(fastest) != now else []
