"""What fits into a latency: of each paradigm the granularity and the highest rate, and how much work that keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from itertools import chain, islice
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.interface import check_dynamic
from latpred.prediction import STATIC
from latpred.question import Asked, Target, ask, each_device
from latpred.records import one_number
from latpred.report import Report
from latpred.studies.budget.answer import Budget, Option, Tried
from latpred.studies.budget.candidates import Floats, candidates_of, stages_of, table
from latpred.studies.budget.search import Found, Search, best_of, predicted
from latpred.studies.parallel import Progress, answers
from latpred.units import seconds
from latpred.workloads.paradigms import Paradigm, spelled

#: More are slips of the pen: a batch takes a tenth of a second, on each device.
MOST_BATCHES, MOST_DEVICES = 1024, 100


def budget(
    target: Target | str | Path,
    profile: HardwareProfile | str | Path | Iterable[HardwareProfile | str | Path],
    *,
    latency_s: float | None = None,
    images_per_second: float | None = None,
    paradigms: Iterable[str | Paradigm] | None = None,
    per_stage: bool = False,
    sure: bool = False,
    batch: int | Iterable[int] | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **how: Any,
) -> Budget:
    """What fits into a latency: of each paradigm the granularity and the highest rate, ordered by multiply-adds kept.

    Rates are hundredths, 0.01 to 1. A paradigm's rate is the highest of them at which any granularity fits, and its
    granularity the finest of those that fit there: 0.01 higher it does not fit, nor at any higher rate.

    Parameters
    ----------
    profile
        The device; or several, and then one setting must fit on all.
    latency_s, images_per_second
        What a batch may take [s], and how many images must be computed in a second at least: one of the two, or both.
    paradigms
        By name, at every granularity, or as they are, `Spatial(S=4, r=1)`; None tries all that the target has.
    per_stage
        Give every stage of a network a rate of its own, so that most multiply-adds are kept: exactly, of all rates of
        the grid and granularities; with `sure` near the most. Never fewer than at a common rate.
    sure
        The upper end of the 80 % band must fit, not the prediction.
    batch
        Samples computed together; of several that at which the rate is highest, then most images are computed in a
        second. None takes each device's default.
    executor
        Where latencies are predicted, a `concurrent.futures.Executor`; None is here.
    progress
        Called with (tables done, tables in all).
    how
        `model`, `precision` and what else `latpred.predict` takes to choose a model.

    Returns
    -------
    The answer on the device, or on the first of several; its `elsewhere` has the same options on the others.

    Raises
    ------
    InputError
        No limit, or one that is not above 0; no device, paradigm or batch; an unknown paradigm, or none that the target
        has; `per_stage` for what has no stages; `sure` where no band is known; any error of `latpred.predict` for the
        static target. A paradigm that cannot be predicted is left out with a note.

    Examples
    --------
    >>> answer = budget("resnet50", "tx2", latency_s=0.010, paradigms=["layer"])
    >>> str(answer.best.paradigm), round(answer.best.macs_ratio, 2)
    ('layer(r=0.5)', 0.55)
    """
    limits = [_checked(latency_s, "latency_s"), _checked(images_per_second, "images_per_second")]
    if limits == [None, None]:
        raise InputError("say what must fit: latency_s, images_per_second, or both")
    questions = _questions(target, profile, batch, how)
    rooms = [np.array([_limit_s(asked.batch, *limits) for asked in question]) for question in questions]
    ways, left_out = candidates_of(questions[0][0].of, paradigms)
    if per_stage and len(stages_of(questions[0][0].of)) < 2:
        raise InputError(f"{questions[0][0].target} has no stages with rates of their own; give a residual network")
    if per_stage and len(questions[0]) > 1:
        raise InputError(f"rates per stage are found for one device, not for {len(questions[0])} at once")
    static = _static(questions, rooms, sure)
    arguments = [(question, way) for way in ways for question in questions]
    tables = iter(answers(table, arguments, executor=executor, progress=progress))
    searched: list[tuple[Search, Found | None]] = []
    for way in ways:
        made = [next(tables) for _ in questions]
        known = [one for one in made if not isinstance(one, InputError)]
        if len(known) < len(made):
            problem = next(one for one in made if isinstance(one, InputError))
            left_out.append(f"{way.name} left out: {problem}")
            continue
        rooms_of = zip(questions, known, rooms, strict=True)
        searched.append(best_of([Search(way, *room, sure) for room in rooms_of], per_stage))
    return _answer(searched, static, left_out, limits, sure)


def _answer(
    searched: Sequence[tuple[Search, Found | None]],
    static: Found,
    notes: list[str],
    limits: Sequence[float | None],
    sure: bool,
) -> Budget:
    fitting = sorted((found for _, found in searched if found), key=lambda found: (-found.kept, found.share))
    nearest = [search.fastest() for search, found in searched if not found]
    for one in nearest:
        slowest = max(report.latency_s for report in one.reports)
        notes.append(f"{one.way} fits at no rate: {one.paradigm} takes {seconds(slowest)}")
    fastest = None if fitting else min([static, *nearest], key=lambda one: one.share)
    shown = [static, *fitting, *([fastest] if fastest else [])]
    first, *others = [
        Budget(
            asked=report.asked,
            latency_budget_s=limits[0],
            images_per_second_budget=limits[1],
            sure=sure,
            options=tuple(_option(found, device) for found in fitting),
            static=_option(static, device),
            fastest=_option(fastest, device) if fastest else None,
            notes=tuple(dict.fromkeys([*notes, *(note for one in shown for note in one.reports[device].notes)])),
            tried=tuple(_tried(search, device, static.reports[0]) for search, _ in searched),
        )
        for device, report in enumerate(static.reports)
    ]
    return replace(first, elsewhere=tuple(others))


def _option(found: Found, device: int) -> Option:
    return Option(found.way, found.reports[device], float(found.limits_s[device]))


def _tried(search: Search, device: int, static: Report) -> Tried:
    """The table of a paradigm, its granularities the fastest on a device."""
    made, asked = search.table, search.asked[device]
    choice = made.fastest(device)
    macs = made.macs_of(choice)
    chosen = [search.way.chosen(places, 1.0) for places in np.transpose(choice).tolist()]
    return Tried(
        paradigm=search.way.name,
        batch=asked.batch,
        r=made.rates,
        granularity=[spelled(one.granularity, whole=True) if one.granularity else "" for one in chosen],
        latency_s=made.fastest_s[:, device],
        macs=macs * asked.batch,
        macs_ratio=macs / (static.macs / static.batch),
    )


def _static(questions: Sequence[Sequence[Asked]], rooms: Sequence[Floats], sure: bool) -> Found:
    """The target without skipping, at the batch that fits and computes most images per second, or is nearest to fit."""
    found = [predicted(STATIC.name, question, STATIC, room) for question, room in zip(questions, rooms, strict=True)]
    fitting = [one for one in found if one.fits(sure)]
    return max(fitting, key=lambda one: one.images_per_second) if fitting else min(found, key=lambda one: one.share)


def _questions(target: Target | str | Path, profile: Any, batch: Any, how: dict[str, Any]) -> list[tuple[Asked, ...]]:
    """What is asked of every device, at each batch."""
    profiles = each_device(profile, MOST_DEVICES)
    sizes = list(islice(batch if isinstance(batch, Iterable) else [batch], MOST_BATCHES + 1))
    if len(sizes) > MOST_BATCHES or len(profiles) > MOST_DEVICES:
        raise InputError(f"at most {MOST_BATCHES:,} batches and {MOST_DEVICES} devices are tried")
    if not profiles or not sizes:
        raise InputError("give a device and a batch at least")
    found = [tuple(ask(target, one, batch=size, **how) for one in profiles) for size in dict.fromkeys(sizes)]
    for asked in chain.from_iterable(found):
        check_dynamic(asked.cost_model)
    return found


def _checked(limit: Any, what: str) -> float | None:
    """A limit that was given; raises InputError for what is no number above 0."""
    if limit is None:
        return None
    found = one_number(limit, what)
    if not 0 < found < inf:
        raise InputError(f"{what} must be a number above 0, got {found:g}")
    return found


def _limit_s(batch: int, latency_s: float | None, images_per_second: float | None) -> float:
    """What a batch may take [s]."""
    return min(latency_s or inf, batch / images_per_second if images_per_second else inf)
