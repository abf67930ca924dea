"""The latency of a network at millions of settings of its rates: each step as a curve over the rate of its block.

A curve is exact. Most steps follow a staircase, for patches and channel groups are on or off; or they run for whole
samples, and the mean over batches is a line between their numbers; or their time counts with the share that runs.
Others are asked at every rate.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.interface import CostModel, check_dynamic
from latpred.prediction import blocks_per_stage, lower
from latpred.question import Asked, Target, ask, checked_paradigm
from latpred.records import numbers
from latpred.workloads import operators as op
from latpred.workloads.densities import ROUNDING_GUARD
from latpred.workloads.lowering import Step
from latpred.workloads.operators import Share
from latpred.workloads.paradigms import Paradigm, Static

Floats: TypeAlias = NDArray[np.float64]
#: Rates of a block, of shape (settings,), to the latency of a step [s].
Curve: TypeAlias = Callable[[Floats], Floats]

#: Settings at a time: what is made of them stays in the caches.
_CHUNK = 1 << 15
#: Longer staircases are not made; what follows them is asked at every rate.
_MOST_STAIRS = 1_000_000


def evaluate(
    target: Target | str | Path,
    profile: HardwareProfile | str | Path,
    paradigm: Paradigm,
    rates: ArrayLike,
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
) -> Floats:
    """The latency [s] of many settings of the rates, shape (settings,), each equal to that of `latpred.predict`.

    Parameters
    ----------
    target
        A residual network, a stage of one, or a block.
    paradigm
        What is skipped; its own rates are not heeded.
    rates
        Of shape (settings, blocks), or (settings, stages), each from 0 to 1; all parts of a joint paradigm have them.

    Raises
    ------
    InputError
        A target without residual blocks, a paradigm without rates, rates of another shape or outside [0, 1], or any
        error of `latpred.predict`.

    Examples
    --------
    >>> from latpred import Spatial, evaluate
    >>> evaluate("resnet50", "tx2", Spatial(S=[4, 4, 2, 1], r=1.0), [[0.5] * 16, [1.0] * 16]).round(4).tolist()
    [0.012, 0.0176]
    """
    asked = ask(target, profile, batch=batch, model=model, precision=precision, library=library, like=like)
    return latencies(asked, checked_paradigm(paradigm), rates)


def latencies(asked: Asked, paradigm: Paradigm, rates: ArrayLike) -> Floats:
    """`evaluate` for a question that was checked."""
    check_dynamic(asked.cost_model)
    if isinstance(asked.of, op.Operator):
        raise InputError(f"{asked.target} has no residual blocks with rates of their own; give a residual network")
    if isinstance(paradigm, Static):
        raise InputError("a static network has no rates; give what is skipped")
    if not all(part.is_open for part in paradigm.at_rates(1.0).parts):
        raise InputError(f"the rates of {paradigm.label} skipping shape its operators; ask latpred.predict for each")
    columns = _columns(rates, asked)
    curves = _curves(asked, paradigm)
    total = np.empty(len(columns))
    for start in range(0, len(columns), _CHUNK):
        part = np.ascontiguousarray(columns[start : start + _CHUNK].T)
        found = np.zeros(part.shape[1])
        for curve, blocks in curves:
            for block in blocks:
                found += curve(part[block])
        total[start : start + _CHUNK] = found
    return total


def _columns(rates: ArrayLike, asked: Asked) -> Floats:
    """The rates of every block, of shape (settings, blocks)."""
    counts = blocks_per_stage(asked.of)
    found = numbers(rates, "rates")
    if found.ndim != 2 or found.shape[1] not in (sum(counts), len(counts)):
        raise InputError(
            f"rates have shape {found.shape}; give a row per setting and {sum(counts)} columns (blocks) or "
            f"{len(counts)} (stages)"
        )
    if found.size and not (found.min() >= 0 and found.max() <= 1):
        raise InputError("rates must be from 0 to 1")
    return found if found.shape[1] == sum(counts) else np.repeat(found, counts, axis=1)


def _curves(asked: Asked, paradigm: Paradigm) -> list[tuple[Curve, list[int]]]:
    """The distinct curves of all steps, each with the blocks whose rates it heeds; what heeds none heeds the first."""
    open_ended = paradigm.at_rates(1.0)
    lowered = lower(asked.of, open_ended, asked.cost_model.form)
    chained = len(lowered.steps) > 1
    blocks: dict[tuple[Any, ...], list[int]] = {}
    for step in lowered.steps:
        if not step.omitted:
            blocks.setdefault((step.operator, step.executions), []).append((step.block or 1) - 1)
    parts = tuple(part.name for part in open_ended.parts)
    found = []
    for (operator, executions), places in blocks.items():
        curve = _curve(_Asker(Step("", operator, executions), asked.cost_model, asked.batch, chained, parts))
        found.append((curve, places))
    return found


@dataclass(frozen=True)
class _Asker:
    """One step, to be asked at any rates of its block."""

    step: Step
    model: CostModel
    batch: int
    chained: bool
    parts: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether the operator itself heeds the rate."""
        return any(isinstance(value, Share) for _, value in self.step.operator)

    def __call__(self, rates: Floats, *, runs: bool = True) -> Floats:
        """Latency [s] at each rate, equal ones asked once; without `runs` as if the step ran for every sample."""
        distinct, places = np.unique(rates, return_inverse=True)
        parts = [self._ask(distinct[start : start + _CHUNK], runs) for start in range(0, len(distinct), _CHUNK)]
        return np.concatenate(parts)[places]

    def _ask(self, rates: Floats, runs: bool) -> Floats:
        known = dict.fromkeys(self.parts, rates[:, np.newaxis])
        operator = op.with_rates(op.stack([self.step.operator]), known)
        share: Any = self.share(known) if runs else 1.0
        latency = self.model.step(operator, self.batch, share, chained=self.chained).latency_s
        return np.broadcast_to(latency, (len(rates), 1))[:, 0]

    def share(self, known: Mapping[str, Any]) -> Any:
        """The share of the samples that run the step."""
        executions = self.step.executions
        return executions.at(known) if isinstance(executions, Share) else executions


