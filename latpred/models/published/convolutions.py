"""Convolutions: dense, with channel rates, of active patches, and with a masker (MODEL §3–§5)."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from latpred.models.interface import Cost
from latpred.models.published.densities import fullest_density
from latpred.models.published.machine import Machine, Terms
from latpred.models.published.stacks import chosen, in_a_row, patch_tiling
from latpred.models.tiling import Numbers, ceil_div, tile_edges
from latpred.workloads import operators as op
from latpred.workloads.densities import mean_active_patches

#: Most patches that one kernel processes together, as an extent to cut (MODEL §4).
PATCHES_TOGETHER = 256


class Traffic(NamedTuple):
    """Seconds that weights, input and output of all channels take."""

    weights_s: Numbers
    input_s: Numbers
    output_s: Numbers

    def at(self, weights_read: Numbers, rho_i: Numbers, rho_o: Numbers) -> Numbers:
        """Seconds for a share of the weights, and the channels that are on [s]."""
        return self.weights_s * weights_read + self.input_s * rho_i + self.output_s * rho_o


def _filter_tiles(o: op.Convolution, c_t: Numbers, h_t: Numbers, w_t: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Weights, input with halo, and output elements of a convolution's tile: W_pe, I_pe, O_pe (MODEL §3)."""
    C, k, s = o.c_in // o.groups, o.kernel, o.stride
    halo = (h_t + k - 1) * s * (w_t + k - 1) * s
    return c_t * C * k**2, ceil_div(c_t, o.c_out // o.groups) * C * halo, c_t * h_t * w_t


def _density(n_c: Numbers, c_t: Numbers, rho: Numbers) -> Numbers:
    """D(n_c, c_t, ρ), which is 1 when dense."""
    return 1.0 if rho.ndim == 0 and rho == 1 else fullest_density(n_c, c_t, rho)


def off_chip(o: op.Convolution, M: Machine, N: int) -> Traffic:
    """What a convolution of all channels moves off-chip, each element once: MODEL §3."""
    pixels = o.out_height * o.out_width
    return Traffic(o.weights / M.beta, o.c_in * pixels * o.stride**2 * N / M.beta, o.c_out * pixels * N / M.beta)


def in_tiles(
    o: op.Convolution, M: Machine, N: int, c_t: Numbers, h_t: Numbers, w_t: Numbers
) -> tuple[Numbers, Traffic]:
    """Compute time of all channels, and what they move within the L2, at tiles: MODEL §3."""
    h, w, C, k = o.out_height, o.out_width, o.c_in // o.groups, o.kernel
    n = ceil_div(o.c_out, c_t) * ceil_div(h, h_t) * ceil_div(w, w_t)
    W_pe, I_pe, O_pe = _filter_tiles(o, c_t, h_t, w_t)
    element_s = n / (M.beta2 * M.coalescing(w_t, w - w_t))
    dense_s = M.lane_seconds(O_pe * (C * k**2 * N), O_pe) * M.waves(n)
    sample_s = N * element_s
    return dense_s, Traffic(W_pe * element_s, I_pe * sample_s, O_pe * sample_s)


class Shares(NamedTuple):
    """What is on: of the input channels, of the output channels, and of what an output that is on sums."""

    rho_i: Numbers
    rho_o: Numbers
    summed: Numbers

    @property
    def weights(self) -> Numbers:
        """Of the weights, and of a tile's outputs times what they sum."""
        return self.summed * self.rho_o


def at_rates(N: int, dram: Traffic, dense_s: Numbers, l2: Traffic, shares: Shares, density: Numbers) -> Terms:
    """What is left of a convolution at channel rates: MODEL §3."""
    rho_i, rho_o, summed = shares
    # Only a batch of one reads just the weights it needs.
    weights_read, tile_weights_read = (rho_o, shares.weights) if N == 1 else (1.0, 1.0)
    l2_s = l2.at(tile_weights_read, rho_i, rho_o)
    return dense_s * summed * density, dram.at(weights_read, rho_i, rho_o) + l2_s, l2_s


def convolution(o: op.Convolution, M: Machine, N: int) -> Cost:
    """Dense, or with channel rates: MODEL §3."""
    shares = Shares(*o.rates, o.summed_rate)
    dram, extents = off_chip(o, M, N), (o.c_out, o.out_height, o.out_width)

    def terms(c_t: Numbers, h_t: Numbers, w_t: Numbers) -> Terms:
        density = _density(ceil_div(o.c_out, c_t), c_t, shares.weights)
        return at_rates(N, dram, *in_tiles(o, M, N, c_t, h_t, w_t), shares, density)

    return M.cheapest_cost(tuple(map(tile_edges, extents)), terms, extents)


def plain_convolution(o: op.PlainConvolution, M: Machine, N: int) -> Cost:
    """As MODEL §3 of a kernel that need not be square, nor its border the same; its input is read as it is."""
    h, w, C = o.out_height, o.out_width, o.c_in // o.groups
    taps, extents = o.kernel_height * o.kernel_width, (o.c_out, o.out_height, o.out_width)
    down, across = (o.dilation * (kernel - 1) for kernel in (o.kernel_height, o.kernel_width))
    dram_s = o.elements(N) / M.beta

    def terms(c_t: Numbers, h_t: Numbers, w_t: Numbers) -> Terms:
        n = ceil_div(o.c_out, c_t) * ceil_div(h, h_t) * ceil_div(w, w_t)
        halo = (h_t + down) * o.stride * (w_t + across) * o.stride
        I_pe, O_pe = ceil_div(c_t, o.c_out // o.groups) * C * halo, c_t * h_t * w_t
        l2_s = n * (c_t * C * taps + (I_pe + O_pe) * N) / (M.beta2 * M.coalescing(w_t, w - w_t))
        return M.lane_seconds(O_pe * (C * taps * N), O_pe) * M.waves(n), dram_s + l2_s, l2_s

    return M.cheapest_cost(tuple(map(tile_edges, extents)), terms, extents)


def layer_masker(o: op.LayerMasker, M: Machine, N: int) -> Cost:
    """The fused masker and first convolution with ρ_o = 0: MODEL §6 (oddity 12)."""
    shape = {"c_in": o.c_in, "height": o.height, "width": o.width}
    return convolution(op.Convolution(**shape, c_out=o.c_out + 1, output_rate=0.0), M, N)


def patch_convolution(o: op.ActivePatches, M: Machine, N: int) -> Cost:
    """Spatially dynamic: MODEL §4. The tile is chosen at the mean number of patches, whatever the rate (oddity 6)."""
    m, *edges = tile = chosen(_patch_convolution_tile, o, M, N)
    extents = (o.c_out, o.patch_edge, o.patch_edge)
    tiling = patch_tiling(tile, extents, o.active, prod(edges) * N * m)
    return M.cost(*_patch_convolution_terms(o, M, N, o.active, *tile), tiling)


@lru_cache(maxsize=8192)
def _patch_convolution_tile(o: op.ActivePatches, M: Machine, N: int) -> tuple[Numbers, ...]:
    mean = mean_active_patches(o.patches)
    axes = (tile_edges(PATCHES_TOGETHER), tile_edges(o.c_out), *2 * (tile_edges(o.patch_edge),))
    return M.search(axes, lambda *tile: _patch_convolution_terms(o, M, N, mean, *tile))


def _patch_convolution_terms(
    o: op.ActivePatches, M: Machine, N: int, x: Numbers, m: Numbers, c_t: Numbers, h_t: Numbers, w_t: Numbers
) -> Terms:
    C, k, s, S = o.c_in // o.groups, o.kernel, o.stride, o.patch_edge
    rho_i, rho_o, summed = shares = Shares(*o.rates, o.summed_rate)
    n_c = ceil_div(o.c_out, c_t)
    n = n_c * ceil_div(S, h_t) * ceil_div(S, w_t)
    W_pe, I_pe, O_pe = _filter_tiles(o, c_t, h_t, w_t)
    tile_weights_read = shares.weights if N == 1 else 1.0
    l2 = n * (W_pe * tile_weights_read + I_pe * x * rho_i * N + O_pe * x * rho_o * N)
    whole_map = o.c_in * o.out_height * s * o.out_width * s
    read = np.where(o.indexed, 1.0 * whole_map, x * o.c_in * ((S + k - 1) * s) ** 2)
    dram = o.weights + read * rho_i * N + x * o.c_out * S**2 * rho_o * N
    compute = M.lane_seconds(O_pe * C * k**2 * m, O_pe * N * m) * ceil_div(x, m) * N * M.waves(n)
    l2_s = l2 / M.beta2
    return compute * summed * _density(n_c, c_t, shares.weights), dram / M.beta + l2_s, l2_s


def masker_convolution(o: op.MaskerConvolution, M: Machine, N: int) -> Cost:
    """The cheaper of one fused dense kernel and two separate ones: MODEL §5."""
    masker, first = o.separate
    separate = _dense(masker, M, N).then(patch_convolution(first, M, N))
    return _dense(o.fused, M, N).or_cheaper(separate)


def _dense(o: op.Convolution, M: Machine, N: int) -> Cost:
    """Neither dense kernel of a masker heeds the patches' rate: a search for all rates, of each operator of a stack."""
    shapes = op.members(o)
    if shapes:
        return in_a_row([_searched(each, M, N) for each in shapes])
    return _searched(o, M, N) if np.ndim(o.output_rate) == 0 else convolution(o, M, N)


_searched = lru_cache(maxsize=8192)(convolution)
