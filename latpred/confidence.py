"""What is known of a prediction's error: the band, and what a reader must know of how it was made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

from latpred.devices.calibration import ClassError
from latpred.evaluation import Plan
from latpred.models.bands import band_of_sum, widened
from latpred.models.interface import SHARPNESS, CostModel
from latpred.models.tiling import Numbers
from latpred.question import Asked, Target
from latpred.report import Band, OperatorRow
from latpred.units import seconds
from latpred.wording import listed
from latpred.workloads.blocks import Block, ConvolutionalBlock
from latpred.workloads.lowering import Form, Step
from latpred.workloads.networks import NetworkStage, PlacedNetwork
from latpred.workloads.operators import Operator, operator_class
from latpred.workloads.paradigms import Paradigm

#: A smaller share of the time is not worth a word.
_LEAST_SHARE = 0.01


def caveats(asked: Asked, paradigm: Paradigm, batches: Sequence[int]) -> list[str]:
    """What a reader must know of the device's parameters, and of what was not measured."""
    calibration, source = asked.cost_model.calibration, asked.cost_model.fitted_on
    notes = [*asked.profile.caveats(None if asked.like else calibration), *asked.cost_model.notes]
    if calibration and len(paradigm.parts) > 1:
        notes.append(f"no blocks with {paradigm.label} skipping were measured: each part's kernels are taken together")
    if calibration and (others := untimed(asked.of, asked.cost_model.form)):
        notes.append(f"extrapolated, without a band: nobody has timed the kernels of {others}")
    if calibration and source:
        low, high = calibration.batches
        outside = [batch for batch in batches if not low <= batch <= high]
        if outside:
            known = f"{source.name} was calibrated with batches {low} to {high}"
            notes.append(f"extrapolated: {known}, not {listed(outside)}")
    return notes


@lru_cache(maxsize=256)
def untimed(target: Target, form: Form) -> str:
    """What of a target has kernels that nobody has timed, so that nothing is known of errors; empty where all were."""
    if isinstance(target, Operator) or form.was_timed is None:
        return ""
    blocks = [target] if isinstance(target, Block) else [placed.block for placed in target.blocks]
    if not blocks:
        return f"{target.name}, which has no blocks"
    others = [block for block in blocks if isinstance(block, ConvolutionalBlock) and not form.was_timed(block)]
    if not others:
        return ""
    number = "all" if len(others) == len(blocks) else f"{len(others)} of"
    which = f"{number} {len(blocks)} blocks of {target.name}" if len(blocks) > 1 else target.name
    return f"{which} ({listed(dict.fromkeys(block.in_words for block in others), most=3, between='; ')})"


def band_of(asked: Asked, paradigm: Paradigm, lowered: Plan, latencies: Iterable[Numbers]) -> Band | None:
    """Measured over predicted time, where 80 % of it should lie, from the latency of each step; None if not known.

    The errors of blocks of one shape go together; those of different shapes are taken to be independent.
    """
    error = error_of(asked, paradigm)
    if error is None:
        return None
    # Errors of whole networks are known as such.
    keys = shapes_of(asked.of, lowered.steps) if error.name != "networks" else [None] * len(lowered.steps)
    low, high = band_of_sum(error.low, error.high, zip(keys, latencies, strict=True))
    return Band(*widened(low, high, asked.cost_model.spread), error.name, error.median_error)


def error_of(asked: Asked, paradigm: Paradigm) -> ClassError | None:
    """The error on shapes that were left out of the fit, of the target's kind; None if not known."""
    calibration, target = asked.cost_model.calibration, asked.of
    if calibration is None or untimed(target, asked.cost_model.form):
        return None
    if isinstance(target, Operator):
        return calibration.error_of(operator_class(target), "operators")
    return calibration.error_of(*(("networks",) if asked.cost_model.form.is_static else (paradigm.name, "blocks")))


def shapes_of(target: Target, steps: Sequence[Step]) -> list[Any]:
    """The shape of the block of each step: what is outside the blocks, one of its own; all the same without blocks."""
    if not isinstance(target, PlacedNetwork | NetworkStage):
        return [None] * len(steps)
    shapes = {placed.number + 1: placed.block.shape for placed in target.blocks}
    return [shapes.get(step.block, step.name) if step.block else step.name for step in steps]


def share_of_host(model: CostModel, rows: Sequence[OperatorRow]) -> float:
    """How much of a change of the host's time is one of the network's: 0 where the device decides, 1 where the host."""
    if not model.host_s or len(rows) < 2:
        return 0.0
    return (_calls_s(model, rows) / _total_s(rows)) ** SHARPNESS


def host_notes(model: CostModel, rows: Sequence[OperatorRow]) -> Iterator[str]:
    """That the host decides, and what predicts the device's own time."""
    of_host = share_of_host(model, rows)
    if of_host >= _LEAST_SHARE:
        low, high = model.host_band
        device = _total_s(rows) * max(1 - of_host, 0.0) ** (1 / SHARPNESS)
        yield (
            f"{model.library}: the host takes {seconds(_calls_s(model, rows))} to call {len(rows)} operators, "
            f"{seconds(model.host_s)} each ({low:g} to {high:g} times that on most hosts); the device takes "
            f"{seconds(device)}, which is what {model.library}+graph predicts"
        )


def with_host(band: Band | None, model: CostModel, rows: Sequence[OperatorRow]) -> Band | None:
    """A band that is the host's, as far as the time is."""
    of_host = share_of_host(model, rows)
    if band is None or not of_host:
        return band
    low, high = ((1 - of_host) * own + of_host * other for own, other in zip(band, model.host_band, strict=False))
    return band._replace(low=low, high=high)


def _calls_s(model: CostModel, rows: Sequence[OperatorRow]) -> float:
    return model.host_s * sum(row.executions for row in rows)


def _total_s(rows: Sequence[OperatorRow]) -> float:
    return sum(row.latency_s for row in rows)
