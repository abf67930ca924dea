"""The lowering of a transformer's block, the same in every form; token and head rates shape operators (MODEL §8)."""

from __future__ import annotations

from collections.abc import Iterator
from math import floor
from typing import TYPE_CHECKING, Any

from latpred.errors import InputError
from latpred.workloads import operators as op
from latpred.workloads.lowering.forms import Step

if TYPE_CHECKING:
    from latpred.workloads.blocks import TransformerBlock
    from latpred.workloads.lowering.skipping import Skipping

#: Kept heads, tokens and channels are ⌊n·r⌋, with this guard against rounding noise.
ROUNDING_GUARD = 1e-9


def steps(block: TransformerBlock, skip: Skipping) -> Iterator[Step]:
    """One block at its token, head and layer rates; every policy that is on is paid (MODEL §8).

    Raises InputError for a rate that keeps no head or no token.
    """
    d, tokens, heads = block.dim, block.tokens, block.heads
    if skip.attention_rate is not None:
        yield Step("layer policy", op.Linear(tokens=1, c_in=d, c_out=2))
    if skip.head_rate is not None:
        yield Step("head policy", op.Linear(tokens=1, c_in=d, c_out=heads))
    token_rate = 1.0 if skip.token_rate is None else skip.token_rate
    head_rate = 1.0 if skip.head_rate is None else skip.head_rate
    L_s = kept(tokens, token_rate, "token")
    attention: list[tuple[str, op.Operator]] = []
    drops = skip.arriving_rate is not None
    if drops:
        if skip.decides_on_tokens:
            arriving = kept(tokens, skip.arriving_rate, "token")
            yield Step("token policy", op.Linear(tokens=arriving, c_in=d, c_out=1))
        # What is dropped is gone; else a block looks at all tokens, and chooses among them.
        tokens = L_s
    attention += [("norm1", op.LayerNorm(rows=tokens, channels=d))]
    attention += [
        (name, op.Linear(tokens=tokens, c_in=d, c_out=d, output_rate=head_rate)) for name in ("query", "key", "value")
    ]
    if skip.token_rate is not None and not drops:
        attention += [("token policy", op.Linear(tokens=tokens, c_in=d, c_out=1, input_rate=head_rate))]
    attention += [
        *_products(block, kept(heads, head_rate, "head"), L_s),
        ("projection", op.Linear(tokens=L_s, c_in=d, c_out=d, input_rate=head_rate, output_rate=head_rate)),
        ("add1", op.TokenAdd(rows=L_s, channels=kept(d, head_rate, "channel"))),
    ]
    mlp: list[tuple[str, op.Operator]] = [
        ("norm2", op.LayerNorm(rows=tokens, channels=d)),
        ("fc1", op.Linear(tokens=L_s, c_in=d, c_out=block.hidden, input_rate=head_rate)),
        ("gelu", op.ElementWise(rows=L_s, channels=block.hidden)),
        ("fc2", op.Linear(tokens=L_s, c_in=block.hidden, c_out=d)),
        ("add2", op.TokenAdd(rows=L_s, channels=d)),
    ]
    for steps, executions in ((attention, skip.attention_rate), (mlp, skip.mlp_rate)):
        yield from (Step(name, operator, 1.0 if executions is None else executions) for name, operator in steps)


def _products(block: TransformerBlock, heads: int, tokens: int) -> list[tuple[str, op.Operator]]:
    """Scores, softmax and mixing of all tokens, or within windows, into which they are laid out and back."""
    around: list[tuple[str, op.Operator]] = []
    one_pass = op.ElementWise(rows=tokens, channels=heads * block.head_dim)
    turned = [(f"pass {number}", one_pass) for number in range(1, block.passes + 1)]
    if block.window and block.has_windows:
        down, across = (-(-edge // block.window) for edge in (block.height, block.width))
        around = [("windows", one_pass)]
        heads, tokens = heads * down * across, block.window**2
    return [
        *around,
        *turned,
        ("scores", op.MatrixProduct(groups=heads, rows=tokens, inner=block.head_dim, columns=tokens)),
        ("softmax", op.Softmax(groups=heads, rows=tokens, channels=tokens)),
        ("mixing", op.MatrixProduct(groups=heads, rows=tokens, inner=tokens, columns=block.head_dim)),
        *((f"{name} back", operator) for name, operator in around),
    ]


def kept(n: int, rate: Any, what: str) -> int:
    """⌊n·r⌋ of `n` things; raises InputError where none is kept.

    >>> kept(7, 3 / 7, "head")
    3
    """
    count = floor(n * float(rate) + ROUNDING_GUARD)
    if count < 1:
        raise InputError(f"a {what} rate of {float(rate):g} keeps no {what} of {n}; give at least {1 / n:.4g}")
    return count
