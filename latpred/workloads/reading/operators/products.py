"""What multiplies and adds: convolutions, linear layers, products of matrices, attention."""

from __future__ import annotations

from math import prod
from typing import Any

from latpred.workloads.reading.graph import Node
from latpred.workloads.reading.operators.asked import Asked, Constant, Value
from latpred.workloads.reading.operators.functions import elementwise, pairs, per_axis, unknown

#: Names of the two factors, as operators have them.
_FACTORS = (
    ("mat1", "mat2"),
    ("batch1", "batch2"),
    ("self", "mat2"),
    ("self", "other"),
    ("self", "vec"),
    ("self", "tensor"),
)


def convolution(asked: Asked) -> Value:
    """Convolutions of one to three axes, transposed or not."""
    x, weight = asked.value("input"), asked.value("weight")
    kernel = weight.shape[2:]
    axes = len(kernel)
    transposed = bool(asked["transposed"]) or asked.call.op.startswith("conv_transpose")
    dilation = per_axis(asked["dilation"], axes)
    return asked.add(
        "transposed convolution" if transposed else "convolution",
        [x, weight],
        c_in=x.shape[-axes - 1],
        c_out=asked.call.shape[-axes - 1],
        kernel=kernel,
        stride=per_axis(asked["stride"], axes),
        borders=_borders(asked["padding"], kernel, dilation),
        dilation=dilation,
        groups=asked["groups"],
        bias=asked.value("bias") is not None,
    )


def _borders(padding: Any, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Before and behind, along each axis; given as one number for both, as such pairs, or in a word."""
    if padding == "valid":
        return len(kernel) * ((0, 0),)
    if padding == "same":
        total = [spread * (edge - 1) for edge, spread in zip(kernel, dilation, strict=True)]
        return tuple((edge // 2, edge - edge // 2) for edge in total)
    return pairs(padding, len(kernel))


def linear(asked: Asked) -> Value:
    """A linear layer on the last axis."""
    weight = asked.value("weight")
    return _linear(asked, asked.value("input"), weight, weight.shape[0], bias=asked.value("bias") is not None)


def _linear(asked: Asked, x: Any, weight: Any, c_out: int, *, bias: bool) -> Value:
    """With parameters a layer, with a matrix that is computed a product."""
    c_in = x.shape[-1]
    if isinstance(weight, Node):
        return asked.add("product", [x, weight], groups=1, rows=prod(x.shape[:-1]), inner=c_in, columns=c_out)
    return asked.add("linear", [x], c_in=c_in, c_out=c_out, bias=bias)


def product(asked: Asked) -> Value:
    """A product of matrices, of one matrix with many, or of many with many; with parameters, a linear layer."""
    one, other = next(pair for pair in _FACTORS if all(name in asked.call.given for name in pair))
    a, b = asked.value(one), asked.value(other)
    added = [asked.value("self")] if one != "self" else []
    if isinstance(b, Constant) and len(b.shape) == 2:
        return _linear(asked, a, b, b.shape[1], bias=any(each is not None for each in added))
    columns = b.shape[-1] if len(b.shape) > 1 else 1
    rows = a.shape[-2] if len(a.shape) > 1 else 1
    groups = max(prod(asked.call.shape) // (rows * columns), 1)
    return asked.add("product", [a, b, *added], groups=groups, rows=rows, inner=a.shape[-1], columns=columns)


def vectors(asked: Asked) -> Value:
    """A product with a vector; of parameters alone it is one, and PyTorch's counter does not know it."""
    return product(asked)


def einsum(asked: Asked) -> Value:
    """A product of two tensors by the letters of their axes; of one, or of more, it is not understood."""
    tensors = asked.tensors(asked["tensors"])
    equation = str(asked["equation"]).replace(" ", "")
    given, _, out = equation.partition("->")
    terms = given.split(",")
    if len(tensors) != 2 or len(terms) != 2 or "." in equation or not out:
        return unknown(asked)
    axes = [axis for term, each in zip(terms, tensors, strict=True) for axis in zip(term, each.shape, strict=True)]
    sizes, both, kept = dict(axes), set(terms[0]) & set(terms[1]), set(out)
    if not both - kept:
        return elementwise(asked)
    rows, columns = (prod(sizes[letter] for letter in set(term) - both) for term in terms)
    return asked.add(
        "product",
        tensors,
        groups=prod(sizes[letter] for letter in both & kept),
        rows=rows,
        inner=prod(sizes[letter] for letter in both - kept),
        columns=columns,
    )


def attention(asked: Asked) -> Value:
    """softmax(Q·Kᵀ)·V."""
    query, key, value = (asked.value(name) for name in ("query", "key", "value"))
    mask = next((each for name in ("attn_mask", "attn_bias") if (each := asked.value(name)) is not None), None)
    return asked.add(
        "attention",
        [query, key, value, mask],
        groups=prod(query.shape[:-2]),
        queries=query.shape[-2],
        keys=key.shape[-2],
        inner=query.shape[-1],
        columns=value.shape[-1],
    )
