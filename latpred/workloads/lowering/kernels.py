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
from latpred.workloads.layers import SE, Conv, Pool
from latpred.workloads.lowering import paper
from latpred.workloads.lowering.forms import Form, Step
from latpred.workloads.lowering.roles import masks_in_first, roles

if TYPE_CHECKING:
    from latpred.workloads.blocks import ConvolutionalBlock
    from latpred.workloads.lowering.skipping import Skipping

#: A rate at which every channel is on, and still looked up: a rate of 1 would say that nothing is gathered.
LARGEST_GATHERED = 1 - 1e-12
#: Edges of the filters that there are kernels for.
EDGES = (1, 3)


def was_timed(block: ConvolutionalBlock) -> bool:
    """Whether bodies like a block's were: 1×1, 3×3 in groups of more than one channel, maybe SE, and 1×1 convolutions.

    Beside it there is nothing, or a 1×1 convolution.
    """
    body = [placed.layer for placed in block.chain]
    if len(body) == 4 and isinstance(body[2], SE):
        del body[2]
    beside = [placed.layer for placed in block.bypass or ()]
    if len(body) != 3 or block.bypass is None or len(beside) > 1 or _beside_kernels(block):
        return False
    first, middle, last = body
    inner = block.chain[1]
    return (
        all(isinstance(layer, Conv) and layer.is_pointwise for layer in (first, last))
        and isinstance(middle, Conv)
        and (middle.kernel, middle.is_depthwise(inner.into.channels)) == (3, False)
        and all(isinstance(layer, Conv) and layer.kernel == 1 for layer in beside)
    )


def steps(block: ConvolutionalBlock, skip: Skipping, form: Form) -> Iterator[Step]:
    """Every kernel of a block, in order.

    Raises
    ------
    InputError
        A form of skipping that the kernels do not have.
    """
    _check(block, skip)
    runs = 1.0 if skip.layer_rate is None else skip.layer_rate
    yield from paper.shortcut(block)
    yield from _maskers(block, skip)
    yield from (Step(name, operator, runs) for name, operator in _body(block, skip))
    if block.bypass is not None:
        yield _addition(block, skip)


def _check(block: ConvolutionalBlock, skip: Skipping) -> None:
    """Raise InputError for a form of skipping that the kernels do not have."""
    if skip.unfuse or skip.scaled or (skip.layer_rate is not None and skip.layer_masker == "pooled"):
        raise InputError(
            f"{block.name}: the calibrated model knows fused maskers, gathers and scatters, two-level masks and "
            "linear layer maskers only; use the published model, which is FP32, or the roofline for other forms"
        )
    if missing := _beside_kernels(block):
        raise InputError(
            f"{block.name}: the calibrated model has no kernel of {missing}; use the published model, which is FP32, "
            "or the roofline"
        )
    if skip.G and (beside := _beside_channels(block, skip)):
        raise InputError(
            f"{block.name}: the calibrated model has no kernels of channel skipping with {beside}; use the published "
            "model, or skip pixels or layers alone"
        )
    if skip.G and block.switched_together % skip.G:
        raise InputError(
            f"{block.name}: G={skip.G} does not divide the {block.switched_together} inner channels, as the kernels of "
            "the calibrated model need; use another G, or the published model"
        )


def _beside_kernels(block: ConvolutionalBlock) -> str:
    """The first layer of a block that there are no kernels for, by its name and what it is."""
    for placed in (*block.chain, *(block.bypass or ())):
        name, layer, into, _ = placed
        if isinstance(layer, Conv):
            odd = not layer.is_square_and_same
            if odd or layer.kernel not in EDGES:
                kind = "depthwise " if layer.is_depthwise(into.channels) else ""
                size = f"{layer.kernel}×{layer.kernel_width or layer.kernel}"
                own = ", dilated or with a border of its own" if odd else ""
                return f"{name}, a {size} {kind}convolution{own} (it has 1×1 and 3×3)"
        elif not isinstance(layer, SE | Pool) or (isinstance(layer, Pool) and placed in block.chain):
            return f"{name}, a pass of its own"
    return ""


