"""What the layers of a body do while a block skips: which gathers, how large patches are, which channels switch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from latpred.workloads.densities import patch_count
from latpred.workloads.layers import Conv, Placed, Pool

if TYPE_CHECKING:
    from latpred.workloads.blocks import ConvolutionalBlock


class Patches(NamedTuple):
    """Patches of a layer's output map, in `number` as many as of the block's.

    `edge` [pixels] is with the border that layers behind it need, `S` without; a layer that `gathers` reads them out of
    a whole map.
    """

    S: int
    edge: int
    number: int
    gathers: bool


class Role(NamedTuple):
    """A placed layer; its patches, None where it runs on whole maps; whether its input and its output switch."""

    placed: Placed
    patches: Patches | None = None
    switches_in: bool = False
    switches_out: bool = False


def roles(block: ConvolutionalBlock, S: int | None) -> Iterator[Role]:
    """The body's layers with what they do; patches where there is an edge `S`.

    Layers before the first kernel larger than 1 run on the whole map, whose pixels that kernel needs around its
    patches. A layer that others with such kernels follow computes their border too, (edge − 1)·stride + kernel pixels.
    """
    gathering = _gathering(block)
    convolutions = [place for place, placed in enumerate(block.chain) if isinstance(placed.layer, Conv)]
    first, last = convolutions[0], convolutions[-1]
    patches = dict(_patches(block, S, gathering)) if S else {}
    for place, placed in enumerate(block.chain):
        depthwise = isinstance(placed.layer, Conv) and placed.layer.is_depthwise(placed.into.channels)
        switches_out = first <= place < last
        switches_in = first < place <= last or (switches_out and depthwise)
        yield Role(placed, patches.get(place), switches_in, switches_out)


def _gathering(block: ConvolutionalBlock) -> int:
    """The place of the layer that gathers: the first with a kernel larger than 1, else the first convolution."""
    kernels = [_window(placed)[0] for placed in block.chain]
    wide = (place for place, kernel in enumerate(kernels) if kernel > 1)
    narrow = (place for place, placed in enumerate(block.chain) if isinstance(placed.layer, Conv))
    return next(wide, next(narrow))


def _window(placed: Placed) -> tuple[int, int]:
    """Edge and step of a layer's window [pixels]."""
    layer = placed.layer
    if isinstance(layer, Pool):
        return layer.kernel or 1, layer.stride or layer.kernel or 1
    return (layer.kernel, layer.stride) if isinstance(layer, Conv) else (1, 1)


def _patches(block: ConvolutionalBlock, S: int, gathering: int) -> Iterator[tuple[int, Patches]]:
    """From the last layer, whose patches are of edge S, back to the one that gathers."""
    number, edge = patch_count(block.out_height, block.out_width, S), S
    for place in range(len(block.chain) - 1, gathering - 1, -1):
        yield place, Patches(S, edge, number, gathers=place == gathering)
        kernel, stride = _window(block.chain[place])
        S, edge = S * stride, (edge - 1) * stride + kernel


def decides_in_first(block: ConvolutionalBlock) -> bool:
    """Whether a masker can be one more channel of the first layer: a dense 1×1 convolution of the whole input."""
    layer = block.chain[0].layer
    return isinstance(layer, Conv) and layer.is_pointwise


def masks_in_first(block: ConvolutionalBlock) -> bool:
    """Whether the masker of patches can: the first layer runs on the whole map."""
    return decides_in_first(block) and _gathering(block) > 0
