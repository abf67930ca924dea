"""Single operators as eager PyTorch runs them, channels last: on cuDNN, cuBLAS and PyTorch's own kernels."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from statistics import median
from typing import Any, TypeAlias

import torch
from torch.nn import functional as F

from latpred.errors import InputError
from latpred.measuring.gpu.blocks import DTYPES
from latpred.measuring.gpu.timing import Job, cache_bytes, copies_beyond_cache
from latpred.workloads import operators as op

Tensor: TypeAlias = torch.Tensor
#: Calls of which the host's time is the median, after as many that are not counted.
CALLS = 30


def operator_job(operator: op.Operator, batch: int, precision: str, device: str = "cuda") -> Job:
    """An operator with random inputs; raises InputError for one that is no operator of PyTorch's."""
    build = BUILDERS.get(type(operator))
    if build is None:
        raise InputError(f"PyTorch has no operator {type(operator).__name__} of its own")
    _set_tf32(precision)
    tensors = Tensors(batch, precision, device)
    weights, run = build(operator, tensors)
    if not weights:
        return Job(lambda _: run())
    size = tensors.maps_bytes
    count = copies_beyond_cache(sum(each.nbytes for each in weights), size, cache_bytes() if device == "cuda" else 0)
    copies = [weights, *([torch.rand_like(each) for each in weights] for _ in range(count - 1))]
    return Job(lambda number: run(*copies[number]), count)


def host_seconds(job: Job) -> float:
    """What the host takes to launch a step, while the device is ahead of it or its queue is not full [s]."""
    found = []
    for _ in range(2):
        torch.cuda.synchronize()
        marks = [time.perf_counter()]
        for _ in range(CALLS):
            job.step(0)
            marks.append(time.perf_counter())
        found = [end - start for start, end in itertools.pairwise(marks)]
    torch.cuda.synchronize()
    return median(found)


def _set_tf32(precision: str) -> None:
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"


class Tensors:
    """Random tensors of a batch in a precision; those that are not weights are counted."""

    def __init__(self, batch: int, precision: str, device: str) -> None:
        """None yet."""
        self.batch, self.dtype, self.device = batch, DTYPES[precision], device
        self.maps_bytes = 0

    def weights(self, *shape: int) -> Tensor:
        """A tensor that a network has once."""
        return torch.randn(shape, device=self.device, dtype=self.dtype)

    def rows(self, *shape: int) -> Tensor:
        """A tensor of every sample."""
        found = self.weights(self.batch, *shape)
        self.maps_bytes += 2 * found.nbytes
        return found

    def map(self, channels: int, height: int, width: int) -> Tensor:
        """A map of every sample, channels last."""
        return self.rows(height, width, channels).permute(0, 3, 1, 2)


Run: TypeAlias = tuple[list[Tensor], Callable[..., Any]]


def _convolution(o: op.PlainConvolution, new: Tensors) -> Run:
    x = new.map(o.c_in, o.height, o.width)
    weights = new.weights(o.c_out, o.kernel_height, o.kernel_width, o.c_in // o.groups).permute(0, 3, 1, 2)
    padding = (o.padding_height, o.padding_width)
    return [weights], lambda w: F.conv2d(x, w, stride=o.stride, padding=padding, groups=o.groups)


def _batch_norm(o: op.BatchNorm, new: Tensors) -> Run:
    x = new.map(o.channels, o.height, o.width)
    mean, bias, scale = (new.weights(o.channels) for _ in range(3))
    variance = scale.abs() + 1
    return [], lambda: F.batch_norm(x, mean, variance, scale, bias)


def _pool(o: op.Pool, new: Tensors) -> Run:
    x, window = new.map(o.channels, o.height, o.width), (o.kernel, o.stride, o.padding)
    return [], lambda: F.max_pool2d(x, *window) if o.maximum else F.avg_pool2d(x, *window)


def _global_pool(o: op.GlobalPool, new: Tensors) -> Run:
    x = new.map(o.channels, o.height, o.width)
    return [], lambda: x.mean((2, 3), keepdim=True)


def _scale(o: op.ChannelScale, new: Tensors) -> Run:
    x, factors = new.map(o.channels, o.height, o.width), new.map(o.channels, 1, 1)
    return [], lambda: x * factors


def _add(o: op.Add, new: Tensors) -> Run:
    x, y = (new.map(o.channels, o.height, o.width) for _ in range(2))
    return [], lambda: x + y


def _token_add(o: op.TokenAdd, new: Tensors) -> Run:
    x, y = (new.rows(o.groups, o.rows, o.channels) for _ in range(2))
    return [], lambda: x + y


def _element_wise(o: op.ElementWise, new: Tensors) -> Run:
    x = new.rows(o.groups, o.rows, o.channels)
    return [], lambda: F.silu(x)


def _softmax(o: op.Softmax, new: Tensors) -> Run:
    x = new.rows(o.groups, o.rows, o.channels)
    return [], lambda: x.softmax(-1)


def _layer_norm(o: op.LayerNorm, new: Tensors) -> Run:
    x = new.rows(o.groups, o.rows, o.channels)
    scale, bias = (new.weights(o.channels) for _ in range(2))
    return [], lambda: F.layer_norm(x, (o.channels,), scale, bias)


def _linear(o: op.Linear, new: Tensors) -> Run:
    x, bias = new.rows(o.tokens, o.c_in), new.weights(o.c_out)
    return [new.weights(o.c_out, o.c_in)], lambda w: F.linear(x, w, bias)


def _matrix_product(o: op.MatrixProduct, new: Tensors) -> Run:
    a, b = new.rows(o.groups, o.rows, o.inner), new.rows(o.groups, o.inner, o.columns)
    return [], lambda: a @ b


def _attention(o: op.Attention, new: Tensors) -> Run:
    """Heads side by side in a row, as a linear layer leaves them."""
    q = new.rows(o.queries, o.heads, o.channels).transpose(1, 2)
    k, v = (new.rows(o.keys, o.heads, o.channels).transpose(1, 2) for _ in range(2))
    return [], lambda: F.scaled_dot_product_attention(q, k, v)


def _copy(o: op.Copy, new: Tensors) -> Run:
    x = new.rows(o.groups, o.rows, o.channels).transpose(1, 2)
    return [], lambda: x.clone(memory_format=torch.contiguous_format)


BUILDERS: dict[type[op.Operator], Callable[[Any, Tensors], Run]] = {
    op.PlainConvolution: _convolution,
    op.BatchNorm: _batch_norm,
    op.Pool: _pool,
    op.GlobalPool: _global_pool,
    op.ChannelScale: _scale,
    op.Add: _add,
    op.TokenAdd: _token_add,
    op.ElementWise: _element_wise,
    op.Softmax: _softmax,
    op.LayerNorm: _layer_norm,
    op.Linear: _linear,
    op.MatrixProduct: _matrix_product,
    op.Attention: _attention,
    op.Copy: _copy,
}
