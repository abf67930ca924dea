"""What stands around the blocks of a network: chains of layers, or operators as they were read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from latpred.workloads.layers import Conv, Dense, Layer, Map, OfGraph, chain
from latpred.workloads.lowering import Form, Step


def operator_steps(prefix: str, layers: Sequence[Layer], into: Map, form: Form) -> Iterator[Step]:
    """The operators of a chain, named by their part of the network and their layer, or as a model's graph has them."""
    one = sum(isinstance(layer, Conv) for layer in layers) == 1
    for number, placed in enumerate(chain(layers, into), start=1):
        if isinstance(placed.layer, OfGraph):
            yield from (Step(name, operator) for name, operator in form.layer(placed))
        elif isinstance(placed.layer, Dense) and number == len(layers):
            found = form.layer(placed._replace(name="classifier"))
            yield from (Step(name, operator) for name, operator in found)
        else:
            alone = one and isinstance(placed.layer, Conv)
            found = form.layer(placed._replace(name="convolution") if alone else placed)
            yield from (Step(f"{prefix} {name}", operator) for name, operator in found)
