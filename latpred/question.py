"""What was asked: a target on a device by a cost model for a batch, as one record that travels with every answer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeAlias

from latpred.devices.catalogue import load_profile
from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.calibrated import check_ways
from latpred.models.interface import CostModel, check_static, cost_model
from latpred.records import whole_number
from latpred.wording import quoted, unknown
from latpred.workloads.blocks import Block
from latpred.workloads.catalogue import DynamicNetwork, load_target
from latpred.workloads.networks import NetworkStage, PlacedNetwork
from latpred.workloads.operators import Operator
from latpred.workloads.paradigms import Paradigm

Target: TypeAlias = Operator | Block | NetworkStage | PlacedNetwork
_TARGETS = (Operator, Block, NetworkStage, PlacedNetwork)

#: Libraries that run whole static networks; and what asks for the fastest of them.
STATIC_LIBRARIES, BEST = ("pytorch", "tensorrt"), "best"
#: A larger batch is a slip of the pen.
MOST_SAMPLES = 10**9


@dataclass(frozen=True)
class Asked:
    """A target, a device, a cost model on it, and how many samples are computed together."""

    of: Target
    profile: HardwareProfile
    cost_model: CostModel
    batch: int
    #: Libraries whose static networks the target is compared with, beside its own static form.
    rivals: tuple[CostModel, ...] = ()

    @property
    def target(self) -> str:
        """A network's or block's own name, an operator's type."""
        return type(self.of).__name__ if isinstance(self.of, Operator) else self.of.name

    @property
    def like(self) -> str | None:
        """Name of the device whose calibration the cost model takes; None where that is this one, or it takes none."""
        source = self.cost_model.fitted_on
        return None if source is None or source == self.profile else source.name

    @property
    def how(self) -> dict[str, Any]:
        """The keywords of `latpred.predict` that ask the same model again, the batch left out."""
        model = self.cost_model
        how = {"model": model.name, "precision": model.precision, "library": model.library}
        return how | ({"like": model.fitted_on} if self.like else {})

    def __reduce__(self) -> tuple[Any, ...]:
        """A question travels to another process as it was asked: a cost model holds functions."""
        return _ask_again, (self.of, self.profile, self.batch, self.how, [model.library for model in self.rivals])

    def about(self, target: Target) -> Asked:
        """The same question of another target."""
        return replace(self, of=target)

    def to_dict(self) -> dict[str, Any]:
        """Names and numbers: what every answer begins with in JSON and CSV."""
        model = self.cost_model
        about = {"target": self.target, "device": self.profile.name, "model": model.name, "batch": self.batch}
        return {**about, "precision": model.precision, "library": model.library, "like": self.like}


def ask(
    target: Target | str | Path,
    profile: HardwareProfile | str | Path,
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
    against: str | None = None,
) -> Asked:
    """The question, its names and paths made records.

    `against` is a library whose static network the target is compared with, or `best` for the fastest one known.

    Raises
    ------
    InputError
        No such target, device, model, precision, library or calibration, another kind of object, or a batch below 1.
    """
    of = named_target(target)
    if isinstance(profile, str | Path):
        profile = load_profile(profile)
    if not isinstance(profile, HardwareProfile):
        raise InputError(f"a device is a profile, a name or a path, not {quoted(profile)}")
    blocks = not isinstance(of, Operator)
    found = cost_model(model, profile, precision=precision, library=library, like=like, blocks=blocks)
    return Asked(of, profile, found, _batch(batch, profile), _rivals(against, profile, precision))


def each_device(profile: Any, most: int) -> list[Any]:
    """One device, or several in a list, of which no more than one beyond the `most` are looked at.

    Raises InputError for what is neither.
    """
    several = [profile] if isinstance(profile, str | Path | HardwareProfile) else profile
    if not isinstance(several, Iterable):
        raise InputError(f"a device is a profile, a name or a path, or several in a list, not {quoted(profile)}")
    return list(islice(several, most + 1))


def _rivals(against: str | None, profile: HardwareProfile, precision: str) -> tuple[CostModel, ...]:
    """The cost models of libraries of static networks; raises InputError for one that is not known on this device."""
    if against is None:
        return ()
    name, plus, ways = against.partition("+") if isinstance(against, str) else (against, "", "")
    if name not in (*STATIC_LIBRARIES, BEST):
        raise InputError(unknown("library of static networks", against, (*STATIC_LIBRARIES, BEST)))
    if plus:
        check_ways("pytorch" if name == BEST else name, ways.split("+"))
    found, problems = [], []
    for library in STATIC_LIBRARIES if name == BEST else (name,):
        how = library + (plus + ways if library == "pytorch" else "")
        try:
            model = cost_model("calibrated", profile, precision=precision, library=how, blocks=True)
            check_static(model)
            found.append(model)
        except InputError as problem:
            problems.append(problem)
    if not found:
        raise problems[0]
    return tuple(found)


def _ask_again(
    of: Target, profile: HardwareProfile, batch: int, how: dict[str, Any], libraries: Sequence[str]
) -> Asked:
    rivals = (_rivals(library, profile, how["precision"]) for library in libraries)
    return replace(ask(of, profile, batch=batch, **how), rivals=tuple(chain.from_iterable(rivals)))


def named_target(target: Any) -> Target:
    """The record of a target that is one, or a name or path; raises InputError for anything else."""
    if isinstance(target, str | Path):
        return load_target(target)
    if isinstance(target, DynamicNetwork):
        raise InputError("a preset is a network and what it skips: give its .network, and its .at_rates(r) as paradigm")
    if not isinstance(target, _TARGETS):
        raise InputError(f"a target is an operator, block, stage or network, a name or a path, not {quoted(target)}")
    return target


def checked_paradigm(paradigm: Any) -> Paradigm:
    """The paradigm itself; raises InputError for anything else."""
    if not isinstance(paradigm, Paradigm):
        raise InputError(f"a paradigm is one of latpred.Spatial(S=4, r=0.5) and its like, not {quoted(paradigm)}")
    return paradigm


def _batch(batch: Any, profile: HardwareProfile) -> int:
    """The batch, or the profile's default; raises InputError below 1."""
    return profile.default_batch if batch is None else whole_number(batch, "batch", 1, MOST_SAMPLES)


class Answer:
    """What every answer says of its question."""

    asked: Asked

    @property
    def target(self) -> str:
        """Name of what was predicted."""
        return self.asked.target

    @property
    def device(self) -> str:
        """Name of the device."""
        return self.asked.profile.name

    @property
    def model(self) -> str:
        """Name of the cost model."""
        return self.asked.cost_model.name

    @property
    def batch(self) -> int:
        """Samples computed together."""
        return self.asked.batch

    @property
    def precision(self) -> str:
        """fp32, tf32 or fp16."""
        return self.asked.cost_model.precision

    @property
    def library(self) -> str | None:
        """The library of kernels; None for a model that knows none."""
        return self.asked.cost_model.library

    @property
    def like(self) -> str | None:
        """The device whose calibration was carried over; None where none was."""
        return self.asked.like
