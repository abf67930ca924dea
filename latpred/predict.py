"""Join target, paradigm, device and cost model into a report; contains no equation."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latpred.blocks import Bottleneck, Step, Workload
from latpred.cost import CostFunction, cost_model
from latpred.errors import InputError
from latpred.networks import Network, NetworkStage
from latpred.operators import Operator
from latpred.paradigms import Paradigm, Static
from latpred.profile import HardwareProfile
from latpred.report import OperatorRow, Report
from latpred.transformers import VisionTransformer

Target: TypeAlias = Operator | Bottleneck | NetworkStage | Network | VisionTransformer

STATIC = Static()
#: A larger batch is a slip of the pen.
MOST_SAMPLES = 10**9
#: The break-even rate is bracketed until the bracket is this narrow.
_BRACKET_WIDTH = 1e-6


def predict(
    target: Target,
    profile: HardwareProfile,
    paradigm: Paradigm = STATIC,
    *,
    batch: int | None = None,
    model: str = "published",
) -> Report:
    """How long `target` takes on a device under a paradigm, operator by operator, beside its static form.

    Parameters
    ----------
    target
        An operator, a block, a stage of a network, or a network.
    batch
        Samples computed together; None takes the profile's default. Every figure is for the whole batch.
    model
        The cost model, one of `latpred.cost.MODELS`.

    Raises
    ------
    InputError
        A granularity that does not fit the target, a sequence of the wrong length, a batch below 1, an unknown model.
    """
    cost = cost_model(model, profile)
    batch = checked_batch(batch, profile)
    workload = lower(target, paradigm)
    return Report(
        target=target_name(target),
        device=profile.name,
        model=model,
        paradigm=paradigm,
        batch=batch,
        operators=_rows(workload, cost, batch),
        static_operators=_rows(lower(target, STATIC), cost, batch),
        notes=workload.notes,
        find_break_even=partial(break_even_rate, target, profile, paradigm, batch=batch, model=model),
    )


def target_name(target: Target) -> str:
    """A network's or block's own name, an operator's type."""
    return type(target).__name__ if isinstance(target, Operator) else target.name


def checked_batch(batch: int | None, profile: HardwareProfile) -> int:
    """The batch, or the profile's default; raises InputError below 1."""
    if batch is None:
        return profile.default_batch
    if isinstance(batch, bool) or not isinstance(batch, int | np.integer) or not 1 <= batch <= MOST_SAMPLES:
        raise InputError(f"batch must be a whole number from 1 to {MOST_SAMPLES:,}, got {batch!r}")
    return int(batch)


def lower(target: Target, paradigm: Paradigm, rates: tuple[float, ...] | None = None) -> Workload:
    """The operators of any target; at several `rates` at once every figure is an array."""
    if not isinstance(target, Operator):
        return target.lower(paradigm, rates)
    if paradigm != STATIC:
        raise InputError(f"a single operator has no paradigm, got {paradigm}; set the operator's own rates")
    if any(isinstance(value, tuple) for _, value in target):
        raise InputError(f"{target_name(target)} has several rates; a prediction takes one")
    return Workload((Step(target_name(target), target),))


def lowest_rate(target: Target, paradigm: Paradigm) -> float:
    """The lowest rate that can be asked for: 0, or what keeps anything at all of a transformer."""
    return target.lowest_rate(paradigm) if isinstance(target, VisionTransformer) else 0.0


def _rows(workload: Workload, cost: CostFunction, batch: int) -> tuple[OperatorRow, ...]:
    """Every operator's time and work, weighted by how often it runs; equal operators are asked about once."""
    known: dict[Operator, tuple[float, ...]] = {}
    rows = []
    for step in workload.steps:
        figures = known.get(step.operator)
        if figures is None:
            answer, work = cost(step.operator, batch), (step.operator.macs(batch), step.operator.bytes(batch))
            times = (answer.compute_s, answer.memory_s, answer.launch_s, answer.latency_s)
            figures = known[step.operator] = tuple(map(float, (*times, *work)))
        share = float(step.executions)
        rows.append(OperatorRow(step.name, step.stage, step.block, share, *(share * value for value in figures)))
    return tuple(rows)


def bracket_points(target: Target) -> int:
    """Rates at which a bracket is cut: several where they share a search, else the middle alone."""
    return 3 if isinstance(target, VisionTransformer) else 17


class Curve(NamedTuple):
    """Latency [s] and multiply-adds of a target over an array of rates, beside its static form."""

    latency_s: NDArray[np.float64]
    static_latency_s: float
    macs: NDArray[np.float64]
    static_macs: float


def curve(
    target: Target, cost: CostFunction, paradigm: Paradigm, rates: NDArray[np.float64] | None, batch: int
) -> Curve:
    """A prediction at each of `rates`, common to all blocks: one search per operator where the model allows it.

    Without `rates`, one prediction at the paradigm's own.
    """
    runs: list[tuple[float, ...] | None]
    if rates is None:
        runs = [None]
    elif isinstance(target, VisionTransformer):
        # Its shapes follow the rates, so it is lowered once for each.
        runs = [(float(rate),) for rate in rates]
    else:
        runs = [tuple(map(float, rates))]
    sums = [_sums(lower(target, paradigm, run), cost, batch, len(run) if run else 1) for run in runs]
    latency, macs = (np.concatenate(parts) for parts in zip(*sums, strict=True))
    static_latency, static_macs = _sums(lower(target, STATIC), cost, batch, 1)
    return Curve(latency, float(static_latency[0]), macs, float(static_macs[0]))


def _sums(workload: Workload, cost: CostFunction, batch: int, rates: int) -> tuple[NDArray[np.float64], ...]:
    """Latency and multiply-adds; equal steps are counted, not repeated."""
    latency, macs = np.zeros(rates), np.zeros(rates)
    for (operator, executions), count in Counter((step.operator, step.executions) for step in workload.steps).items():
        share = count * np.asarray(executions)
        latency += share * cost(operator, batch).latency_s
        macs += share * operator.macs(batch)
    return latency, macs


def break_even_rate(
    target: Target, profile: HardwareProfile, paradigm: Paradigm, *, batch: int | None = None, model: str = "published"
) -> float | None:
    """r*: the highest rate common to all blocks at which rℓ ≤ 1; 1.0 if skipping always pays, None if it never does."""
    if paradigm == STATIC:
        return None
    cost, batch = cost_model(model, profile), checked_batch(batch, profile)
    low, high = lowest_rate(target, paradigm), 1.0
    while high - low > _BRACKET_WIDTH:
        rates = np.linspace(low, high, bracket_points(target))
        found = curve(target, cost, paradigm, rates, batch)
        pays = found.latency_s <= found.static_latency_s
        if pays[-1]:
            return high
        if not pays.any():
            return None
        last = int(np.flatnonzero(pays)[-1])
        low, high = float(rates[last]), float(rates[last + 1])
    return low
