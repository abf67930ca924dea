"""Branches that leave one tensor and meet again, made one node: residual bodies beside shortcuts, and joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from latpred.errors import InputError
from latpred.workloads.blocks.residual import IN_BODIES
from latpred.workloads.layers import Conv, Join, Layer, Norm, Pool
from latpred.workloads.reading.blocks.found import Counted
from latpred.workloads.reading.graph import Graph, Node

#: What a body on tokens is made of.
_ON_TOKENS = frozenset({"norm", "activation", "copy", "linear", "self-attention", "scale", "bias"})


class Kept:
    """What is remembered of a node that was merged: its kind, layer and settings."""

    def __init__(self, node: Node) -> None:
        """Takes what is known of it now."""
        self.kind, self.layer, self.fields, self.channels = node.kind, node.layer, node.fields, node.channels


def reduce(graph: Graph) -> None:
    """Make one node of every addition and concatenation whose inputs come along chains from one tensor."""
    _nest_concatenations(graph)
    for node in list(graph.nodes):
        if node.kind == "elementwise" and _is_addition(node):
            _add(graph, node)
        elif node.kind == "concatenation" and len(node.inputs) > 1 and not node.fields["constants"]:
            _lay_side_by_side(graph, node)
        elif node.kind == "activation" and node.source is not None and node.source.is_read_once:
            _take_activation(graph, node, node.source)


def _nest_concatenations(graph: Graph) -> None:
    """Let a concatenation that begins as another does read that one: as many elements, and a chain."""
    known: dict[tuple[int, ...], Node] = {}
    for node in graph.nodes:
        if node.kind != "concatenation" or node.fields["constants"] or len(node.inputs) < 2:
            continue
        inputs = tuple(map(id, node.inputs))
        known[inputs] = node
        for length in range(len(inputs) - 1, 1, -1):
            before = known.get(inputs[:length])
            if before is not None and before.fields["axis"] == node.fields["axis"]:
                node.read_from([before, *node.inputs[length:]])
                break


def _is_addition(node: Node) -> bool:
    """Of two tensors that are alike; what is subtracted is a body as well."""
    sizes = [each.size for each in node.inputs]
    return node.fields["function"] in ("add", "sub") and sizes == 2 * [node.size] and not node.fields["constants"]


def walk(node: Node) -> tuple[list[Node], Node]:
    """The nodes that lead to one from the last tensor that others read, too; and that tensor."""
    way: list[Node] = []
    while node.is_read_once and node.source is not None:
        way.insert(0, node)
        node = node.source
    return way, node


def _add(graph: Graph, node: Node) -> None:
    """A body beside a shortcut, or branches that are added."""
    ways, sources = zip(*map(walk, node.inputs), strict=True)
    if sources[0] is not sources[1] or not any(ways):
        return
    shortcut, body = sorted(ways, key=_weight)
    region = [*shortcut, *body, node]
    if (is_body([each.layer for each in body]) or _is_on_tokens(body)) and _is_shortcut(shortcut):
        kept = {"body": list(map(Kept, body)), "shortcut": list(map(Kept, shortcut)), "activation": None}
        operators = _operators(region)
        graph.merge(region, "residual", sources[:1], **kept)
        node.operators, node.layer = operators, None
    elif node.fields["function"] == "add":
        _join(graph, region, ways, sources[0], add=True)


def _weight(way: Sequence[Node]) -> tuple[int, int, int]:
    """What makes a way rather the body than the shortcut: convolutions, their kernels, other layers."""
    kernels = [each.layer.kernel for each in way if isinstance(each.layer, Conv)]
    return len(kernels), max(kernels, default=0), len(way)


def is_body(layers: Sequence[Layer | None]) -> bool:
    """Whether a residual block can be made of some layers."""
    return all(isinstance(layer, IN_BODIES) for layer in layers) and any(isinstance(layer, Conv) for layer in layers)


def _is_on_tokens(way: Sequence[Node]) -> bool:
    """Whether a way is of attention, or of linear layers."""
    kinds = {each.kind for each in way}
    return kinds <= _ON_TOKENS and bool(kinds & {"self-attention", "linear"})


def _is_shortcut(way: Sequence[Node]) -> bool:
    """Whether a way is the identity, or a convolution, a pool or both."""
    convolutions = sum(isinstance(each.layer, Conv) for each in way)
    return convolutions <= 1 and all(isinstance(each.layer, Conv | Pool | Norm) for each in way)


def _operators(nodes: Sequence[Node]) -> Any:
    return tuple(operator for node in nodes for operator in node.operators)


def _lay_side_by_side(graph: Graph, node: Node) -> None:
    ways, sources = zip(*map(walk, node.inputs), strict=True)
    if all(source is sources[0] for source in sources):
        _join(graph, [*(each for way in ways for each in way), node], ways, sources[0], add=False)


def _join(graph: Graph, region: Sequence[Node], ways: Sequence[Sequence[Node]], source: Node, *, add: bool) -> None:
    """One layer of branches, where all they hold are layers."""
    *_, last = region
    if source.out is None or any(each.layer is None for way in ways for each in way):
        return
    try:
        layer = Join(branches=[[each.layer for each in way] for way in ways], add=add)
        if layer.out(source.out) != last.out:
            return
    except InputError:
        return
    operators: Counted = _operators(region)
    graph.merge(region, "join", [source])
    last.layer, last.operators = layer, tuple(operators)


def _take_activation(graph: Graph, node: Node, source: Node) -> None:
    """Into the addition, or the copy, behind which it stands."""
    if source.kind == "residual" and source.fields["activation"] is None:
        source.fields["activation"] = node.fields["function"]
        graph.bypass(node)
    elif isinstance(source.layer, Join) and source.layer.activation is None:
        source.layer = source.layer.replace(activation=node.fields["function"])
        graph.bypass(node)
