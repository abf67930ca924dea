"""Chains of layers: each reads what the one before puts out.

A layer knows no map; placed in a chain, its input is the output of the layer before. Normalisation, activation, bias
and scaling that a library folds into a convolution are kept on it: others run them as passes of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from latpred.errors import InputError
from latpred.wording import quoted, unknown
from latpred.workloads.operators.base import Checked

#: More layers in one chain are a slip of the pen.
MOST_LAYERS = 10_000


class Map(NamedTuple):
    """A feature map of a sample: its channels and its edges [pixels]."""

    channels: int
    height: int
    width: int

    def __str__(self) -> str:
        """As a person writes it."""
        return f"{self.channels} channels of {self.height}×{self.width}"


#: Layers by their kind.
KINDS: dict[str, type[Layer]] = {}


class Layer(Checked):
    """One layer of a chain; `kind` is its name in files and reports."""

    kind: ClassVar[str]
    #: Whether the first of its kind in a chain is numbered, too.
    is_counted: ClassVar[bool] = False

    def __init_subclass__(cls) -> None:
        """Makes the kind known to files."""
        super().__init_subclass__()
        KINDS[cls.kind] = cls

    @property
    def own_name(self) -> str | None:
        """Its name in a chain, where that does not follow from its kind and place."""
        return None

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Layer:
        """From a mapping of its fields; raises InputError for what makes no such layer."""
        return cls(**fields)

    def out(self, into: Map) -> Map:
        """The map that it puts out for one that it reads; raises InputError where it does not fit."""
        return into

    def to_dict(self) -> dict[str, Any]:
        """As a file has it: the kind, and the fields that are not the default ones."""
        fields = type(self).__dataclass_fields__
        return {"layer": self.kind, **{name: value for name, value in self if value != fields[name].default}}


class Placed(NamedTuple):
    """A layer of a chain with its name there, the map that it reads and the one that it puts out."""

    name: str
    layer: Layer
    into: Map
    out: Map


def chain(layers: Sequence[Layer], into: Map) -> tuple[Placed, ...]:
    """Layers one after the other; convolutions are counted from 1, others from the second of their kind.

    Raises InputError for a layer that does not fit, with its place.

    >>> from latpred.workloads.layers import Conv, Norm
    >>> [placed.name for placed in chain([Conv(c_out=64), Norm(), Conv(c_out=64), Norm()], Map(32, 8, 8))]
    ['conv1', 'norm', 'conv2', 'norm2']
    """
    placed: list[Placed] = []
    counts: dict[str, int] = {}
    for place, layer in enumerate(layers, start=1):
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
        number = counts[layer.kind] if layer.is_counted or counts[layer.kind] > 1 else ""
        try:
            out = layer.out(into)
        except InputError as problem:
            raise InputError(f"layer {place}, {layer.kind} on {into}: {problem}") from None
        placed.append(Placed(layer.own_name or f"{layer.kind}{number}", layer, into, out))
        into = out
    return tuple(placed)


def sequence_of(given: Any) -> Sequence[Any]:
    """A list or tuple; raises InputError for anything else, and for one that is too long."""
    if not isinstance(given, list | tuple) or len(given) > MOST_LAYERS:
        raise InputError(f"must be a list of at most {MOST_LAYERS:,} layers, got {quoted(given)}")
    return given


def layers_of(given: Any) -> tuple[Layer, ...]:
    """Layers as records, of mappings as a file has them too; raises InputError with the place of what is none.

    >>> layers_of([{"layer": "conv", "c_out": 64, "kernel": 3}])[0].to_dict()
    {'layer': 'conv', 'c_out': 64, 'kernel': 3}
    """
    return tuple(_placed_layer(place, layer) for place, layer in enumerate(sequence_of(given), start=1))


def _placed_layer(place: int, given: Any) -> Layer:
    try:
        return _layer(given)
    except InputError as problem:
        raise InputError(f"layer {place}: {problem}") from None


def _layer(given: Any) -> Layer:
    if isinstance(given, Layer):
        return given
    if not isinstance(given, Mapping) or "layer" not in given:
        raise InputError(f"must be a mapping with layer, one of {', '.join(KINDS)}, got {quoted(given)}")
    kind = given["layer"]
    if not isinstance(kind, str) or kind not in KINDS:
        raise InputError(unknown("layer", kind, KINDS))
    fields = {str(name): value for name, value in given.items() if name != "layer"}
    return KINDS[kind].of(fields)
