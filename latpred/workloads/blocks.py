"""The residual bottleneck block, and its lowering to operators under every paradigm (MODEL §6)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from pydantic import model_validator

from latpred.errors import GranularityError, InputError, NetworkError
from latpred.records import Count, Record
from latpred.workloads import operators as op
from latpred.workloads.granularity import channel_groups, patch_edges
from latpred.workloads.lowering.kernels import MASKER_REDUCTION, kernel_steps, squeezed_channels
from latpred.workloads.paradigms import Paradigm, Skipping, check_supported


class Step(NamedTuple):
    """An operator, its name in the workload, and how often it runs per sample (a rate)."""

    name: str
    operator: op.Operator
    executions: Any = 1.0
    stage: int | None = None
    block: int | None = None


class Workload(NamedTuple):
    """The operators of a target under a paradigm, and what a reader of the result must know."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()


class Bottleneck(Record):
    """A residual bottleneck block: 1×1, 3×3 and 1×1 convolutions c_in → w → w → c_out, w = c_out // bottleneck_ratio.

    Parameters
    ----------
    c_in, c_out
        Channels of the input and of the output.
    bottleneck_ratio
        Output channels over inner channels, b.
    height, width
        Input feature map [pixels].
    stride
        Of the 3×3 convolution; a strided block has a 1×1 shortcut convolution.
    groups
        Groups of the 3×3 convolution.
    se
        Squeeze-and-excitation on the inner map.
    """

    error: ClassVar[type[InputError]] = NetworkError
    #: What a block can skip by.
    paradigms: ClassVar[tuple[str, ...]] = ("spatial", "channel", "layer")

    name: str = "bottleneck"
    c_in: Count
    c_out: Count
    bottleneck_ratio: Count = 4
    height: Count
    width: Count
    stride: Count = 1
    groups: Count = 1
    se: bool = False

    @model_validator(mode="after")
    def _divisible(self) -> Bottleneck:
        if self.c_out % self.bottleneck_ratio:
            raise ValueError(f"c_out={self.c_out} is no multiple of bottleneck_ratio={self.bottleneck_ratio}")
        if self.inner % self.groups:
            raise ValueError(f"{self.inner} inner channels cannot be split into {self.groups} groups")
        if min(self.height, self.width) < self.stride:
            raise ValueError(f"a {self.height}×{self.width} map is too small for stride {self.stride}")
        return self

    @property
    def shape(self) -> tuple[Any, ...]:
        """Every field but the name: blocks of one shape take the same time, and err alike."""
        return tuple(value for field, value in self if field != "name")

    @property
    def inner(self) -> int:
        """Channels between the convolutions, w."""
        return self.c_out // self.bottleneck_ratio

    @property
    def out_height(self) -> int:
        """Output map's height [pixels]."""
        return self.height // self.stride

    @property
    def out_width(self) -> int:
        """Output map's width [pixels]."""
        return self.width // self.stride

    def largest_granularity(self, paradigm: str) -> int:
        """The largest S or G that fits: an edge of the output map, or the fewest channels that are read."""
        return min(self.out_height, self.out_width) if paradigm == "spatial" else min(self.c_in, self.inner)

    def granularities(self, paradigm: str) -> list[int]:
        """Every S or G worth a try (`latpred.workloads.granularity`)."""
        if paradigm == "spatial":
            return patch_edges(self.out_height, self.out_width)
        return channel_groups(self.inner, self.largest_granularity(paradigm))

    def lower(self, paradigm: Paradigm, rates: tuple[float, ...] | None = None, *, kernels: bool = False) -> Workload:
        """The operators of this block as published, or its `kernels`; at several `rates` every figure is an array.

        Raises
        ------
        InputError
            A granularity that does not fit the block, or a sequence of settings.
        """
        paradigm.require_single(self.name)
        return _lower(self, paradigm if rates is None else paradigm.at_rates(rates), kernels)


