"""What is not a convolution: additions, scaling, copies, pools and fully connected layers (MODEL §5)."""

from __future__ import annotations

from functools import lru_cache
from math import prod

import numpy as np

from latpred.models.interface import Cost
from latpred.models.published.machine import Machine, Terms
from latpred.models.published.stacks import chosen, patch_tiling
from latpred.models.tiling import Axis, Numbers, ceil_div, power_edges, tile_edges
from latpred.workloads import operators as op
from latpred.workloads.densities import mean_active_patches


def add(o: op.Add, M: Machine, N: int) -> Cost:
    """Residual addition: MODEL §5."""

    def terms(c_t: Numbers, h_t: Numbers, w_t: Numbers) -> Terms:
        n = _map_tiles(o, c_t, h_t, w_t)
        tile = c_t * h_t * w_t
        return M.lane_seconds(tile, tile) * M.waves(n) * N, 3 * tile * n * N / M.beta, 0.0

    return M.cheapest_cost(_map_axes(o), terms, (o.channels, o.height, o.width))


def channel_scale(o: op.ChannelScale, M: Machine, N: int) -> Cost:
    """Channel-wise multiplication: MODEL §5; of a share of the channels, that share of it."""
    dram, rho = 2 * o.size + o.channels, np.asarray(o.rate)

    def terms(c_t: Numbers, h_t: Numbers, w_t: Numbers) -> Terms:
        n = _map_tiles(o, c_t, h_t, w_t)
        tile = c_t * h_t * w_t
        l2 = n * (2 * tile + c_t)
        l2_s = l2 / (M.beta2 * M.coalescing(w_t, o.width - w_t))
        compute = M.lane_seconds(tile, tile) * M.waves(n) * N
        return compute * rho, N * (dram / M.beta + l2_s) * rho, N * l2_s * rho

    return M.cheapest_cost(_map_axes(o), terms, (o.channels, o.height, o.width))


def _map_axes(o: op.Add | op.ChannelScale) -> tuple[Axis, ...]:
    return tile_edges(o.channels), tile_edges(o.height), tile_edges(o.width)


def _map_tiles(o: op.Add | op.ChannelScale, c_t: Numbers, h_t: Numbers, w_t: Numbers) -> Numbers:
    return ceil_div(o.channels, c_t) * ceil_div(o.height, h_t) * ceil_div(o.width, w_t)


def scatter_add(o: op.ScatterAdd, M: Machine, N: int) -> Cost:
    """Active patches into the residual map: MODEL §5."""
    m, *edges = tile = chosen(_scatter_add_tile, o, M, N)
    tiling = patch_tiling(tile, (o.channels, o.S, o.S), o.active, prod(edges) * N * m)
    return M.cost(*_scatter_add_terms(o, M, N, o.active, *tile), tiling)


@lru_cache(maxsize=8192)
def _scatter_add_tile(o: op.ScatterAdd, M: Machine, N: int) -> tuple[Numbers, ...]:
    mean = mean_active_patches(o.patches)
    return M.search(_patch_axes(o), lambda *tile: _scatter_add_terms(o, M, N, mean, *tile))


def _scatter_add_terms(
    o: op.ScatterAdd, M: Machine, N: int, x: Numbers, m: Numbers, c_t: Numbers, h_t: Numbers, w_t: Numbers
) -> Terms:
    n = _patch_tiles(o, c_t, h_t, w_t)
    tile = c_t * h_t * w_t
    l2 = 3 * tile * x * n * N
    dram = N * (x * o.channels * o.S**2 + 2 * o.size)
    compute = M.lane_seconds(tile * m, tile * N * m) * ceil_div(x, m) * N * M.waves(n)
    l2_s = l2 / (M.beta2 * M.coalescing(w_t, o.S - w_t))
    return compute, dram / M.beta + l2_s, l2_s


def patch_element_wise(o: op.PatchElementWise, M: Machine, N: int) -> Cost:
    """One pass over active patches: as a scatter-add without the residual map (MODEL §5)."""
    m, *edges = tile = chosen(_patch_element_wise_tile, o, M, N)
    tiling = patch_tiling(tile, (o.channels, o.edge, o.edge), o.active, prod(edges) * N * m)
    return M.cost(*_patch_element_wise_terms(o, M, N, o.active, *tile), tiling)


@lru_cache(maxsize=8192)
def _patch_element_wise_tile(o: op.PatchElementWise, M: Machine, N: int) -> tuple[Numbers, ...]:
    mean = mean_active_patches(o.count)
    axes = (tile_edges(o.count), tile_edges(o.channels), tile_edges(o.edge), tile_edges(o.edge))
    return M.search(axes, lambda *tile: _patch_element_wise_terms(o, M, N, mean, *tile))


def _patch_element_wise_terms(
    o: op.PatchElementWise, M: Machine, N: int, x: Numbers, m: Numbers, c_t: Numbers, h_t: Numbers, w_t: Numbers
) -> Terms:
    n = ceil_div(o.channels, c_t) * ceil_div(o.edge, h_t) * ceil_div(o.edge, w_t)
    tile = c_t * h_t * w_t
    compute = M.lane_seconds(tile * m, tile * N * m) * ceil_div(x, m) * N * M.waves(n)
    l2_s = 2 * tile * x * n * N / (M.beta2 * M.coalescing(w_t, o.edge - w_t))
    return compute, N * 2 * x * o.channels * o.edge**2 / M.beta + l2_s, l2_s