def _beside_channels(block: ConvolutionalBlock, skip: Skipping) -> str:
    """What a block has that the kernels of channel skipping do not take."""
    layers = block.layers()
    grouped = any(isinstance(layer, Conv) and layer.groups != 1 for layer in layers)
    squeezed = any(isinstance(layer, SE) for layer in layers)
    found = {"spatial skipping": skip.S, "grouped convolutions": grouped, "SE": squeezed}
    return " and ".join(name for name, there in found.items() if there)


def _maskers(block: ConvolutionalBlock, skip: Skipping) -> Iterator[Step]:
    """What decides, where that is not fused into a convolution; scores, then their indices."""
    pooled = paper.map_of(block.into)
    if skip.layer_rate is not None and skip.layer_masker != "none":
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


def _body(block: ConvolutionalBlock, skip: Skipping) -> Iterator[tuple[str, op.Operator]]:
    """The layers, and the mask's indices before the first that needs them."""
    if skip.S and not masks_in_first(block):
        yield "masker", paper.spatial_masker(block)
    # A rate of 1 would say that nothing is gathered.
    rho: Any = skip.channel_rate._replace(most=LARGEST_GATHERED) if skip.G else 1.0
    for role in roles(block, skip.S):
        (name, layer, _, out), patches = role.placed, role.patches
        if patches and patches.gathers:
            yield "mask index", op.MaskCompaction(height=block.height, width=block.width, items=patches.number)
        if isinstance(layer, SE):
            active = {"S": patches.S, "r": skip.patch_rate} if patches else {}
            yield from _squeeze_excitation({**paper.map_of(out), **active}, layer.squeezed)
        elif not isinstance(layer, Conv):
            yield name, paper.one_pass(role.placed, patches, skip.patch_rate)
        elif patches:
            name = f"gather+{name}" if patches.gathers else name
            yield name, paper.patched(role.placed, layer, patches, skip.patch_rate, indexed=patches.gathers)
        elif skip.S and role.placed is block.chain[0] and masks_in_first(block):
            shape = paper.shape_of(role.placed, layer)
            first = {size: shape[size] for size in ("c_in", "c_out", "height", "width")}
            yield f"masker+{name}", op.MaskerConvolution(**first, S=skip.S, r=skip.patch_rate)
        else:
            rates: dict[str, Any] = {"input_rate": rho} if role.switches_in else {}
            rates |= {"output_rate": rho} if role.switches_out else {}
            yield name, paper.dense(role.placed, layer, **rates, **({"channel_group": skip.G} if rates else {}))


def _squeeze_excitation(shape: dict[str, Any], squeezed: int) -> Iterator[tuple[str, op.Operator]]:
    """Of the active patches alone, where there are patches."""
    channels = shape["channels"]
    yield "SE pool", op.PatchGlobalPool(**shape) if "S" in shape else op.GlobalPool(**shape)
    yield "SE squeeze", op.FullyConnected(c_in=channels, c_out=squeezed)
    yield "SE excite", op.FullyConnected(c_in=squeezed, c_out=channels)
    yield "SE scale", op.PatchChannelScale(**shape) if "S" in shape else op.ChannelScale(**shape)


def _addition(block: ConvolutionalBlock, skip: Skipping) -> Step:
    """Into the residual map, of patches or of the samples that ran; or of whole maps."""
    out = paper.map_of(block.out)
    if skip.S:
        runs = 1.0 if skip.layer_rate is None else skip.layer_rate
        return Step("scatter+add", op.ScatterAdd(**out, S=skip.S, r=skip.patch_rate), runs)
    if skip.layer_rate is not None:
        # Whole samples are what is scattered: in bytes, that share of the pixels.
        return Step("scatter+add", op.ScatterAdd(**out, S=1, r=skip.layer_rate))
    return Step("add", op.Add(**out))
