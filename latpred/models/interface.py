"""What a cost model answers, and the cost models there are.

A cost model is a module with `Machine.of(profile)`, which states a device in the model's own symbols, and
`cost(operator, machine, batch) -> Cost`. No cost model knows about blocks. A model with `KERNELS` predicts the kernels
of `latpred.measuring.gpu`, block by block, and knows precisions and libraries.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from latpred.devices.calibration import Calibration
from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.tiling import Numbers
from latpred.precision import PRECISIONS, element_bytes
from latpred.workloads.densities import ROUNDING_GUARD, whole_samples
from latpred.workloads.operators import Operator

#: Cost models by name; each is the module of that name.
MODELS = ("published", "roofline", "calibrated")


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


@dataclass(frozen=True)
class CostModel:
    """A cost model on a device: (operator, batch) → Cost."""

    name: str
    function: Callable[..., Cost]
    machine: Any
    precision: str
    #: Whether blocks are lowered to the kernels of `latpred.measuring.gpu`, which do not compute samples that skip.
    kernels: bool

    @property
    def calibration(self) -> Calibration | None:
        """The fitted numbers that the model takes; None for a model without any."""
        return getattr(self.machine, "calibration", None)

    @property
    def library(self) -> str | None:
        """The library of kernels that the model predicts; None for a model that knows none."""
        return self.calibration.library if self.calibration else None

    def bytes(self, operator: Operator, batch: int) -> Numbers:
        """Least off-chip traffic of one operator for the whole batch [bytes], every element in the precision."""
        traffic: Numbers = operator.elements(batch) * float(element_bytes(self.precision))
        return traffic

    def __call__(self, operator: Operator, batch: int) -> Cost:
        """One operator on its own, for the whole batch."""
        return self.function(operator, self.machine, batch)

    def step(self, operator: Operator, batch: int, executions: Numbers, *, chained: bool = True) -> Cost:
        """One operator of several, which runs for the share `executions` of the samples.

        The published evaluation takes that share of its time. The kernels gather the samples: the mean over batches
        of whole samples whose numbers average executions·batch.
        """
        if not self.kernels:
            return _weighted([(executions, self(operator, batch))])
        samples = np.asarray(executions) * batch
        (_, low), (upper, _) = parts = whole_samples(samples)
        if np.all(upper < ROUNDING_GUARD) and np.all(low == batch):
            return self.function(operator, self.machine, batch, chained=chained)
        return _weighted(
            [
                (weight, self.function(operator, self.machine, np.maximum(n, 1.0), chained=chained))
                for weight, n in parts
            ]
        )


def _weighted(parts: list[tuple[Numbers, Cost]]) -> Cost:
    """The weighted sum of costs, without their tiles."""
    return Cost(*(sum(weight * cost[field] for weight, cost in parts) for field in range(5)))


def cost_model(
    name: str, profile: HardwareProfile, *, precision: str = "fp32", library: str | None = None
) -> CostModel:
    """The cost model `name` on a device.

    Raises
    ------
    InputError
        An unknown name, or a precision or library that the model does not have on this device.
    """
    if name not in MODELS:
        raise InputError(f"unknown cost model {name!r}; choose {', '.join(MODELS)}")
    if precision not in PRECISIONS:
        raise InputError(f"unknown precision {precision!r}; choose {', '.join(PRECISIONS)}")
    if name == "published" and precision != "fp32":
        raise InputError(
            f"the published model knows FP32 only, not {precision}; use the roofline, or the calibrated model "
            f"({profile.name}: {profile.calibrated_for or 'not calibrated'})"
        )
    if name != "calibrated" and library is not None:
        raise InputError(f"the {name} model knows no kernel libraries; leave the library out")
    module = import_module(f"latpred.models.{name}")
    if name == "published":
        machine = module.Machine.of(profile)
    elif name == "roofline":
        machine = module.Machine.of(profile, precision)
    else:
        machine = module.Machine.of(profile, precision, library)
    return CostModel(name, module.cost, machine, precision, kernels=getattr(module, "KERNELS", False))


def fill_model(name: str, profile: HardwareProfile) -> Callable[[Operator, int], Fill | None]:
    """(operator, batch) → how full the engines are; None for a cost model, or an operator, without tiles."""
    module = import_module(f"latpred.models.{name}")
    if not hasattr(module, "fill"):
        return lambda operator, batch: None
    machine = module.Machine.of(profile)
    return lambda operator, batch: module.fill(operator, machine, batch)


def unsupported(model: str, operator: Operator, known: str) -> InputError:
    """The error of a cost model that has no equation for an operator; `known` says what it has, and what to use."""
    return InputError(f"the {model} model has no equation for {type(operator).__name__}: it knows {known}")
