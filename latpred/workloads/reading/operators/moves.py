"""What only moves, or looks at elements in another way: views, parts, copies, borders, concatenations."""

from __future__ import annotations

from math import prod

from latpred.workloads.reading.graph import Node
from latpred.workloads.reading.operators.asked import Asked, Constant, Value
from latpred.workloads.reading.tracing.calls import flat

#: Operators that swap two axes, and the names of these.
_SWAPPED = (("dim0", "dim1"), ("axis0", "axis1"))


def view(asked: Asked) -> Value:
    """The same elements under another shape."""
    return asked.add("view", [asked.first])


def permutation(asked: Asked) -> Value:
    """The same elements with axes in another order."""
    x, op = asked.first, asked.call.op
    rank = len(x.shape)
    order = list(range(rank))
    if op == "permute":
        order = [axis % rank for axis in asked["dims"]]
    elif op in ("movedim", "moveaxis"):
        sources, destinations = ([axis % rank for axis in flat(asked[end])] for end in ("source", "destination"))
        order = [axis for axis in order if axis not in sources]
        for destination, source in sorted(zip(destinations, sources, strict=True)):
            order.insert(destination, source)
    elif rank > 1:
        names = next((pair for pair in _SWAPPED if pair[0] in asked.call.given), None)
        one, other = (asked[name] % rank for name in names) if names else (rank - 2, rank - 1)
        order[one], order[other] = order[other], order[one]
    return asked.add("view", [x], order=tuple(order))


def expansion(asked: Asked) -> Value:
    """Elements read again and again."""
    x: Node = asked.first
    return x if x.shape == asked.call.shape else asked.add("expand", [x])


def identity(asked: Asked) -> Value:
    """What is handed on."""
    x: Node = asked.first
    return x


def part(asked: Asked) -> Value:
    """Some of a tensor's elements."""
    x, axis = asked.first, asked["dim"]
    return asked.add("slice", [x], axis=axis % len(x.shape) if isinstance(axis, int) else None)


def parts(asked: Asked) -> Value:
    """Several parts of a tensor."""
    x = asked.first
    axis = (asked["dim"] or 0) % len(x.shape)
    return tuple(asked.add("slice", [x], shape, axis=axis) for shape in asked.call.shapes if shape is not None)


def copy(asked: Asked) -> Value:
    """Elements laid out anew."""
    return asked.add("copy", asked.nodes(), function=asked.call.op)


def strided(asked: Asked) -> Value:
    """Elements at steps of their own: of the same shape, the same ones."""
    x: Node = asked.first
    return x if x.shape == asked.call.shape else copy(asked)


def padding(asked: Asked) -> Value:
    """A border around a tensor, pairs of its edges from the last axis on."""
    x: Node = asked.first
    edges = list(asked["pad"] or asked["padding"])
    if not any(edges):
        return x
    pairs = tuple(zip(edges[::2], edges[1::2], strict=True))[::-1]
    return asked.add("copy", [x], function="pad", borders=pairs)


def concatenation(asked: Asked) -> Value:
    """Tensors side by side."""
    given = [each for each in asked.tensors(asked["tensors"]) if prod(each.shape)]
    if len(given) == 1 and asked.call.op != "stack":
        return given[0]
    constants = [each.shape for each in given if isinstance(each, Constant)]
    axis = (asked["dim"] or 0) % max(len(asked.call.shape), 1)
    return asked.add("concatenation", given, axis=axis, constants=constants)


def gated(asked: Asked) -> Value:
    """Half of a tensor times the sigmoid of the other half."""
    return asked.add("copy", [asked.first], function="glu")


def constant(asked: Asked) -> Value:
    """What takes but its shape from a tensor."""
    return Constant(asked.call.shape)


def look(asked: Asked) -> Value:
    """A view of which nothing is known but its shape."""
    before, after = asked.first.size, prod(asked.call.shape)
    return view(asked) if before == after else part(asked) if after < before else expansion(asked)
