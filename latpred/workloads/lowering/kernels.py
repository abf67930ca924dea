"""The lowering of a block to the kernels of `latpred.measuring.gpu`, step by step; the calibrated model predicts these.

It differs from the published lowering (MODEL §6) where that is odd (MODEL §10): a shortcut wherever c_in ≠ c_out, a
plain addition after channel skipping, channel groups that switch together, a compaction of the mask to indices, and a
masker of layer skipping that computes something.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from latpred.errors import InputError
from latpred.workloads import operators as op
from latpred.workloads.densities import patch_count
from latpred.workloads.paradigms import Skipping

#: SE squeezes to this share of the block's input channels (MODEL §6).
SQUEEZE_RATIO = 0.25
#: A rate at which every channel is on, and still looked up.
LARGEST_GATHERED = 1 - 1e-12
#: The channel masker's hidden layer is this much narrower than its output (MODEL §5).
MASKER_REDUCTION = 16


class BlockShape(Protocol):
    """What is read of a residual bottleneck block."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def c_in(self) -> int: ...  # noqa: D102
    @property
    def c_out(self) -> int: ...  # noqa: D102
    @property
    def inner(self) -> int: ...  # noqa: D102
    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102
    @property
    def out_height(self) -> int: ...  # noqa: D102
    @property
    def out_width(self) -> int: ...  # noqa: D102
    @property
    def stride(self) -> int: ...  # noqa: D102
    @property
    def groups(self) -> int: ...  # noqa: D102
    @property
    def se(self) -> bool: ...  # noqa: D102


def squeezed_channels(c_in: int) -> int:
    """Channels between the two layers of SE, a quarter of the block's input, half to even (MODEL §6)."""
    return max(round(SQUEEZE_RATIO * c_in), 1)


def kernel_steps(block: BlockShape, skip: Skipping) -> list[tuple[str, op.Operator, Any]]:
    """Name, operator and executions of every kernel of a block, in order.

    Raises
    ------
    InputError
        A form of skipping that the kernels do not have.
    """
    if skip.unfuse or skip.scaled or (skip.layer_rate is not None and skip.gate != "fused"):
        raise InputError(
            f"{block.name}: the calibrated model knows fused maskers, gathers and scatters, two-level masks and "
            "linear gates only; use the published model, which is FP32, or the roofline for other forms"
        )
    if skip.G and (beside := _beside_channels(block, skip)):
        raise InputError(
            f"{block.name}: the calibrated model has no kernels of channel skipping with {beside}; use the published "
            "model, or skip pixels or layers alone"
        )
    if skip.G and block.inner % skip.G:
        raise InputError(
            f"{block.name}: G={skip.G} does not divide the {block.inner} inner channels, as the kernels of the "
            "calibrated model need; use another G, or the published model"
        )
    return list(_steps(block, skip))


def _beside_channels(block: BlockShape, skip: Skipping) -> str:
    """What a block has that the kernels of channel skipping do not take."""
    found = {"spatial skipping": skip.S, "grouped convolutions": block.groups > 1, "SE": block.se}
    return " and ".join(name for name, there in found.items() if there)


def needs_shortcut(block: BlockShape) -> bool:
    """Whether the residual is a convolution of the input: strided, or of other channels."""
    return block.stride > 1 or block.c_in != block.c_out


