"""What every form has in common: the operators of layers, and what is counted of maskers on paper."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from latpred.workloads import operators as op
from latpred.workloads.layers import Conv, Join, Map, Placed, Pool
from latpred.workloads.lowering.forms import Step
from latpred.workloads.lowering.roles import Patches, decides_in_first

if TYPE_CHECKING:
    from latpred.workloads.blocks import ConvolutionalBlock

#: The channel masker's hidden layer is this much narrower than its output (MODEL §5).
MASKER_REDUCTION = 16


def shape_of(placed: Placed, conv: Conv) -> dict[str, Any]:
    """The sizes of a square convolution that keeps the map, whose strided map rounds up."""
    rows, columns = placed.out.height * conv.stride, placed.out.width * conv.stride
    shape = {"c_in": placed.into.channels, "c_out": conv.c_out, "height": rows, "width": columns}
    return {**shape, "kernel": conv.kernel, "stride": conv.stride, "groups": conv.groups_of(placed.into.channels)}


def dense(placed: Placed, conv: Conv, **rates: Any) -> op.Operator:
    """A convolution of the whole map."""
    if conv.cuts_patches:
        # Patches that do not overlap: no kernel has to copy them out first.
        pixels = placed.out.height * placed.out.width
        return op.Linear(tokens=pixels, c_in=placed.into.channels * conv.kernel**2, c_out=conv.c_out)
    if conv.is_square_and_same:
        return op.Convolution(**shape_of(placed, conv), **rates)
    return plain(placed, conv)


def plain(placed: Placed, conv: Conv) -> op.PlainConvolution:
    """A convolution exactly as it is, with its border."""
    (height, down), (width, across) = conv.window()
    spread = conv.dilation
    return op.PlainConvolution(
        c_in=placed.into.channels,
        c_out=conv.c_out,
        height=placed.into.height,
        width=placed.into.width,
        kernel_height=height,
        kernel_width=width,
        stride=conv.stride,
        dilation=spread,
        padding_height=(height - 1) * spread // 2 if down is None else down,
        padding_width=(width - 1) * spread // 2 if across is None else across,
        groups=conv.groups_of(placed.into.channels),
    )


def patched(placed: Placed, conv: Conv, patches: Patches, r: Any, *, indexed: bool, **rates: Any) -> op.ActivePatches:
    """A convolution of the active patches, with a border where layers behind it need one."""
    shape = {**shape_of(placed, conv), "r": r, "indexed": indexed, **rates}
    if patches.edge == patches.S:
        return op.PatchConvolution(**shape, S=patches.S)
    return op.HaloConvolution(**shape, edge=patches.edge, count=patches.number)


def one_pass(placed: Placed, patches: Patches | None, r: Any) -> op.Operator:
    """A norm, an activation, a pool, or what lays maps side by side: each element read and written once."""
    channels, height, width = placed.out if isinstance(placed.layer, Join) else placed.into
    if patches:
        return op.PatchElementWise(channels=channels, edge=patches.edge, count=patches.number, r=r)
    if isinstance(placed.layer, Pool):
        out = {"out_height": placed.out.height, "out_width": placed.out.width}
        return op.AveragePool(channels=channels, height=height, width=width, **out)
    return op.ElementWise(groups=height, rows=width, channels=channels)


def shortcut(block: ConvolutionalBlock) -> Iterator[Step]:
    """What the input goes through beside the body."""
    for placed in block.bypass or ():
        name = "shortcut" if placed.name == "conv1" else f"shortcut {placed.name}"
        layer = placed.layer
        yield Step(name, dense(placed, layer) if isinstance(layer, Conv) else one_pass(placed, None, 1.0))


def map_of(into: Map) -> dict[str, int]:
    """A map's sizes."""
    return {"channels": into.channels, "height": into.height, "width": into.width}


def layer_masker(block: ConvolutionalBlock) -> op.Operator:
    """One output channel, decided from the block's input; in the first convolution where that is dense and 1×1."""
    into = {"c_in": block.c_in, "height": block.height, "width": block.width}
    first = block.chain[0].layer
    if decides_in_first(block) and isinstance(first, Conv):
        return op.LayerMasker(**into, c_out=first.c_out)
    return op.Convolution(**into, c_out=1)


def spatial_masker(block: ConvolutionalBlock) -> op.Convolution:
    """Two channels, on and off, for every pixel of the block's input (MODEL §5)."""
    return op.Convolution(c_in=block.c_in, c_out=2, height=block.height, width=block.width)


def first_switched(block: ConvolutionalBlock) -> int:
    """The channels that a channel masker decides on: those of the first convolution."""
    return block.switched[0].out.channels


def channel_masker_widths(block: ConvolutionalBlock, G: int, layers: int) -> tuple[int, ...]:
    """Channels between the linear layers of the channel masker, which decides on the first inner channels."""
    groups = max(first_switched(block) // G, 1)
    hidden = max(groups // MASKER_REDUCTION, 1)
    return (block.c_in, hidden, groups) if layers == 2 else (block.c_in, groups)


def channel_masker_layers(block: ConvolutionalBlock, G: int, layers: int) -> list[op.Operator]:
    """The linear layers of the channel masker."""
    widths = channel_masker_widths(block, G, layers)
    return [op.FullyConnected(c_in=c_in, c_out=c_out) for c_in, c_out in pairwise(widths)]
