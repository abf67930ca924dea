"""The published cost model (MODEL §2–§5), with its oddities (MODEL §10): it reproduces the papers.

One function per operator: its equation over a grid of tiles, and the search for the cheapest. Names follow the page:
P, F, f, κ (kappa), q, β (beta), β₂ (beta2), ρ (rho); `c_t, h_t, w_t` a tile's edges, `x` a number of active patches,
`m` of patches processed together, N the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from latpred import operators as op
from latpred.cost import Cost, unsupported
from latpred.density import fullest_density, mean_active_patches
from latpred.profile import ELEMENT_BYTES, HardwareProfile
from latpred.tiling import Axis, Numbers, ceil_div, cheapest, power_edges, tile_edges

#: Most patches that one kernel processes together, as an extent to cut (MODEL §4).
PATCHES_TOGETHER = 256


class Machine(NamedTuple):
    """A profile in the symbols of MODEL §1."""

    P: int
    F: int
    f: float
    kappa: int
    q: int
    t0: float
    beta: float
    beta2: float
    overlap: str

    @classmethod
    def of(cls, profile: HardwareProfile) -> Machine:
        """Bandwidths become FP32 elements per second: β = B/4, β₂ = λβ."""
        beta = profile.dram_bandwidth / ELEMENT_BYTES
        return cls(
            P=profile.pes,
            F=profile.fp32_lanes_per_pe,
            f=profile.clock_hz,
            kappa=profile.cycles_in_flight,
            q=profile.transaction_elements,
            t0=profile.kernel_s,
            beta=beta,
            beta2=profile.l2_bandwidth_ratio * beta,
            overlap=profile.overlap,
        )

    def join(self, compute: Numbers, memory: Numbers) -> Numbers:
        """compute ⊕ memory."""
        return compute + memory if self.overlap == "add" else np.maximum(compute, memory)

    def waves(self, tiles: Numbers) -> Numbers:
        """Rounds that the engines need for `tiles`, ⌈n/P⌉."""
        return ceil_div(tiles, self.P)

    def lane_seconds(self, work: Numbers, parallel: Numbers) -> Numbers:
        """Seconds of one engine for `work` multiply-adds of which `parallel` run side by side: W/(f·F·e(·, Fκ))."""
        return work / (self.f * self.F * efficiency(parallel, self.F * self.kappa))

    def coalescing(self, n: Numbers, gap: Numbers) -> Numbers:
        """c(n, gap): the useful share of the transactions for runs of `n` elements, `gap` apart."""
        gap = np.maximum(gap, 0)
        short = np.where(n + gap > self.q, n / self.q, n / (n + gap))
        return np.where(n > self.q, efficiency(n, self.q), short)

    def reduction_s(self, c: Numbers, n: Numbers, batch: int) -> Numbers:
        """Red(c, n): a tree reduction of `n` values for each of `c` channels inside an engine [s]."""
        seconds: Numbers = 0.0
        n = ceil_div(n, 2)
        while np.any(n > 1):
            step = ceil_div(n * c, self.F) / efficiency(n * c, self.F * self.kappa) / self.f
            seconds = seconds + np.where(n > 1, step, 0.0)
            n = ceil_div(n, 2)
        return seconds * batch

    def cost(self, compute: Numbers, memory: Numbers, tile: tuple[Numbers, ...] | None = None) -> Cost:
        """A kernel: (compute ⊕ memory) + t₀."""
        return Cost(compute, memory, self.t0, self.join(compute, memory) + self.t0, tile)

    def search(self, axes: tuple[Axis, ...], terms: Callable[..., tuple[Numbers, Numbers]]) -> tuple[Numbers, ...]:
        """The tile of least compute ⊕ memory."""
        return cheapest(axes, lambda *tile: self.join(*terms(*tile)))

    def cheapest_cost(self, axes: tuple[Axis, ...], terms: Callable[..., tuple[Numbers, Numbers]]) -> Cost:
        """The kernel at the tile of least compute ⊕ memory."""
        tile = self.search(axes, terms)
        return self.cost(*terms(*tile), tile)


def efficiency(x: Numbers, p: Numbers) -> Numbers:
    """Quantisation efficiency e(x, p) = x/(⌈x/p⌉·p)."""
    return x / (ceil_div(x, p) * p)


def _filter_tiles(o: op.Convolution, c_t: Numbers, h_t: Numbers, w_t: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Weights, input with halo, and output elements of a convolution's tile: W_pe, I_pe, O_pe (MODEL §3)."""
    C, k, s = o.c_in // o.groups, o.kernel, o.stride
    halo = (h_t + k - 1) * s * (w_t + k - 1) * s
    return c_t * C * k**2, ceil_div(c_t, o.c_out // o.groups) * C * halo, c_t * h_t * w_t


def _density(n_c: Numbers, c_t: Numbers, rho: Numbers) -> Numbers:
    """D(n_c, c_t, ρ), which is 1 when dense."""
    return 1.0 if np.all(rho == 1) else fullest_density(n_c, c_t, rho)


def convolution(o: op.Convolution, M: Machine, N: int) -> Cost:
    """Dense, or with channel rates: MODEL §3."""
    h, w, C, k, s = o.out_height, o.out_width, o.c_in // o.groups, o.kernel, o.stride
    rho_i, rho_o = np.asarray(o.input_rate), np.asarray(o.output_rate)
    # Only a batch of one reads just the weights it needs.
    weights_read, tile_weights_read = (rho_o, rho_i * rho_o) if N == 1 else (1.0, 1.0)
    dram = o.weights * weights_read + o.c_in * h * s * w * s * N * rho_i + o.c_out * h * w * N * rho_o

    def terms(c_t: Numbers, h_t: Numbers, w_t: Numbers) -> tuple[Numbers, Numbers]:
        n_c = ceil_div(o.c_out, c_t)
        n = n_c * ceil_div(h, h_t) * ceil_div(w, w_t)
        W_pe, I_pe, O_pe = _filter_tiles(o, c_t, h_t, w_t)
        l2 = n * (W_pe * tile_weights_read + I_pe * rho_i * N + O_pe * rho_o * N)
        memory = dram / M.beta + l2 / (M.beta2 * M.coalescing(w_t, w - w_t))
        dense = M.lane_seconds(O_pe * C * k**2 * N, O_pe) * M.waves(n)
        return dense * rho_i * _density(n_c, c_t, rho_i * rho_o), memory

    return M.cheapest_cost((tile_edges(o.c_out), tile_edges(h), tile_edges(w)), terms)


def layer_masker(o: op.LayerMasker, M: Machine, N: int) -> Cost:
    """The fused masker and first convolution with ρ_o = 0: MODEL §6 (oddity 12)."""
    shape = {name: getattr(o, name) for name in ("c_in", "height", "width")}
    return convolution(op.Convolution(**shape, c_out=o.c_out + 1, output_rate=0.0), M, N)


def patch_convolution(o: op.PatchConvolution, M: Machine, N: int) -> Cost:
    """Spatially dynamic: MODEL §4."""
    tile = _patch_convolution_tile(o.replace(r=1.0), M, N)
    return M.cost(*_patch_convolution_terms(o, M, N, o.active, *tile), tile)


@lru_cache(maxsize=8192)
def _patch_convolution_tile(o: op.PatchConvolution, M: Machine, N: int) -> tuple[Numbers, ...]:
    """The tile is chosen at the mean number of patches, whatever the rate (oddity 6): a sweep is one search."""
    mean = mean_active_patches(o.patches)
    axes = (tile_edges(PATCHES_TOGETHER), tile_edges(o.c_out), tile_edges(o.S), tile_edges(o.S))
    return M.search(axes, lambda *tile: _patch_convolution_terms(o, M, N, mean, *tile))


def _patch_convolution_terms(
    o: op.PatchConvolution, M: Machine, N: int, x: Numbers, m: Numbers, c_t: Numbers, h_t: Numbers, w_t: Numbers
) -> tuple[Numbers, Numbers]:
    C, k, s, S = o.c_in // o.groups, o.kernel, o.stride, o.S
    rho_i, rho_o = np.asarray(o.input_rate), np.asarray(o.output_rate)
    n_c = ceil_div(o.c_out, c_t)
    n = n_c * ceil_div(S, h_t) * ceil_div(S, w_t)
    W_pe, I_pe, O_pe = _filter_tiles(o, c_t, h_t, w_t)
    tile_weights_read = rho_i * rho_o if N == 1 else 1.0
    l2 = n * (W_pe * tile_weights_read + I_pe * x * rho_i * N + O_pe * x * rho_o * N)
    whole_map = o.c_in * o.out_height * s * o.out_width * s
    read = whole_map if o.indexed else x * o.c_in * ((S + k - 1) * s) ** 2
    dram = o.weights + read * rho_i * N + x * o.c_out * S**2 * rho_o * N
    compute = M.lane_seconds(O_pe * C * k**2 * m, O_pe * N * m) * ceil_div(x, m) * N * M.waves(n)
    return compute * rho_i * _density(n_c, c_t, rho_i * rho_o), dram / M.beta + l2 / M.beta2


def masker_convolution(o: op.MaskerConvolution, M: Machine, N: int) -> Cost:
    """The cheaper of one fused dense kernel and two separate ones: MODEL §5."""
    masker, first = o.separate
    fused = cost(o.fused, M, N)
    separate = cost(masker, M, N).then(cost(first, M, N))
    return fused.or_cheaper(separate)


def add(o: op.Add, M: Machine, N: int) -> Cost:
    """Residual addition: MODEL §5."""

    def terms(c_t: Numbers, h_t: Numbers, w_t: Numbers) -> tuple[Numbers, Numbers]:
        n = _map_tiles(o, c_t, h_t, w_t)
        tile = c_t * h_t * w_t
        return M.lane_seconds(tile, tile) * M.waves(n) * N, 3 * tile * n * N / M.beta

    return M.cheapest_cost(_map_axes(o), terms)


def channel_scale(o: op.ChannelScale, M: Machine, N: int) -> Cost:
    """Channel-wise multiplication: MODEL §5."""
    dram = 2 * o.size + o.channels

    def terms(c_t: Numbers, h_t: Numbers, w_t: Numbers) -> tuple[Numbers, Numbers]:
        n = _map_tiles(o, c_t, h_t, w_t)
        tile = c_t * h_t * w_t
        l2 = n * (2 * tile + c_t)
        memory = N * (dram / M.beta + l2 / (M.beta2 * M.coalescing(w_t, o.width - w_t)))
        return M.lane_seconds(tile, tile) * M.waves(n) * N, memory

    return M.cheapest_cost(_map_axes(o), terms)


def _map_axes(o: op.Add | op.ChannelScale) -> tuple[Axis, ...]:
    return tile_edges(o.channels), tile_edges(o.height), tile_edges(o.width)


def _map_tiles(o: op.Add | op.ChannelScale, c_t: Numbers, h_t: Numbers, w_t: Numbers) -> Numbers:
    return ceil_div(o.channels, c_t) * ceil_div(o.height, h_t) * ceil_div(o.width, w_t)


def scatter_add(o: op.ScatterAdd, M: Machine, N: int) -> Cost:
    """Active patches into the residual map: MODEL §5."""
    tile = _scatter_add_tile(o.replace(r=1.0), M, N)
    return M.cost(*_scatter_add_terms(o, M, N, o.active, *tile), tile)


@lru_cache(maxsize=8192)
def _scatter_add_tile(o: op.ScatterAdd, M: Machine, N: int) -> tuple[Numbers, ...]:
    mean = mean_active_patches(o.patches)
    return M.search(_patch_axes(o), lambda *tile: _scatter_add_terms(o, M, N, mean, *tile))


def _scatter_add_terms(
    o: op.ScatterAdd, M: Machine, N: int, x: Numbers, m: Numbers, c_t: Numbers, h_t: Numbers, w_t: Numbers
) -> tuple[Numbers, Numbers]:
    n = _patch_tiles(o, c_t, h_t, w_t)
    tile = c_t * h_t * w_t
    l2 = 3 * tile * x * n * N
    dram = N * (x * o.channels * o.S**2 + 2 * o.size)
    compute = M.lane_seconds(tile * m, tile * N * m) * ceil_div(x, m) * N * M.waves(n)
    return compute, dram / M.beta + l2 / (M.beta2 * M.coalescing(w_t, o.S - w_t))


def patch_global_pool(o: op.PatchGlobalPool, M: Machine, N: int) -> Cost:
    """The pool of dynamic SE: MODEL §5; partial sums are counted per patch in the search, per map in the result."""
    tile = _patch_global_pool_tile(o.replace(r=1.0), M, N)
    partial_sums = ceil_div(o.height, tile[2]) * ceil_div(o.width, tile[3])
    return M.cost(*_patch_global_pool_terms(o, M, N, o.active, partial_sums, *tile), tile)


@lru_cache(maxsize=8192)
def _patch_global_pool_tile(o: op.PatchGlobalPool, M: Machine, N: int) -> tuple[Numbers, ...]:
    mean = mean_active_patches(o.patches)

    def terms(m: Numbers, c_t: Numbers, h_t: Numbers, w_t: Numbers) -> tuple[Numbers, Numbers]:
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
) -> tuple[Numbers, Numbers]:
    n = _patch_tiles(o, c_t, h_t, w_t)
    tile = c_t * h_t * w_t
    l2 = (tile * x + c_t) * n + c_t * ceil_div(o.height, h_t) * ceil_div(o.width, w_t) + c_t
    dram = x * o.channels * o.S**2 + o.size
    memory = N * (dram / M.beta + l2 / (M.beta2 * M.coalescing(w_t, o.S - w_t)))
    sums = M.lane_seconds(tile * m, c_t * m) * ceil_div(x, m) + M.lane_seconds(c_t * m, c_t)
    return N * sums * M.waves(n) + M.reduction_s(c_t, v, N), memory


