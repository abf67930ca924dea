"""The published cost model (MODEL §2–§8), with its oddities (MODEL §10): it reproduces the papers.

One function per operator: its equation over a grid of tiles, and the search for the cheapest. Names follow the page:
P, F, f, κ (kappa), q, β (beta), β₂ (beta2), ρ (rho); `c_t, h_t, w_t` a tile's edges, `x` a number of active patches,
`m` of patches processed together, N the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from latpred.models.interface import Cost, unsupported
from latpred.models.published import convolutions, maps, tokens
from latpred.models.published.fill import fill
from latpred.models.published.machine import Machine
from latpred.workloads import operators as op
from latpred.workloads import token_operators as tok

__all__ = ["COSTS", "Machine", "cost", "fill"]

COSTS: dict[type[op.Operator], Callable[..., Cost]] = {
    op.Convolution: convolutions.convolution,
    op.LayerMasker: convolutions.layer_masker,
    op.PatchConvolution: convolutions.patch_convolution,
    op.MaskerConvolution: convolutions.masker_convolution,
    op.Add: maps.add,
    op.ScatterAdd: maps.scatter_add,
    op.Gather: maps.gather,
    op.Scatter: maps.gather,
    op.AveragePool: maps.average_pool,
    op.GlobalPool: maps.global_pool,
    op.PatchGlobalPool: maps.patch_global_pool,
    op.ChannelScale: maps.channel_scale,
    op.FullyConnected: maps.fully_connected,
    tok.Linear: tokens.linear,
    tok.MatrixProduct: tokens.matrix_product,
    tok.ElementWise: tokens.element_wise,
    tok.Softmax: tokens.softmax,
    tok.LayerNorm: tokens.layer_norm,
    tok.TokenAdd: tokens.token_add,
    tok.Unfold: tokens.unfold,
}


@lru_cache(maxsize=8192)
def cost(operator: op.Operator, machine: Machine, batch: int) -> Cost:
    """What `operator` costs on `machine` for `batch` samples; equal questions are answered once."""
    if type(operator) not in COSTS:
        raise unsupported("published", operator, "the papers' operators only; use the calibrated or roofline model")
    return COSTS[type(operator)](operator, machine, batch)
