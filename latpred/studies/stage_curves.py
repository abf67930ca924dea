"""The latency of each stage of a network over its rate, operator by operator, for every granularity worth a try.

Stages add up: what a network takes at any granularity and rate of each stage is the sum of their curves, and of what
stands around them.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latpred.confidence import error_of, shapes_of
from latpred.errors import InputError
from latpred.evaluation import Plan, Rates
from latpred.models.interface import check_dynamic
from latpred.prediction import STATIC, planned, predict
from latpred.question import Asked
from latpred.workloads.lowering import Step
from latpred.workloads.networks import NetworkStage, PlacedNetwork
from latpred.workloads.paradigms import SINGLE, Paradigm

Floats = NDArray[np.float64]
#: Rates of a curve: every hundredth; where each rate shapes the operators, and is lowered for itself, every twentieth.
STEPS, CLOSED_STEPS = 100, 20


@dataclass(frozen=True)
class Part:
    """Operators of one name in a stage, or one outside: latency [s] and multiply-adds of the batch at each rate."""

    name: str
    latency_s: Floats
    macs: Floats


@dataclass(frozen=True)
class StageCurve:
    """A stage at one granularity (0 where there is none), over the rates.

    `squares_s2` is the sum over shapes of blocks of their squared latency [s²], from which a network's band follows;
    empty where there is no band.
    """

    stage: int
    granularity: int
    parts: tuple[Part, ...]
    squares_s2: Floats


@dataclass(frozen=True)
class ParadigmCurves:
    """All stages under one paradigm; `band` are the ends for a single shape, None where the error is not known."""

    name: str
    symbol: str | None
    rates: Floats
    curves: tuple[StageCurve, ...]
    band: tuple[float, float] | None


@dataclass(frozen=True)
class NetworkCurves:
    """A network on a device: static stages and what stands around them, then the paradigms it can skip by."""

    asked: Asked
    title: str
    static: tuple[StageCurve, ...]
    around: tuple[Part, ...]
    paradigms: tuple[ParadigmCurves, ...]
    notes: tuple[str, ...]


def network_curves(asked: Asked, paradigms: Sequence[str] = ()) -> NetworkCurves:
    """Every curve of a network on a device; of some `paradigms`, or of all that it can skip by.

    Raises InputError for a target that is no network with stages, or that cannot skip so.
    """
    network = asked.of
    if not isinstance(network, PlacedNetwork) or not network.maps:
        raise InputError(f"{asked.target} has no stages whose time could be drawn; give a network of blocks")
    check_dynamic(asked.cost_model)
    strange = [name for name in paradigms if name not in network.paradigms]
    if strange:
        raise InputError(f"{asked.target} has no {strange[0]} skipping; choose {', '.join(network.paradigms)}")
    static = predict(network, asked.profile, batch=asked.batch, **asked.how)
    around = [row for row in static.operators if row.stage is None and row.block is None]
    found, notes = [], list(static.notes)
    for name in network.paradigms:
        if name not in (paradigms or network.paradigms):
            continue
        try:
            found.append(_of_paradigm(asked, network, name))
        except InputError as reason:
            notes.append(f"{name} skipping is left out: {reason}")
    return NetworkCurves(
        asked=asked,
        title=network.title or network.name,
        static=tuple(_curve(asked, stage, STATIC, 0, np.ones(1)) for stage in _stages(network)),
        around=tuple(Part(row.name, np.array([row.latency_s]), np.array([row.macs])) for row in around),
        paradigms=tuple(found),
        notes=tuple(notes),
    )


def _stages(network: PlacedNetwork) -> list[NetworkStage]:
    return [network.stage(number) for number in range(1, len(network.maps) + 1)]


def _of_paradigm(asked: Asked, network: PlacedNetwork, name: str) -> ParadigmCurves:
    """Every stage at every granularity that the model knows; raises InputError where a stage has none."""
    rates = _rates(network, name)
    curves = [curve for stage in _stages(network) for curve in _of_stage(asked, stage, name, rates)]
    error = error_of(asked, _paradigm(name, 1))
    return ParadigmCurves(
        name=name,
        symbol=SINGLE[name].granularity_field,
        rates=rates,
        curves=tuple(curves),
        band=(error.low, error.high) if error else None,
    )


def _paradigm(name: str, granularity: int) -> Paradigm:
    """A paradigm at a rate of 1."""
    field = SINGLE[name].granularity_field
    found: Paradigm = SINGLE[name](**({field: granularity} if field else {}), r=1.0)
    return found


def _rates(network: PlacedNetwork, name: str) -> Floats:
    """The rates of a curve, those that keep anything at all; raises InputError where that is a single one."""
    paradigm = _paradigm(name, 1)
    steps = STEPS if paradigm.is_open else CLOSED_STEPS
    rates = np.arange(steps + 1) / steps
    kept = rates[rates >= network.lowest_rate(paradigm)]
    if len(kept) < 2:
        raise InputError(f"{network.name} keeps anything at r = 1 alone")
    return kept


def _of_stage(asked: Asked, stage: NetworkStage, name: str, rates: Floats) -> list[StageCurve]:
    """The curves of a stage; raises InputError where the model knows none of its granularities."""
    has_granularity = SINGLE[name].granularity_field is not None
    found, reasons = [], []
    for granularity in stage.granularities(name) if has_granularity else [0]:
        paradigm = _paradigm(name, granularity or 1)
        try:
            found.append(_curve(asked, stage, paradigm, granularity, rates))
        except InputError as reason:
            reasons.append(reason)
    if not found:
        raise reasons[0]
    return found


def _curve(asked: Asked, stage: NetworkStage, paradigm: Paradigm, granularity: int, rates: Floats) -> StageCurve:
    """One stage at some rates."""
    steps, latency_s, macs = _of_steps(asked.about(stage), paradigm, rates)
    parts = tuple(
        Part(str(name), _summed(latency_s, of_name), _summed(macs, of_name))
        for name, of_name in _places([step.name for step in steps]).items()
    )
    squares = sum(_summed(latency_s, of_shape) ** 2 for of_shape in _places(shapes_of(stage, steps)).values())
    return StageCurve(stage.number, granularity, parts, np.asarray(squares))


def _places(keys: Sequence[Hashable]) -> dict[Hashable, list[int]]:
    """Where each key stands."""
    found: dict[Hashable, list[int]] = {}
    for place, key in enumerate(keys):
        found.setdefault(key, []).append(place)
    return found


def _summed(columns: Floats, places: list[int]) -> Floats:
    total: Floats = columns[:, places].sum(axis=1)
    return total


def _of_steps(asked: Asked, paradigm: Paradigm, rates: Floats) -> tuple[Sequence[Step], Floats, Floats]:
    """The steps of a stage, their latency [s] and multiply-adds at each rate, (rates, steps) each."""
    model, batch = asked.cost_model, asked.batch
    found: list[tuple[Plan, Rates]]
    if paradigm.is_open:
        plan, own = planned(asked, paradigm)
        found = [(plan, dict.fromkeys(own, rates[:, np.newaxis]))]
    else:
        found = [planned(asked, paradigm.at_rates(float(rate))) for rate in rates]
    figures = [(plan, plan.figures(model, batch, at)) for plan, at in found]
    columns = [
        np.concatenate([getattr(one, name)[:, plan.places] for plan, one in figures]) for name in ("latency_s", "macs")
    ]
    shape = (len(rates), columns[0].shape[1])
    latency_s, macs = (np.broadcast_to(column, shape) for column in columns)
    return found[0][0].steps, latency_s, macs
