"""What the axes of tensors mean: where channels lie, which pixels rows stand for, and what only looks, or copies."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from latpred.workloads.reading.graph import VIEWS, Graph, Node

#: Kinds of nodes of whose shape the map follows; others have that of their input.
_SHAPING = frozenset(
    {*VIEWS, "input", "convolution", "transposed convolution", "pool", "copy", "slice", "concatenation"}
)


def settle(graph: Graph) -> None:
    """Find every node's channels and pixels, make copies of views that cannot be, and take the other views out."""
    strides: dict[int, tuple[int, ...]] = {}
    for node in graph.nodes:
        strides[id(node)] = _steps(node, strides)
        _follow(node)
        if node.kind in ("linear", "norm", "reduction"):
            node.fields["into"] = node.inputs[0].shape if node.inputs else node.shape
            node.fields["along_channels"] = _is_along_channels(node)
            node.fields["over_rows"] = _is_over_rows(node)
    for node in [node for node in graph.nodes if node.kind in VIEWS or _is_whole(node)]:
        graph.bypass(node)
    for node in list(graph.nodes):
        if node.kind == "concatenation" and not node.fields["constants"]:
            _put_together(graph, node)


def _is_whole(node: Node) -> bool:
    """Whether a part of a tensor is all of it."""
    return node.kind == "slice" and node.size == node.inputs[0].size


def _put_together(graph: Graph, node: Node) -> None:
    """Make one copy of all parts of a tensor that were cut out and put together in another order, as by a roll."""
    parts: dict[int, Node] = {}
    sources = set()
    for each in node.inputs:
        source = each
        while source.kind == "slice":
            parts[id(source)] = source
            source = source.inputs[0]
        sources.add(source)
    found = {*parts, id(node)}
    inside = all(id(user) in found for part in parts.values() for user in part.users)
    if parts and inside and len(sources) == 1 and node.size == next(iter(sources)).size:
        graph.merge([*parts.values(), node], "copy", list(sources), function="regroup")


def _follow(node: Node) -> None:
    """The axis of a node's channels, and the map that its rows are of."""
    rank = len(node.shape)
    if node.kind in ("convolution", "transposed convolution"):
        node.axis = rank - len(node.fields["kernel"]) - 1
    elif node.kind in ("linear", "attention"):
        node.axis = rank - 1
    elif node.kind == "input":
        node.axis = 1
    else:
        known = (_moved(node, each) for each in _largest_first(node) if node.kind != "product")
        node.axis = next((axis for axis in known if axis is not None), None)
    node.grid = _grid(node)


def _grid(node: Node) -> tuple[int, int] | None:
    """Edges of the map that a node's rows are of, maybe with others beside it."""
    inherited = next((each.grid for each in _largest_first(node) if each.grid), None)
    # After pixels were laid beside channels, a linear layer says again which axis is which.
    shapes = node.kind in _SHAPING or (node.kind == "linear" and bool(node.inputs) and node.inputs[0].axis is None)
    if not shapes or len(node.shape) != 4 or node.shape[0] != 1 or node.axis not in (1, 3):
        return inherited
    height, width = node.shape[2:] if node.axis == 1 else node.shape[1:3]
    if inherited is None:
        return height, width
    # The same rows in another order are of the same map, tokens with an axis of one element beside them of none, nor
    # is a part of what is none.
    pointwise = node.kind == "convolution" and {*node.fields["kernel"], *node.fields["stride"]} == {1}
    ordered = pointwise or node.fields.get("function") == "reshape" or node.kind in VIEWS
    rows = ordered and (min(height, width) == 1 or height * width == prod(inherited))
    part = node.kind == "slice" and node.inputs[0].rows != prod(inherited)
    return inherited if rows or part else (height, width)


def _largest_first(node: Node) -> list[Node]:
    """Inputs, those with more elements before those that are spread over them; of attention as they are."""
    if node.kind in ("attention", "product"):
        return node.inputs
    return sorted(node.inputs, key=lambda each: -each.size)


