"""Join a question and a paradigm into a report; contains no equation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latpred.confidence import band_of, caveats, error_of, host_notes, with_host
from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.evaluation import Figures, Plan, Rates, plan
from latpred.models.interface import CostModel, check_dynamic
from latpred.question import Asked, Target, ask, checked_paradigm
from latpred.report import Band, OperatorRow, Report, Rival
from latpred.workloads.blocks import Block
from latpred.workloads.lowering import Form, Lowered, Step
from latpred.workloads.networks import NetworkStage, PlacedNetwork
from latpred.workloads.operators import Operator, Share
from latpred.workloads.paradigms import Paradigm, Static

STATIC = Static()
#: The break-even rate is bracketed until the bracket is this narrow.
_BRACKET_WIDTH = 1e-6
#: By which equal times may differ, as they are added up in another order.
_ROUNDING = 1e-12


def predict(
    target: Target | str | Path,
    profile: HardwareProfile | str | Path,
    paradigm: Paradigm = STATIC,
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
    against: str | None = None,
) -> Report:
    """How long `target` takes on a device under a paradigm, operator by operator, beside its static form.

    Parameters
    ----------
    target
        An operator, a block, a stage of a network, or a network; or the name or path of one.
    profile
        The device, or its name or path.
    paradigm
        What is skipped.
    batch
        Samples computed together; None takes the profile's default. Every figure is for the whole batch.
    model
        The cost model: published, calibrated or roofline.
    precision, library
        fp32, tf32 or fp16, and the library of kernels (None: the first that is calibrated and has those of the target),
        where the model has them. `pytorch+graph` is PyTorch in a CUDA graph, `pytorch+fold` with normalisations folded
        into the convolutions.
    like
        Another device, or its name or path, whose calibration the calibrated model takes, on this device's own
        parameters and peaks; None takes this device's own, else that of the device it names in `calibrate_like`.
    against
        The library whose static network it is compared with as well, pytorch or tensorrt, as it serves this device; or
        `best`, the fastest one of them.

    Raises
    ------
    InputError
        A granularity that does not fit the target, a sequence of the wrong length, a batch below 1, an unknown model,
        a precision, library or calibration that the model does not have on this device, another kind of object.

    Examples
    --------
    >>> report = predict("r50-stage1", "tx2", Static())
    >>> f"{report.latency_s * 1e3:.3f} ms"
    '1.061 ms'
    """
    how: dict[str, Any] = {"model": model, "precision": precision, "library": library, "like": like}
    asked = ask(target, profile, batch=batch, against=against, **how)
    paradigm = checked_paradigm(paradigm)
    lowered, rates = planned(asked, paradigm)
    figures = lowered.figures(asked.cost_model, asked.batch, rates)
    rows = _rows(lowered, figures)
    rival = rival_of(asked)
    band = band_of(asked, paradigm, lowered, figures.latency_s[0][lowered.places].tolist())
    return Report(
        asked=asked,
        paradigm=paradigm,
        operators=rows,
        static_operators=static_rows(asked),
        notes=(
            *lowered.notes,
            *caveats(asked, paradigm, (asked.batch,)),
            *host_notes(asked.cost_model, rows),
            *_rival_notes(asked, rival),
        ),
        band=with_host(band, asked.cost_model, rows),
        find_break_even=partial(break_even_of, asked, paradigm),
        rival=rival,
    )


def notes_of(asked: Asked, paradigm: Paradigm, batches: Sequence[int] = ()) -> tuple[str, ...]:
    """The notes of a prediction without the prediction; of several at once, where more `batches` are asked for."""
    lowered, _ = planned(asked, checked_paradigm(paradigm))
    of_rival = _rival_notes(asked, rival_of(asked), batches)
    of_host = host_notes(asked.cost_model, static_rows(asked))
    return (*lowered.notes, *caveats(asked, paradigm, batches or (asked.batch,)), *of_host, *of_rival)


def blocks_per_stage(target: Target) -> Sequence[int]:
    """Blocks of each stage, of the whole network where the target is a stage of it; one of a block or operator."""
    if isinstance(target, NetworkStage):
        target = target.network
    return target.blocks_per_stage if isinstance(target, PlacedNetwork) else (1,)


def lower(target: Target, paradigm: Paradigm, form: Form) -> Lowered:
    """The operators of any target in a form."""
    if not isinstance(target, Operator):
        return target.lower(paradigm, form)
    name = type(target).__name__
    if paradigm != STATIC:
        raise InputError(f"a single operator has no paradigm, got {paradigm}; set the operator's own rates")
    if any(isinstance(value, tuple) for _, value in target):
        raise InputError(f"{name} has several rates; a prediction takes one")
    return Lowered((Step(name, target),))


def planned(asked: Asked, paradigm: Paradigm) -> tuple[Plan, Rates]:
    """The plan of a target under a paradigm, and the paradigm's rates in it; InputError where no kernel can skip."""
    target, model = asked.of, asked.cost_model
    if paradigm != STATIC:
        check_dynamic(model)
    if isinstance(target, Operator):
        return _plan(target, paradigm, model.form, False), {}
    if isinstance(target, Block):
        paradigm.require_single(target.name)
    rates = paradigm.rates(blocks_per_stage(target))
    per_block = any(len(values) > 1 for values in rates.values())
    found = _plan(target, paradigm.opened(), model.form, per_block)
    return found, {part: values[np.newaxis] for part, values in rates.items()}


