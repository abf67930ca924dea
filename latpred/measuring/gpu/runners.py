"""An operator or a block as a job to time: random inputs and weights of its shapes and rates, and what launches it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from latpred.errors import InputError
from latpred.measuring.gpu import blocks, launch
from latpred.measuring.gpu.blocks import DTYPES, forced
from latpred.measuring.gpu.launch import Active, Tensor
from latpred.measuring.gpu.timing import Job, cache_bytes, copies_beyond_cache
from latpred.measuring.suites import Point
from latpred.models.calibrated.tiles import inputs_adjacent
from latpred.workloads import operators as op
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.densities import active_patches
from latpred.workloads.paradigms import Paradigm

DEVICE = "cuda"


def job(point: Point) -> Job:
    """A row to be; raises InputError for what the kernels do not compute."""
    if isinstance(point.target, Bottleneck):
        return block_job(point.target, point.paradigm, point.batch, point.precision)
    return operator_job(point.target, point.batch, point.precision)


def block_job(block: Bottleneck, paradigm: Paradigm, batch: int, precision: str) -> Job:
    """A whole block, its weights rotated past the cache and its maps as the block finds them."""
    blocks.check(block, paradigm)
    x = blocks.random_input(block, precision, batch, DEVICE)
    limits = blocks.thresholds(block, paradigm, batch, DEVICE)
    first = blocks.random_weights(block, paradigm, precision, DEVICE)
    maps = block.height * block.width * (block.c_in + block.inner) + block.out_height * block.out_width * (
        2 * block.inner + 2 * block.c_out
    )
    count = copies_beyond_cache(first.bytes, maps * batch * x.element_size(), cache_bytes())
    copies = [first, *(blocks.random_weights(block, paradigm, precision, DEVICE) for _ in range(count - 1))]
    return Job(lambda number: blocks.run(block, paradigm, x, copies[number], limits, precision), count)


def operator_job(operator: op.Operator, batch: int, precision: str) -> Job:
    """One operator; raises InputError for one that the kernels do not compute."""
    build = BUILDERS.get(type(operator))
    if build is None:
        raise InputError(f"the kernels do not compute {type(operator).__name__}")
    return build(operator, batch, precision)


def _map(precision: str, *shape: int) -> Tensor:
    return torch.relu(torch.randn(shape, device=DEVICE)).to(DTYPES[precision])


def _listed(maps: int, items: int, rate: Any, height: int = 1, width: int = 1, across: int = 1) -> Active:
    """As many random items of each map as `rate` says, listed as the compaction lists them."""
    budget = int(active_patches(rate, items))
    flat = launch.compact(torch.zeros(maps, 1, items, device=DEVICE), forced(maps, items, budget, DEVICE), budget)
    return Active(flat.items, flat.ranks, height, width, across, items)


def _patches(o: Any, batch: int) -> Active:
    out_width = getattr(o, "out_width", o.width)
    return _listed(batch, o.patches, o.r, o.S, o.S, -(-out_width // o.S))


def _with_weights(
    make: Callable[[], Tensor], map_elements: int, element_bytes: int, run: Callable[[Tensor], Any]
) -> Job:
    first = make()
    count = copies_beyond_cache(first.numel() * element_bytes, map_elements * element_bytes, cache_bytes())
    copies = [first, *(make() for _ in range(count - 1))]
    return Job(lambda number: run(copies[number]), count)


def _convolution(o: op.Convolution, batch: int, precision: str) -> Job:
    indexed = getattr(o, "indexed", False)
    groups_in = groups_out = None
    group = o.channel_group or 1
    if o.channel_group:
        groups_in = _local(batch, o.c_in // group, o.input_rate) if o.input_rate != 1 else None
        groups_out = _local(batch, o.c_out // group, o.output_rate) if o.output_rate != 1 else None
    patches = _patches(o, batch) if isinstance(o, op.PatchConvolution) else None
    c_in = groups_in.items.shape[1] * group if groups_in else o.c_in
    if patches and not indexed:
        x, patches = _map(precision, patches.items.numel(), patches.height, patches.width, c_in), None
    else:
        x = _map(precision, batch, o.height, o.width, c_in)
    shape = (o.groups, o.kernel**2, o.c_in // o.groups, o.c_out // o.groups)

    adjacent = inputs_adjacent(precision, group, gathers_out=groups_out is not None)

    def make() -> Tensor:
        return blocks.random_filters(shape, precision, DEVICE, adjacent)

    def run(weights: Tensor) -> Tensor:
        y: Tensor = launch.convolution(
            x,
            weights,
            stride=o.stride,
            precision=precision,
            relu=True,
            patches=patches,
            groups_in=groups_in,
            groups_out=groups_out,
            group_size=group,
        )
        return y

    out = batch * o.c_out * o.out_height * o.out_width
    return _with_weights(make, x.numel() + out, x.element_size(), run)


def _local(batch: int, groups: int, rate: Any) -> Active:
    """Active channel groups, numbered from 0 in every sample."""
    budget = int(active_patches(rate, groups))
    return launch.compact(
        torch.zeros(batch, 1, groups, device=DEVICE), forced(batch, groups, budget, DEVICE), budget, local=True
    )


def _masker_convolution(o: op.MaskerConvolution, batch: int, precision: str) -> Job:
    x = _map(precision, batch, o.height, o.width, o.c_in)
    masker = blocks.score_filters(o.c_in, precision, DEVICE)

    def make() -> Tensor:
        return blocks.random_filters((1, 1, o.c_in, o.c_out), precision, DEVICE, inputs_adjacent(precision))

    def run(weights: Tensor) -> Any:
        return launch.convolution(x, weights, precision=precision, relu=True, mask_weights=masker)

    return _with_weights(make, x.numel() * (o.c_in + o.c_out) // o.c_in, x.element_size(), run)


def _add(o: op.Add, batch: int, precision: str) -> Job:
    x, y = (_map(precision, batch, o.height, o.width, o.channels) for _ in range(2))
    return Job(lambda _: launch.scatter_add(x, y))


def _scatter_add(o: op.ScatterAdd, batch: int, precision: str) -> Job:
    x, active = _map(precision, batch, o.height, o.width, o.channels), _patches(o, batch)
    patches = _map(precision, max(active.items.numel(), 1), o.S, o.S, o.channels)
    return Job(lambda _: launch.scatter_add(x, patches, active))


def _pool(o: op.GlobalPool, batch: int, precision: str) -> Job:
    x = _map(precision, batch, o.height, o.width, o.channels)
    return Job(lambda _: launch.pool(x, batch))


def _patch_pool(o: op.PatchGlobalPool, batch: int, precision: str) -> Job:
    x = _map(precision, batch, max(int(o.active), 1), o.S * o.S, o.channels)
    return Job(lambda _: launch.pool(x, batch))


def _scale(o: op.ChannelScale | op.PatchChannelScale, batch: int, precision: str) -> Job:
    pixels = max(int(o.active), 1) * o.S**2 if isinstance(o, op.PatchChannelScale) else o.height * o.width
    x, factors = _map(precision, batch, pixels, 1, o.channels), torch.rand(batch, 1, o.channels, device=DEVICE)
    return Job(lambda _: launch.scale(x, factors))


def _linear(o: op.FullyConnected, batch: int, _: str) -> Job:
    x, weights = torch.randn(batch, 1, o.c_in, device=DEVICE), torch.randn(o.c_out, o.c_in, device=DEVICE)
    return Job(lambda _: launch.linear(x, weights, "relu"))


def _compaction(o: op.MaskCompaction, batch: int, _: str) -> Job:
    maps = o.maps(batch)
    patch = (1, 1)
    if o.items < o.height * o.width:
        edge = round(math.sqrt(o.height * o.width / o.items))
        patch = (edge, edge)
    scores = torch.randn(maps, o.height, o.width, device=DEVICE)
    items = -(-o.height // patch[0]) * -(-o.width // patch[1])
    budget = -(-items // 2)
    limits = forced(maps, items, budget, DEVICE)
    return Job(lambda _: launch.compact(scores, limits, budget, patch))


BUILDERS: dict[type[op.Operator], Callable[..., Job]] = {
    op.Convolution: _convolution,
    op.PatchConvolution: _convolution,
    op.MaskerConvolution: _masker_convolution,
    op.Add: _add,
    op.ScatterAdd: _scatter_add,
    op.GlobalPool: _pool,
    op.PatchGlobalPool: _patch_pool,
    op.ChannelScale: _scale,
    op.PatchChannelScale: _scale,
    op.FullyConnected: _linear,
    op.MaskCompaction: _compaction,
}
