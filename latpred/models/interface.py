"""What a cost model answers, and the cost models there are.

A cost model on a device turns an operator into a cost. It knows nothing of blocks, and says in which form they are
lowered for it. Operators may be stacks with arrays of sizes and rates; every time is then an array.
"""

from __future__ import annotations

from importlib import import_module
from os import PathLike
from typing import Any, ClassVar, NamedTuple

import numpy as np

from latpred.devices.calibration import Calibration
from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.tiling import Numbers
from latpred.precision import element_bytes, known_precision
from latpred.wording import unknown
from latpred.workloads.densities import whole_samples
from latpred.workloads.lowering import Form
from latpred.workloads.operators import Operator

#: How sharply the slower one of host and device decides.
SHARPNESS = 4


class Tiling(NamedTuple):
    """How a kernel is cut: the edges of the tile that was chosen.

    `extents` are cut into `edges`, and `parallel` multiply-adds of a tile run side by side; None where the tiles do not
    cover the operator. `used` is the share of the tiles' work that is wanted.
    """

    tile: tuple[Numbers, ...]
    extents: tuple[int, ...] | None
    edges: tuple[Numbers, ...]
    parallel: Numbers
    used: Numbers = 1.0


class Cost(NamedTuple):
    """Time of one operator for the whole batch [s]; numbers, or arrays where the operator has several rates or sizes.

    `l2_s` is the part of `memory_s` that is spent between L2 and the engines; the rest is off-chip.
    """

    compute_s: Numbers
    memory_s: Numbers
    launch_s: Numbers
    latency_s: Numbers
    l2_s: Numbers = 0.0
    tiling: Tiling | None = None

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


