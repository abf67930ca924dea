"""What a dynamic network skips: nothing, patches of pixels, groups of channels, or whole layers.

Each setting is one number, or a sequence: `S`, `G` one number per stage of a network; `r` one per stage or per block.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeVar

from latpred.errors import InputError
from latpred.records import Count, Plain, Rate, Record

#: One granularity, or one per stage.
Granularity = Annotated[Count | tuple[Count, ...], Plain]

P = TypeVar("P", bound="Paradigm")


class Skipping(NamedTuple):
    """What one block skips: None where a paradigm is off. Rates are numbers, or tuples for several at once."""

    S: int | None = None
    patch_rate: Any = 1.0
    G: int | None = None
    masker_layers: int = 2
    channel_rate: Any = 1.0
    layer_rate: Any = None


class Paradigm(Record):
    """What is skipped, how finely and how often."""

    name: ClassVar[str]
    #: The field that holds the granularity, if there is one.
    granularity_field: ClassVar[str | None] = None

    @property
    def granularity(self) -> Any:
        """The granularity's value, None where the paradigm has none."""
        return getattr(self, self.granularity_field) if self.granularity_field else None

    @property
    def rate(self) -> Any:
        """The activation rate r; 1 for a static network."""
        return getattr(self, "r", 1.0)

    def at_rates(self: P, rates: tuple[float, ...] | float) -> P:
        """The same paradigm at one other rate, or at several at once: every figure is then an array."""
        return self.replace(r=rates) if "r" in type(self).model_fields else self

    def for_block(self: P, stage: int, block: int, blocks_per_stage: Sequence[int]) -> P:
        """The paradigm as one block of a network sees it; `stage` and `block` (in the network) count from 0."""
        changes: dict[str, Any] = {}
        for field in ("S", "G", "r"):
            value = getattr(self, field, None)
            if isinstance(value, tuple):
                changes[field] = _pick(field, value, stage, block, blocks_per_stage)
        return self.replace(**changes) if changes else self

    def skipping(self) -> Skipping:
        """The settings for one block; they must be single values by now."""
        return Skipping()

    def require_single(self, target: str) -> None:
        """Raise InputError where a sequence is given for a target that has no stages."""
        for field in ("S", "G", "r"):
            if isinstance(getattr(self, field, None), tuple):
                raise InputError(f"{target} takes one {field}, not a list; lists are for networks")

    def to_dict(self) -> dict[str, Any]:
        """The name and the settings, sequences as lists."""
        settings = {key: list(value) if isinstance(value, tuple) else value for key, value in self}
        return {"name": self.name, **settings}

    def __str__(self) -> str:
        """As a reader would write it, `spatial(S=4-4-2-1, r=0.5)`."""
        settings = (f"{key}={_spelled(value)}" for key, value in self if key != "masker_layers")
        return f"{self.name}({', '.join(settings)})" if type(self).model_fields else self.name


def _spelled(value: Any) -> str:
    return "-".join(f"{item:g}" for item in value) if isinstance(value, tuple) else f"{value:g}"


def _single(value: int | tuple[int, ...]) -> int:
    if isinstance(value, tuple):
        raise InputError(f"a block takes one granularity, not {_spelled(value)}")
    return value


def _pick(field: str, values: tuple[Any, ...], stage: int, block: int, blocks_per_stage: Sequence[int]) -> Any:
    stages, blocks = len(blocks_per_stage), sum(blocks_per_stage)
    if len(values) == stages:
        return values[stage]
    if field == "r" and len(values) == blocks:
        return values[block]
    wanted = f"one, {stages} (per stage) or {blocks} (per block)" if field == "r" else f"one, or {stages} (per stage)"
    raise InputError(f"{field} has {len(values)} values; give {wanted}")


class Static(Paradigm):
    """Everything is computed."""

    name = "static"


class Spatial(Paradigm):
    """Patches of `S` × `S` pixels of a block's output map are computed with rate `r`."""

    name = "spatial"
    granularity_field = "S"

    S: Granularity
    r: Rate

    def skipping(self) -> Skipping:
        """S and r."""
        return Skipping(S=_single(self.S), patch_rate=self.r)


class Channel(Paradigm):
    """Groups of `G` channels of a block's two inner maps are computed with rate `r`.

    The masker has two fully connected layers, or one.
    """

    name = "channel"
    granularity_field = "G"

    G: Granularity = 1
    r: Rate
    masker_layers: Literal[1, 2] = 2

    def skipping(self) -> Skipping:
        """G, r and the masker's layers."""
        return Skipping(G=_single(self.G), channel_rate=self.r, masker_layers=self.masker_layers)


class Layer(Paradigm):
    """A block is executed with rate `r`."""

    name = "layer"

    r: Rate

    def skipping(self) -> Skipping:
        """The share of executions."""
        return Skipping(layer_rate=self.r)


#: Paradigms by name, as the command line spells them.
PARADIGMS: dict[str, type[Paradigm]] = {kind.name: kind for kind in (Static, Spatial, Channel, Layer)}
