"""Attention in a graph: softmax(Q·Kᵀ)·V in one node or many, and the linear layers around it."""

from __future__ import annotations

from latpred.workloads.reading.graph import Graph, Node

#: Kinds of nodes between scores and softmax, which reads their sums on its way.
_ON_SCORES = ("elementwise", "scale", "bias", "activation")
#: Kinds of nodes that only cut and lay out what linear layers put out.
_BETWEEN = ("slice", "copy", "scale", "bias")
#: Kinds of nodes that turn or normalise queries and keys: one pass over each of these, whatever their steps.
_PASSES = ("norm", "elementwise", "concatenation", "activation")


def find_attention(graph: Graph) -> None:
    """Make one node of scores, softmax and mixing."""
    for node in list(graph.nodes):
        if node.kind != "product" or len(node.inputs) != 2:
            continue
        way = _scores(node)
        if not way:
            continue
        scores, own = way[0], set(map(id, way))
        sizes, mixed = scores.fields, node.fields
        fits = (
            sizes["groups"] == mixed["groups"] and sizes["rows"] == mixed["rows"] and sizes["columns"] == mixed["inner"]
        )
        if not fits or any(not each.is_read_once for each in way):
            continue
        beside = [each for step in way[1:] for each in step.inputs if id(each) not in own]
        fields = {
            "groups": sizes["groups"],
            "queries": sizes["rows"],
            "keys": sizes["columns"],
            "inner": sizes["inner"],
            "columns": mixed["columns"],
        }
        graph.merge([*way, node], "attention", [*scores.inputs[:2], node.inputs[1], *beside], **fields)


def _scores(node: Node) -> list[Node]:
    """From the scores to the softmax that a product mixes by; nothing where it is no attention."""
    softmax = node.inputs[0]
    if softmax.kind != "softmax":
        return []
    way = [softmax]
    while way[0].kind != "product":
        before = [each for each in way[0].inputs if each.size == way[0].size]
        if not before or before[0].kind not in (*_ON_SCORES, "product"):
            return []
        way.insert(0, before[0])
    return way


def find_bodies(graph: Graph) -> None:
    """Make one node of attention and the linear layers before and behind it, where they read one tensor."""
    for node in list(graph.nodes):
        if node.kind != "attention" or len(node.inputs) != 3:
            continue
        before, behind = _before(node), _behind(node)
        if not before or not behind:
            continue
        layers = [each for each in before if _is_linear(each)]
        found = {id(each) for each in (*before, node, *behind)}
        region = [each for each in graph.nodes if id(each) in found]
        inside = all(id(user) in found for each in region[:-1] for user in each.users)
        source, end = layers[0].source, behind[-1]
        if source is None or any(each.source is not source for each in layers) or not inside or region[-1] is not end:
            continue
        sizes = {name: node.fields[name] for name in ("groups", "queries", "keys", "inner", "columns")}
        sizes |= {"projected": [each.fields["c_out"] for each in layers], "c_out": end.fields["c_out"]}
        ways = [*([way for each in node.inputs for way in [_before(node, each)]]), behind]
        sizes["passes"] = sum(any(each.kind in _PASSES and each.operators for each in way) for way in ways)
        operators = tuple(operator for each in region for operator in each.operators)
        graph.merge(region, "self-attention", [source], **sizes)
        end.operators, end.layer = operators, None


def _is_linear(node: Node) -> bool:
    """Whether a node is a linear layer on channels."""
    if node.kind == "linear":
        return bool(node.fields["along_channels"])
    fields = node.fields
    return node.kind == "convolution" and fields["groups"] == 1 and set(fields["kernel"]) | set(fields["stride"]) == {1}


def _behind(node: Node) -> list[Node]:
    """What leads from the attention to the linear layer behind it; nothing where there is none."""
    way: list[Node] = []
    while node.is_read_once:
        (node,) = node.users
        way.append(node)
        if _is_linear(node) or node.kind == "linear":
            return way
        if node.kind not in (*_BETWEEN, "norm") or len(node.inputs) != 1:
            return []
    return []


def _before(node: Node, *ends: Node) -> list[Node]:
    """What leads to queries, keys and values from linear layers, these included; nothing where other things do."""
    found: dict[int, Node] = {}
    stack = list(ends or node.inputs)
    while stack:
        each = stack.pop()
        if id(each) in found:
            continue
        found[id(each)] = each
        if _is_linear(each):
            continue
        if each.kind not in (*_BETWEEN, *_PASSES) or not each.inputs:
            return []
        stack += each.inputs
    return list(found.values())
