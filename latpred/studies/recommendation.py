"""Which granularity to train with: per stage, the finest that costs next to nothing on a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from math import inf
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latpred.confidence import untimed
from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.prediction import break_even_of, curve, static_latency_together
from latpred.question import Asked, ask
from latpred.records import numbers, one_number
from latpred.report import Rival
from latpred.studies.granularity_choice import Candidate, Neighbour, Recommendation
from latpred.studies.parallel import answers
from latpred.wording import quoted
from latpred.workloads.masks import MaskRates
from latpred.workloads.networks import Network, PlacedNetwork
from latpred.workloads.paradigms import SINGLE, Layer, Paradigm

#: The choice is repeated at rates this much lower and higher, though at none below `LEAST_NEIGHBOUR` or above 1.
NEIGHBOUR = 0.1
LEAST_NEIGHBOUR = 0.01
#: Latency over the best, minus 1, that counts as costing nothing.
DEFAULT_TOLERANCE = 0.01
#: With masks, an S at which fewer patches than this share are skipped is a static network with overhead, no choice.
MIN_SKIPPED = 0.01
#: A rate of 0 would skip everything at no cost but the maskers'.
MIN_RATE = 1e-9


def recommend_granularity(
    network: Network | str | Path,
    profile: HardwareProfile | str | Path,
    r: float | Sequence[float] | MaskRates,
    *,
    paradigm: str = "spatial",
    tolerance: float | None = None,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
    against: str | None = None,
    executor: Executor | None = None,
) -> Recommendation:
    """Per stage, the smallest S (or G) whose stage latency is within `tolerance` of the stage's best.

    Candidates are every S that divides the stage's map and is smaller than it (the whole map is layer skipping, which
    is listed as the alternative), on a map that is not square also every power of two; or every power of two that
    divides the inner channels of the stage. A stem or head that the network includes skips nothing and changes nothing,
    and where no block of a stage can skip so, 1 stands in its place, without candidates.

    Parameters
    ----------
    r
        Activation rate, one or one per stage; or the rates of your own masks, which rise with S: the fastest S is then
        the one that fits the data. An S that skips less than 1 % of the patches is not chosen.
    tolerance
        Latency over the best, minus 1, that still counts as costing nothing; None is 1 %, or 0 for masks.
    against
        As of `latpred.predict`.
    executor
        Where stages are predicted, a `concurrent.futures.Executor`; None is here.

    Raises
    ------
    InputError
        A network without stages that can skip so; a rate outside (0, 1], a number of rates that is not the number of
        stages, a tolerance that is negative or not finite, a paradigm without granularity.

    Examples
    --------
    >>> recommend_granularity("resnet50", "v100", 0.6).S
    [8, 4, 7, 1]
    """
    how: dict[str, Any] = {"model": model, "precision": precision, "library": library, "like": like}
    asked = ask(network, profile, batch=batch, against=against, **how)
    return recommended(asked, r, paradigm=paradigm, tolerance=tolerance, executor=executor)


def recommended(
    asked: Asked,
    r: float | Sequence[float] | MaskRates,
    *,
    paradigm: str = "spatial",
    tolerance: float | None = None,
    executor: Executor | None = None,
) -> Recommendation:
    """`recommend_granularity` for a question that was checked."""
    network = asked.of
    if not isinstance(paradigm, str) or paradigm not in ("spatial", "channel"):
        raise InputError(f"paradigm {quoted(paradigm)} has no granularity; choose spatial or channel")
    if not isinstance(network, PlacedNetwork):
        raise InputError(f"{asked.target} has no stages, so no granularity to choose; give a residual network")
    if paradigm not in network.paradigms:
        how = f"skips by {', '.join(network.paradigms)}" if network.paradigms else "is static"
        raise InputError(f"{asked.target} {how}, so no granularity to choose; give a network that skips by {paradigm}")
    masks = r if isinstance(r, MaskRates) else None
    if masks and paradigm != "spatial":
        raise InputError("masks of pixels say nothing of channels; give r")
    tolerance = (0.0 if masks else DEFAULT_TOLERANCE) if tolerance is None else _checked_tolerance(tolerance)
    # At the rates asked for, and a little lower and higher; masks have their own rates only.
    shifts = (0.0,) if masks else (-NEIGHBOUR, 0.0, NEIGHBOUR)
    middle = len(shifts) // 2
    arguments = [
        (number, asked.about(network.stage(number)), options, shifts, tolerance, masks is not None)
        for number, options in enumerate(_options(network, paradigm, r), start=1)
    ]
    choices, near, found = zip(*answers(_stage, arguments, executor=executor), strict=True)
    candidates = [candidate for stage in found for candidate in stage]
    by_shift = list(zip(*choices, strict=True))
    chosen_rates = {candidate.stage: candidate.rate for candidate in candidates if candidate.chosen}
    rates = tuple(chosen_rates.get(number, float(at[middle])) for number, at in enumerate(near, start=1))
    # What a choice costs was measured for spatial skipping of timed kernels, on the device itself.
    measured = paradigm == "spatial" and not asked.like and not untimed(network, asked.cost_model.form)
    calibration = asked.cost_model.calibration if measured else None
    return Recommendation(
        asked=asked,
        paradigm=paradigm,
        tolerance=tolerance,
        rates=rates,
        choice=by_shift[middle],
        candidates=tuple(candidates),
        neighbours=tuple(
            Neighbour(shift, tuple(map(float, at)), choice)
            for shift, at, choice in zip(shifts, zip(*near, strict=True), by_shift, strict=True)
            if not masks and at != rates
        ),
        regret_p95=calibration.granularity_regret_p95 if calibration else None,
        rival=_rival([stage for (_, stage, *_), own in zip(arguments, found, strict=True) if own]),
    )


def _rival(stages: Sequence[Asked]) -> Rival | None:
    """Stages of another library's static network, together, by the fastest library."""
    found = [
        Rival(str(model.library), static_latency_together(stages, model))
        for model in (stages[0].rivals if stages else ())
    ]
    return min(found, key=lambda rival: rival.latency_s, default=None)


