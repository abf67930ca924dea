"""Paradigms side by side at equal multiply-adds: the same saving on paper, different milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.interface import check_dynamic
from latpred.notebook import Shown
from latpred.prediction import STATIC, Curve, break_even_of, curve, highest_rate, lowest_rate
from latpred.question import Answer, Asked, ask, checked_paradigm
from latpred.records import one_number
from latpred.studies.recommendation import recommended
from latpred.units import seconds
from latpred.wording import quoted
from latpred.workloads.catalogue import AnyNetwork, presets_on
from latpred.workloads.networks import PlacedNetwork
from latpred.workloads.operators import Operator
from latpred.workloads.paradigms import SINGLE, Channel, Paradigm, Spatial

if TYPE_CHECKING:
    import pandas

#: The spatial candidate of a comparison has the granularity that is recommended at this rate.
RECOMMENDED_AT = 0.6
#: Channels per group of the channel candidate, the papers' choice.
CHANNELS_PER_GROUP = 2
_RATE_WIDTH = 1e-7


@dataclass(frozen=True, repr=False)
class Comparison(Answer, Shown):
    """A paradigm at the rate where its multiply-adds are the target's share of the static ones.

    `r` and what follows from it are None where no rate reaches the target, and where the paradigm does not fit the
    network or the model's kernels, as `note` then says; latencies are for the whole batch [s].
    """

    asked: Asked
    name: str
    paradigm: str
    target_macs: float
    r: float | None
    macs_ratio: float | None
    latency_s: float | None
    static_latency_s: float
    ratio: float | None
    break_even_rate: float | None
    note: str | None

    @property
    def summary(self) -> str:
        """The paradigm, the rate that reaches the multiply-adds, and what it takes there."""
        about = f"{self.name} of {self.target} on {self.device}, batch {self.batch}"
        if self.r is None or self.latency_s is None or self.ratio is None:
            return f"{about}: {self.note or 'the multiply-adds are not reached'}"
        return f"{about}: r = {self.r:.3f}, {seconds(self.latency_s)}, {self.ratio:.3f} of static"

    def to_frame(self) -> pandas.DataFrame:
        """One row; `pandas.concat` joins those of several."""
        import pandas

        return pandas.DataFrame([self.to_dict()])

    def to_dict(self) -> dict[str, Any]:
        """The question and all fields."""
        return {**self.asked.to_dict(), **{field.name: getattr(self, field.name) for field in fields(self)[1:]}}


def candidates(asked: Asked) -> dict[str, Paradigm]:
    """What there is to compare for a network: its paradigms and the published methods on it, equal ones together."""
    names = {paradigm: [paradigm.name] for paradigm in one_of_each(asked)}
    for preset in presets_on(asked.target):
        names.setdefault(preset.paradigm, []).append(preset.method)
    return {", ".join(same): paradigm for paradigm, same in names.items()}


def one_of_each(asked: Asked) -> list[Paradigm]:
    """The paradigms that a target can skip by, at rate 1; spatial with the recommended S, or with each of a block."""
    target, found = asked.of, list[Paradigm]()
    for name in () if isinstance(target, Operator) else target.paradigms:
        if name == "spatial":
            found += [Spatial(S=S, r=1.0) for S in _patch_edges(asked)]
        elif name == "channel":
            G = [CHANNELS_PER_GROUP] * len(target.maps) if isinstance(target, PlacedNetwork) else CHANNELS_PER_GROUP
            found.append(Channel(G=G, r=1.0))
        else:
            found.append(SINGLE[name](r=1.0))
    return found


def _patch_edges(asked: Asked) -> list[Any]:
    target: Any = asked.of
    if isinstance(target, PlacedNetwork):
        return [recommended(asked, RECOMMENDED_AT).S]
    return list(target.granularities("spatial"))


def compare(
    network: AnyNetwork | str | Path,
    profile: HardwareProfile | str | Path,
    target_macs: float,
    paradigms: Mapping[str, Paradigm] | None = None,
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
) -> list[Comparison]:
    """Every paradigm at the rate, common to its parts and blocks, where MACs over static MACs reach `target_macs`.

    Parameters
    ----------
    target_macs
        Multiply-adds over those of the static network, in (0, 1].
    paradigms
        By name; None takes `candidates`.

    Raises
    ------
    InputError
        A target outside (0, 1], a network that cannot skip, or any error of `latpred.predict` for the static network. A
        paradigm that cannot be predicted is a row with a note.
    """
    target_macs = one_number(target_macs, "target-macs")
    if not 0 < target_macs <= 1:
        raise InputError(f"target-macs must be greater than 0 and at most 1, got {target_macs:g}")
    asked = ask(network, profile, batch=batch, model=model, precision=precision, library=library, like=like)
    check_dynamic(asked.cost_model)
    if paradigms is None:
        paradigms = candidates(asked)
        if not paradigms:
            raise InputError(f"{asked.target} is static: nothing of it can be skipped, and there is nothing to compare")
    if not isinstance(paradigms, Mapping):
        raise InputError(f'paradigms come by name, as in {{"fine": Spatial(S=1, r=1)}}, got {quoted(paradigms)}')
    for paradigm in paradigms.values():
        checked_paradigm(paradigm)
    static = curve(asked, STATIC)
    rows = []
    for name, paradigm in paradigms.items():
        r = macs = latency = break_even = note = None
        try:
            r = rate_for_macs(asked, paradigm, target_macs)
            if r is not None:
                found = curve(asked, paradigm, np.array([r]))
                macs, latency = float(found.macs[0]), float(found.latency_s[0])
            break_even = break_even_of(asked, paradigm)
        except InputError as error:
            note = str(error)
        rows.append(
            Comparison(
                asked=asked,
                name=name,
                paradigm=paradigm.text(rates=False),
                target_macs=target_macs,
                r=r,
                macs_ratio=None if macs is None else macs / static.static_macs,
                latency_s=latency,
                static_latency_s=static.static_latency_s,
                ratio=None if latency is None else latency / static.static_latency_s,
                break_even_rate=break_even,
                note=note,
            )
        )
    return rows


def rate_for_macs(asked: Asked, paradigm: Paradigm, target_macs: float) -> float | None:
    """The highest rate whose MACs are at most the target's share; None if even the lowest rate has more.

    Patches and heads come in whole numbers, so the target may not be met exactly.
    """

    def fits(found: Curve) -> NDArray[np.bool_]:
        return found.macs <= target_macs * found.static_macs

    return highest_rate(asked, paradigm, fits, _RATE_WIDTH)


def curves(
    asked: Asked, paradigms: dict[str, Paradigm], rates: Iterable[float]
) -> dict[str, tuple[list[float], list[float]]]:
    """MACs over static MACs, and latency per image [s], of each paradigm over rates and of the static network."""
    lines = {}
    for name, paradigm in paradigms.items():
        lowest = lowest_rate(asked.of, paradigm)
        found = curve(asked, paradigm, np.array([rate for rate in rates if rate >= lowest]))
        lines[name] = ((found.macs / found.static_macs).tolist(), (found.latency_s / asked.batch).tolist())
    lines["static"] = ([1.0], [curve(asked, STATIC).static_latency_s / asked.batch])
    return lines
