"""What a cost model answers, and the cost models there are.

A cost model is a module with `Machine.of(profile)`, which states a device in the model's own symbols, and
`cost(operator, machine, batch) -> Cost`. No cost model knows about blocks.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import NamedTuple

import numpy as np

from latpred.errors import InputError
from latpred.operators import Operator
from latpred.profile import HardwareProfile
from latpred.tiling import Numbers

#: Cost models by name; each is the module of that name.
MODELS = ("published", "roofline")

CostFunction = Callable[[Operator, int], "Cost"]


class Cost(NamedTuple):
    """Time of one operator for the whole batch [s]; numbers, or arrays where the operator has several rates.

    `l2_s` is the part of `memory_s` that is spent between L2 and the engines; the rest is off-chip.
    """

    compute_s: Numbers
    memory_s: Numbers
    launch_s: Numbers
    latency_s: Numbers
    l2_s: Numbers = 0.0
    tile: tuple[Numbers, ...] | None = None

    def then(self, other: Cost) -> Cost:
        """Two kernels in a row."""
        return Cost(*(a + b for a, b in zip(self[:5], other[:5], strict=True)))

    def or_cheaper(self, other: Cost) -> Cost:
        """This, or `other` wherever that is faster."""
        faster = other.latency_s < self.latency_s
        if np.ndim(faster) == 0:
            return other if faster else self
        return Cost(*(np.where(faster, b, a) for a, b in zip(self[:5], other[:5], strict=True)))


class Fill(NamedTuple):
    """How full a kernel keeps the engines, as shares: of its tiles, of its waves, of the lanes."""

    tile: float
    wave: float
    lane: float


def cost_model(name: str, profile: HardwareProfile) -> CostFunction:
    """The cost model `name` on a device: (operator, batch) → Cost. Raises InputError for an unknown name."""
    if name not in MODELS:
        raise InputError(f"unknown cost model {name!r}; choose {', '.join(MODELS)}")
    module = import_module(f"latpred.{name}")
    machine = module.Machine.of(profile)
    return partial(_ask, module.cost, machine)


def fill_model(name: str, profile: HardwareProfile) -> Callable[[Operator, int], Fill | None]:
    """(operator, batch) → how full the engines are; None for a cost model, or an operator, without tiles."""
    module = import_module(f"latpred.{name}")
    if not hasattr(module, "fill"):
        return lambda operator, batch: None
    machine = module.Machine.of(profile)
    return lambda operator, batch: module.fill(operator, machine, batch)


def _ask(cost: Callable[..., Cost], machine: object, operator: Operator, batch: int) -> Cost:
    return cost(operator, machine, batch)


def unsupported(model: str, operator: Operator) -> InputError:
    """The error of a cost model that has no equation for an operator."""
    return InputError(f"the {model} model has no equation for {type(operator).__name__}")
