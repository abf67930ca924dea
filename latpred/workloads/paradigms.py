"""What a dynamic network skips: pixels, channels, layers; tokens and heads of transformers; or several of these.

Each setting is one number, or a sequence: `S`, `G` one number per stage of a network; `r` one per stage or per block.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from latpred.errors import InputError
from latpred.records import Count, Plain, Rate, Record
from latpred.workloads.lowering.skipping import Fusion

#: One granularity, or one per stage.
Granularity = Annotated[Count | tuple[Count, ...], Plain]

#: Longer sequences are spelled as their range.
MOST_SPELLED = 6

P = TypeVar("P", bound="Paradigm")
#: Settings that may be sequences.
_SETTINGS = ("S", "G", "r")
#: Fields that are rates.
RATES = ("r", "attention_r", "mlp_r")


class Paradigm(Record):
    """What is skipped, how finely and how often."""

    name: ClassVar[str]
    #: The field that holds the granularity, if there is one.
    granularity_field: ClassVar[str | None] = None

    @property
    def label(self) -> str:
        """The name; of a joint paradigm its parts' names."""
        return self.name

    @property
    def parts(self) -> tuple[Paradigm, ...]:
        """The paradigms that are on."""
        return (self,)

    @property
    def granularity(self) -> Any:
        """The granularity's value, None where the paradigm has none."""
        return getattr(self, self.granularity_field) if self.granularity_field else None

    @property
    def rate(self) -> Any:
        """The activation rate r; None where there is none, or more than one."""
        return getattr(self, "r", None)

    def at_rates(self: P, rates: tuple[float, ...] | float) -> P:
        """The same paradigm at one other rate, or at several at once: every figure is then an array."""
        return self.replace(r=rates) if "r" in type(self).model_fields else self

    def for_block(self: P, stage: int, block: int, blocks_per_stage: Sequence[int]) -> P:
        """The paradigm as one block of a network sees it; `stage` and `block` (in the network) count from 0."""
        changes: dict[str, Any] = {}
        for field in _SETTINGS:
            value = getattr(self, field, None)
            if isinstance(value, tuple):
                changes[field] = _pick(field, value, stage, block, blocks_per_stage)
        return self.replace(**changes) if changes else self

    def rates(self, blocks_per_stage: Sequence[int]) -> dict[str, NDArray[np.float64]]:
        """The rate of every part by its name: of shape (1,) where all blocks have it in common, else (blocks,).

        Raises InputError for another number of rates than there are stages or blocks.
        """
        found = {}
        for part in self.parts:
            rates = np.atleast_1d(np.asarray(part.rate, dtype=float))
            if isinstance(part.rate, tuple):
                _check_length("r", part.rate, blocks_per_stage)
                rates = np.repeat(rates, blocks_per_stage) if len(rates) == len(blocks_per_stage) else rates
            found[part.name] = rates
        return found

    def skipping(self) -> dict[str, Any]:
        """The fields of `Skipping` that this paradigm sets for one block; settings must be single values by now."""
        return {}

    def require_single(self, target: str) -> None:
        """Raise InputError where a sequence is given for a target that has no stages."""
        for field in _SETTINGS:
            if isinstance(getattr(self, field, None), tuple):
                raise InputError(f"{target} takes one {field}, not a list; lists are for networks")

    def to_dict(self) -> dict[str, Any]:
        """The name and the settings, sequences as lists."""
        settings = {key: list(value) if isinstance(value, tuple) else value for key, value in self if value is not None}
        return {"name": self.label, **settings}

    def __str__(self) -> str:
        """As a reader would write it, `spatial(S=4-4-2-1, r=0.5)`."""
        return self.text()

    def text(self, *, rates: bool = True) -> str:
        """As a reader would write it, with or without the rates."""
        settings = self.settings_text(leave_out=() if rates else RATES)
        return f"{self.name}({settings})" if settings else self.name

    def settings_text(self, *, leave_out: Collection[str] = (), whole: bool = False) -> str:
        """The settings that are not the default ones, `S=4-4-2-1, r=0.5`; `whole` shortens no sequence and no rate."""
        fields = type(self).model_fields
        shown = [(key, value) for key, value in self if value != fields[key].default and key not in leave_out]
        return ", ".join(f"{key}={spelled(value, whole=whole)}" for key, value in shown)