def patch_global_pool(o: op.PatchGlobalPool, M: Machine, N: int) -> Cost:
    """The pool of dynamic SE: MODEL §5; partial sums are counted per patch in the search, per map in the result."""
    m, c_t, h_t, w_t = tile = chosen(_patch_global_pool_tile, o, M, N)
    partial_sums = ceil_div(o.height, h_t) * ceil_div(o.width, w_t)
    tiling = patch_tiling(tile, (o.channels, o.S, o.S), o.active, c_t * m)
    return M.cost(*_patch_global_pool_terms(o, M, N, o.active, partial_sums, *tile), tiling)


@lru_cache(maxsize=8192)
def _patch_global_pool_tile(o: op.PatchGlobalPool, M: Machine, N: int) -> tuple[Numbers, ...]:
    mean = mean_active_patches(o.patches)

    def terms(m: Numbers, c_t: Numbers, h_t: Numbers, w_t: Numbers) -> Terms:
        partial_sums = ceil_div(o.S, h_t) * ceil_div(o.S, w_t)
        return _patch_global_pool_terms(o, M, N, mean, partial_sums, m, c_t, h_t, w_t)

    return M.search(_patch_axes(o), terms)


def _patch_global_pool_terms(
    o: op.PatchGlobalPool,
    M: Machine,
    N: int,
    x: Numbers,
    v: Numbers,
    m: Numbers,
    c_t: Numbers,
    h_t: Numbers,
    w_t: Numbers,
) -> Terms:
    n = _patch_tiles(o, c_t, h_t, w_t)
    tile = c_t * h_t * w_t
    l2 = (tile * x + c_t) * n + c_t * ceil_div(o.height, h_t) * ceil_div(o.width, w_t) + c_t
    dram = x * o.channels * o.S**2 + o.size
    l2_s = l2 / (M.beta2 * M.coalescing(w_t, o.S - w_t))
    sums = M.lane_seconds(tile * m, c_t * m) * ceil_div(x, m) + M.lane_seconds(c_t * m, c_t)
    return N * sums * M.waves(n) + M.reduction_s(c_t, v, N), N * (dram / M.beta + l2_s), N * l2_s


def _patch_axes(o: op.ScatterAdd | op.PatchGlobalPool) -> tuple[Axis, ...]:
    return tile_edges(o.patches), tile_edges(o.channels), tile_edges(o.S), tile_edges(o.S)


def _patch_tiles(o: op.ScatterAdd | op.PatchGlobalPool, c_t: Numbers, h_t: Numbers, w_t: Numbers) -> Numbers:
    return ceil_div(o.channels, c_t) * ceil_div(o.S, h_t) * ceil_div(o.S, w_t)


def gather(o: op.Gather, M: Machine, N: int) -> Cost:
    """Gather, and scatter, on their own: MODEL §5."""
    p = o.patch_edge
    E = o.channels * o.active * p**2
    coalesced = E / (M.beta2 * M.coalescing(p, o.width - p))
    memory = N * ((o.size + E) / M.beta + coalesced + E / M.beta2)
    return M.cost(0.0 * E, memory, N * (coalesced + E / M.beta2))


def average_pool(o: op.AveragePool, M: Machine, N: int) -> Cost:
    """MODEL §5."""
    elements = o.elements(N)
    return M.cost(0.0, elements * (1 / M.beta + 1 / M.beta2), elements / M.beta2)


def global_pool(o: op.GlobalPool, M: Machine, N: int) -> Cost:
    """The pool of SE, one pixel per tile; its first compute term does not scale with the batch (oddity 7): MODEL §5."""
    pixels = o.height * o.width

    def terms(c_t: Numbers) -> Terms:
        n_c = ceil_div(o.channels, c_t)
        n = n_c * pixels
        sums = n_c * (c_t * pixels + c_t) / M.beta2
        memory = N * (n * c_t * (1 / M.beta + 1 / M.beta2) + sums)
        compute = M.lane_seconds(c_t, c_t) * M.waves(n) + M.reduction_s(c_t, pixels, N)
        return compute, memory, N * (n * c_t / M.beta2 + sums)

    return M.cheapest_cost((power_edges(o.channels),), terms, (o.channels, o.height, o.width))


def fully_connected(o: op.FullyConnected, M: Machine, N: int) -> Cost:
    """MODEL §5; the number of tiles is the product of the tile's edges (oddity 1)."""
    dram = (o.c_in * o.c_out + o.c_in + o.c_out) * N

    def terms(co_t: Numbers, ci_t: Numbers) -> Terms:
        n = co_t * ci_t
        l2 = (co_t * ci_t + ci_t + co_t) * n * N
        l2_s = l2 / (M.beta2 * M.coalescing(ci_t, o.c_in))
        return M.lane_seconds(ci_t * co_t * N, ci_t * co_t * N) * M.waves(n), dram / M.beta + l2_s, l2_s

    return M.cheapest_cost((tile_edges(o.c_out), tile_edges(o.c_in)), terms)