class CostModel:
    """A cost model on a device."""

    #: As it is asked for.
    name: ClassVar[str]
    #: How blocks are lowered for it.
    form: Form
    #: What the host takes to call an operator of several while the device works [s]; 0 where nothing is called. And the
    #: least and most of 80 % of hosts over that.
    host_s: float = 0.0
    host_band: tuple[float, float] = (1.0, 1.0)

    def __init__(self, profile: HardwareProfile, precision: str, library: str | None) -> None:
        """Raises InputError for a precision or a library that the model does not have on this device."""
        self.precision = precision
        #: The library of kernels that is predicted; None for a model that knows none.
        self.library = library

    @property
    def key(self) -> tuple[Any, ...]:
        """What tells its answers from those of other models."""
        return self.name, self.precision

    def __eq__(self, other: object) -> bool:
        """Whether all answers are the same."""
        return isinstance(other, CostModel) and self.key == other.key

    def __hash__(self) -> int:
        """By `key`."""
        return hash(self.key)

    @property
    def calibration(self) -> Calibration | None:
        """The fitted numbers that the model takes; None for a model without any."""
        return None

    @property
    def fitted_on(self) -> HardwareProfile | None:
        """The device of those numbers; None for a model without any."""
        return None

    @property
    def spread(self) -> float:
        """What it adds to the half-width of a band, in logarithms, that its numbers are those of another device."""
        return 0.0

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of what it takes the device to be."""
        return ()

    @property
    def about(self) -> str:
        """What is known about the error of the model, in a line."""
        raise NotImplementedError

    def cost(self, operator: Operator, batch: Numbers, *, chained: bool = False) -> Cost:
        """One operator or a stack of them for the whole batch; `chained` where other kernels run before it.

        Raises InputError for an operator that the model has no equation for.
        """
        raise NotImplementedError

    def fill(self, cost: Cost) -> Fill | None:
        """How full the engines are at the tile of a cost; None where there is no one tile."""
        return None

    def bytes(self, operator: Operator, batch: int) -> Numbers:
        """Least off-chip traffic of one operator for the whole batch [bytes], every element in the precision."""
        traffic: Numbers = operator.elements(batch) * float(element_bytes(self.precision))
        return traffic

    def wait_s(self, device_s: Numbers, calls: Numbers) -> Numbers:
        """What the device waits in all for a host that calls so many operators [s].

        Calls queue up, so that the slower one decides; where both take as long, each waits for the other at times:
        (device⁴ + host⁴)^(1/4), which is the mean of 30 networks at three batches on an H200.
        """
        return (device_s**SHARPNESS + (calls * self.host_s) ** SHARPNESS) ** (1 / SHARPNESS) - device_s

    def step(self, operator: Operator, batch: int, executions: Numbers, *, chained: bool) -> Cost:
        """One operator of several, which runs for the share `executions` of the samples.

        The published evaluation takes that share of its time. Kernels that gather the samples are asked for whole ones:
        the mean over batches of whole samples whose numbers average executions·batch.
        """
        if not self.form.gathers_samples:
            return _weighted([(executions, self.cost(operator, batch, chained=chained))])
        parts = whole_samples(np.asarray(executions) * batch)
        if np.all(parts[0][1] == batch):
            return self.cost(operator, batch, chained=chained)
        return _weighted([(weight, self.cost(operator, n, chained=chained)) for weight, n in parts])


def _weighted(parts: list[tuple[Numbers, Cost]]) -> Cost:
    """The weighted sum of costs, without their tiles."""
    return Cost(*(sum(weight * cost[field] for weight, cost in parts) for field in range(5)))


#: Cost models by name, and the class of each; loaded when asked for.
_CLASSES = {
    "published": ("latpred.models.published", "Published"),
    "roofline": ("latpred.models.roofline", "Roofline"),
    "calibrated": ("latpred.models.calibrated", "Calibrated"),
}
MODELS = tuple(_CLASSES)


def cost_model(
    name: str,
    profile: HardwareProfile,
    *,
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | PathLike[str] | None = None,
    blocks: bool = False,
) -> CostModel:
    """The cost model `name` on a device.

    The calibrated one takes the calibration of the device `like`, where that is given. Without a library, `blocks` asks
    for one that has the kernels of whole blocks, where there is any.

    Raises
    ------
    InputError
        An unknown name, or a precision, library or other device that the model does not have on this device.
    """
    if not isinstance(name, str) or name not in MODELS:
        raise InputError(unknown("cost model", name, MODELS))
    known_precision(precision)
    module, kind = _CLASSES[name]
    settings: dict[str, Any] = {"like": like, "blocks": blocks} if name == "calibrated" else {}
    if like is not None and not settings:
        raise InputError(f"the {name} model takes no calibration; leave `like` out, or use the calibrated model")
    model: CostModel = getattr(import_module(module), kind)(profile, precision, library, **settings)
    return model


def unsupported(model: str, operator: Operator, known: str) -> InputError:
    """The error of a cost model that has no equation for an operator; `known` says what it has, and what to use."""
    return InputError(f"the {model} model has no equation for {type(operator).__name__}: it knows {known}")


def check_dynamic(model: CostModel) -> None:
    """Raise InputError for a library of static networks: nothing can skip there."""
    if model.form.is_static:
        raise InputError(
            f"{model.library} has no kernels of dynamic networks, triton has: leave the paradigm out, or take triton"
        )


def check_static(model: CostModel) -> None:
    """Raise InputError for a library that runs no whole networks."""
    if not model.form.is_static:
        of = f"{model.fitted_on.name} has {model.precision} with {model.library} for" if model.fitted_on else "it has"
        raise InputError(f"no whole network to compare with: {of} operators or blocks alone; leave against out")


def refuse_library(model: str, library: str | None) -> None:
    """Raise InputError where a model that knows no kernel libraries is asked for one."""
    if library is not None:
        raise InputError(f"the {model} model knows no kernel libraries; leave the library out")


def check_known(model: str, operator: Any, fields: dict[str, str]) -> None:
    """Raise InputError for a setting of an operator that the model does not heed; `fields` say what to do instead."""
    defaults = {field: kind.default for field, kind in operator.__dataclass_fields__.items()}
    for field, instead in fields.items():
        if field in defaults and getattr(operator, field) != defaults[field]:
            raise InputError(f"the {model} model does not heed {field} of {type(operator).__name__}: {instead}")
