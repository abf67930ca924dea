"""Join target, paradigm, device and cost model into a report; contains no equation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from latpred.devices.calibration import Calibration
from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.calibrated.bands import band_of_sum
from latpred.models.interface import CostModel, cost_model
from latpred.report import Band, OperatorRow, Report
from latpred.workloads.blocks import Bottleneck, Step, Workload
from latpred.workloads.networks import Network, NetworkStage
from latpred.workloads.operators import Operator, operator_class
from latpred.workloads.paradigms import Paradigm, Static
from latpred.workloads.transformers import VisionTransformer

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
    precision: str = "fp32",
    library: str | None = None,
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
    precision, library
        fp32, tf32 or fp16, and the library of kernels (None: the first that the profile is calibrated for), where the
        model has them.

    Raises
    ------
    InputError
        A granularity that does not fit the target, a sequence of the wrong length, a batch below 1, an unknown model,
        a precision or library that the model does not have on this device.
    """
    cost = cost_model(model, profile, precision=precision, library=library)
    batch = checked_batch(batch, profile)
    workload = lower(target, paradigm, kernels=cost.kernels)
    rows = _rows(workload, cost, batch)
    return Report(
        target=target_name(target),
        device=profile.name,
        model=model,
        paradigm=paradigm,
        batch=batch,
        precision=precision,
        library=cost.library,
        operators=rows,
        static_operators=_rows(lower(target, STATIC, kernels=cost.kernels), cost, batch),
        notes=(*workload.notes, *_caveats(profile, cost, paradigm, batch)),
        band=_band(cost.calibration, target, paradigm, rows),
        find_break_even=partial(break_even_of, target, cost, paradigm, batch),
    )


def _caveats(profile: HardwareProfile, cost: CostModel, paradigm: Paradigm, batch: int) -> list[str]:
    """What a reader must know of the device's parameters, the model's error, and what was not measured."""
    notes = list(profile.caveats(cost.calibration))
    for found in profile.calibrations if cost.name == "published" else ():
        if found.published_error is not None:
            device, error = found.provenance.device, found.published_error
            notes.append(f"the published model was off by {error:.0%} on average over blocks measured on {device}")
    calibration = cost.calibration
    if calibration and len(paradigm.parts) > 1:
        notes.append(f"no blocks with {paradigm.label} skipping were measured: each part's kernels are taken together")
    if calibration and not calibration.batches[0] <= batch <= calibration.batches[1]:
        low, high = calibration.batches
        notes.append(f"extrapolated: {profile.name} was calibrated with batches {low} to {high}, not {batch}")
    return notes


def _band(
    calibration: Calibration | None, target: Target, paradigm: Paradigm, rows: tuple[OperatorRow, ...]
) -> Band | None:
    """Measured over predicted time, where 80 % of it should lie; None where that is not known.

    The errors of blocks of one shape go together; those of different shapes are taken to be independent.
    """
    if calibration is None:
        return None
    names = (paradigm.name, "blocks")
    if isinstance(target, Operator):
        names = (operator_class(target), "operators")
    error = calibration.error_of(*names)
    if error is None:
        return None
    shapes: dict[int | None, Any] = {}
    if isinstance(target, Network | NetworkStage):
        shapes = {placed.number + 1: placed.block.shape for placed in target.blocks}
    # What is outside the blocks is a shape of its own; a target without blocks is of one shape.
    parts = [(shapes.get(row.block, row.name) if shapes else None, row.latency_s) for row in rows]
    low, high = band_of_sum(error.low, error.high, parts)
    return Band(low, high, error.name, error.median_error)


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


def lower(
    target: Target, paradigm: Paradigm, rates: tuple[float, ...] | None = None, *, kernels: bool = False
) -> Workload:
    """The operators of any target, or its `kernels`; at several `rates` at once every figure is an array."""
    if isinstance(target, Bottleneck | NetworkStage | Network):
        return target.lower(paradigm, rates, kernels=kernels)
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