@lru_cache(maxsize=1024)
def _plan(target: Target, paradigm: Paradigm, form: Form, per_block: bool) -> Plan:
    lowered = lower(target, paradigm, form)
    return plan(lowered.steps, lowered.notes, per_block=per_block)


def static_rows(asked: Asked) -> tuple[OperatorRow, ...]:
    """The operators without skipping."""
    return _static_rows(_plan(asked.of, STATIC, asked.cost_model.form, False), asked.cost_model, asked.batch)


@lru_cache(maxsize=256)
def _static_rows(lowered: Plan, model: Any, batch: int) -> tuple[OperatorRow, ...]:
    return _rows(lowered, lowered.figures(model, batch, {}))


def _rows(lowered: Plan, figures: Figures) -> tuple[OperatorRow, ...]:
    """Every operator's time and work at the first setting."""
    wanted = (name for name in Figures._fields if name != "l2_s")
    columns = [getattr(figures, name)[0][lowered.places].tolist() for name in wanted]
    return tuple(
        OperatorRow(step.name, step.stage, step.block, *values)
        for step, values in zip(lowered.steps, zip(*columns, strict=True), strict=True)
        # Where nothing is skipped, nothing is done for what is.
        if values[0] or not (isinstance(step.executions, Share) and step.executions.rest)
    )


def rival_of(asked: Asked) -> Rival | None:
    """The fastest static network among the libraries that it is compared with; None where there are none."""
    found = [Rival(str(model.library), static_latency(asked, model)) for model in asked.rivals]
    return min(found, key=lambda rival: rival.latency_s, default=None)


def _rows_of(asked: Asked, model: CostModel) -> tuple[OperatorRow, ...]:
    """The static form's operators by another cost model."""
    return static_rows(replace(asked, cost_model=model))


def static_latency(asked: Asked, model: CostModel) -> float:
    """The static form by another cost model [s]."""
    return sum(row.latency_s for row in _rows_of(asked, model))


def static_latency_together(parts: Sequence[Asked], model: CostModel) -> float:
    """The static forms of parts that run one behind another [s]; the host is waited for once for all of them."""
    lowered = plan([step for asked in parts for step in lower(asked.of, STATIC, model.form).steps], (), per_block=False)
    return float(lowered.sums(model, parts[0].batch, {})[0][0])


def _rival_notes(asked: Asked, rival: Rival | None, batches: Sequence[int] = ()) -> Iterator[str]:
    """What is known of the network that it is compared with, beyond what is said of the question anyway."""
    for model in asked.rivals:
        if rival and model.library == rival.library:
            yield f"against: {model.about}"
            at = batches or (asked.batch,)
            known, of_it = (caveats(each, STATIC, at) for each in (asked, replace(asked, cost_model=model)))
            yield from (f"against: {note}" for note in of_it if note not in known)
            yield from host_notes(model, _rows_of(asked, model))


def lowest_rate(target: Target, paradigm: Paradigm) -> float:
    """The lowest rate that can be asked for: 0, or what keeps anything at all of a transformer."""
    return 0.0 if isinstance(target, Operator) else target.lowest_rate(paradigm)


def _is_open(paradigm: Paradigm) -> bool:
    """Whether no rate shapes the operators: then one search serves all rates."""
    return all(part.is_open for part in paradigm.parts)


class Curve(NamedTuple):
    """Latency [s] and multiply-adds of a target over an array of rates, beside its static form."""

    latency_s: NDArray[np.float64]
    static_latency_s: float
    macs: NDArray[np.float64]
    static_macs: float