def _patch_axes(o: op.ScatterAdd | op.PatchGlobalPool) -> tuple[Axis, ...]:
    return tile_edges(o.patches), tile_edges(o.channels), tile_edges(o.S), tile_edges(o.S)


def _patch_tiles(o: op.ScatterAdd | op.PatchGlobalPool, c_t: Numbers, h_t: Numbers, w_t: Numbers) -> Numbers:
    return ceil_div(o.channels, c_t) * ceil_div(o.S, h_t) * ceil_div(o.S, w_t)


def gather(o: op.Gather, M: Machine, N: int) -> Cost:
    """Gather, and scatter, on their own: MODEL §5."""
    p = o.patch_edge
    E = o.channels * o.active * p**2
    coalesced = M.coalescing(p, o.width - p)
    return M.cost(0.0 * E, N * ((o.size + E) / M.beta + E / (M.beta2 * coalesced) + E / M.beta2))


def average_pool(o: op.AveragePool, M: Machine, N: int) -> Cost:
    """MODEL §5."""
    return M.cost(0.0, o.elements(N) * (1 / M.beta + 1 / M.beta2))


def global_pool(o: op.GlobalPool, M: Machine, N: int) -> Cost:
    """The pool of SE, one pixel per tile; its first compute term does not scale with the batch (oddity 7): MODEL §5."""
    pixels = o.height * o.width

    def terms(c_t: Numbers) -> tuple[Numbers, Numbers]:
        n_c = ceil_div(o.channels, c_t)
        n = n_c * pixels
        memory = N * (n * c_t * (1 / M.beta + 1 / M.beta2) + n_c * (c_t * pixels + c_t) / M.beta2)
        return M.lane_seconds(c_t, c_t) * M.waves(n) + M.reduction_s(c_t, pixels, N), memory

    return M.cheapest_cost((power_edges(o.channels),), terms)


