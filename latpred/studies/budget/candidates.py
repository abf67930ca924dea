"""What a target could skip: every paradigm at every granularity and rate, as tables of latencies and multiply-adds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latpred.errors import InputError
from latpred.prediction import curve, lowest_rate, static_rows
from latpred.question import Asked, Target
from latpred.wording import quoted, unknown
from latpred.workloads.networks import PlacedNetwork
from latpred.workloads.paradigms import NAMED, Paradigm, Width

Floats = NDArray[np.float64]
#: Rates that are tried: hundredths, finer than a network is trained to one.
RATES = np.arange(1, 101) / 100


@dataclass(frozen=True)
class Candidate:
    """A paradigm, and the granularities that each stage of a target has a choice of; none of what has none to choose.

    A target without stages counts as one, and so does a network whose width is chosen for the whole.
    """

    paradigm: Paradigm
    sizes: tuple[tuple[int, ...], ...]
    stages: int

    @property
    def name(self) -> str:
        """The paradigm's name; with its settings where they are not to choose."""
        return self.paradigm.label if self.sizes else self.paradigm.text(rates=False)

    def settings(self, stage: int) -> list[Paradigm]:
        """The choices of a stage, counted from 0, at rate 1."""
        return [self._sized(size) for size in self.sizes[stage]] if self.sizes else [self.paradigm]

    def chosen(self, choice: Sequence[int], rates: float | tuple[float, ...]) -> Paradigm:
        """The paradigm with a choice for each stage, at a rate or at one of each stage."""
        sizes = tuple(sizes[place] for sizes, place in zip(self.sizes, choice, strict=False))
        sized = self._sized(sizes if len(sizes) > 1 else sizes[0]) if sizes else self.paradigm
        return sized.at_rates(rates)

    def _sized(self, size: int | tuple[int, ...]) -> Paradigm:
        return self.paradigm.replace(**{self.paradigm.granularity_field or "": size})

    def fineness(self) -> list[Floats]:
        """Of each stage's choices: the finer, the more."""
        return [-np.log2(np.array(sizes, dtype=float)) for sizes in self.sizes or ((1,),) * self.stages]


def candidates_of(target: Any, wanted: Iterable[str | Paradigm] | None) -> tuple[list[Candidate], list[str]]:
    """Every paradigm that is wanted, by name or as it is, of those that a target has; and notes on those it has not.

    None wants all. Raises InputError for what is no paradigm, and where none is left of those that are wanted.
    """
    known: tuple[str, ...] = getattr(target, "paradigms", ())
    if isinstance(wanted, str | Paradigm) or not isinstance(wanted, Iterable | None):
        raise InputError(f'paradigms come in a list, as in ["spatial", "layer"], got {quoted(wanted)}')
    found, notes = dict[Candidate, None](), []
    for one in known if wanted is None else wanted:
        paradigm = _paradigm(one)
        parts = [target] if isinstance(paradigm, Width) else stages_of(target)
        # What cannot be narrowed says so itself.
        lacking = [part.name for part in paradigm.parts if part.name not in (*known, Width.name)]
        if lacking:
            notes.append(
                f"{paradigm.label} left out: {getattr(target, 'name', 'the target')} has no {lacking[0]} skipping"
            )
            continue
        to_choose = isinstance(one, str) and paradigm.granularity_field
        sizes = tuple(_granularities(part, paradigm.name) for part in parts) if to_choose else ()
        found[Candidate(paradigm, sizes, len(parts))] = None
    if wanted is not None and not found:
        raise InputError(f"{notes[0]}; choose {', '.join(known)}" if notes and known else "give a paradigm at least")
    return list(found), notes


def _paradigm(wanted: Any) -> Paradigm:
    if isinstance(wanted, str):
        if wanted not in NAMED:
            raise InputError(unknown("paradigm", wanted, NAMED))
        kind = NAMED[wanted]
        made: Paradigm = kind(r=1.0, **({kind.granularity_field: 1} if kind.granularity_field else {}))
        return made
    if not isinstance(wanted, Paradigm) or not wanted.parts:
        raise InputError(f"a paradigm is a name, or latpred.Spatial(S=4, r=1) and its like, not {quoted(wanted)}")
    return wanted.at_rates(1.0)


def _granularities(part: Any, paradigm: str) -> tuple[int, ...]:
    """Those of a block or stage; a network that is one part has a single stage."""
    return tuple((part.stage(1) if isinstance(part, PlacedNetwork) else part).granularities(paradigm))


def stages_of(target: Target) -> list[Any]:
    """The stages of a network of several as targets; anything else is one."""
    if not isinstance(target, PlacedNetwork) or len(target.blocks_per_stage) < 2:
        return [target]
    return [target.stage(number) for number in range(1, len(target.blocks_per_stage) + 1)]


@dataclass(frozen=True, eq=False)
class Table:
    """Latencies [s] of each stage's choices at each rate, (choices, rates, devices), and multiply-adds per image.

    What is outside the stages, a stem or a head, skips nothing and comes on top.
    """

    rates: Floats
    latency_s: list[Floats]
    macs: list[Floats]
    outside_s: Floats
    outside_macs: float

    @cached_property
    def fastest_s(self) -> Floats:
        """The least that any choice takes on each device at each rate, (rates, devices)."""
        return np.asarray(self.outside_s + sum(latency.min(axis=0) for latency in self.latency_s))

    def fastest(self, device: int) -> list[NDArray[np.int64]]:
        """The fastest choice of each stage on a device at each rate."""
        return [latency[..., device].argmin(axis=0) for latency in self.latency_s]

    def macs_of(self, choice: Sequence[NDArray[np.int64]]) -> Floats:
        """Multiply-adds per image of a choice of each stage at each rate."""
        places = np.arange(len(self.rates))
        return np.asarray(self.outside_macs + sum(macs[of, places] for macs, of in zip(self.macs, choice, strict=True)))


def table(question: Sequence[Asked], way: Candidate) -> Table | InputError:
    """The table of a candidate, the same target asked of each device; or why it cannot be predicted."""
    target = question[0].of
    rates = RATES[lowest_rate(target, way.paradigm) <= RATES]
    stages = stages_of(target) if way.stages > 1 else [target]
    try:
        curves = [
            [[curve(asked.about(stage), setting, rates) for setting in way.settings(number)] for asked in question]
            for number, stage in enumerate(stages)
        ]
    except InputError as problem:
        return problem
    outside = [[row for row in static_rows(asked) if row.block is None and len(stages) > 1] for asked in question]
    return Table(
        rates,
        [
            np.array([[one.latency_s for one in on_device] for on_device in of_stage]).transpose(1, 2, 0)
            for of_stage in curves
        ],
        [np.array([one.macs for one in of_stage[0]]) / question[0].batch for of_stage in curves],
        np.array([sum(row.latency_s for row in rows) for rows in outside]),
        sum(row.macs for row in outside[0]) / question[0].batch,
    )
