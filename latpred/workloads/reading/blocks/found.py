"""A block that was found in a graph, before it has its place in a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from latpred.errors import InputError
from latpred.workloads.blocks import KINDS, Block
from latpred.workloads.layers import Map
from latpred.workloads.lowering import PLAIN
from latpred.workloads.operators import Operator
from latpred.workloads.paradigms import Static

#: Operators and the names of what runs them.
Counted = Sequence[tuple[str, Operator]]


class Found(NamedTuple):
    """A block as a stage of a network has it: kind, channels, stride and settings; and the maps around it."""

    kind: str
    c_in: int
    c_out: int
    stride: int
    settings: dict[str, Any]
    into: Map
    out: Map


def block_of(found: Found) -> Block | None:
    """The block, unless its settings make none."""
    kind, settings = KINDS[found.kind], found.settings
    sizes = {"c_in": found.c_in, "c_out": found.c_out, "stride": found.stride}
    sizes |= {"channels": found.c_out, "dim": found.c_out, "height": found.into.height, "width": found.into.width}
    try:
        return kind(**{name: size for name, size in sizes.items() if name in kind.model_fields}, **settings)
    except InputError:
        return None


def is_alike(block: Block, operators: Counted) -> bool:
    """Whether a block multiplies and adds as much as what it was made of."""
    steps = block.lower(Static(), PLAIN).steps
    return sum(float(step.macs(1)) for step in steps) == sum(float(each.macs(1)) for _, each in operators)
