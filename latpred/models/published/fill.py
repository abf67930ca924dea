"""How full a kernel keeps the engines at the tile that was chosen: its share of tiles, of waves and of lanes."""

from __future__ import annotations

from math import ceil, prod

from latpred.models.interface import Fill
from latpred.models.published import convolutions, maps, tokens
from latpred.models.published.machine import Machine, efficiency
from latpred.workloads import operators as op
from latpred.workloads import token_operators as tok


def fill(o: op.Operator, M: Machine, N: int) -> Fill | None:
    """Shares of a kernel's tiles inside its map, of its waves' engines, and of an engine's lanes in use.

    Of a masker and its convolution, those of the fused kernel. None for operators that are not cut into tiles, or whose
    tiles do not cover them (oddity 1), and where nothing runs.
    """
    o, N = _as_map(o, M, N)
    if isinstance(o, op.PatchConvolution | op.ScatterAdd | op.PatchGlobalPool):
        return _patch_fill(o, M, N)
    if isinstance(o, op.Convolution):
        tile, extents = convolutions.convolution(o, M, N).tile, (o.c_out, o.out_height, o.out_width)
    elif isinstance(o, op.Add):
        tile, extents = maps.add(o, M, N).tile, (o.channels, o.height, o.width)
    elif isinstance(o, op.ChannelScale):
        tile, extents = maps.channel_scale(o, M, N).tile, (o.channels, o.height, o.width)
    elif isinstance(o, op.GlobalPool):
        (c_t,) = maps.global_pool(o, M, N).tile or (1,)
        tile, extents = (c_t, 1, 1), (o.channels, o.height, o.width)
    else:
        return None
    return _fill(M, extents, tile or (1, 1, 1), prod(tile or (1,)))


def _as_map(o: op.Operator, M: Machine, N: int) -> tuple[op.Operator, int]:
    """The operator on maps whose kernel `o` is, and that kernel's batch."""
    if isinstance(o, op.LayerMasker):
        return convolutions.decision(o), N
    if isinstance(o, op.MaskerConvolution):
        return o.fused, N
    if isinstance(o, tok.Linear | tok.MatrixProduct):
        return tokens.as_convolution(o, N), 1
    if isinstance(o, tok.ElementWise | tok.TokenAdd):
        return tokens.as_add(o, N), 1
    return o, N


def _patch_fill(o: op.PatchConvolution | op.ScatterAdd | op.PatchGlobalPool, M: Machine, N: int) -> Fill | None:
    x = float(o.active)
    if isinstance(o, op.PatchConvolution):
        tile, channels = convolutions.patch_convolution(o, M, N).tile, o.c_out
    elif isinstance(o, op.ScatterAdd):
        tile, channels = maps.scatter_add(o, M, N).tile, o.channels
    else:
        tile, channels = maps.patch_global_pool(o, M, N).tile, o.channels
    if not x or tile is None:
        return None
    m, *edges = tile
    parallel = edges[0] * m if isinstance(o, op.PatchGlobalPool) else prod(edges) * N * m
    found = _fill(M, (channels, o.S, o.S), tuple(edges), parallel)
    return found._replace(tile=found.tile * x / (ceil(x / m) * m))


def _fill(M: Machine, extents: tuple[int, ...], tile: tuple[int, ...], parallel: float) -> Fill:
    counts = [ceil(extent / edge) for extent, edge in zip(extents, tile, strict=True)]
    covered = prod(count * edge for count, edge in zip(counts, tile, strict=True))
    return Fill(
        tile=prod(extents) / covered,
        wave=float(efficiency(prod(counts), M.P)),
        lane=float(efficiency(parallel, M.F * M.kappa)),
    )