def curve(asked: Asked, paradigm: Paradigm, rates: NDArray[np.float64] | None = None) -> Curve:
    """A prediction at each of `rates`: one search per operator where the model allows it.

    Rates are of shape (settings,), common to all blocks, or (settings, stages) or (settings, blocks). Without `rates`,
    one prediction at the paradigm's own.
    """
    model, batch = asked.cost_model, asked.batch
    if rates is not None and not _is_open(paradigm.at_rates(1.0)):
        # Shapes follow the rates, so the target is lowered once for each.
        runs = [_sums(asked, paradigm.at_rates(_setting(rate))) for rate in rates]
        latency, macs = (np.concatenate(parts) for parts in zip(*runs, strict=True))
    else:
        lowered, at = _planned_at(asked, paradigm, rates)
        latency, macs = lowered.sums(model, batch, at)
    static = static_rows(asked)
    return Curve(latency, sum(row.latency_s for row in static), macs, sum(row.macs for row in static))


def _setting(rates: Any) -> Any:
    """One row of an array of rates as a paradigm has it: a number, or one of each stage or block."""
    return float(rates) if np.ndim(rates) == 0 else tuple(rates.tolist())


def _sums(asked: Asked, paradigm: Paradigm) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    lowered, at = planned(asked, paradigm)
    return lowered.sums(asked.cost_model, asked.batch, at)


def band_of_curve(asked: Asked, paradigm: Paradigm, rates: NDArray[np.float64] | None = None) -> Band | None:
    """The band of `predict` at each of `rates`, as in `curve`, or at the paradigm's own; None if not known."""
    if asked.cost_model.calibration is None or error_of(asked, paradigm) is None:
        return None
    if rates is not None and not _is_open(paradigm.at_rates(1.0)):
        bands = [band_of_curve(asked, paradigm.at_rates(_setting(rate))) for rate in rates]
        low, high = (np.concatenate([getattr(band, end) for band in bands]) for end in ("low", "high"))
        return bands[0] and bands[0]._replace(low=low, high=high)
    lowered, at = _planned_at(asked, paradigm, rates)
    latency_s = lowered.figures(asked.cost_model, asked.batch, at).latency_s
    band = band_of(asked, paradigm, lowered, (latency_s[:, place] for place in lowered.places))
    # A host is waited for by libraries of static networks alone.
    return with_host(band, asked.cost_model, static_rows(asked))


def _planned_at(asked: Asked, paradigm: Paradigm, rates: NDArray[np.float64] | None) -> tuple[Plan, Rates]:
    """The plan of a target, and rates in it: the paradigm's own, or several in turn, common to all blocks or not."""
    if rates is None:
        return planned(asked, paradigm)
    if rates.ndim == 1:
        lowered, own = planned(asked, paradigm.at_rates(1.0))
        return lowered, dict.fromkeys(own, rates[:, np.newaxis])
    lowered, own = planned(asked, paradigm.at_rates(_setting(rates[0])))
    counts = blocks_per_stage(asked.of)
    of_blocks = rates if rates.shape[1] != len(counts) or len(counts) == 1 else np.repeat(rates, counts, axis=1)
    return lowered, dict.fromkeys(own, of_blocks)


def break_even_rate(
    target: Target | str | Path,
    profile: HardwareProfile | str | Path,
    paradigm: Paradigm,
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
) -> float | None:
    """r*: the highest rate common to all blocks at which rℓ ≤ 1; 1.0 if skipping always pays, None if it never does.

    Examples
    --------
    >>> from latpred import Spatial
    >>> round(break_even_rate("r50-stage1", "tx2", Spatial(S=4, r=0.6)), 3)
    0.929
    """
    asked = ask(target, profile, batch=batch, model=model, precision=precision, library=library, like=like)
    return break_even_of(asked, checked_paradigm(paradigm))


def break_even_of(asked: Asked, paradigm: Paradigm) -> float | None:
    """r* of a question."""
    if paradigm == STATIC:
        return None
    return highest_rate(asked, paradigm, lambda found: found.latency_s <= found.static_latency_s * (1 + _ROUNDING))


def highest_rate(
    asked: Asked, paradigm: Paradigm, holds: Callable[[Curve], NDArray[np.bool_]], width: float = _BRACKET_WIDTH
) -> float | None:
    """The highest rate common to all blocks at which a condition `holds`; None where none is found.

    A bracket of several points is narrowed until its `width`, around the last of them at which the condition holds.
    """
    low, high = lowest_rate(asked.of, paradigm), 1.0
    while high - low > width:
        # Several where they share a search, else the middle alone.
        rates = np.linspace(low, high, 17 if _is_open(paradigm.at_rates(1.0)) else 3)
        held = holds(curve(asked, paradigm, rates))
        if held[-1]:
            return high
        if not held.any():
            return None
        last = int(np.flatnonzero(held)[-1])
        low, high = float(rates[last]), float(rates[last + 1])
    return low