def _rows(workload: Workload, cost: CostModel, batch: int) -> tuple[OperatorRow, ...]:
    """Every operator's time and work, weighted by how often it runs; equal operators are asked about once."""
    known: dict[tuple[Operator, float], tuple[float, ...]] = {}
    rows = []
    for step in workload.steps:
        share = float(step.executions)
        figures = known.get((step.operator, share))
        if figures is None:
            answer = cost.step(step.operator, batch, share, chained=len(workload.steps) > 1)
            work = (share * step.operator.macs(batch), share * cost.bytes(step.operator, batch))
            figures = known[step.operator, share] = tuple(map(float, (*answer[:4], *work)))
        rows.append(OperatorRow(step.name, step.stage, step.block, share, *figures))
    return tuple(rows)


def _bracket_points(target: Target) -> int:
    """Rates at which a bracket is cut: several where they share a search, else the middle alone."""
    return 3 if isinstance(target, VisionTransformer) else 17


class Curve(NamedTuple):
    """Latency [s] and multiply-adds of a target over an array of rates, beside its static form."""

    latency_s: NDArray[np.float64]
    static_latency_s: float
    macs: NDArray[np.float64]
    static_macs: float


def curve(target: Target, cost: CostModel, paradigm: Paradigm, rates: NDArray[np.float64] | None, batch: int) -> Curve:
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
    lowered = [lower(target, paradigm, run, kernels=cost.kernels) for run in runs]
    sums = [_sums(workload, cost, batch, len(run) if run else 1) for workload, run in zip(lowered, runs, strict=True)]
    latency, macs = (np.concatenate(parts) for parts in zip(*sums, strict=True))
    static_latency, static_macs = _sums(lower(target, STATIC, kernels=cost.kernels), cost, batch, 1)
    return Curve(latency, float(static_latency[0]), macs, float(static_macs[0]))


def _sums(workload: Workload, cost: CostModel, batch: int, rates: int) -> tuple[NDArray[np.float64], ...]:
    """Latency and multiply-adds; equal steps are counted, not repeated."""
    latency, macs = np.zeros(rates), np.zeros(rates)
    for (operator, executions), count in Counter((step.operator, step.executions) for step in workload.steps).items():
        share = np.asarray(executions)
        latency += count * cost.step(operator, batch, share, chained=len(workload.steps) > 1).latency_s
        macs += count * share * operator.macs(batch)
    return latency, macs


def break_even_rate(
    target: Target,
    profile: HardwareProfile,
    paradigm: Paradigm,
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
) -> float | None:
    """r*: the highest rate common to all blocks at which rℓ ≤ 1; 1.0 if skipping always pays, None if it never does."""
    cost = cost_model(model, profile, precision=precision, library=library)
    return break_even_of(target, cost, paradigm, checked_batch(batch, profile))


def break_even_of(target: Target, cost: CostModel, paradigm: Paradigm, batch: int) -> float | None:
    """r* with a cost model at hand."""
    if paradigm == STATIC:
        return None
    return highest_rate(target, cost, paradigm, batch, lambda found: found.latency_s <= found.static_latency_s)


def highest_rate(
    target: Target,
    cost: CostModel,
    paradigm: Paradigm,
    batch: int,
    holds: Callable[[Curve], NDArray[np.bool_]],
    width: float = _BRACKET_WIDTH,
) -> float | None:
    """The highest rate common to all blocks at which a condition `holds`; None where none is found.

    A bracket of several points is narrowed until its `width`, around the last of them at which the condition holds.
    """
    low, high = lowest_rate(target, paradigm), 1.0
    while high - low > width:
        rates = np.linspace(low, high, _bracket_points(target))
        held = holds(curve(target, cost, paradigm, rates, batch))
        if held[-1]:
            return high
        if not held.any():
            return None
        last = int(np.flatnonzero(held)[-1])
        low, high = float(rates[last]), float(rates[last + 1])
    return low
