"""Nodes as operators with sizes of their own: what each computes and moves, where it is no layer of a chain."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from latpred.errors import InputError
from latpred.workloads import operators as op
from latpred.workloads.layers import SE, Conv, Map, Placed
from latpred.workloads.lowering import paper
from latpred.workloads.lowering.published import squeeze_excitation
from latpred.workloads.reading.graph import Graph, Node
from latpred.workloads.reading.layers.layering import map_of

#: What a node runs, by the names of its parts.
Counted = list[tuple[str, op.Operator]]


def count_all(graph: Graph) -> None:
    """Give every node its operators, and the maps that it reads and puts out."""
    for node in graph.nodes:
        node.into, node.out = map_of(node.source) if node.source else None, map_of(node)
        node.operators = tuple(count(node))


def count(node: Node) -> Counted:
    """The operators of a node: none where nothing is computed and nothing has to be moved."""
    return _COUNTS[node.kind](node) if node.size else []


def one_pass(node: Node) -> op.ElementWise:
    """Every element read once and written once."""
    if node.grid and len(node.shape) == 4 and node.axis in (1, 3):
        return op.ElementWise(groups=node.grid[0], rows=node.grid[1], channels=node.channels)
    return op.ElementWise(rows=node.rows, channels=node.channels)


def _convolution(node: Node) -> Counted:
    """As a layer; else as it is, as far as there is such an operator; else as the product of matrices that it is."""
    into, fields = node.inputs[0] if node.inputs else None, node.fields
    if isinstance(node.layer, Conv) and into is not None:
        before, after = map_of(into), map_of(node)
        if before and after:
            return [("", paper.dense(Placed("", node.layer, before, after), node.layer))]
    kernel = fields["kernel"]
    plain = _plain(node, into) if into is not None and len(kernel) < 3 else None
    if plain:
        return [("", plain)]
    groups, rows = fields["groups"], prod(node.shape[-len(kernel) :])
    inner, columns = fields["c_in"] // groups * prod(kernel), fields["c_out"] // groups
    rows *= node.size // (rows * fields["c_out"])
    return [("", op.MatrixProduct(groups=groups, rows=rows, inner=inner, columns=columns))]


def _plain(node: Node, into: Node) -> op.PlainConvolution | None:
    """A convolution of one or two axes, with as many steps and as wide a border on either side."""
    fields, axes = node.fields, len(node.fields["kernel"])
    sizes = {name: (1, *fields[name])[-2:] for name in ("kernel", "stride", "dilation")}
    edges, out = ((1, *shape[-axes:])[-2:] for shape in (into.shape, node.shape))
    borders = ((0, 0), *fields["borders"])[-2:]
    steps = set(fields["stride"]), set(fields["dilation"])
    if any(before != after for before, after in borders) or any(len(each) > 1 for each in steps):
        return None
    if node.size != fields["c_out"] * prod(out):
        return None
    try:
        found = op.PlainConvolution(
            c_in=fields["c_in"],
            c_out=fields["c_out"],
            height=edges[0],
            width=edges[1],
            kernel_height=sizes["kernel"][0],
            kernel_width=sizes["kernel"][1],
            stride=fields["stride"][0],
            dilation=fields["dilation"][0],
            padding_height=borders[0][0],
            padding_width=borders[1][0],
            groups=fields["groups"],
        )
    except InputError:
        return None
    return found if (found.out_height, found.out_width) == out else None


def _transposed(node: Node) -> Counted:
    """The product of every pixel with the filters, and the patches that it makes added into the larger map."""
    fields, taps = node.fields, prod(node.fields["kernel"])
    rows = (node.inputs[0].size if node.inputs else node.size) // fields["c_in"]
    groups, columns = fields["groups"], fields["c_out"] // fields["groups"] * taps
    spread = op.MatrixProduct(groups=groups, rows=rows, inner=fields["c_in"] // groups, columns=columns)
    return [("", spread), ("overlap", op.Unfold(elements_in=rows * groups * columns, elements_out=node.size))]


def _linear(node: Node) -> Counted:
    fields = node.fields
    linear = op.Linear(tokens=node.size // fields["c_out"], c_in=fields["c_in"], c_out=fields["c_out"])
    function = node.layer.activation if isinstance(node.layer, Conv) else None
    return [("", linear), *([(function, one_pass(node))] if function else [])]


def _product(node: Node) -> Counted:
    sizes = {name: node.fields[name] for name in ("groups", "rows", "inner", "columns")}
    return [("", op.MatrixProduct(**sizes))]


def _attention(node: Node) -> Counted:
    """Scores, softmax and mixing."""
    sizes = {name: node.fields[name] for name in ("groups", "queries", "keys", "inner", "columns")}
    groups, rows, keys = sizes["groups"], sizes["queries"], sizes["keys"]
    return [
        ("scores", op.MatrixProduct(groups=groups, rows=rows, inner=sizes["inner"], columns=keys)),
        ("softmax", op.Softmax(groups=groups, rows=rows, channels=keys)),
        ("mixing", op.MatrixProduct(groups=groups, rows=rows, inner=keys, columns=sizes["columns"])),
    ]


def _norm(node: Node) -> Counted:
    if node.fields["over"] == "layer":
        return [("", op.LayerNorm(rows=node.rows, channels=node.channels))]
    return _pass(node)


def _pass(node: Node) -> Counted:
    return [("", one_pass(node))]


def _elementwise(node: Node) -> Counted:
    """Two tensors read, or more; where one has a number per channel, a scaling."""
    sizes = sorted((each.size for each in node.inputs), reverse=True)
    into = map_of(node)
    if len(sizes) < 2 or sizes[0] < node.size:
        return _pass(node)
    if sizes[1] < node.size:
        whole = into and sizes[1] == node.channels and node.inputs[0].axis is not None
        return [("", op.ChannelScale(**paper.map_of(into)))] if whole and into else _pass(node)
    if into and len(node.shape) == 4:
        return [("", op.Add(**paper.map_of(into)))]
    return [("", op.TokenAdd(rows=node.rows, channels=node.channels))]


def _pool(node: Node) -> Counted:
    source = node.inputs[0]
    into, out = map_of(source), map_of(node)
    if into and out:
        return [("", op.AveragePool(**paper.map_of(into), out_height=out.height, out_width=out.width))]
    return _moved(node)


def _moved(node: Node) -> Counted:
    """Elements read, and as many as there are then written."""
    read = sum(each.size for each in node.inputs) or node.size
    if read == node.size:
        return _pass(node)
    return [("", op.Unfold(elements_in=read, elements_out=node.size))]


def _softmax(node: Node) -> Counted:
    axis = node.fields["axis"]
    channels = node.shape[axis]
    rows = node.shape[axis - 1] if axis else 1
    return [("", op.Softmax(groups=node.size // (channels * rows), rows=rows, channels=channels))]


def _concatenation(node: Node) -> Counted:
    """A pass over all that is laid side by side; with parameters before a function of each element, in its pass."""
    (user,) = node.users if node.is_read_once else (None,)
    if node.fields["constants"] and user is not None and user.kind in ("elementwise", "bias", "scale", "activation"):
        return []
    return _pass(node)


def _squeeze(node: Node) -> Counted:
    into: Map | None = map_of(node)
    assert into is not None
    assert isinstance(node.layer, SE)
    return list(squeeze_excitation(paper.map_of(into), node.layer.squeezed))


_COUNTS: dict[str, Callable[[Node], Counted]] = {
    "input": lambda node: [],
    "slice": lambda node: [],
    "convolution": _convolution,
    "transposed convolution": _transposed,
    "linear": _linear,
    "product": _product,
    "attention": _attention,
    "norm": _norm,
    "activation": _pass,
    "scale": _pass,
    "bias": _pass,
    "elementwise": _elementwise,
    "reduction": _moved,
    "pool": _pool,
    "softmax": _softmax,
    "concatenation": _concatenation,
    "copy": _moved,
    "unknown": _pass,
    "se": _squeeze,
}
