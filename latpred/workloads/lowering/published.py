"""The lowering of the papers (MODEL §6), whose oddities (MODEL §10) are rules of the form, on or off."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any

from latpred.workloads import operators as op
from latpred.workloads.lowering import paper
from latpred.workloads.lowering.forms import Form, Step

if TYPE_CHECKING:
    from latpred.workloads.blocks import Bottleneck
    from latpred.workloads.lowering.skipping import Skipping


def steps(block: Bottleneck, skip: Skipping, form: Form) -> Iterator[Step]:
    """The operators of a block, maskers first."""
    yield from _maskers(block, skip, form)
    if paper.needs_shortcut(block):
        yield Step("shortcut", paper.shortcut(block), omitted=form.omits_projections and block.stride == 1)
    yield from _body(block, skip, form)


def _maskers(block: Bottleneck, skip: Skipping, form: Form) -> Iterator[Step]:
    """What decides; paid whether or not the body runs."""
    c_in, shape = block.c_in, {"height": block.height, "width": block.width}
    if skip.layer_rate is not None:
        if skip.layer_masker == "fused":
            yield Step("layer masker", paper.layer_masker(block))
        else:
            yield Step("layer masker pool", op.AveragePool(channels=c_in, **shape))
            yield Step("layer masker fc1", op.FullyConnected(c_in=c_in, c_out=skip.layer_hidden))
            yield Step("layer masker fc2", op.FullyConnected(c_in=skip.layer_hidden, c_out=1))
    if skip.G is not None:
        on_paper = paper.channel_masker_layers(block, skip.G, skip.masker_layers)
        decided = c_in if form.masks_input_channels else block.inner
        found = channel_masker(c_in, block.height, block.width, skip.G, skip.masker_layers, decided)
        yield from _counted(found, on_paper)
    if skip.S is not None and "masker" in skip.unfuse:
        yield Step("masker", paper.spatial_masker(block))
    elif skip.S is not None and skip.layer_rate is not None:
        # Fused, the masker runs with the body; for the samples whose body is skipped it runs on its own.
        yield Step("masker alone", paper.spatial_masker(block), skip.layer_rate._replace(rest=True))


def channel_masker(
    channels: int, height: int, width: int, G: int, layers: int = 2, decided: int | None = None
) -> list[Step]:
    """Average pool, then one or two fully connected layers to u = c//G groups; nothing if u = 1 (MODEL §5).

    `decided` are the channels that are grouped, by default those of the input.
    """
    groups = (decided or channels) // G
    if groups <= 1:
        return []
    hidden = groups // min(paper.MASKER_REDUCTION, groups)
    widths = (channels, hidden, groups) if layers == 2 else (channels, groups)
    pool = Step("masker pool", op.AveragePool(channels=channels, height=height, width=width))
    linear = enumerate(pairwise(widths), start=1)
    return [
        pool,
        *(Step(f"masker fc{number}", op.FullyConnected(c_in=c_in, c_out=c_out)) for number, (c_in, c_out) in linear),
    ]


def _counted(found: list[Step], on_paper: list[op.Operator]) -> Iterator[Step]:
    """The pool, and the linear layers with what is counted of them on paper."""
    yield from found[:1]
    for number, (step, counted) in enumerate(zip_longest(found[1:], on_paper), start=1):
        if step is None:
            yield Step(f"masker fc{number}", counted, omitted=True)
        else:
            yield step._replace(on_paper=counted)


def _body(block: Bottleneck, skip: Skipping, form: Form) -> Iterator[Step]:
    """The convolutions, SE and the addition, with the rates of every paradigm that is on, weighted by executions."""
    executions = 1.0 if skip.layer_rate is None else skip.layer_rate
    w, out = block.inner, {"height": block.out_height, "width": block.out_width}
    *inner, last = _patch_convolutions(block, skip) if skip.S else _convolutions(block, skip)
    # What follows the convolutions counts a channel-dynamic block as one of S = 1, r = 1 (MODEL §6, oddity 4).
    pixels = skip.S or (1 if skip.G and form.scatters_channels else None)
    active = {"S": pixels, "r": skip.patch_rate} if pixels else {}
    if skip.scaled:
        inner.insert(1, ("scale1", _scale(w, block.height, block.width, skip.channel_rate)))
        inner.append(("scale2", _scale(w, **out, rate=skip.channel_rate)))
    if block.se:
        inner += squeeze_excitation({"channels": w, **out}, paper.squeezed_channels(block.c_in), active)
    addition = _addition({"channels": block.c_out, **out}, active, "scatter" in skip.unfuse)
    yield from (Step(name, operator, executions) for name, operator in (*inner, last, *addition))


def _addition(shape: dict[str, int], active: dict[str, Any], unfuse: bool) -> list[tuple[str, op.Operator]]:
    """Into the residual map: of patches in one kernel, or after a scatter of their own; or of whole maps."""
    if not active:
        return [("add", op.Add(**shape))]
    if unfuse:
        return [("scatter", op.Scatter(**shape, **active)), ("add", op.Add(**shape))]
    return [("scatter+add", op.ScatterAdd(**shape, **active))]


def _convolutions(block: Bottleneck, skip: Skipping) -> list[tuple[str, op.Operator]]:
    conv1, conv2, conv3 = paper.convolutions(block)
    rho = skip.channel_rate
    return [
        ("conv1", op.Convolution(**conv1, output_rate=rho)),
        ("conv2", op.Convolution(**conv2, input_rate=rho, output_rate=rho)),
        ("conv3", op.Convolution(**conv3, input_rate=rho)),
    ]


def _patch_convolutions(block: Bottleneck, skip: Skipping) -> list[tuple[str, op.Operator]]:
    """With the masker in the first and the gather in the second, unless undone."""
    conv1, conv2, conv3 = paper.convolutions(block)
    rho, patches = skip.channel_rate, {"S": skip.S, "r": skip.patch_rate}
    found: list[tuple[str, op.Operator]] = []
    if "masker" in skip.unfuse:
        found += [("conv1", op.PatchConvolution(**conv1, **patches, indexed=True, output_rate=rho))]
    else:
        found += [("masker+conv1", op.MaskerConvolution(**conv1, **patches, output_rate=rho))]
    fused = "gather" not in skip.unfuse
    if not fused:
        # Patches of the output map as they lie in the input map, with a border for the 3×3 kernel.
        read = {"height": block.out_height * block.stride, "width": block.out_width * block.stride, "pad": 1}
        edge = (skip.S or 1) * block.stride
        found += [("gather", op.Gather(channels=block.inner, **read, S=edge, r=skip.patch_rate))]
    conv2_operator = op.PatchConvolution(**conv2, **patches, indexed=fused, input_rate=rho, output_rate=rho)
    found += [("gather+conv2" if fused else "conv2", conv2_operator)]
    return [*found, ("conv3", op.PatchConvolution(**conv3, **patches, indexed=False, input_rate=rho))]


def _scale(channels: int, height: int, width: int, rate: Any) -> op.ChannelScale:
    return op.ChannelScale(channels=channels, height=height, width=width, rate=rate)


def squeeze_excitation(
    shape: dict[str, int], squeezed: int, active: dict[str, Any] | None = None
) -> list[tuple[str, op.Operator]]:
    """Pool (over `active` patches only, if given), two fully connected layers, channel-wise scaling (MODEL §5)."""
    channels = shape["channels"]
    return [
        ("SE pool", op.PatchGlobalPool(**shape, **active) if active else op.GlobalPool(**shape)),
        ("SE squeeze", op.FullyConnected(c_in=channels, c_out=squeezed)),
        ("SE excite", op.FullyConnected(c_in=squeezed, c_out=channels)),
        ("SE scale", op.ChannelScale(**shape)),
    ]
