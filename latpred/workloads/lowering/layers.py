"""What each layer of a static network runs, by how much a library takes into one kernel.

The papers count a layer as its convolution, its average or its pass. Eager PyTorch runs bias, normalisation, scaling
and activation as passes of their own; an engine of TensorRT takes them into the layer before, and writes what is laid
side by side where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

from latpred.workloads import operators as op
from latpred.workloads.layers import SE, Activation, Conv, Dense, Join, Map, Norm, OfGraph, Placed, Pool, chain
from latpred.workloads.lowering import paper
from latpred.workloads.lowering.published import squeeze_excitation

#: Functions that a kernel of an engine applies before it writes.
TAKEN_IN = (None, "relu", "leaky_relu", "sigmoid")
#: What multiplies each channel by a number of its own or adds it.
_NUMBERS = ("norm", "bias", "scale")
#: Operators with their names.
Named: TypeAlias = Iterator[tuple[str, op.Operator]]


def as_on_paper(placed: Placed) -> Named:
    """One operator per layer, whatever it takes in."""
    name, layer, into, out = placed
    if isinstance(layer, Conv):
        yield name, paper.dense(placed, layer)
    elif isinstance(layer, SE):
        yield from squeeze_excitation(paper.map_of(out), layer.squeezed)
    elif isinstance(layer, Dense):
        yield name, op.FullyConnected(c_in=_size(into), c_out=layer.c_out)
    elif isinstance(layer, OfGraph):
        yield name, layer.operator
    elif isinstance(layer, Join):
        yield from _branches(placed, layer, as_on_paper)
        yield name, op.Add(**paper.map_of(out)) if layer.add else paper.one_pass(placed, None, 1.0)
    else:
        yield name, paper.one_pass(placed, None, 1.0)


def eager(placed: Placed) -> Named:
    """A kernel for everything that a layer does."""
    yield from _eager(placed, folds=False)


def folded(placed: Placed) -> Named:
    """As `eager`, with normalisations folded into the convolutions before them, whose bias they leave."""
    yield from _eager(placed, folds=True)


def _eager(placed: Placed, *, folds: bool) -> Named:
    name, layer, into, out = placed
    scale = op.ChannelScale(**paper.map_of(out))
    if isinstance(layer, Conv):
        linear = layer.is_pointwise and layer.bias and not layer.norm
        norm = layer.norm and not folds
        pixels = out.height * out.width
        # Without a norm, it is a linear layer on pixels, whose bias is no pass of its own.
        yield (
            name,
            op.Linear(tokens=pixels, c_in=into.channels, c_out=out.channels) if linear else paper.plain(placed, layer),
        )
        if (layer.bias and not linear) or (layer.norm and folds):
            yield f"{name} bias", scale
        if norm:
            yield f"{name} norm", op.BatchNorm(**paper.map_of(out))
        if layer.scale:
            yield f"{name} scale", scale
    elif isinstance(layer, SE):
        yield from _squeeze_excitation(out, layer.squeezed)
    elif isinstance(layer, Dense):
        yield name, op.Linear(tokens=1, c_in=_size(into), c_out=layer.c_out)
    elif isinstance(layer, Join):
        yield from _branches(placed, layer, folded if folds else eager)
        yield name, _joined(layer, out)
    elif isinstance(layer, OfGraph):
        yield name, layer.operator
        yield from _behind(name, layer, folds=folds)
    else:
        yield from _pass(name, layer, into, out)
    if getattr(layer, "activation", None):
        yield f"{name} {layer.activation}", one_pass(out)  # type: ignore[attr-defined]


def fused(placed: Placed) -> Named:
    """One kernel per layer, and none for what lies side by side; but functions that no kernel takes in."""
    name, layer, into, out = placed
    if isinstance(layer, Join):
        yield from _branches(placed, layer, fused)
        if layer.add:
            yield name, op.Add(**paper.map_of(out))
    elif isinstance(layer, Conv | SE | Dense):
        yield from as_on_paper(placed)
        if getattr(layer, "activation", None) not in TAKEN_IN:
            yield f"{name} function", one_pass(out)
    elif isinstance(layer, OfGraph):
        yield name, layer.operator
        functions = set(layer.then) - set(_NUMBERS)
        yield from ((f"{name} {each}", one_pass(_out_of(layer.operator))) for each in functions - set(TAKEN_IN))
    else:
        yield from _pass(name, layer, into, out)


def _behind(name: str, layer: OfGraph, *, folds: bool) -> Named:
    """The passes behind an operator of a graph; a norm that is folded into it leaves a bias."""
    out = _out_of(layer.operator)
    for each in layer.then:
        if each == "norm" and not folds:
            yield f"{name} norm", op.BatchNorm(**paper.map_of(out))
        else:
            yield f"{name} {each}", op.ChannelScale(**paper.map_of(out)) if each in _NUMBERS else one_pass(out)


def _out_of(operator: op.Operator) -> Map:
    """What an operator of a graph puts out that others are folded into."""
    if isinstance(operator, op.Convolution):
        operator = op.plain(operator)
    if isinstance(operator, op.PlainConvolution):
        return Map(operator.c_out, operator.out_height, operator.out_width)
    sizes = dict(operator)
    names = (("columns", "c_out", "channels", "elements_out"), ("groups", "height"), ("rows", "tokens", "width"))
    return Map(*(next((sizes[name] for name in each if name in sizes), 1) for each in names))


def _size(into: Map) -> int:
    return into.channels * into.height * into.width


def _branches(placed: Placed, join: Join, lower: Callable[[Placed], Named]) -> Named:
    for number, branch in enumerate(join.branches, start=1):
        for inner in chain(branch, placed.into):
            yield from ((f"{placed.name} branch {number} {part}", operator) for part, operator in lower(inner))


def one_pass(out: Map) -> op.ElementWise:
    """Every element of a map read once and written once."""
    return op.ElementWise(groups=out.height, rows=out.width, channels=out.channels)


def _joined(join: Join, out: Map) -> op.Operator:
    """A sum, or copies in runs of a branch's channels."""
    if join.add:
        return op.Add(**paper.map_of(out))
    return op.Copy(groups=2, rows=max(out.height * out.width // 2, 1), channels=out.channels)


def _pass(name: str, layer: Any, into: Map, out: Map) -> Named:
    """A norm, an activation, or a pool."""
    if isinstance(layer, Norm):
        yield from _norm(name, layer, into)
    elif isinstance(layer, Activation):
        yield name, one_pass(out)
    elif isinstance(layer, Pool):
        yield name, _pool(layer, into)


def _norm(name: str, norm: Norm, into: Map) -> Named:
    """Of groups of channels, with the map laid out channel by channel first, as that kernel wants it."""
    pixels = into.height * into.width
    if norm.over == "batch":
        yield name, op.BatchNorm(**paper.map_of(into))
    elif norm.over == "layer":
        yield name, op.LayerNorm(rows=pixels, channels=into.channels)
    else:
        yield f"{name} layout", op.Copy(groups=into.channels, rows=pixels, channels=1)
        yield name, op.LayerNorm(rows=1, channels=_size(into))
        yield f"{name} layout back", op.Copy(groups=pixels, rows=into.channels, channels=1)


def _pool(pool: Pool, into: Map) -> op.Operator:
    if pool.kernel is None and pool.edge == 1:
        return op.GlobalPool(**paper.map_of(into))
    kernel = pool.kernel or max(into.height // pool.edge, 1)
    border = (kernel - 1) // 2 if pool.padding is None and pool.kernel else pool.padding or 0
    stride = pool.stride or kernel
    return op.Pool(**paper.map_of(into), kernel=kernel, stride=stride, padding=border, maximum=pool.maximum)


def _squeeze_excitation(out: Map, squeezed: int) -> Named:
    """An average, two convolutions of a pixel with bias and a function behind each, and a product per channel."""
    yield "SE pool", op.GlobalPool(**paper.map_of(out))
    for name, c_in, c_out in (("squeeze", out.channels, squeezed), ("excite", squeezed, out.channels)):
        yield f"SE {name}", op.PlainConvolution(c_in=c_in, c_out=c_out, height=1, width=1)
        yield f"SE {name} bias", op.ChannelScale(channels=c_out, height=1, width=1)
        yield f"SE {name} function", op.ElementWise(rows=1, channels=c_out)
    yield "SE scale", op.ChannelScale(**paper.map_of(out))