def _curve(asker: _Asker) -> Curve:
    """The step's curve."""
    executions, gathers = asker.step.executions, asker.model.form.gathers_samples
    stairs = asker.step.operator.stairs if asker.is_open else 1
    if isinstance(executions, Share) and gathers:
        return _whole_samples(asker) if not asker.is_open and asker.batch <= _MOST_STAIRS else asker
    if stairs is None or stairs > _MOST_STAIRS:
        return asker
    table = asker(np.arange(stairs + 1) / stairs, runs=False)
    look_up = _staircase(table) if asker.is_open else lambda rates: table[1]
    if not isinstance(executions, Share):
        return look_up
    return lambda rates: executions.at(dict.fromkeys(asker.parts, rates)) * look_up(rates)


def _staircase(table: Floats) -> Curve:
    """Value i is that of every rate in ((i − 1)/n, i/n]."""
    stairs = len(table) - 1
    return lambda rates: table[np.ceil(rates * stairs - ROUNDING_GUARD).astype(np.int64)]


def _whole_samples(asker: _Asker) -> Curve:
    """A line between the times of whole numbers of samples."""
    batch = asker.batch
    table = asker(np.arange(batch + 1) / batch)
    slopes = np.append(np.diff(table), 0.0)

    def line(rates: Floats) -> Floats:
        samples = asker.share(dict.fromkeys(asker.parts, rates)) * batch
        low = np.floor(samples + ROUNDING_GUARD)
        below = low.astype(np.int64)
        found: Floats = table[below] + np.clip(samples - low, 0.0, 1.0) * slopes[below]
        return found

    return line
