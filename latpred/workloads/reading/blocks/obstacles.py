"""Why residual bodies of a model stay static: what of them is no layer of a chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from latpred.workloads.layers import Join
from latpred.workloads.reading.blocks.reducing import Kept, walk
from latpred.workloads.reading.graph import Graph, Node, ancestors

#: What a node is called that no chain of layers holds.
_WORDS = {
    "slice": "a split",
    "concatenation": "branches side by side",
    "join": "branches that meet again",
    "copy": "a copy",
    "product": "a product of matrices",
    "attention": "attention of another form",
    "self-attention": "attention without an MLP behind it",
    "softmax": "a softmax",
    "elementwise": "a gate",
    "reduction": "a sum",
    "linear": "linear layers on other axes",
    "unknown": "what was not understood",
    "block": "another residual body",
    "residual": "another residual body",
    "static residual": "another residual body",
}


def static_bodies(graph: Graph) -> Iterator[str]:
    """A line on the residual additions of a graph that no block was made of, with what stood against it."""
    found: Counter[str] = Counter()
    for node in graph.nodes:
        if node.kind == "static residual":
            found[_obstacle(node.fields["body"])] += 1
        elif isinstance(node.layer, Join) and node.layer.add and () in node.layer.branches:
            found[_inside(node.layer)] += 1
        elif node.kind == "elementwise" and node.fields["function"] == "add" and len(node.inputs) == 2:
            found.update(_between(*node.inputs))
    if found:
        reasons = ", ".join(f"{what} in {number}" for what, number in found.most_common())
        stay = "bodies stay static, being no chains" if found.total() > 1 else "body stays static, being no chain"
        yield f"{found.total()} residual {stay} of layers: {reasons}"


def _inside(layer: Join) -> str:
    """What of the branches that are added to a layer's input is no layer of a chain: branches of their own, if any."""
    inner = [each for branch in layer.branches for each in branch if isinstance(each, Join)]
    if inner:
        return _WORDS["join" if inner[0].add else "concatenation"]
    return _WORDS["join"] if len(layer.branches) > 2 else "layers of another form"


def _between(one: Node, other: Node) -> list[str]:
    """What keeps a body from being a chain, where it begins where an input of the addition, or its shortcut, does."""
    for shortcut, end in ((one, other), (other, one)):
        _, source = walk(shortcut)
        way = list(ancestors([end], [source]))
        if way and any(source in node.inputs for node in way):
            return [_obstacle(way[::-1])]
    return []


def _obstacle(body: Sequence[Node | Kept]) -> str:
    """The first of a body's nodes that is no layer, gates before others; where all are, its shortcut is another."""
    gates = [node for node in body if isinstance(node, Node) and len(node.inputs) > 1 and node.kind == "elementwise"]
    odd = [node for node in body if node.layer is None or node.kind == "join"]
    kinds = [node.kind for node in (*gates, *odd)]
    return _WORDS.get(kinds[0], f"a {kinds[0]} of another form") if kinds else "a shortcut of another form"
