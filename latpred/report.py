"""What a prediction says: rows of operators. Totals, ratios and bounds are derived from them, so they always add up."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from latpred.notebook import Shown
from latpred.question import Answer, Asked
from latpred.units import seconds
from latpred.workloads.networks import PlacedNetwork
from latpred.workloads.paradigms import Paradigm

if TYPE_CHECKING:
    import pandas

#: More different names of operators outside the stages are no list that a person reads.
MOST_NAMES = 30


class OperatorRow(NamedTuple):
    """One operator of a prediction, for the whole batch.

    Attributes
    ----------
    name, stage, block
        What it is, and where: stage and block count from 1 and are None outside a network.
    executions
        Share of the samples it runs for; times and multiply-adds are weighted by it.
    compute_s, memory_s, launch_s, latency_s
        Arithmetic, data movement and launch, and what they come to together [s].
    macs
        Multiply-adds, as counted on paper.
    bytes
        Least off-chip traffic [bytes].

    Examples
    --------
    >>> from latpred import predict
    >>> row = predict("r50-stage1", "tx2").operators[0]
    >>> row.name, row.bound
    ('conv1', 'compute')
    """

    name: str
    stage: int | None
    block: int | None
    executions: float
    compute_s: float
    memory_s: float
    launch_s: float
    latency_s: float
    macs: float
    bytes: float

    @property
    def bound(self) -> str:
        """What takes the largest part: compute, memory or launch."""
        return largest_part([self])

    def to_dict(self) -> dict[str, Any]:
        """Fields and `bound`."""
        return {**self._asdict(), "bound": self.bound}


def largest_part(rows: Sequence[OperatorRow]) -> str:
    """What takes the largest part of some rows' time: compute, memory or launch."""
    parts = {part: sum(getattr(row, f"{part}_s") for row in rows) for part in ("compute", "memory", "launch")}
    return max(parts, key=lambda part: parts[part])


def kernels_in_words(precision: str, library: str | None, like: str | None = None) -> str:
    """What a model was asked for.

    >>> kernels_in_words("fp16", "triton"), kernels_in_words("fp32", None), kernels_in_words("fp16", "triton", "h200")
    ('fp16 with triton', 'fp32', 'fp16 with triton like h200')
    """
    return f"{precision} with {library}{f' like {like}' if like else ''}" if library else precision


class Band(NamedTuple):
    """Where 80 % of the measured over the predicted times should lie, from errors of `of` on shapes left out.

    The ends are arrays where they are those of several predictions.
    """

    low: Any
    high: Any
    of: str
    median_error: float


class Rival(NamedTuple):
    """The static network of another library, for the whole batch [s]."""

    library: str
    latency_s: float

    def to_dict(self, latency_s: float) -> dict[str, Any]:
        """The library, its time, and what `latency_s` is of it."""
        return {"library": self.library, "static_latency_s": self.latency_s, "ratio": latency_s / self.latency_s}


class Totals:
    """Sums over `operators` and `static_operators`, and the ratios between them."""

    operators: tuple[OperatorRow, ...]
    static_operators: tuple[OperatorRow, ...]

    @property
    def latency_s(self) -> float:
        """ℓ_dyn: the whole batch [s]."""
        return sum(row.latency_s for row in self.operators)

    @property
    def static_latency_s(self) -> float:
        """ℓ_stat: the same target without skipping [s]."""
        return sum(row.latency_s for row in self.static_operators)

    @property
    def ratio(self) -> float:
        """rℓ = ℓ_dyn/ℓ_stat; below 1 it is a real speed-up."""
        return self.latency_s / self.static_latency_s

    @property
    def macs(self) -> float:
        """Multiply-adds of the whole batch, as counted on paper."""
        return sum(row.macs for row in self.operators)

    @property
    def static_macs(self) -> float:
        """Multiply-adds without skipping."""
        return sum(row.macs for row in self.static_operators)

    @property
    def macs_ratio(self) -> float | None:
        """The saving on paper; None for a target without multiply-adds."""
        return self.macs / self.static_macs if self.static_macs else None

    def totals(self) -> dict[str, Any]:
        """The sums and ratios by name."""
        names = ("latency_s", "static_latency_s", "ratio", "macs", "static_macs", "macs_ratio")
        return {name: getattr(self, name) for name in names}


def collected(names: Sequence[str]) -> list[str]:
    """Names under which operators outside the stages stand together: their own, or without numbers where they are many.

    >>> collected(["conv1", "conv2"]), set(collected([f"join{n} branch 2 norm" for n in range(99)]))
    (['conv1', 'conv2'], {'join branch norm'})
    """
    if len(set(names)) <= MOST_NAMES:
        return list(names)
    return [re.sub(r" ?\d+", "", name) for name in names]