def spelled(value: Any, *, whole: bool = False) -> str:
    """A setting as text; sequences as in `4-4-2-1`, long ones as their range unless the `whole` is wanted.

    >>> spelled((8, 4, 7, 1)), spelled((0.25,) * 15 + (0.5,)), spelled(0.123456), spelled(0.123456, whole=True)
    ('8-4-7-1', '0.25…0.5', '0.1235', '0.123456')
    """
    if isinstance(value, tuple) and len(value) > MOST_SPELLED and not whole:
        return f"{spelled(min(value))}…{spelled(max(value))}"
    if isinstance(value, tuple):
        return "-".join(spelled(item, whole=whole) for item in value)
    return f"{value:.{12 if whole else 4}g}" if isinstance(value, float) else str(value)


def _pick(field: str, values: tuple[Any, ...], stage: int, block: int, blocks_per_stage: Sequence[int]) -> Any:
    _check_length(field, values, blocks_per_stage)
    return values[stage] if len(values) == len(blocks_per_stage) else values[block]


def _check_length(field: str, values: tuple[Any, ...], blocks_per_stage: Sequence[int]) -> None:
    stages, blocks = len(blocks_per_stage), sum(blocks_per_stage)
    if len(values) != stages and not (field == "r" and len(values) == blocks):
        per_block = f", {stages} (per stage) or {blocks} (per block)" if field == "r" else f", or {stages} (per stage)"
        raise InputError(f"{field} has {len(values)} values; give one{per_block}")


def _single(value: int | tuple[int, ...]) -> int:
    if isinstance(value, tuple):
        raise InputError(f"a block takes one granularity, not {spelled(value)}")
    return value


class Static(Paradigm):
    """Everything is computed."""

    name = "static"

    @property
    def parts(self) -> tuple[Paradigm, ...]:
        """None."""
        return ()


class Spatial(Paradigm):
    """Patches of `S` × `S` pixels of a block's output map are computed with rate `r`.

    `unfuse` names operations that run as kernels of their own: the masker, the gather, the scatter.
    """

    name = "spatial"
    granularity_field = "S"
    positional = ("S", "r")

    S: Granularity
    r: Rate
    unfuse: Annotated[tuple[Fusion, ...], Plain] = ()

    def skipping(self) -> dict[str, Any]:
        """S, r and what is not fused."""
        return {"S": _single(self.S), "patch_rate": self.r, "unfuse": self.unfuse}


class Channel(Paradigm):
    """Groups of `G` channels of a block's two inner maps are computed with rate `r`.

    The masker has one fully connected layer or two; `scaled` multiplies the channels that are kept by the masker's
    own numbers.
    """

    name = "channel"
    granularity_field = "G"
    positional = ("G", "r")

    G: Granularity = 1
    r: Rate
    masker_layers: Literal[1, 2] = 2
    scaled: bool = False

    def skipping(self) -> dict[str, Any]:
        """G, r and the masker."""
        settings = {"masker_layers": self.masker_layers, "scaled": self.scaled}
        return {"G": _single(self.G), "channel_rate": self.r, **settings}


class Layer(Paradigm):
    """A block is executed with rate `r`; a transformer's two halves at `attention_r` and `mlp_r`, or both at `r`.

    The decision is fused into the block's first convolution, or made by a `pooled` masker: a global average pool and
    two fully connected layers with `hidden` units between them.
    """

    name = "layer"
    positional = ("r",)

    r: Rate | None = None
    attention_r: Rate | None = None
    mlp_r: Rate | None = None
    masker: Literal["fused", "pooled"] = "fused"
    hidden: Count = 16

    @model_validator(mode="after")
    def _one_way(self) -> Layer:
        halves = (self.attention_r, self.mlp_r)
        if (self.r is None) == (halves == (None, None)) or (self.r is None and None in halves):
            raise ValueError("give r, or attention_r and mlp_r")
        if "hidden" in self.model_fields_set and self.masker == "fused":
            raise ValueError("hidden is the width of a pooled masker; set masker to pooled")
        return self

    def at_rates(self, rates: tuple[float, ...] | float) -> Layer:
        """Both halves at the same rates."""
        return self.replace(r=rates, attention_r=None, mlp_r=None)

    def skipping(self) -> dict[str, Any]:
        """The share of executions, and the masker."""
        attention, mlp = (self.r, self.r) if self.r is not None else (self.attention_r, self.mlp_r)
        masker = {"layer_masker": self.masker, "layer_hidden": self.hidden}
        return {"layer_rate": self.r, "attention_rate": attention, "mlp_rate": mlp, **masker}


