"""What takes one pass: functions of elements, normalisations, pools, reductions; and what is not understood."""

from __future__ import annotations

from math import prod
from typing import Any

from latpred.workloads.reading.operators.asked import Asked, Constant, Value
from latpred.workloads.reading.tracing.calls import Call

#: What a number must be to change nothing, as Python's sum begins with.
_NEUTRAL = {"add": 0, "sub": 0, "mul": 1, "div": 1}
#: Normalisations by what they are over, as it stands in their names.
_OVER = ("batch", "group", "instance", "layer")


def elementwise(asked: Asked) -> Value:
    """One operation per element of one tensor, or of several."""
    # Slopes per channel are no numbers that are shifted or scaled by.
    given = asked.tensors()[: 1 if "prelu" in asked.call.op else None]
    other = asked["other"]
    if len(given) == 1 and other is not None and other == _NEUTRAL.get(asked.call.op):
        return given[0]
    constants = [each.shape for each in given if isinstance(each, Constant) and prod(each.shape) > 1]
    return asked.add("elementwise", given, function=_function(asked.call), constants=constants)


def _function(call: Call) -> str:
    """The name of a function as people know it."""
    if call.op in ("hardtanh", "clamp", "clamp_min", "clip"):
        limits = [call.given.get(name, call.given.get(f"{name}_val")) for name in ("min", "max")]
        if limits[0] == 0 and limits[1] in (6, None):
            return "relu6" if limits[1] == 6 else "relu"
    return call.op


def norm(asked: Asked) -> Value:
    """A normalisation, over what follows from its name; with a batch's own statistics it is over each map."""
    op, x = asked.call.op, asked.first
    over = next((each for each in _OVER if each in op), "layer")
    rank, axes = len(x.shape), len(asked["normalized_shape"] or ())
    own = over == "batch" and (asked["training"] is True or asked.value("running_mean") is None)
    return asked.add(
        "norm", [x], x.shape, over="group" if own or over == "instance" else over, axes=tuple(range(rank - axes, rank))
    )


def pool(asked: Asked) -> Value:
    """A pool of windows; of a global one, or one to a map of a given size, no window is said."""
    op, x = asked.call.op, asked.value("self")
    if "adaptive" in op:
        found = asked.add("pool", [x], maximum="max" in op, kernel=None)
    else:
        axes = int(next(digit for digit in op if digit.isdigit()))
        kernel = per_axis(asked["kernel_size"], axes)
        found = asked.add(
            "pool",
            [x],
            maximum="max" in op,
            kernel=kernel,
            stride=per_axis(asked["stride"] or kernel, axes),
            borders=pairs(asked["padding"] or 0, axes),
            dilation=per_axis(asked["dilation"] or 1, axes),
            ceil=bool(asked["ceil_mode"]),
        )
    return (found, found) if len(asked.call.shapes) > 1 else found


def per_axis(value: Any, axes: int) -> tuple[Any, ...]:
    """A setting per axis, of one that may stand for all.

    >>> per_axis([3], 2), per_axis([1, 2], 2)
    ((3, 3), (1, 2))
    """
    values = value if isinstance(value, list | tuple) else [value]
    return tuple(values) if len(values) == axes else axes * tuple(values[:1])


def pairs(value: Any, axes: int) -> tuple[tuple[int, int], ...]:
    """Edges of a border before and behind, along each axis; given as such, or as one number for both.

    >>> pairs(1, 2), pairs([(0, 1), (0, 1)], 2)
    (((1, 1), (1, 1)), ((0, 1), (0, 1)))
    """
    found = (each if isinstance(each, list | tuple) else (each, each) for each in per_axis(value, axes))
    return tuple((before, behind) for before, behind in found)


def reduction(asked: Asked) -> Value:
    """A number of all those along some axes."""
    x, axes = asked.value("self"), asked["dim"]
    rank = max(len(x.shape), 1)
    axes = range(rank) if axes is None or axes == [] else axes if isinstance(axes, list) else [axes]
    places = tuple(sorted(axis % rank for axis in axes))
    found = [
        asked.add("reduction", [x], shape, function=asked.call.op, axes=places)
        for shape in asked.call.shapes
        if shape is not None
    ]
    return tuple(found) if len(found) > 1 else found[0]


def softmax(asked: Asked) -> Value:
    """A softmax along an axis."""
    x = asked.value("self")
    return asked.add("softmax", [x], axis=asked["dim"] % len(x.shape))


def unknown(asked: Asked) -> Value:
    """What is counted as a pass over its output."""
    call, shapes = asked.call, asked.call.shapes
    fields = {"op": call.op, "graph_name": call.name, "module": call.module}
    first = next((shape for shape in shapes if shape is not None), None)
    if first is None:
        return None
    found = asked.add("unknown", asked.nodes(), first, **fields)
    return tuple(found if shape is not None else None for shape in shapes) if len(shapes) > 1 else found
