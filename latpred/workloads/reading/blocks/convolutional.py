"""Bodies of layers on a map as blocks: by the shorthand that has the same layers, else layer by layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from latpred.workloads.blocks import ConvolutionalBlock, ResidualBlock
from latpred.workloads.blocks.residual import projection
from latpred.workloads.blocks.shorthands import SQUEEZE_RATIO
from latpred.workloads.layers import SE, Conv, Layer, Map
from latpred.workloads.reading.blocks.found import Counted, Found, block_of, is_alike
from latpred.workloads.reading.blocks.reducing import is_body
from latpred.workloads.reading.graph import Node


class _Shape(NamedTuple):
    """What a block is made of: the maps around it, its layers, its shortcut's, and the function after the addition."""

    into: Map
    out: Map
    body: tuple[Any, ...]
    shortcut: tuple[Any, ...] | None
    activation: str | None

    def without_weights(self) -> _Shape:
        """The same without what a weight or a number per channel can stand for."""
        body, shortcut = (tuple(map(_without_weights, layers or ())) for layers in (self.body, self.shortcut))
        return self._replace(body=body, shortcut=None if self.shortcut is None else shortcut)


def _without_weights(layer: Layer) -> Layer:
    return layer.replace(norm=False, bias=False, scale=False) if isinstance(layer, Conv) else layer


def residual(node: Node, *, folded: bool) -> Found | None:
    """The block that a residual body of layers on a map is; None where it is another."""
    body, shortcut = (tuple(each.layer for each in node.fields[name]) for name in ("body", "shortcut"))
    into = node.source.out if node.source else None
    if into is None or node.out is None or not is_body(body) or None in shortcut:
        return None
    return _named(_Shape(into, node.out, body, shortcut, node.fields["activation"]), node.operators, folded=folded)


def without_shortcut(way: Sequence[Node], *, folded: bool) -> Found | None:
    """The block that some layers are which nothing leads past."""
    into, out = way[0].into, way[-1].out
    if into is None or out is None:
        return None
    operators = [operator for node in way for operator in node.operators]
    return _named(_Shape(into, out, tuple(node.layer for node in way), None, None), operators, folded=folded)


def narrowing(node: Node) -> list[Node]:
    """The way to a node that ends an inverted residual: widened, filtered channel by channel, narrowed; else nothing.

    What narrows has no function behind it, which tells it from the separable convolutions of plain networks.
    """
    layer, source = node.layer, node.source
    if node.kind != "convolution" or not isinstance(layer, Conv) or not layer.is_pointwise or layer.activation:
        return []
    way = [node]
    if source is not None and isinstance(source.layer, SE) and source.is_read_once:
        way.insert(0, source)
        source = source.source
    if source is None or not source.is_read_once or not _filters(source):
        return []
    way.insert(0, source)
    wide = source.source
    if wide is not None and wide.is_read_once and isinstance(wide.layer, Conv) and wide.source is not None:
        way[:0] = [wide] if wide.layer.is_pointwise and wide.layer.activation else []
    return way


def _filters(node: Node) -> bool:
    """Whether a node is a depthwise convolution with a function behind it."""
    layer = node.layer
    depthwise = isinstance(layer, Conv) and node.into is not None and layer.is_depthwise(node.into.channels)
    return depthwise and isinstance(layer, Conv) and layer.activation is not None


def _named(shape: _Shape, operators: Counted, *, folded: bool) -> Found | None:
    """The block of some layers, by the shorthand that has the same, else spelled out."""
    into, out = shape.into, shape.out
    for kind, stride, settings in _candidates(shape):
        found = Found(kind, into.channels, out.channels, stride, settings, into, out)
        block = block_of(found)
        if not isinstance(block, ConvolutionalBlock) or not is_alike(block, operators):
            continue
        made = shape._replace(body=block.layers(), shortcut=block.shortcut_layers(), activation=block.after_addition)
        if made == shape or (folded and made.without_weights() == shape.without_weights()):
            return found
    return None


def _candidates(shape: _Shape) -> Iterator[tuple[str, int, dict[str, Any]]]:
    """Kinds of blocks, strides and settings that may fit, the shorthands first."""
    into, out, body, shortcut, _ = shape
    convolutions = [layer for layer in body if isinstance(layer, Conv)]
    squeezes = [layer for layer in body if isinstance(layer, SE)]
    first, last = convolutions[0], convolutions[-1]
    if len(convolutions) == 3 and shortcut is not None:
        middle = convolutions[1]
        settings: dict[str, Any] = {} if last.c_out == 4 * first.c_out else _ratio(last.c_out, first.c_out)
        settings |= {} if middle.groups == 1 else {"groups": middle.groups}
        yield "bottleneck", middle.stride, {**settings, **({"se": True} if squeezes else {})}
    if len(convolutions) == 2 and shortcut is not None:
        yield "basic", first.stride, {}
    wide = next((conv for conv in convolutions if conv.groups == "depthwise"), None)
    if wide is not None:
        yield "inverted-residual", wide.stride, _inverted(into, wide, squeezes)
    if wide is not None and len(convolutions) == 3 and into == out:
        expansion = _share(convolutions[1].c_out, into.channels)
        settings = {} if wide.kernel == 7 else {"kernel": wide.kernel}
        yield "convnext", 1, {**settings, **({} if expansion in (4, None) else {"expansion": expansion})}
    yield ResidualBlock.kind, -(-into.height // out.height), _spelled(shape)


def _ratio(outer: int, inner: int) -> dict[str, Any]:
    return {"bottleneck_ratio": max(outer // inner, 1)}


def _inverted(into: Map, wide: Conv, squeezes: Sequence[SE]) -> dict[str, Any]:
    """The settings of an inverted residual that differ from the usual ones."""
    settings: dict[str, Any] = {} if wide.kernel == 3 else {"kernel": wide.kernel}
    expansion = _share(wide.c_out, into.channels)
    if expansion is None:
        settings["hidden"] = wide.c_out
    elif expansion != 6:
        settings["expansion"] = expansion
    for layer in squeezes:
        quarter = max(int(into.channels * SQUEEZE_RATIO), 1)
        settings["squeeze"] = SQUEEZE_RATIO if layer.squeezed == quarter else layer.squeezed
    if wide.activation and wide.activation != "relu6":
        settings["activation"] = wide.activation
    return settings


def _share(inner: int, outer: int) -> int | float | None:
    """How often one number of channels goes into another, where that is short to write."""
    if inner % outer == 0:
        return inner // outer
    share = round(inner / outer, 2)
    return share if round(outer * share) == inner else None


def _spelled(shape: _Shape) -> dict[str, Any]:
    """The settings of a block whose layers are spelled out."""
    settings: dict[str, Any] = {"body": shape.body}
    if shape.shortcut is None:
        settings["shortcut"] = "none"
    elif shape.shortcut != projection(shape.into, shape.out):
        settings["shortcut"] = shape.shortcut
    return settings | ({"activation": shape.activation} if shape.activation else {})