class Token(Paradigm):
    """Tokens of a transformer's blocks are computed with rate `r`."""

    name = "token"
    positional = ("r",)

    r: Rate

    def skipping(self) -> dict[str, Any]:
        """The share of tokens."""
        return {"token_rate": self.r}


class Head(Paradigm):
    """Heads of a transformer's attention, and as many channels of its MLP's input, are computed with rate `r`."""

    name = "head"
    positional = ("r",)

    r: Rate

    def skipping(self) -> dict[str, Any]:
        """The share of heads."""
        return {"head_rate": self.r}


class Joint(Paradigm):
    """Several paradigms at once: every masker is paid, the body runs at all their rates.

    >>> str(Joint(Layer(r=0.7), Channel(G=2, r=0.5)))
    'layer(r=0.7) + channel(G=2, r=0.5)'
    """

    name = "joint"

    members: tuple[Paradigm, ...]

    def __init__(self, *parts: Paradigm, members: tuple[Paradigm, ...] = ()) -> None:
        """Parts are given one by one; each kind at most once. Raises InputError otherwise."""
        Record.__init__(self, members=parts or members)

    @model_validator(mode="after")
    def _distinct(self) -> Joint:
        names = [part.name for part in self.members]
        if not names or len(set(names)) < len(names) or not set(names) <= set(SINGLE):
            raise ValueError(f"needs one or more of {', '.join(SINGLE)}, each once, got {', '.join(names) or 'none'}")
        return self

    @property
    def label(self) -> str:
        """The parts' names."""
        return "+".join(part.name for part in self.members)

    @property
    def parts(self) -> tuple[Paradigm, ...]:
        """The members."""
        return self.members

    @property
    def rate(self) -> Any:
        """The rate that all parts have in common; None where they differ."""
        rates = {part.rate for part in self.members}
        return rates.pop() if len(rates) == 1 else None

    @property
    def granularity(self) -> Any:
        """The granularity of the first part that has one."""
        return next((part.granularity for part in self.members if part.granularity is not None), None)

    def at_rates(self, rates: tuple[float, ...] | float) -> Joint:
        """Every part at the same rates."""
        return self.replace(members=tuple(part.at_rates(rates) for part in self.members))

    def for_block(self, stage: int, block: int, blocks_per_stage: Sequence[int]) -> Joint:
        """Every part as one block sees it."""
        return self.replace(members=tuple(part.for_block(stage, block, blocks_per_stage) for part in self.members))

    def skipping(self) -> dict[str, Any]:
        """The settings of all parts."""
        return {key: value for part in self.members for key, value in part.skipping().items()}

    def require_single(self, target: str) -> None:
        """Every part."""
        for part in self.members:
            part.require_single(target)

    def to_dict(self) -> dict[str, Any]:
        """The names and each part."""
        return {"name": self.label, "parts": [part.to_dict() for part in self.members]}

    def text(self, *, rates: bool = True) -> str:
        """The parts as a reader would write them."""
        return " + ".join(part.text(rates=rates) for part in self.members)


#: Paradigms that can be combined, by name.
SINGLE: dict[str, Any] = {kind.name: kind for kind in (Spatial, Channel, Layer, Token, Head)}


def check_supported(paradigm: Paradigm, supported: Sequence[str], target: str) -> None:
    """Raise InputError where a target cannot skip what a paradigm asks for."""
    for part in paradigm.parts:
        if part.name not in supported:
            raise InputError(f"{target} has no {part.name} skipping; choose {', '.join(supported)}")
