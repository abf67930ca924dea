"""Nodes as layers of a chain, where they are such: what a residual body can be made of."""

from __future__ import annotations

from typing import Any

from latpred.errors import InputError
from latpred.workloads.layers import Activation, Conv, Dense, Layer, Map, Norm, Pool
from latpred.workloads.reading.graph import Graph, Node


def lay(graph: Graph) -> None:
    """Find the layer that each node is, and take borders into the convolutions that they are meant for."""
    for node in list(graph.nodes):
        if node.kind == "reduction" and node.fields["over_rows"] and node.fields["function"] in ("mean", "amax", "max"):
            node.kind, node.fields = "pool", {"kernel": None, "maximum": node.fields["function"] in ("amax", "max")}
        if node.kind in ("convolution", "pool"):
            _take_border(graph, node)
        node.layer = layer_of(node)


def map_of(node: Node) -> Map | None:
    """The feature map that a node puts out; None where its rows are not the pixels of one."""
    if node.axis is None:
        return None
    if node.grid and node.rows == node.grid[0] * node.grid[1]:
        return Map(node.channels, *node.grid)
    return Map(node.channels, 1, 1) if node.rows == 1 else None


def layer_of(node: Node) -> Layer | None:
    """The layer that a node is, if its input and output are maps and the layer makes the one of the other."""
    make = _LAYERS.get(node.kind)
    source = node.source
    if make is None or source is None:
        return None
    into, out = map_of(source), map_of(node)
    if node.kind == "linear" and node.rows == 1 and node.fields["c_in"] == source.size:
        return Dense(c_out=node.fields["c_out"], bias=node.fields["bias"])
    if into is None or out is None:
        return None
    try:
        layer: Layer | None = make(node, into, out)
        return layer if layer and layer.out(into) == out else None
    except InputError:
        return None


def _conv(node: Node, into: Map, out: Map) -> Layer | None:
    """A convolution of two axes, with as many steps and as wide a border on either side."""
    fields = node.fields
    kernel, stride, borders, dilation = (fields[name] for name in ("kernel", "stride", "borders", "dilation"))
    even = len(kernel) == 2 and len(set(stride)) == len(set(dilation)) == 1
    if not even or fields["c_in"] != into.channels or node.axis != 1:
        return None
    groups: Any = "depthwise" if fields["groups"] == into.channels > 1 else fields["groups"]
    settings = {"c_out": fields["c_out"], "kernel": kernel[0], "stride": stride[0], "dilation": dilation[0]}
    settings |= {"kernel_width": kernel[1]} if kernel[1] != kernel[0] else {}
    same = fields.get("keeps_map") or all(
        2 * before == 2 * after == spread * (edge - 1)
        for (before, after), edge, spread in zip(borders, kernel, dilation, strict=True)
    )
    if not same:
        if any(before != after for before, after in borders):
            return None
        (down, _), (across, _) = borders
        settings |= {"padding": down, **({"padding_width": across} if across != down else {})}
    return Conv(**settings, groups=groups, bias=fields["bias"])


def _linear(node: Node, into: Map, out: Map) -> Layer | None:
    """On the channels of each pixel: a 1×1 convolution; on a single one: a linear layer."""
    if node.rows == 1:
        return Dense(c_out=node.fields["c_out"], bias=node.fields["bias"])
    return Conv(c_out=node.fields["c_out"], bias=node.fields["bias"]) if node.fields["along_channels"] else None


def _norm(node: Node, into: Map, out: Map) -> Layer | None:
    """Over the batch, the channels of each pixel, or the whole map."""
    over = node.fields["over"]
    return None if over == "layer" and not node.fields["along_channels"] else Norm(over=over)


def _activation(node: Node, into: Map, out: Map) -> Layer | None:
    """A function of every element."""
    return Activation(function=node.fields["function"])


def _pool(node: Node, into: Map, out: Map) -> Layer | None:
    """Of square windows, or of the whole map."""
    fields = node.fields
    if fields["kernel"] is None:
        return Pool(maximum=fields["maximum"], edge=out.height) if out.height == out.width else None
    kernel, stride, borders = (fields[name] for name in ("kernel", "stride", "borders"))
    settings = {"kernel": kernel[0], "stride": None if stride == kernel else stride[0], "maximum": fields["maximum"]}
    if len(kernel) != 2 or len(set(kernel)) > 1 or len(set(stride)) > 1 or set(fields["dilation"]) != {1}:
        return None
    edges = {edge for pair in borders for edge in pair}
    if fields.get("keeps_map") or fields["ceil"] or edges == {(kernel[0] - 1) / 2}:
        return Pool(**settings)
    return Pool(**settings, padding=edges.pop()) if len(edges) == 1 else None


_LAYERS: dict[str, Any] = {
    "convolution": _conv,
    "linear": _linear,
    "norm": _norm,
    "activation": _activation,
    "scale": _activation,
    "bias": _activation,
    "pool": _pool,
}


def _take_border(graph: Graph, node: Node) -> None:
    """Take a border that was laid around a map alone into the windows that it is for, where it keeps the map."""
    source = node.source
    if source is None or source.fields.get("function") != "pad" or not source.is_read_once or not source.inputs:
        return
    image, kernel = source.inputs[0], node.fields.get("kernel")
    if kernel is None or len(kernel) != 2 or image.axis != 1 or len(image.shape) != 4:
        return
    sides = ((0, 0), (0, 0), (0, 0), (0, 0), *source.fields["borders"])[-4:]
    both = [(a + b, c + d) for (a, c), (b, d) in zip(sides[2:], node.fields["borders"], strict=True)]
    edges = zip(node.shape[2:], image.shape[2:], node.fields["stride"], strict=True)
    keeps = all(out == -(-edge // stride) for out, edge, stride in edges)
    symmetric = all(before == behind for before, behind in both) and min(edge for pair in both for edge in pair) >= 0
    if any(any(pair) for pair in sides[:2]) or not (symmetric or keeps):
        return
    node.fields |= {"borders": tuple(both), "keeps_map": keeps and not symmetric}
    graph.bypass(source)