@lru_cache(maxsize=4096)
def _lower(block: Bottleneck, paradigm: Paradigm, kernels: bool) -> Workload:
    check_supported(paradigm, block.paradigms, block.name)
    skip = Skipping(**paradigm.skipping())
    if skip.attention_rate is not None and skip.layer_rate is None:
        raise InputError(f"{block.name} has no attention and MLP; give the layer rate r")
    _check(block, skip)
    if kernels:
        return Workload(tuple(Step(*step) for step in kernel_steps(block, skip)), tuple(_map_notes(block, skip.S)))
    steps = (*_maskers(block, skip), *_shortcut(block), *_body(block, skip))
    return Workload(steps, (*_map_notes(block, skip.S), *_notes(block)))


def _maskers(block: Bottleneck, skip: Skipping) -> Iterator[Step]:
    """What decides; paid whether or not the body runs."""
    c_in, shape = block.c_in, {"height": block.height, "width": block.width}
    if skip.layer_rate is not None:
        if skip.gate == "fused":
            yield Step("layer masker", op.LayerMasker(c_in=c_in, c_out=block.inner, **shape))
        else:
            yield Step("gate pool", op.AveragePool(channels=c_in, **shape))
            yield Step("gate fc1", op.FullyConnected(c_in=c_in, c_out=skip.gate_hidden))
            yield Step("gate fc2", op.FullyConnected(c_in=skip.gate_hidden, c_out=1))
    if skip.G is not None:
        yield from channel_masker(c_in, block.height, block.width, skip.G, skip.masker_layers)
    if skip.S is not None and "masker" in skip.unfuse:
        yield Step("masker", _spatial_masker(block))
    elif skip.S is not None and skip.layer_rate not in (None, 1.0):
        # Fused, the masker runs with the body; for the samples whose body is skipped it runs on its own.
        rate = skip.layer_rate
        skipped = tuple(1.0 - value for value in rate) if isinstance(rate, tuple) else 1.0 - rate
        yield Step("masker alone", _spatial_masker(block), skipped)


def _spatial_masker(block: Bottleneck) -> op.Convolution:
    """Two channels, on and off, for every pixel of the block's input (MODEL §5)."""
    return op.Convolution(c_in=block.c_in, c_out=2, height=block.height, width=block.width)


def channel_masker(channels: int, height: int, width: int, G: int, layers: int = 2) -> Iterator[Step]:
    """Average pool, then one or two fully connected layers to u = c//G groups; nothing if u = 1 (MODEL §5)."""
    groups = channels // G
    if groups == 1:
        return
    yield Step("masker pool", op.AveragePool(channels=channels, height=height, width=width))
    hidden = groups // min(MASKER_REDUCTION, groups)
    widths = (channels, hidden, groups) if layers == 2 else (channels, groups)
    for number, (c_in, c_out) in enumerate(pairwise(widths), start=1):
        yield Step(f"masker fc{number}", op.FullyConnected(c_in=c_in, c_out=c_out))


def _shortcut(block: Bottleneck) -> Iterator[Step]:
    """A dense 1×1 convolution in strided blocks, whether or not the body runs (MODEL §6)."""
    if block.stride > 1:
        shape = {"height": block.height, "width": block.width, "stride": block.stride}
        yield Step("shortcut", op.Convolution(c_in=block.c_in, c_out=block.c_out, **shape))


def _body(block: Bottleneck, skip: Skipping) -> Iterator[Step]:
    """The convolutions, SE and the addition, with the rates of every paradigm that is on, weighted by executions."""
    executions = 1.0 if skip.layer_rate is None else skip.layer_rate
    w, out = block.inner, {"height": block.out_height, "width": block.out_width}
    *inner, last = _spatial_convolutions(block, skip) if skip.S else _convolutions(block, skip)
    # What follows the convolutions counts a channel-dynamic block as one of S = 1, r = 1 (MODEL §6, oddity 4).
    active = {"S": skip.S or 1, "r": skip.patch_rate} if skip.S or skip.G else {}
    if skip.scaled:
        inner.insert(1, ("scale1", _scale(w, block.height, block.width, skip.channel_rate)))
        inner.append(("scale2", _scale(w, **out, rate=skip.channel_rate)))
    if block.se:
        inner += squeeze_excitation({"channels": w, **out}, squeezed_channels(block.c_in), active)
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
    conv1, conv2, conv3 = _shapes(block)
    rho = skip.channel_rate
    return [
        ("conv1", op.Convolution(**conv1, output_rate=rho)),
        ("conv2", op.Convolution(**conv2, input_rate=rho, output_rate=rho)),
        ("conv3", op.Convolution(**conv3, input_rate=rho)),
    ]


