"""The lowering of a block to the kernels of `latpred.measuring.gpu`, step by step; the calibrated model predicts these.

It differs from the published lowering (MODEL §6) where that is odd (MODEL §10): a shortcut wherever c_in ≠ c_out, a
plain addition after channel skipping, channel groups that switch together, a compaction of the mask to indices, and a
masker of layer skipping that computes something.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from latpred.errors import InputError
from latpred.workloads import operators as op
from latpred.workloads.densities import patch_count
from latpred.workloads.lowering import paper
from latpred.workloads.lowering.forms import Form, Step

if TYPE_CHECKING:
    from latpred.workloads.blocks import Bottleneck
    from latpred.workloads.lowering.skipping import Skipping

#: A rate at which every channel is on, and still looked up: a rate of 1 would say that nothing is gathered.
LARGEST_GATHERED = 1 - 1e-12


def steps(block: Bottleneck, skip: Skipping, form: Form) -> Iterator[Step]:
    """Every kernel of a block, in order.

    Raises
    ------
    InputError
        A form of skipping that the kernels do not have.
    """
    _check(block, skip)
    runs = 1.0 if skip.layer_rate is None else skip.layer_rate
    out = {"channels": block.c_out, "height": block.out_height, "width": block.out_width}
    if paper.needs_shortcut(block):
        yield Step("shortcut", paper.shortcut(block))
    yield from _maskers(block, skip)
    yield from (Step(name, operator, runs) for name, operator in _convolutions(block, skip))
    if skip.S:
        yield Step("scatter+add", op.ScatterAdd(**out, S=skip.S, r=skip.patch_rate), runs)
    elif skip.layer_rate is not None:
        # Whole samples are what is scattered: in bytes, that share of the pixels.
        yield Step("scatter+add", op.ScatterAdd(**out, S=1, r=skip.layer_rate))
    else:
        yield Step("add", op.Add(**out))


def _check(block: Bottleneck, skip: Skipping) -> None:
    """Raise InputError for a form of skipping that the kernels do not have."""
    if skip.unfuse or skip.scaled or (skip.layer_rate is not None and skip.layer_masker != "fused"):
        raise InputError(
            f"{block.name}: the calibrated model knows fused maskers, gathers and scatters, two-level masks and "
            "linear layer maskers only; use the published model, which is FP32, or the roofline for other forms"
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


def _beside_channels(block: Bottleneck, skip: Skipping) -> str:
    """What a block has that the kernels of channel skipping do not take."""
    found = {"spatial skipping": skip.S, "grouped convolutions": block.groups > 1, "SE": block.se}
    return " and ".join(name for name, there in found.items() if there)


def _maskers(block: Bottleneck, skip: Skipping) -> Iterator[Step]:
    """What decides, where that is not fused into a convolution; scores, then their indices."""
    pooled = {"channels": block.c_in, "height": block.height, "width": block.width}
    if skip.layer_rate is not None:
        yield Step("layer masker pool", op.GlobalPool(**pooled))
        # The mean of a channel's scores is the score of the means: one output channel, at the cost of a pixel.
        linear = op.FullyConnected(c_in=block.c_in, c_out=1)
        yield Step("layer masker fc", linear, on_paper=paper.layer_masker(block))
        yield Step("layer mask index", op.MaskCompaction(height=1, width=1, items=1))
    if skip.G:
        yield Step("masker pool", op.GlobalPool(**pooled))
        for number, layer in enumerate(paper.channel_masker_layers(block, skip.G, skip.masker_layers), start=1):
            yield Step(f"masker fc{number}", layer)
        groups = paper.channel_masker_widths(block, skip.G, skip.masker_layers)[-1]
        yield Step("mask index", op.MaskCompaction(height=1, width=groups, items=groups))
    if skip.S and skip.layer_rate is not None:
        # No kernel asks for the mask of a body that does not run; on paper it is decided.
        yield Step("masker alone", paper.spatial_masker(block), skip.layer_rate._replace(rest=True), omitted=True)


def _convolutions(block: Bottleneck, skip: Skipping) -> Iterator[tuple[str, op.Operator]]:
    """The three convolutions and what lies between them."""
    S, out = skip.S, {"height": block.out_height, "width": block.out_width}
    conv1, conv2, conv3 = paper.convolutions(block)
    if S:
        patches = {"S": S, "r": skip.patch_rate}
        items = patch_count(block.out_height, block.out_width, S)
        yield "masker+conv1", op.MaskerConvolution(**conv1, **patches)
        yield "mask index", op.MaskCompaction(height=block.height, width=block.width, items=items)
        yield "gather+conv2", op.PatchConvolution(**conv2, **patches, indexed=True)
        yield from _squeeze_excitation(block, {**out, **patches}) if block.se else ()
        yield "conv3", op.PatchConvolution(**conv3, **patches, indexed=False)
        return
    rho: Any = skip.channel_rate._replace(most=LARGEST_GATHERED) if skip.G else 1.0
    yield "conv1", op.Convolution(**conv1, output_rate=rho, channel_group=skip.G)
    yield "conv2", op.Convolution(**conv2, input_rate=rho, output_rate=rho, channel_group=skip.G)
    yield from _squeeze_excitation(block, out) if block.se else ()
    yield "conv3", op.Convolution(**conv3, input_rate=rho, channel_group=skip.G)


def _squeeze_excitation(block: Bottleneck, out: dict[str, Any]) -> Iterator[tuple[str, op.Operator]]:
    """Of the active patches alone, where there are patches."""
    w, squeezed, shape = block.inner, paper.squeezed_channels(block.c_in), {"channels": block.inner, **out}
    yield "SE pool", op.PatchGlobalPool(**shape) if "S" in out else op.GlobalPool(**shape)
    yield "SE squeeze", op.FullyConnected(c_in=w, c_out=squeezed)
    yield "SE excite", op.FullyConnected(c_in=squeezed, c_out=w)
    yield "SE scale", op.PatchChannelScale(**shape) if "S" in out else op.ChannelScale(**shape)
