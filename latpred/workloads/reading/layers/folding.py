"""What a library takes into the layer before: normalisations, biases, scales and activations; and gates of channels."""

from __future__ import annotations

from latpred.workloads.layers import SE, Activation, Conv, Dense, Layer, Norm
from latpred.workloads.reading.graph import Graph, Node
from latpred.workloads.reading.layers.layering import map_of

#: Activations of a gate: between nothing and all.
_GATES = ("sigmoid", "hardsigmoid")
#: Kinds of nodes whose results a bias or a scale meets on their way to memory.
_PRODUCTS = ("linear", "product", "attention", "convolution", "transposed convolution")


def fold(graph: Graph) -> None:
    """Take into each layer what follows it alone and costs no pass of its own."""
    for node in list(graph.nodes):
        source = node.source
        if source is not None and source.is_read_once and node.kind in ("norm", "bias", "scale", "activation"):
            fits, layer = _with(source, node)
            if fits:
                source.layer = layer
                source.then.append(node.fields["function"] if node.kind == "activation" else node.kind)
                graph.bypass(node)


def _with(source: Node, node: Node) -> tuple[bool, Layer | None]:
    """Whether a node can take in the one that follows, and the layer that it then is."""
    layer, kind = source.layer, node.kind
    if layer is None:
        # What is no layer does as much on its way to memory, though nobody asks for it.
        convolves = source.kind in ("convolution", "transposed convolution")
        fits = kind in ("bias", "scale") or (convolves and (kind != "norm" or node.fields["over"] == "batch"))
        return source.kind in _PRODUCTS and fits, None
    changes: dict[str, object] | None = None
    if isinstance(layer, Activation):
        changes = {} if kind in ("bias", "scale") and not node.fields["constants"] else None
    elif isinstance(layer, Conv | Dense | Norm) and layer.activation is None:
        changes = _changes(layer, node)
    return changes is not None, layer.replace(**changes) if changes else layer


def _changes(layer: Conv | Dense | Norm, node: Node) -> dict[str, object] | None:
    """The fields of a layer that take a node in; None where none can."""
    if node.kind == "activation":
        return {"activation": node.fields["function"]}
    if node.kind == "norm":
        return {"norm": True} if isinstance(layer, Conv) and node.fields["over"] == "batch" else None
    # A norm has its own bias and scale, and a linear layer is scaled by its weights.
    takes = isinstance(layer, Conv) or (node.kind == "bias" and isinstance(layer, Dense))
    return {node.kind: True} if takes else {}


def find_gates(graph: Graph) -> None:
    """Make squeeze-and-excitation one layer: a map times what two layers make of its average."""
    for node in list(graph.nodes):
        if node.kind != "elementwise" or node.fields["function"] != "mul" or len(node.inputs) != 2:
            continue
        for x, gate in (node.inputs, node.inputs[::-1]):
            way = _gate(x, gate)
            if way and map_of(x) == map_of(node) is not None:
                squeezed = way[1].channels
                graph.merge([*way, node], "se", [x])
                node.layer = SE(squeezed=squeezed)
                break


def _gate(x: Node, gate: Node) -> list[Node]:
    """The average of a map and the two layers that make its gate of it; nothing where it is another."""
    way: list[Node] = []
    while gate is not x and gate.source is not None and gate.is_read_once and len(way) < 3:
        way.insert(0, gate)
        gate = gate.source
    if gate is not x or len(way) < 3 or way[0].kind != "pool" or way[0].rows != 1 or way[0].fields["maximum"]:
        return []
    layers = [each.layer for each in way[1:]]
    dense = all(isinstance(each, Dense) or (isinstance(each, Conv) and each.is_pointwise) for each in layers)
    last = layers[-1]
    ends = isinstance(last, Conv | Dense) and last.activation in _GATES and way[-1].channels == x.channels
    return way if dense and ends else []
