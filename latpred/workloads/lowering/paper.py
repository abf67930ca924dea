"""What every form has in common: the shapes of a block's layers, and what is counted of its maskers on paper."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from latpred.workloads import operators as op

if TYPE_CHECKING:
    from latpred.workloads.blocks import Bottleneck

#: SE squeezes to this share of the block's input channels (MODEL §6).
SQUEEZE_RATIO = 0.25
#: The channel masker's hidden layer is this much narrower than its output (MODEL §5).
MASKER_REDUCTION = 16


def convolutions(block: Bottleneck) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The shapes of the three convolutions."""
    w, height, width = block.inner, block.height, block.width
    conv1 = {"c_in": block.c_in, "c_out": w, "height": height, "width": width}
    conv2 = {**conv1, "c_in": w, "kernel": 3, "stride": block.stride, "groups": block.groups}
    return conv1, conv2, {"c_in": w, "c_out": block.c_out, "height": block.out_height, "width": block.out_width}


def needs_shortcut(block: Bottleneck) -> bool:
    """Whether the residual is a convolution of the input: strided, or of other channels."""
    return block.stride > 1 or block.c_in != block.c_out


def shortcut(block: Bottleneck) -> op.Convolution:
    """A dense 1×1 convolution of the input."""
    shape = {"height": block.height, "width": block.width, "stride": block.stride}
    return op.Convolution(c_in=block.c_in, c_out=block.c_out, **shape)


def squeezed_channels(c_in: int) -> int:
    """Channels between the two layers of SE, a quarter of the block's input, half to even (MODEL §6)."""
    return max(round(SQUEEZE_RATIO * c_in), 1)


def layer_masker(block: Bottleneck) -> op.LayerMasker:
    """One output channel, decided from the block's input."""
    return op.LayerMasker(c_in=block.c_in, c_out=block.inner, height=block.height, width=block.width)


def spatial_masker(block: Bottleneck) -> op.Convolution:
    """Two channels, on and off, for every pixel of the block's input (MODEL §5)."""
    return op.Convolution(c_in=block.c_in, c_out=2, height=block.height, width=block.width)


def channel_masker_widths(block: Bottleneck, G: int, layers: int) -> tuple[int, ...]:
    """Channels between the linear layers of the channel masker, which decides on the inner channels."""
    groups = max(block.inner // G, 1)
    hidden = max(groups // MASKER_REDUCTION, 1)
    return (block.c_in, hidden, groups) if layers == 2 else (block.c_in, groups)


def channel_masker_layers(block: Bottleneck, G: int, layers: int) -> list[op.Operator]:
    """The linear layers of the channel masker."""
    widths = channel_masker_widths(block, G, layers)
    return [op.FullyConnected(c_in=c_in, c_out=c_out) for c_in, c_out in pairwise(widths)]
