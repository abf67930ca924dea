"""Functions that a graph spells out, made one node again: activations of several steps, and normalisations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from latpred.workloads.reading.graph import Graph, Node, ancestors

#: Functions that shift or scale.
_ARITHMETIC = frozenset({"add", "sub", "mul", "div", "rsub", "neg", "multiply", "subtract", "true_divide"})

#: Nodes that a function is looked for in.
_MOST_STEPS = 24


def fuse(graph: Graph) -> None:
    """Make one node of what is computed element by element from a single tensor, and sort what is left by its kind."""
    gates = _gates(graph)
    done: set[int] = set()
    places = {id(node): place for place, node in enumerate(graph.nodes)}
    for end in reversed(list(graph.nodes)):
        if end.kind == "elementwise" and id(end) not in done and end.inputs:
            region, origin = _region(end, gates)
            if origin is not None:
                region.sort(key=lambda node: places[id(node)])
                done |= set(map(id, region))
                kind, settings = _meaning(region)
                graph.merge(region, kind, [origin], **settings)
                end.axis = origin.axis if end.axis is None and end.shape == origin.shape else end.axis
    for node in graph.nodes:
        if node.kind == "elementwise" and len(node.inputs) == 1:
            node.kind = _kind(node)


def _gates(graph: Graph) -> dict[int, Node]:
    """For element-wise nodes and reductions the nearest tensor that all they read is computed from, likewise."""
    gates: dict[int, Node] = {}
    for node in graph.nodes:
        constants = node.fields.get("constants", ())
        if node.kind not in ("elementwise", "reduction") or not all(_is_per_channel(node, each) for each in constants):
            continue
        ways = [_up(each, gates) for each in node.inputs]
        common = set.intersection(*(set(map(id, way)) for way in ways)) if ways else set()
        nearest = next((each for each in (ways[0] if ways else ()) if id(each) in common), None)
        # What a parameter per channel shifts or scales first is taken into what comes before.
        if nearest is not None and (not constants or id(nearest) in gates):
            gates[id(node)] = nearest
    return gates


def _up(node: Node, gates: dict[int, Node]) -> list[Node]:
    """A node, what it is computed from alone, and so on."""
    way = [node]
    while id(way[-1]) in gates and len(way) < _MOST_STEPS:
        way.append(gates[id(way[-1])])
    return way


def _region(end: Node, gates: dict[int, Node]) -> tuple[list[Node], Node | None]:
    """The nodes of the function that ends in one, and the tensor that it is of; None where it is none of several."""
    best: tuple[list[Node], Node | None] = [end], None
    for origin in _up(end, gates)[1:]:
        region = list(ancestors([end], [origin]))
        found = set(map(id, region))
        inner = [node for node in region if node is not end]
        inside = all(id(user) in found for node in inner for user in node.users)
        joins = any(len(node.inputs) > 1 for node in region)
        whole = inside and origin.size == end.size and not any(node.is_output for node in inner)
        if whole and len(region) > 1 and (joins or _is_one_function(region)):
            best = region, origin
        # A difference from the average is part of a norm, an activation before another function is not.
        if joins and len(origin.inputs) < 2:
            break
    return best


def _is_one_function(region: Sequence[Node]) -> bool:
    """Whether several nodes in a row are steps around a single function."""
    functions = [node for node in region if node.fields["function"] not in _ARITHMETIC]
    return len(functions) == 1 and not any(node.fields.get("constants") for node in region)


def _meaning(region: Sequence[Node]) -> tuple[str, dict[str, object]]:
    """The kind of node that a region is, and its settings."""
    reductions = [node for node in region if node.kind == "reduction"]
    if reductions:
        over = "layer" if all(node.fields["along_channels"] for node in reductions) else "group"
        return "norm", {"over": over, "along_channels": True}
    functions = Counter(node.fields["function"] for node in region)
    gated = any(len(node.inputs) > 1 and node.fields["function"] in ("mul", "multiply") for node in region)
    return "activation", {"function": _name(functions, gated=gated)}


def _name(functions: Counter[str], *, gated: bool) -> str:
    """The name of an activation by the functions that it is made of; `gated` where they multiply their input."""
    if "erf" in functions or ("tanh" in functions and "pow" in functions):
        return "gelu"
    if "softplus" in functions and "tanh" in functions:
        return "mish"
    if "sigmoid" in functions and gated:
        return "silu"
    if functions.keys() & {"relu6", "hardsigmoid", "clamp", "hardtanh"}:
        return "hardswish" if gated else "hardsigmoid"
    own = [name for name in functions if name not in _ARITHMETIC]
    return own[-1] if own else next(iter(functions))


def _kind(node: Node) -> str:
    """What a function of one tensor is: a shift or a scale per channel, or an activation, or neither."""
    function, constants = node.fields["function"], node.fields["constants"]
    if function in ("add", "sub", "mul", "div", "multiply", "subtract", "true_divide"):
        if all(_is_per_channel(node, shape) for shape in constants):
            return "bias" if function in ("add", "sub", "subtract") else "scale"
        return "elementwise"
    return "activation" if all(_is_per_channel(node, shape) for shape in constants) else "elementwise"


def _is_per_channel(node: Node, shape: Sequence[int]) -> bool:
    """Whether a parameter has one number per channel."""
    missing = len(node.shape) - len(shape)
    long = [axis + missing for axis, edge in enumerate(shape) if edge > 1]
    return missing >= 0 and long == [node.axis]