def _spatial_convolutions(block: Bottleneck, skip: Skipping) -> list[tuple[str, op.Operator]]:
    """With the masker in the first and the gather in the second, unless undone."""
    conv1, conv2, conv3 = _shapes(block)
    rho, patches = skip.channel_rate, {"S": skip.S, "r": skip.patch_rate}
    steps: list[tuple[str, op.Operator]] = []
    if "masker" in skip.unfuse:
        steps += [("conv1", op.PatchConvolution(**conv1, **patches, indexed=True, output_rate=rho))]
    else:
        steps += [("masker+conv1", op.MaskerConvolution(**conv1, **patches, output_rate=rho))]
    fused = "gather" not in skip.unfuse
    if not fused:
        # Patches of the output map as they lie in the input map, with a border for the 3×3 kernel.
        read = {"height": block.out_height * block.stride, "width": block.out_width * block.stride, "pad": 1}
        steps += [("gather", op.Gather(channels=block.inner, **read, S=patches["S"] * block.stride, r=skip.patch_rate))]
    conv2_operator = op.PatchConvolution(**conv2, **patches, indexed=fused, input_rate=rho, output_rate=rho)
    steps += [("gather+conv2" if fused else "conv2", conv2_operator)]
    return [*steps, ("conv3", op.PatchConvolution(**conv3, **patches, indexed=False, input_rate=rho))]


def _shapes(block: Bottleneck) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The three convolutions' shapes."""
    w, height, width = block.inner, block.height, block.width
    conv1 = {"c_in": block.c_in, "c_out": w, "height": height, "width": width}
    conv2 = {**conv1, "c_in": w, "kernel": 3, "stride": block.stride, "groups": block.groups}
    return conv1, conv2, {"c_in": w, "c_out": block.c_out, "height": block.out_height, "width": block.out_width}


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


def _check(block: Bottleneck, skip: Skipping) -> None:
    """Raise InputError for a granularity that does not fit."""
    edge, channels = (block.largest_granularity(paradigm) for paradigm in ("spatial", "channel"))
    if skip.S and edge < skip.S:
        size = f"{block.out_height}×{block.out_width}"
        raise GranularityError(f"S={skip.S} is larger than the {size} map of {block.name}; choose S from 1 to {edge}")
    if skip.G and channels < skip.G:
        raise GranularityError(
            f"G={skip.G} is larger than the {channels} channels of {block.name}; choose G from 1 to {channels}"
        )


def _map_notes(block: Bottleneck, S: int | None) -> Iterator[str]:
    height, width = block.out_height, block.out_width
    stage = block.name.removesuffix("-first")
    if S and S > 1 and (height, width) == (S, S):
        yield f"{stage}: S={S} is the whole map, one patch that is on for every r > 0; layer skipping is meant"
    elif S and (height % S or width % S):
        down, across = -(-height // S), -(-width // S)
        waste = down * across * S**2 / (height * width) - 1
        yield (
            f"{stage}: S={S} does not divide the {height}×{width} map: {down}×{across} patches, "
            f"{waste:.1%} more pixels than the map has"
        )
    if block.height % block.stride or block.width % block.stride:
        yield (
            f"{block.name}: stride {block.stride} does not divide the {block.height}×{block.width} input; "
            f"the output map is rounded down to {height}×{width}"
        )


def _notes(block: Bottleneck) -> Iterator[str]:
    if block.stride == 1 and block.c_in != block.c_out:
        yield f"{block.name}: the published model leaves out the shortcut convolution {block.c_in}→{block.c_out}"
