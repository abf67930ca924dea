"""What a dynamic network skips: pixels, channels, layers; tokens and heads of transformers; or several of these; or how
wide it is.

Each setting is one number, or a sequence: `S`, `G` one number per stage of a network; `r` one per stage or per block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import model_validator

from latpred.errors import InputError
from latpred.records import Count, Plain, Rate, Record
from latpred.workloads.lowering.skipping import Fusion
from latpred.workloads.settings import RATES, Granularity, Paradigm, single, spelled
from latpred.workloads.shaping import Head, Token, Width

__all__ = [
    "NAMED",
    "RATES",
    "SINGLE",
    "Channel",
    "Head",
    "Joint",
    "Layer",
    "Paradigm",
    "Spatial",
    "Static",
    "Token",
    "Width",
    "check_supported",
    "restricted",
    "spelled",
]


class Static(Paradigm):
    """Everything is computed.

    >>> str(Static())
    'static'
    """

    name = "static"

    @property
    def parts(self) -> tuple[Paradigm, ...]:
        """None."""
        return ()


class Spatial(Paradigm):
    """Patches of `S` × `S` pixels of a block's output map are computed with rate `r`.

    Parameters
    ----------
    S
        Patch edge [pixels]: one, or one per stage.
    r
        Share of the patches that is computed, from 0 to 1: one, or one per stage or per block.
    unfuse
        Operations that run as kernels of their own: `masker`, `gather`, `scatter`.

    Examples
    --------
    >>> str(Spatial(S=[4, 4, 2, 1], r=0.5))
    'spatial(S=4-4-2-1, r=0.5)'
    """

    name = "spatial"
    granularity_field = "S"
    positional = ("S", "r")

    S: Granularity
    r: Rate
    unfuse: Annotated[tuple[Fusion, ...], Plain] = ()

    def skipping(self) -> dict[str, Any]:
        """S, r and what is not fused."""
        return {"S": single(self.S), "patch_rate": self.r, "unfuse": self.unfuse}


class Channel(Paradigm):
    """Groups of `G` channels of a block's two inner maps are computed with rate `r`.

    Parameters
    ----------
    G
        Channels per group: one number, or one per stage.
    r
        Share of the groups that is computed, from 0 to 1: one, or one per stage or per block.
    masker_layers
        Fully connected layers of the masker, 1 or 2.
    scaled
        Whether the channels that are kept are multiplied by the masker's own numbers.

    Examples
    --------
    >>> str(Channel(G=2, r=0.5))
    'channel(G=2, r=0.5)'
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
        return {"G": single(self.G), "channel_rate": self.r, **settings}


class Layer(Paradigm):
    """A block is executed with rate `r`; a transformer's two halves at `attention_r` and `mlp_r`, or both at `r`.

    Parameters
    ----------
    r
        Share of the samples for which a block runs, from 0 to 1: one, or one per stage or per block.
    attention_r, mlp_r
        The same of a transformer's halves; instead of `r`.
    masker
        `fused`: the decision is made in the block's first convolution; `pooled`: by a global average pool and two fully
        connected layers; `none`: before the network, and does not count.
    hidden
        Units between the two layers of a pooled masker.

    Examples
    --------
    >>> str(Layer(r=0.5, masker="pooled"))
    'layer(r=0.5, masker=pooled)'
    """

    name = "layer"
    positional = ("r",)

    r: Rate | None = None
    attention_r: Rate | None = None
    mlp_r: Rate | None = None
    masker: Literal["fused", "pooled", "none"] = "fused"
    hidden: Count = 16

    @model_validator(mode="after")
    def _one_way(self) -> Layer:
        halves = (self.attention_r, self.mlp_r)
        if (self.r is None) == (halves == (None, None)) or (self.r is None and None in halves):
            raise ValueError("give r, or attention_r and mlp_r")
        if "hidden" in self.model_fields_set and self.masker != "pooled":
            raise ValueError("hidden is the width of a pooled masker; set masker to pooled")
        return self

    @property
    def is_open(self) -> bool:
        """Not where the halves have rates of their own."""
        return self.r is not None

    def at_rates(self, rates: tuple[float, ...] | float) -> Layer:
        """Both halves at the same rates."""
        return self.replace(r=rates, attention_r=None, mlp_r=None)

    def skipping(self) -> dict[str, Any]:
        """The share of executions, and the masker."""
        attention, mlp = (self.r, self.r) if self.r is not None else (self.attention_r, self.mlp_r)
        masker = {"layer_masker": self.masker, "layer_hidden": self.hidden}
        return {"layer_rate": self.r, "attention_rate": attention, "mlp_rate": mlp, **masker}


class Joint(Paradigm):
    """Several paradigms at once: every masker is paid, the body runs at all their rates.

    Parameters
    ----------
    members
        The paradigms, each kind at most once; they may be given one by one.

    Examples
    --------
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

    @property
    def is_open(self) -> bool:
        """Whether all parts are."""
        return all(part.is_open for part in self.members)

    def opened(self) -> Joint:
        """The parts, those of them opened that may be."""
        return self.replace(members=tuple(part.opened() for part in self.members))

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

    def text(self, *, rates: bool = True, whole: bool = False) -> str:
        """The parts as a reader would write them."""
        return " + ".join(part.text(rates=rates, whole=whole) for part in self.members)


#: Paradigms that can be combined, by name.
SINGLE: dict[str, Any] = {kind.name: kind for kind in (Spatial, Channel, Layer, Token, Head)}
#: These, and the width of a whole network.
NAMED: dict[str, Any] = {**SINGLE, Width.name: Width}


def check_supported(paradigm: Paradigm, supported: Sequence[str], target: str) -> None:
    """Raise InputError where a target cannot skip what a paradigm asks for."""
    for part in paradigm.parts:
        if not supported:
            raise InputError(
                f"{target} is static: nothing of it can be skipped; ask for it without {part.name} skipping"
            )
        if part.name not in supported:
            raise InputError(f"{target} has no {part.name} skipping; choose {', '.join(supported)}")


def restricted(paradigm: Paradigm, supported: Sequence[str]) -> Paradigm:
    """Of a paradigm the parts that are supported.

    >>> str(restricted(Joint(Layer(r=0.7), Channel(G=2, r=0.5)), ["layer"])), str(restricted(Layer(r=0.7), []))
    ('layer(r=0.7)', 'static')
    """
    parts = [part for part in paradigm.parts if part.name in supported]
    if len(parts) == len(paradigm.parts):
        return paradigm
    return parts[0] if len(parts) == 1 else Joint(*parts) if parts else Static()
