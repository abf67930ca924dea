"""Operators of transformers: the batch N is part of the shape, and the device runs with a batch of one (MODEL §7)."""

from __future__ import annotations

from math import isqrt

from latpred.models.interface import Cost
from latpred.models.published.convolutions import convolution
from latpred.models.published.machine import Machine
from latpred.models.published.maps import add as map_add
from latpred.models.published.maps import global_pool
from latpred.workloads import operators as op


def linear(o: op.Linear, M: Machine, N: int) -> Cost:
    """A linear layer is a matrix product with the batch's tokens as rows."""
    return convolution(as_convolution(o, N), M, 1)


def matrix_product(o: op.MatrixProduct, M: Machine, N: int) -> Cost:
    """A batched product reads one shared operand (oddity 8)."""
    return convolution(as_convolution(o, N), M, 1)


def as_convolution(o: op.Linear | op.MatrixProduct, N: int) -> op.Convolution:
    """A dense 1×1 convolution on h × w ≈ R pixels, h = round(√R), w = round(R/h), half to even (oddity 9)."""
    if isinstance(o, op.Linear):
        R, K, L = N * o.tokens, int(o.kept_in), int(o.kept_out)
    else:
        R, K, L = N * o.groups * o.rows, o.inner, o.columns
    h = round(R**0.5)
    return op.Convolution(c_in=K, c_out=L, height=h, width=round(R / h))


def element_wise(o: op.ElementWise, M: Machine, N: int) -> Cost:
    """An addition with the channels as channels, the rows as width, and all before them as height."""
    return map_add(as_add(o, N), M, 1)


def token_add(o: op.TokenAdd, M: Machine, N: int) -> Cost:
    """An addition with the batch as channels, tokens as height, channels as width."""
    return map_add(as_add(o, N), M, 1)


def as_add(o: op.ElementWise | op.TokenAdd, N: int) -> op.Add:
    """The addition of maps that stands for one of tokens."""
    if isinstance(o, op.TokenAdd):
        return op.Add(channels=N * o.groups, height=o.rows, width=o.channels)
    return op.Add(channels=o.channels, height=N * o.groups, width=o.rows)


def _reduce(o: op.Softmax | op.LayerNorm, M: Machine, N: int) -> Cost:
    """Over the last dimension n: the global pool of SE with h = w = ⌈√n⌉ and one channel per row."""
    edge = isqrt(o.channels - 1) + 1
    return global_pool(op.GlobalPool(channels=N * o.groups * o.rows, height=edge, width=edge), M, 1)


def _in_one_kernel(o: op.Softmax | op.LayerNorm, M: Machine, N: int) -> Cost:
    """Two reductions and two element-wise passes with a single t₀."""
    passes = element_wise(op.ElementWise(groups=o.groups, rows=o.rows, channels=o.channels), M, N)
    reduce = _reduce(o, M, N)
    total = reduce.then(passes).then(reduce).then(passes)
    return total._replace(launch_s=M.t0, latency_s=total.latency_s - 3 * M.t0)


softmax = layer_norm = _in_one_kernel


def unfold(o: op.Unfold, M: Machine, N: int) -> Cost:
    """memory = (in + out)/β + 2·out/β₂, no compute."""
    l2_s = 2 * o.elements_out / M.beta2
    return M.cost(0.0, N * ((o.elements_in + o.elements_out) / M.beta + l2_s), N * l2_s)