def _stage(
    number: int, stage: Asked, options: Sequence[Paradigm], shifts: Sequence[float], tolerance: float, masked: bool
) -> tuple[list[int], NDArray[np.float64], list[Candidate]]:
    """The choice at each shift of the rate, the shifted rates, and every candidate of a stage that can skip."""
    *granular, _ = options
    shifted = [_shifted(option.rate, shifts) for option in granular]
    if granular[0].name not in getattr(stage.of, "paradigms", ()):
        return [1] * len(shifts), shifted[0], []
    latencies = np.array([curve(stage, option, at).latency_s for option, at in zip(granular, shifted, strict=True)])
    skips = np.array([at <= 1 - MIN_SKIPPED for at in shifted]) if masked else np.ones(latencies.shape, dtype=bool)
    if skips.any():
        latencies = np.where(skips, latencies, np.inf)
    chosen = np.argmax(latencies <= latencies.min(axis=0) * (1 + tolerance), axis=0)
    middle = len(shifts) // 2
    rows = (_candidate(number, stage, option, latencies[:, middle].min()) for option in options)
    candidates = [replace(row, chosen=index == int(chosen[middle])) for index, row in enumerate(rows)]
    return [granular[index].granularity for index in chosen], shifted[0], candidates


def _options(
    network: PlacedNetwork, paradigm: str, r: float | Sequence[float] | MaskRates
) -> Iterator[tuple[Paradigm, ...]]:
    """Per stage, every granularity at its rate, and last layer skipping."""
    kind = SINGLE[paradigm]
    masks, single = (r, ()) if isinstance(r, MaskRates) else (None, _checked_rates(network, r))
    if masks:
        masks.check(network)
    for number in range(1, len(network.maps) + 1):
        values = network.stage(number).granularities(paradigm)
        rates = [masks.rate(number, S) for S in values] if masks else [single[number - 1]] * len(values)
        layer = Layer(r=masks.layer_rates[number - 1] if masks else single[number - 1])
        granular = zip(values, rates, strict=True)
        yield (*(kind(**{kind.granularity_field: value}, r=rate) for value, rate in granular), layer)


def _checked_tolerance(tolerance: float) -> float:
    found = one_number(tolerance, "tolerance")
    if not 0 <= found < inf:
        raise InputError(f"tolerance must be a finite number of at least 0, got {found:g}")
    return found


def _checked_rates(network: PlacedNetwork, r: float | Sequence[float]) -> tuple[float, ...]:
    stages = len(network.maps)
    found = np.atleast_1d(numbers(r, "r"))
    if found.ndim > 1:
        raise InputError(f"r is one number or one per stage, not a table of {' × '.join(map(str, found.shape))}")
    rates = tuple(found.tolist())
    if len(rates) == 1:
        rates *= stages
    if len(rates) != stages:
        raise InputError(f"r has {len(rates)} values; give one, or {stages} (per stage)")
    for rate in rates:
        if not 0 < rate <= 1:
            raise InputError(f"r must be greater than 0 and at most 1, got {rate:g}")
    return rates


def _shifted(rate: float, shifts: Sequence[float]) -> NDArray[np.float64]:
    """A rate and its neighbours, within (0, 1]."""
    return np.clip(np.add(rate, shifts), max(min(rate, LEAST_NEIGHBOUR), MIN_RATE), 1.0)


def _candidate(number: int, stage: Asked, option: Paradigm, best_s: float) -> Candidate:
    found = curve(stage, option, np.array([option.rate]))
    latency = float(found.latency_s[0])
    return Candidate(
        stage=number,
        paradigm=option.label,
        granularity=option.granularity,
        rate=option.rate,
        latency_s=latency,
        static_latency_s=found.static_latency_s,
        ratio=latency / found.static_latency_s,
        margin=latency / float(best_s) - 1,
        break_even_rate=break_even_of(stage, option),
        chosen=False,
    )