@dataclass(frozen=True)
class Subtotal(Totals):
    """Some operators of a prediction, and the static ones they stand for."""

    operators: tuple[OperatorRow, ...]
    static_operators: tuple[OperatorRow, ...]


@dataclass(frozen=True)
class StageTotal(Subtotal):
    """The sums of one stage of a network."""

    stage: int

    def to_dict(self) -> dict[str, Any]:
        """The stage and its sums."""
        return {"stage": self.stage, **self.totals()}


@dataclass(frozen=True, repr=False)
class Report(Answer, Shown, Totals):
    """A prediction; made by `latpred.predict`. Every figure is for the whole batch unless its name says otherwise.

    Attributes
    ----------
    asked
        The target, the device, the cost model and the batch.
    paradigm
        What is skipped.
    operators, static_operators
        A row for each operator, and those without skipping; times in seconds.
    notes
        What a reader must know: what is rounded, extrapolated, left out, or was never validated.
    band
        Where 80 % of the measured over the predicted times should lie; None where the error is not known.
    find_break_even
        Finds `break_even_rate` when it is asked for.
    rival
        The static network of the library that it is compared with; None where none was asked for.

    Examples
    --------
    >>> from latpred import Spatial, predict
    >>> report = predict("r50-stage1", "tx2", Spatial(S=4, r=0.6))
    >>> round(report.ratio, 3), round(report.break_even_rate, 3)
    (0.781, 0.929)
    """

    asked: Asked
    paradigm: Paradigm
    operators: tuple[OperatorRow, ...]
    static_operators: tuple[OperatorRow, ...]
    notes: tuple[str, ...]
    #: None where the error is not known.
    band: Band | None
    find_break_even: Callable[[], float | None] = field(repr=False, compare=False)
    rival: Rival | None = None

    @property
    def latency_per_image_s(self) -> float:
        """ℓ_dyn over the batch [s]."""
        return self.latency_s / self.batch

    @property
    def latency_low_s(self) -> float | None:
        """Lower end of the 80 % band around ℓ_dyn [s]; None where the error is not known."""
        return float(self.latency_s * self.band.low) if self.band else None

    @property
    def latency_high_s(self) -> float | None:
        """Upper end of the 80 % band around ℓ_dyn [s]."""
        return float(self.latency_s * self.band.high) if self.band else None

    @cached_property
    def break_even_rate(self) -> float | None:
        """r*: the highest common rate at which rℓ ≤ 1; None if there is none, and for a static prediction."""
        return self.find_break_even()

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The parts of a network that are not in it: stem, transitions, head."""
        return self.asked.of.uncounted if isinstance(self.asked.of, PlacedNetwork) else ()

    @property
    def stages(self) -> tuple[StageTotal, ...]:
        """The sums of each stage; empty for a block or an operator."""
        numbers = sorted({row.stage for row in self.operators if row.stage is not None})
        return tuple(
            StageTotal(_of_stage(self.operators, number), _of_stage(self.static_operators, number), number)
            for number in numbers
        )

    @property
    def summary(self) -> str:
        """What was predicted and asked for, ℓ_dyn, and rℓ of a dynamic target."""
        kernels = kernels_in_words(self.precision, self.library, self.like)
        compared = f", {self.ratio:.3f} of static" if self.paradigm.parts else ""
        return (
            f"{self.target} on {self.device}, {self.paradigm}, batch {self.batch}, {self.model} model, {kernels}: "
            f"{seconds(self.latency_s)}{compared}"
        )

    def to_frame(self) -> pandas.DataFrame:
        """A row per operator: the fields of `OperatorRow`; times in seconds, for the whole batch."""
        import pandas

        return pandas.DataFrame([row.to_dict() for row in self.operators])

    def to_dict(self) -> dict[str, Any]:
        """Everything, in plain types: what `--format json` prints."""
        return {
            **self.asked.to_dict(),
            "uncounted": list(self.uncounted),
            "paradigm": self.paradigm.to_dict(),
            **self.totals(),
            **({"against": self.rival.to_dict(self.latency_s)} if self.rival else {}),
            "latency_low_s": self.latency_low_s,
            "latency_high_s": self.latency_high_s,
            "latency_per_image_s": self.latency_per_image_s,
            "break_even_rate": self.break_even_rate,
            "about": self.asked.cost_model.about,
            "notes": list(self.notes),
            "stages": [stage.to_dict() for stage in self.stages],
            "operators": [row.to_dict() for row in self.operators],
            "static_operators": [row.to_dict() for row in self.static_operators],
        }


def _of_stage(rows: tuple[OperatorRow, ...], stage: int) -> tuple[OperatorRow, ...]:
    return tuple(row for row in rows if row.stage == stage)
