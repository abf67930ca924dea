"""What eager PyTorch's kernels are asked for by each operator: one kernel per operator, channels last.

What multiplies nothing is bound by the bandwidth, or by the engines' clocks for every element that it computes: how
many those are is a property of PyTorch's kernels (`CLOCKS`), the same in every precision but where two are given.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from latpred.models.tiling import Numbers, ceil_div
from latpred.precision import element_bytes
from latpred.workloads import operators as op

#: Bytes that rows must be whole multiples of for the tensor cores' usual kernels.
ALIGNED = 16
#: F(2×2, 3×3) in one kernel: pixels of a program; F(4×4, 3×3) in three: the edge of its tiles.
FUSED_PIXELS, SPLIT_EDGE = (8, 16), 4


class Clocks(NamedTuple):
    """What a kernel that multiplies nothing takes of an engine [clocks], and its constant time in kernels'.

    For every output, for every number of a window, and for every row; in FP32, and in FP16 where that differs.
    """

    output: float = 0.0
    tap: float = 0.0
    row: float = 0.0
    constant: float = 1.0
    output_half: float | None = None


#: Fitted to single operators on an H200 in three precisions (docs/accuracy.md); the networks of an RTX 3090, in which
#: each runs for a share of the time, agree.
CLOCKS = {
    "vectorised": Clocks(),
    "unvectorised": Clocks(output=0.6),
    "transposed": Clocks(output=0.88, output_half=0.5),
    "batch norm": Clocks(output=0.52, output_half=0.29, constant=3.5),
    "layer norm": Clocks(output=0.31, row=270.0, constant=1.8),
    "softmax": Clocks(output=0.33, row=12.0),
    "reduction": Clocks(constant=3.3),
    "largest": Clocks(output=1.65, tap=0.23, constant=5.0),
    "average": Clocks(output=5.1, constant=2.0),
}
#: Constant times of a product, a depthwise convolution, one in groups of an uneven width, and attention, in kernels'.
PRODUCT_KERNELS, DEPTHWISE_KERNELS, UNEVEN_KERNELS, ATTENTION_KERNELS = 1.8, 1.5, 15.0, 3.5
#: Columns of the tiles that groups of an uneven width are padded to.
UNEVEN_COLUMNS = 64
#: Queries of a program of attention in FP16 and in wider precisions; keys and channels that it takes at a time.
QUERIES, ATTENTION_STEP = (128, 64), 32


class Work(NamedTuple):
    """What an operator asks for; numbers, or arrays over operators.

    As a GEMM: `products` of `rows` × `columns`, sums of `channels` × `taps`; `linear`, `odd` (channels that do not fill
    whole accesses) and `grouped` say which efficiency it has, `batched` that it is one of many. `blocks` are the 8×16
    pixels of an FP32 convolution of 3×3 and stride 1, and `tiles` its 4×4 ones; 0 in others. A depthwise convolution
    and one in groups of an `uneven` width have `lane_macs`, attention has `programs` of `program_macs`, and the rest
    `clocks` of the engines. `norm_bytes` are what autocast widens, `bytes` all others. `kernels` counts the constant
    times; `chained` is 1 behind other kernels.
    """

    rows: Numbers = 0.0
    columns: Numbers = 0.0
    channels: Numbers = 0.0
    taps: Numbers = 0.0
    products: Numbers = 0.0
    linear: Numbers = 0.0
    odd: Numbers = 0.0
    grouped: Numbers = 0.0
    batched: Numbers = 0.0
    blocks: Numbers = 0.0
    tiles: Numbers = 0.0
    lane_macs: Numbers = 0.0
    uneven: Numbers = 0.0
    programs: Numbers = 0.0
    program_macs: Numbers = 0.0
    clocks: Numbers = 0.0
    bytes: Numbers = 0.0
    norm_bytes: Numbers = 0.0
    kernels: Numbers = 1.0
    chained: Numbers = 0.0


def _product(o: Any, N: Numbers, precision: str, rows: Numbers, c_in: Numbers, c_out: Numbers, **rest: Any) -> Work:
    """A product of matrices."""
    whole = ALIGNED // element_bytes(precision)
    odd = 1.0 * ((np.asarray(c_in) % whole > 0) | (np.asarray(c_out) % whole > 0)) * (precision != "fp32")
    size = element_bytes(precision)
    fields = {"taps": 1.0, "products": 1.0, "odd": odd, "kernels": PRODUCT_KERNELS, "bytes": size * o.elements(N)}
    return Work(
        **{**fields, "rows": rows, "channels": 1.0 * np.asarray(c_in), "columns": 1.0 * np.asarray(c_out), **rest}
    )


def convolution(o: op.PlainConvolution, N: Numbers, precision: str) -> Work:
    """Dense, grouped, or depthwise."""
    groups, taps = np.asarray(o.groups) * 1.0, 1.0 * np.asarray(o.kernel_height * o.kernel_width)
    depthwise, rows = np.asarray(o.is_depthwise), N * o.out_height * o.out_width
    channels, columns = o.c_in / groups, o.c_out / groups
    lanes = precision == "fp32"
    # On the tensor cores, widths of a group that are no power of two have no kernel of their own.
    uneven = (groups > 1) & ~depthwise & (np.log2(channels) % 1 > 0) & (not lanes)
    wino = (np.asarray(o.kernel_height) == 3) & (np.asarray(o.kernel_width) == 3) & (np.asarray(o.stride) == 1)
    wino = wino & (groups == 1) & (np.asarray(o.dilation) == 1) & lanes
    down, across = o.out_height, o.out_width
    work = _product(o, N, precision, rows, o.c_in, o.c_out)
    return work._replace(
        channels=channels,
        columns=columns,
        taps=taps,
        products=groups * ~(depthwise | uneven),
        odd=np.where(groups > 1, 0.0, work.odd),
        grouped=(groups > 1) * 1.0,
        blocks=N * ceil_div(down, FUSED_PIXELS[0]) * ceil_div(across, FUSED_PIXELS[1]) * wino,
        tiles=N * ceil_div(down, SPLIT_EDGE) * ceil_div(across, SPLIT_EDGE) * wino,
        lane_macs=o.macs(N) * np.where(uneven, _padded(columns, o.stride), 1.0) * (depthwise | uneven),
        uneven=uneven * 1.0,
        kernels=np.where(depthwise, DEPTHWISE_KERNELS, np.where(uneven, UNEVEN_KERNELS, PRODUCT_KERNELS)),
    )


def _padded(columns: Numbers, stride: Numbers) -> Numbers:
    """Multiply-adds of groups of an uneven width over those asked for: whole tiles, and slower with a stride."""
    return ceil_div(columns, UNEVEN_COLUMNS) * UNEVEN_COLUMNS / columns * stride


def same_convolution(o: op.Convolution, N: Numbers, precision: str) -> Work | None:
    """One that keeps the map; none where channels switch together."""
    return None if o.channel_group else convolution(op.plain(o), N, precision)


def linear(o: op.Linear, N: Numbers, precision: str) -> Work:
    """With bias, which is fused."""
    return _product(o, N, precision, N * o.tokens, o.c_in, o.c_out, linear=1.0)


def fully_connected(o: op.FullyConnected, N: Numbers, precision: str) -> Work:
    """A linear layer on a row per sample."""
    return _product(o, N, precision, N, o.c_in, o.c_out, linear=1.0)


def matrix_product(o: op.MatrixProduct, N: Numbers, precision: str) -> Work:
    """As many products as samples and heads."""
    products, batched = 1.0 * N * o.groups, 1.0 * (precision != "fp32")
    return _product(
        o, N, precision, 1.0 * np.asarray(o.rows), o.inner, o.columns, linear=1.0, batched=batched, products=products
    )


def attention(o: op.Attention, N: Numbers, precision: str) -> Work:
    """A program per head and block of queries."""
    queries = QUERIES[precision != "fp16"]
    keys, channels = (ceil_div(each, ATTENTION_STEP) * ATTENTION_STEP for each in (o.keys, o.channels))
    return Work(
        programs=N * o.heads * ceil_div(o.queries, queries),
        program_macs=2.0 * queries * keys * channels,
        bytes=element_bytes(precision) * o.elements(N),
        kernels=ATTENTION_KERNELS,
    )


def _pass(
    kind: Any, o: Any, N: Numbers, precision: str, outputs: Numbers, rows: Numbers = 0.0, taps: Numbers = 0.0
) -> Work:
    """A kernel that multiplies nothing; `kind` names its clocks."""
    taken = CLOCKS[kind]
    each = taken.output_half if precision == "fp16" and taken.output_half is not None else taken.output
    clocks = outputs * (each + taken.tap * taps) + rows * taken.row
    return Work(clocks=clocks, bytes=element_bytes(precision) * o.elements(N), kernels=taken.constant)


def _on_map(kind: str) -> Callable[..., Work]:
    return lambda o, N, precision: _pass(kind, o, N, precision, 1.0 * N * o.size)


def _on_rows(kind: str) -> Callable[..., Work]:
    """A row is of all channels; in FP16 under autocast it is widened."""

    def build(o: Any, N: Numbers, precision: str) -> Work:
        work = _pass(kind, o, N, precision, 1.0 * N * o.size, rows=1.0 * N * o.groups * o.rows)
        return work._replace(bytes=0.0, norm_bytes=work.bytes) if precision == "fp16" else work

    return build


def copy(o: op.Copy, N: Numbers, precision: str) -> Work:
    """An unbroken copy, one of runs, or of single elements."""
    swaps, alone = np.asarray(o.groups) > 1, np.asarray(o.channels) == 1
    elements = 0.5 * o.elements(N)
    works = [_pass(kind, o, N, precision, elements) for kind in ("vectorised", "unvectorised", "transposed")]
    clocks = np.where(swaps, np.where(alone, works[2].clocks, works[1].clocks), works[0].clocks)
    return works[0]._replace(clocks=clocks)


def pool(o: op.Pool, N: Numbers, precision: str) -> Work:
    """A window per output."""
    outputs, taps = 1.0 * N * o.channels * o.out_height * o.out_width, np.asarray(o.kernel) ** 2.0
    largest, average = (_pass(kind, o, N, precision, outputs, taps=taps) for kind in ("largest", "average"))
    fields = (np.where(o.maximum, own, other) for own, other in zip(largest, average, strict=True))
    return Work(*fields)


def average_pool(o: op.AveragePool, N: Numbers, precision: str) -> Work:
    """Of the whole map where one pixel is left; else a window per output."""
    outputs = 1.0 * np.asarray(o.out_height) * o.out_width
    whole, windows = (
        _pass("reduction", o, N, precision, 0.0),
        _pass("average", o, N, precision, N * o.channels * outputs),
    )
    return Work(*(np.where(outputs == 1, one, other) for one, other in zip(whole, windows, strict=True)))


def unfold(o: op.Unfold, N: Numbers, precision: str) -> Work:
    """Elements laid out anew, one by one."""
    return _pass("unvectorised", o, N, precision, N * o.elements_out)


def vectorised(o: Any, N: Numbers, precision: str) -> Work:
    """Whole accesses, which only the memory bounds."""
    return _pass("vectorised", o, N, precision, 0.0)


def reduction(o: Any, N: Numbers, precision: str) -> Work:
    """An average of whole maps."""
    return _pass("reduction", o, N, precision, 0.0)


BUILDERS: dict[type[op.Operator], Callable[..., Work | None]] = {
    op.PlainConvolution: convolution,
    op.Convolution: same_convolution,
    op.Linear: linear,
    op.FullyConnected: fully_connected,
    op.MatrixProduct: matrix_product,
    op.Attention: attention,
    op.BatchNorm: _on_map("batch norm"),
    op.ChannelScale: _on_map("unvectorised"),
    op.Add: vectorised,
    op.TokenAdd: vectorised,
    op.ElementWise: vectorised,
    op.LayerNorm: _on_rows("layer norm"),
    op.Softmax: _on_rows("softmax"),
    op.Pool: pool,
    op.GlobalPool: reduction,
    op.AveragePool: average_pool,
    op.Unfold: unfold,
    op.Copy: copy,
}
