"""A slimmable network at a share of its width: the same layers with fewer channels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from latpred.errors import InputError, NetworkError
from latpred.workloads.layers import SE, Conv, Join, Layer
from latpred.workloads.networks.stages import Stage, Stem

if TYPE_CHECKING:
    from latpred.workloads.networks.residual import Network

#: Channels come in multiples of this number, and not more than a tenth below the share (MobileNetV2).
MULTIPLE = 8
#: Why a network cannot be narrowed.
OF_ONE_WIDTH = "its heads, or its groups of channels, have one width"
#: What may be lost by rounding.
_LEAST = 0.9


def channels(count: int, r: float) -> int:
    """A share of some channels, in multiples of eight.

    >>> channels(32, 0.5), channels(24, 0.5), channels(144, 0.35)
    (16, 16, 48)
    """
    whole = max(int(count * r + MULTIPLE / 2) // MULTIPLE * MULTIPLE, MULTIPLE)
    return whole if whole >= _LEAST * count * r else whole + MULTIPLE


@lru_cache(maxsize=256)
def narrowed(network: Network, r: float) -> Network:
    """The network with a share `r` of the channels of every layer up to the last stage.

    Raises NetworkError for one with parts that have one width: heads, or groups of channels.
    """
    stem = network.stem
    try:
        if network.group_width:
            raise InputError(OF_ONE_WIDTH)
        stages = tuple(_stage(stage, r) for stage in network.stages)
        if r == 1:
            return network
        if all(run.kind == "bottleneck" for stage in network.stages for run in stage.runs):
            stages = tuple(_bottlenecks(network.stages, stages, r, network.bottleneck_ratio))
        stem = stem.replace(c_out=channels(stem.c_out, r)) if isinstance(stem, Stem) else _layers(stem, r)
        return network.replace(stem=stem, stages=stages)
    except InputError as problem:
        raise NetworkError(f"{network.name} cannot run at a share of its width: {problem}") from None


def _bottlenecks(whole: Sequence[Stage], narrow: Sequence[Stage], r: float, ratio: int) -> Iterator[Stage]:
    """Stages whose inner channels come in multiples of eight, and so the outer ones, which the next stage reads."""
    width = None
    for stage, found in zip(whole, narrow, strict=True):
        own = stage.bottleneck_ratio or ratio
        before = None if any(isinstance(layer, Conv | Join) for layer in stage.before) else width
        changes: dict[str, Any] = {"c_in": before or found.c_in, "c_out": own * channels(stage.c_out // own, r)}
        if isinstance(stage.blocks, tuple) and isinstance(found.blocks, tuple):
            runs = [run.replace(c_in=changes["c_in"]) if not number else run for number, run in enumerate(found.blocks)]
            changes["blocks"] = tuple(_bottlenecks(stage.blocks, runs, r, ratio))
            changes["c_out"] = changes["blocks"][-1].c_out
        width = changes["c_out"]
        yield found.replace(**changes)


def _stage(stage: Stage, r: float) -> Stage:
    """A stage, and those within it."""
    if any(run.kind == "transformer" or run.groups or run.group_width for run in stage.runs):
        raise InputError(OF_ONE_WIDTH)
    narrow: dict[str, Any] = {"c_in": channels(stage.c_in, r), "c_out": channels(stage.c_out, r)}
    if isinstance(stage.blocks, tuple):
        narrow["blocks"] = tuple(_stage(run, r) for run in stage.blocks)
    if stage.hidden:
        narrow["hidden"] = channels(stage.hidden, r)
    if stage.squeeze and stage.squeeze >= 1:
        narrow["squeeze"] = channels(int(stage.squeeze), r)
    for name in ("before", "body", "shortcut"):
        if isinstance(layers := getattr(stage, name), tuple) and layers:
            narrow[name] = _layers(layers, r)
    return stage.replace(**narrow)


def _layers(layers: tuple[Layer, ...], r: float) -> tuple[Layer, ...]:
    return tuple(_layer(layer, r) for layer in layers)


def _layer(layer: Layer, r: float) -> Layer:
    if isinstance(layer, Conv):
        if layer.groups not in (1, "depthwise"):
            raise InputError(OF_ONE_WIDTH)
        return layer.replace(c_out=channels(layer.c_out, r))
    if isinstance(layer, SE):
        return layer.replace(squeezed=channels(layer.squeezed, r))
    if isinstance(layer, Join):
        return layer.replace(branches=tuple(_layers(branch, r) for branch in layer.branches))
    return layer
