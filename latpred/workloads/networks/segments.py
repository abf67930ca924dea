"""What stands around the blocks of a network: chains of layers, or operators as they were read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from latpred.workloads import operators as op
from latpred.workloads.layers import SE, Conv, Dense, Join, Layer, Map, OfGraph, Placed, chain
from latpred.workloads.lowering import Step, paper
from latpred.workloads.lowering.published import squeeze_excitation


def operator_steps(prefix: str, layers: Sequence[Layer], into: Map) -> Iterator[Step]:
    """The operators of a chain, named by their part of the network and their layer, or as a model's graph has them."""
    one = sum(isinstance(layer, Conv) for layer in layers) == 1
    for number, placed in enumerate(chain(layers, into), start=1):
        if isinstance(placed.layer, OfGraph):
            yield Step(placed.name, placed.layer.operator)
        elif isinstance(placed.layer, Dense) and number == len(layers):
            yield from (Step("classifier", operator) for _, operator in _operators(placed))
        else:
            alone = one and isinstance(placed.layer, Conv)
            found = _operators(placed._replace(name="convolution") if alone else placed)
            yield from (Step(f"{prefix} {name}", operator) for name, operator in found)


def _operators(placed: Placed) -> Iterator[tuple[str, op.Operator]]:
    """The operators of a layer."""
    name, layer, into, out = placed
    if isinstance(layer, Conv):
        yield name, paper.dense(placed, layer)
    elif isinstance(layer, SE):
        yield from squeeze_excitation(paper.map_of(out), layer.squeezed)
    elif isinstance(layer, Dense):
        yield name, op.FullyConnected(c_in=into.channels * into.height * into.width, c_out=layer.c_out)
    elif isinstance(layer, Join):
        for number, branch in enumerate(layer.branches, start=1):
            for inner in chain(branch, into):
                yield from ((f"{name} branch {number} {part}", operator) for part, operator in _operators(inner))
        yield name, op.Add(**paper.map_of(out)) if layer.add else paper.one_pass(placed, None, 1.0)
    else:
        yield name, paper.one_pass(placed, None, 1.0)
