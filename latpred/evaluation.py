"""Lowered steps costed at any rates: steps of one kind stand in a stack, and a stack is one call of the cost model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latpred.models.interface import Cost, CostModel
from latpred.workloads import operators as op
from latpred.workloads.lowering import Form, Step
from latpred.workloads.operators import Share

Floats = NDArray[np.float64]
#: Rates of each part of a paradigm by its name, shape (settings, columns): a column for all blocks, or one per block.
Rates = Mapping[str, Floats]


class Figures(NamedTuple):
    """Times [s], multiply-adds on paper and least bytes of every step for the whole batch, (settings, steps) each."""

    executions: Floats
    compute_s: Floats
    memory_s: Floats
    launch_s: Floats
    latency_s: Floats
    l2_s: Floats
    macs: Floats
    bytes: Floats


@dataclass(frozen=True, eq=False)
class Group:
    """Steps of one kind: a stack of operators, what of them is on paper, and the column of rates that each heeds."""

    operator: op.Operator
    on_paper: op.Operator
    executions: float | Share
    omitted: bool
    columns: NDArray[np.int64]

    @cached_property
    def is_open(self) -> bool:
        """Whether the operators have rates that are not known yet."""
        return op.is_open(self.operator)

    @cached_property
    def heeds_rates(self) -> bool:
        """Whether any figure depends on rates that are not known yet."""
        return self.is_open or op.is_open(self.on_paper) or isinstance(self.executions, Share)


@dataclass(frozen=True, eq=False)
class Plan:
    """The steps of a lowered target in groups; `places` says where each step stands among all groups' operators.

    Equal steps stand there once, `counts` says how many steps each is.
    """

    steps: tuple[Step, ...]
    notes: tuple[str, ...]
    groups: tuple[Group, ...]
    places: NDArray[np.int64]
    counts: NDArray[np.int64]

    def figures(self, model: CostModel, batch: int, rates: Rates) -> Figures:
        """The figures of every distinct step at each setting of the rates; `places` leads from steps to them."""
        settings = max((len(values) for values in rates.values()), default=1)
        chained = len(self.steps) > 1
        parts = [
            _figures(group, model, batch, rates, settings, chained)
            if group.heeds_rates
            else _repeated(_same_figures(group, model, batch, chained), settings)
            for group in self.groups
        ]
        found = Figures(*np.concatenate(parts, axis=-1))
        return self._waiting(found, model) if chained and model.host_s else found

    def _waiting(self, found: Figures, model: CostModel) -> Figures:
        """With what the device waits for the host, to which all calls are alike."""
        device, calls = ((of * self.counts).sum(axis=-1, keepdims=True) for of in (found.latency_s, found.executions))
        wait = model.wait_s(device, calls) / calls * found.executions
        return found._replace(launch_s=found.launch_s + wait, latency_s=found.latency_s + wait)

    def sums(self, model: CostModel, batch: int, rates: Rates) -> tuple[Floats, Floats]:
        """Latency [s] and multiply-adds of all steps, of shape (settings,) each."""
        found = self.figures(model, batch, rates)
        # No matrix product: the sum of a setting must not depend on how many stand beside it.
        return (found.latency_s * self.counts).sum(axis=-1), (found.macs * self.counts).sum(axis=-1)


def plan(steps: Sequence[Step], notes: Sequence[str], *, per_block: bool) -> Plan:
    """The plan of lowered steps: with a column of rates for each block, or with one for all."""
    numbers: dict[Any, int] = {}
    distinct: list[tuple[Step, int]] = []
    places = []
    for step in steps:
        column = step.block - 1 if per_block and step.block else 0
        heeds = isinstance(step.executions, Share) or op.is_open(step.operator)
        key = (step.operator, step.executions, step.on_paper, step.omitted, column if heeds else 0)
        if key not in numbers:
            numbers[key] = len(distinct)
            distinct.append((step, column if heeds else 0))
        places.append(numbers[key])
    kinds: dict[Any, list[int]] = defaultdict(list)
    for number, (step, _) in enumerate(distinct):
        kinds[_kind(step)].append(number)
    order = [number for members in kinds.values() for number in members]
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    where = rank[np.array(places, dtype=np.int64)]
    groups = tuple(_group([distinct[number] for number in members]) for members in kinds.values())
    return Plan(tuple(steps), tuple(notes), groups, where, np.bincount(where, minlength=len(order)))


def _kind(step: Step) -> tuple[Any, ...]:
    """What steps of one stack have in common."""
    return step.executions, step.omitted, _operator_kind(step.operator), _operator_kind(step.on_paper or step.operator)


def _operator_kind(operator: op.Operator) -> tuple[Any, ...]:
    rates = tuple(getattr(operator, name) for name in op.rate_fields(type(operator)))
    return type(operator), rates, getattr(operator, "channel_group", None)


def _group(members: list[tuple[Step, int]]) -> Group:
    steps, columns = zip(*members, strict=True)
    operators = op.stack([step.operator for step in steps])
    differ = any(step.on_paper for step in steps)
    on_paper = op.stack([step.on_paper or step.operator for step in steps]) if differ else operators
    return Group(operators, on_paper, steps[0].executions, steps[0].omitted, np.array(columns))


def _figures(group: Group, model: CostModel, batch: int, rates: Rates, settings: int, chained: bool) -> Floats:
    """`Figures` as one array, (fields, settings, operators)."""
    known = {part: _by_operator(values, group.columns, settings) for part, values in rates.items()}
    share: Any = group.executions.at(known) if isinstance(group.executions, Share) else group.executions
    operator = op.with_rates(group.operator, known)
    on_paper = operator if group.on_paper is group.operator else op.with_rates(group.on_paper, known)
    if group.omitted:
        times: Sequence[Any] = (0.0,) * 5
    elif group.is_open or (isinstance(group.executions, Share) and model.form.gathers_samples):
        times = model.step(operator, batch, share, chained=chained)[:5]
    else:
        fixed = (_fixed if group.heeds_rates else _ask)(model, group, batch, chained)[:5]
        times = fixed if isinstance(share, float) and share == 1.0 else [share * time for time in fixed]
    moved = 0.0 if group.omitted else share * model.bytes(operator, batch)
    figures = (share, *times, share * on_paper.macs(batch), moved)
    whole = np.empty((len(figures), settings, len(group.columns)))
    for place, values in enumerate(figures):
        whole[place] = values
    return whole


def _by_operator(values: Floats, columns: NDArray[np.int64], settings: int) -> Floats:
    """The rates of one part that the operators of a group heed, (settings, operators)."""
    own = values[:, columns] if values.shape[1] > 1 else values
    wanted = (settings, len(columns))
    return own if own.shape == wanted else np.broadcast_to(own, wanted)


@lru_cache(maxsize=4096)
def _same_figures(group: Group, model: CostModel, batch: int, chained: bool) -> Floats:
    """Those of operators that no rate moves, (fields, 1, operators); asked once."""
    return _figures(group, model, batch, {}, 1, chained)


def _repeated(figures: Floats, settings: int) -> Floats:
    return np.broadcast_to(figures, (len(figures), settings, figures.shape[-1]))


def _ask(model: CostModel, group: Group, batch: int, chained: bool) -> Cost:
    """What operators cost whose rates are known."""
    return model.step(group.operator, batch, 1.0, chained=chained)


#: Asked once; where nothing else moves with the rates, that is once anyway.
_fixed = lru_cache(maxsize=4096)(_ask)


__all__ = ["Figures", "Form", "Plan", "plan"]
