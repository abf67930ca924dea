"""The lowering of the papers (MODEL §6), whose oddities (MODEL §10) are rules of the form, on or off."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise, zip_longest
from typing import TYPE_CHECKING, Any

from latpred.workloads import operators as op
from latpred.workloads.layers import SE, Conv, Placed
from latpred.workloads.lowering import paper
from latpred.workloads.lowering.forms import Form, Step
from latpred.workloads.lowering.roles import Patches, Role, masks_in_first, roles

if TYPE_CHECKING:
    from latpred.workloads.blocks import ConvolutionalBlock
    from latpred.workloads.lowering.skipping import Skipping


def steps(block: ConvolutionalBlock, skip: Skipping, form: Form) -> Iterator[Step]:
    """The operators of a block, maskers first."""
    yield from _maskers(block, skip, form)
    for step in paper.shortcut(block):
        yield step._replace(omitted=form.omits_projections and not block.counts_shortcut)
    executions = 1.0 if skip.layer_rate is None else skip.layer_rate
    body = (*_body(block, skip, form), *_addition(block, skip, form))
    yield from (Step(name, operator, executions) for name, operator in body)


def _maskers(block: ConvolutionalBlock, skip: Skipping, form: Form) -> Iterator[Step]:
    """What decides; paid whether or not the body runs."""
    c_in, shape = block.c_in, {"height": block.height, "width": block.width}
    if skip.layer_rate is not None:
        if skip.layer_masker == "fused":
            yield Step("layer masker", paper.layer_masker(block))
        elif skip.layer_masker == "pooled":
            yield Step("layer masker pool", op.AveragePool(channels=c_in, **shape))
            yield Step("layer masker fc1", op.FullyConnected(c_in=c_in, c_out=skip.layer_hidden))
            yield Step("layer masker fc2", op.FullyConnected(c_in=skip.layer_hidden, c_out=1))
    if skip.G is not None:
        on_paper = paper.channel_masker_layers(block, skip.G, skip.masker_layers)
        of_input = form.masks_input_channels and block.masks_input_channels
        decided = c_in if of_input else paper.first_switched(block)
        found = channel_masker(c_in, block.height, block.width, skip.G, skip.masker_layers, decided)
        yield from _counted(found, on_paper)
    if skip.S is not None and not _fuses_masker(block, skip):
        yield Step("masker", paper.spatial_masker(block))
    elif skip.S is not None and skip.layer_rate is not None:
        # Fused, the masker runs with the body; for the samples whose body is skipped it runs on its own.
        yield Step("masker alone", paper.spatial_masker(block), skip.layer_rate._replace(rest=True))


def _fuses_masker(block: ConvolutionalBlock, skip: Skipping) -> bool:
    """Whether the masker of patches is one more channel of the first convolution."""
    return masks_in_first(block) and "masker" not in skip.unfuse


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


def _body(block: ConvolutionalBlock, skip: Skipping, form: Form) -> Iterator[tuple[str, op.Operator]]:
    """The layers, with the rates of every paradigm that is on."""
    for role in roles(block, skip.S):
        name, layer, _, out = role.placed
        if isinstance(layer, Conv):
            yield from _convolution(block, role, layer, skip)
            if skip.scaled and role.switches_out:
                yield name.replace("conv", "scale"), op.ChannelScale(**paper.map_of(out), rate=skip.channel_rate)
        elif isinstance(layer, SE):
            active = _active(role.patches.S if role.patches else None, skip, form)
            yield from squeeze_excitation(paper.map_of(out), layer.squeezed, active)
        else:
            yield name, paper.one_pass(role.placed, role.patches, skip.patch_rate)


def _convolution(
    block: ConvolutionalBlock, role: Role, conv: Conv, skip: Skipping
) -> Iterator[tuple[str, op.Operator]]:
    """Dense, with the masker, or of patches, into which the gather is fused unless undone."""
    placed, patches, r, rho = role.placed, role.patches, skip.patch_rate, skip.channel_rate
    rates: dict[str, Any] = {
        "input_rate": rho if role.switches_in else 1.0,
        "output_rate": rho if role.switches_out else 1.0,
    }
    if patches is None and skip.S and placed is block.chain[0] and masks_in_first(block):
        first: dict[str, Any] = {"c_in": placed.into.channels, "c_out": conv.c_out, "S": skip.S, "r": r}
        edges: dict[str, Any] = {
            "height": placed.into.height,
            "width": placed.into.width,
            "output_rate": rates["output_rate"],
        }
        if "masker" in skip.unfuse:
            yield placed.name, op.PatchConvolution(**first, **edges, indexed=True)
        else:
            yield f"masker+{placed.name}", op.MaskerConvolution(**first, **edges)
    elif patches is None:
        yield placed.name, paper.dense(placed, conv, **rates)
    elif patches.gathers and "gather" in skip.unfuse:
        yield "gather", _gather(placed, conv, patches, r)
        yield placed.name, paper.patched(placed, conv, patches, r, indexed=False, **rates)
    else:
        name = f"gather+{placed.name}" if patches.gathers else placed.name
        yield name, paper.patched(placed, conv, patches, r, indexed=patches.gathers, **rates)


def _gather(placed: Placed, conv: Conv, patches: Patches, r: Any) -> op.Gather:
    """Patches of the output map as they lie in the input map, with the border that this kernel and later ones need."""
    rows, columns = placed.out.height * conv.stride, placed.out.width * conv.stride
    edge = patches.S * conv.stride
    border = -(-((patches.edge - patches.S) * conv.stride + conv.kernel - 1) // 2)
    return op.Gather(channels=placed.into.channels, height=rows, width=columns, S=edge, r=r, pad=border)


def _active(S: int | None, skip: Skipping, form: Form) -> dict[str, Any]:
    """The patches of what follows the convolutions; a channel-dynamic block has those of S = 1 (MODEL §6, oddity 4)."""
    if S:
        return {"S": S, "r": skip.patch_rate}
    return {"S": 1, "r": 1.0} if skip.G and not skip.S and form.scatters_channels else {}


def _addition(block: ConvolutionalBlock, skip: Skipping, form: Form) -> Iterator[tuple[str, op.Operator]]:
    """Into the residual map: of patches in one kernel, or after a scatter of their own; or of whole maps."""
    shape, active = paper.map_of(block.out), _active(skip.S, skip, form)
    if block.bypass is None:
        return
    if not active:
        yield "add", op.Add(**shape)
    elif "scatter" in skip.unfuse:
        yield "scatter", op.Scatter(**shape, **active)
        yield "add", op.Add(**shape)
    else:
        yield "scatter+add", op.ScatterAdd(**shape, **active)


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