def channel_masker_widths(block: BlockShape, G: int, layers: int) -> tuple[int, ...]:
    """Channels between the linear layers of the channel masker, which decides on the inner channels."""
    groups = max(block.inner // G, 1)
    hidden = max(groups // MASKER_REDUCTION, 1)
    return (block.c_in, hidden, groups) if layers == 2 else (block.c_in, groups)


def _steps(block: BlockShape, skip: Skipping) -> Iterator[tuple[str, op.Operator, Any]]:
    runs = 1.0 if skip.layer_rate is None else skip.layer_rate
    map_in = {"height": block.height, "width": block.width}
    out = {"channels": block.c_out, "height": block.out_height, "width": block.out_width}
    if needs_shortcut(block):
        yield "shortcut", op.Convolution(c_in=block.c_in, c_out=block.c_out, **map_in, stride=block.stride), 1.0
    yield from ((name, operator, 1.0) for name, operator in _maskers(block, skip))
    yield from ((name, operator, runs) for name, operator in _convolutions(block, skip))
    if skip.S:
        yield "scatter+add", op.ScatterAdd(**out, S=skip.S, r=skip.patch_rate), runs
    elif skip.layer_rate is not None:
        # Whole samples are what is scattered: in bytes, that share of the pixels.
        yield "scatter+add", op.ScatterAdd(**out, S=1, r=skip.layer_rate), 1.0
    else:
        yield "add", op.Add(**out), 1.0


def _maskers(block: BlockShape, skip: Skipping) -> Iterator[tuple[str, op.Operator]]:
    """What decides, where that is not fused into a convolution; scores, then their indices."""
    pooled = {"channels": block.c_in, "height": block.height, "width": block.width}
    if skip.layer_rate is not None:
        yield "layer masker pool", op.GlobalPool(**pooled)
        yield "layer masker fc", op.FullyConnected(c_in=block.c_in, c_out=1)
        yield "layer mask index", op.MaskCompaction(height=1, width=1, items=1)
    if skip.G:
        widths = channel_masker_widths(block, skip.G, skip.masker_layers)
        yield "masker pool", op.GlobalPool(**pooled)
        for number, (c_in, c_out) in enumerate(pairwise(widths), start=1):
            yield f"masker fc{number}", op.FullyConnected(c_in=c_in, c_out=c_out)
        yield "mask index", op.MaskCompaction(height=1, width=widths[-1], items=widths[-1])


def _convolutions(block: BlockShape, skip: Skipping) -> Iterator[tuple[str, op.Operator]]:
    """The three convolutions and what lies between them."""
    S, w = skip.S, block.inner
    # Weights are gathered even where every channel is on; a rate of 1 would say that they are not.
    rho = np.minimum(skip.channel_rate, LARGEST_GATHERED) if skip.G else skip.channel_rate
    group = {"channel_group": skip.G} if skip.G else {}
    out = {"height": block.out_height, "width": block.out_width}
    conv1: dict[str, Any] = {"c_in": block.c_in, "c_out": w, "height": block.height, "width": block.width}
    conv2: dict[str, Any] = {**conv1, "c_in": w, "kernel": 3, "stride": block.stride, "groups": block.groups}
    conv3: dict[str, Any] = {"c_in": w, "c_out": block.c_out, **out, "input_rate": rho, **group}
    inner = {"input_rate": rho, "output_rate": rho, **group}
    if S:
        patches = {"S": S, "r": skip.patch_rate}
        items = patch_count(block.out_height, block.out_width, S)
        yield "masker+conv1", op.MaskerConvolution(**conv1, **patches, output_rate=rho)
        yield "mask index", op.MaskCompaction(height=block.height, width=block.width, items=items)
        yield "gather+conv2", op.PatchConvolution(**conv2, **patches, **inner, indexed=True)
    else:
        yield "conv1", op.Convolution(**conv1, output_rate=rho, **group)
        yield "conv2", op.Convolution(**conv2, **inner)
    if block.se:
        active = {"S": S, "r": skip.patch_rate} if S else {"S": 1, "r": rho} if skip.G else {}
        shape, squeezed = {"channels": w, **out, **active}, squeezed_channels(block.c_in)
        yield "SE pool", op.PatchGlobalPool(**shape) if active else op.GlobalPool(**shape)
        yield "SE squeeze", op.FullyConnected(c_in=w, c_out=squeezed)
        yield "SE excite", op.FullyConnected(c_in=squeezed, c_out=w)
        yield "SE scale", op.PatchChannelScale(**shape) if active else op.ChannelScale(**shape)
    if S:
        yield "conv3", op.PatchConvolution(**conv3, **patches, indexed=False)
    else:
        yield "conv3", op.Convolution(**conv3)