def fully_connected(o: op.FullyConnected, M: Machine, N: int) -> Cost:
    """MODEL §5; the number of tiles is the product of the tile's edges (oddity 1)."""
    dram = (o.c_in * o.c_out + o.c_in + o.c_out) * N

    def terms(co_t: Numbers, ci_t: Numbers) -> tuple[Numbers, Numbers]:
        n = co_t * ci_t
        l2 = (co_t * ci_t + ci_t + co_t) * n * N
        memory = dram / M.beta + l2 / (M.beta2 * M.coalescing(ci_t, o.c_in))
        return M.lane_seconds(ci_t * co_t * N, ci_t * co_t * N) * M.waves(n), memory

    return M.cheapest_cost((tile_edges(o.c_out), tile_edges(o.c_in)), terms)


COSTS: dict[type[op.Operator], Callable[..., Cost]] = {
    op.Convolution: convolution,
    op.LayerMasker: layer_masker,
    op.PatchConvolution: patch_convolution,
    op.MaskerConvolution: masker_convolution,
    op.Add: add,
    op.ScatterAdd: scatter_add,
    op.Gather: gather,
    op.Scatter: gather,
    op.AveragePool: average_pool,
    op.GlobalPool: global_pool,
    op.PatchGlobalPool: patch_global_pool,
    op.ChannelScale: channel_scale,
    op.FullyConnected: fully_connected,
}


@lru_cache(maxsize=8192)
def cost(operator: op.Operator, machine: Machine, batch: int) -> Cost:
    """What `operator` costs on `machine` for `batch` samples; equal questions are answered once."""
    if type(operator) not in COSTS:
        raise unsupported("published", operator)
    return COSTS[type(operator)](operator, machine, batch)