def _moved(node: Node, source: Node) -> int | None:
    """Where the axis of the channels of an input has gone."""
    axis, before, after = source.axis, source.shape, node.shape
    if axis is None or (node.kind == "unknown" and before != after):
        return None
    if "order" in node.fields:
        return int(node.fields["order"].index(axis))
    reshaped = node.kind == "view" or node.fields.get("function") == "reshape"
    if len(before) == len(after) and (not reshaped or before == after):
        return axis
    if node.kind in ("slice", "reduction") and len(after) < len(before):
        gone = node.fields.get("axes", (node.fields.get("axis"),))
        return None if axis in gone or None in gone else axis - sum(each < axis for each in gone)
    if reshaped:
        return _kept_axis(before, after, axis)
    return axis + len(after) - len(before) if len(after) > len(before) else None


def _kept_axis(before: Sequence[int], after: Sequence[int], axis: int) -> int | None:
    """The axis of another shape with as many elements before it, in it, and so behind it."""
    left = prod(before[:axis])
    fits = [place for place, edge in enumerate(after) if edge == before[axis] and prod(after[:place]) == left]
    # Of axes of a single element the one that counts as many from either end is meant.
    return min(
        fits, key=lambda place: min(abs(place - axis), abs(len(after) - place - len(before) + axis)), default=None
    )


def _is_along_channels(node: Node) -> bool:
    """Whether a layer on the last axes, or a reduction, runs over the channels of each row alone."""
    source = node.source
    if source is None or source.axis is None:
        return False
    last = (len(source.shape) - 1,)
    return bool(node.fields.get("axes") or last) and tuple(node.fields.get("axes") or last) == (source.axis,)


def _is_over_rows(node: Node) -> bool:
    """Whether a reduction leaves one number per channel."""
    source, axes = node.source, node.fields.get("axes", ())
    return source is not None and source.axis is not None and source.axis not in axes and node.size == source.channels


def _steps(node: Node, known: dict[int, tuple[int, ...]]) -> tuple[int, ...]:
    """The steps along a node's axes in memory, where views share that of their input; other views become copies."""
    if node.kind in VIEWS:
        source = node.inputs[0]
        steps = known[id(source)]
        if "order" in node.fields:
            return tuple(steps[axis] for axis in node.fields["order"])
        if node.kind == "expand":
            missing = len(node.shape) - len(source.shape)
            pairs = zip(node.shape[missing:], source.shape, steps, strict=True)
            return (*missing * (0,), *(0 if edge != before else step for edge, before, step in pairs))
        shared = _shared_steps(source.shape, steps, node.shape)
        if shared is not None:
            return shared
        node.kind, node.fields["function"] = "copy", "reshape"
    return contiguous(node.shape)


def contiguous(shape: Sequence[int]) -> tuple[int, ...]:
    """The steps along the axes of a tensor that lies in memory row by row.

    >>> contiguous((2, 3, 4))
    (12, 4, 1)
    """
    return tuple(prod(shape[axis + 1 :]) for axis in range(len(shape)))


def _shared_steps(before: Sequence[int], steps: Sequence[int], after: Sequence[int]) -> tuple[int, ...] | None:
    """The steps of the same memory under another shape; None where it has to be copied."""
    runs: list[tuple[int, int]] = []
    for edge, step in zip(before, steps, strict=True):
        if edge == 1:
            continue
        if runs and runs[-1][1] == edge * step:
            runs[-1] = (runs[-1][0] * edge, step)
        else:
            runs.append((edge, step))
    found: list[int] = []
    left, step = runs.pop(0) if runs else (1, 1)
    for edge in after:
        if edge == 1:
            found.append(step * left)
            continue
        if left == 1 and runs:
            left, step = runs.pop(0)
        if left % edge:
            return None
        left //= edge
        found.append(left * step)
    return tuple(found)
