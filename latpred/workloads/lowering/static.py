"""The lowering of static networks for libraries of whole layers: no form of skipping has kernels there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from latpred.workloads import operators as op
from latpred.workloads.lowering import attention, layers, paper
from latpred.workloads.lowering.forms import Form, Step

if TYPE_CHECKING:
    from latpred.workloads.blocks import ConvolutionalBlock, TransformerBlock
    from latpred.workloads.lowering.skipping import Skipping


def steps(block: ConvolutionalBlock, skip: Skipping, form: Form) -> Iterator[Step]:
    """The shortcut, the body, their sum and the function behind it."""
    for placed in block.bypass or ():
        yield from (Step(f"shortcut {name}", operator) for name, operator in form.layer(placed))
    for placed in block.chain:
        yield from (Step(name, operator) for name, operator in form.layer(placed))
    if block.bypass is not None:
        yield Step("add", op.Add(**paper.map_of(block.out)))
        if block.after_addition and form.layer is not layers.fused:
            yield Step(f"add {block.after_addition}", layers.one_pass(block.out))


def transformer(block: TransformerBlock, skip: Skipping) -> Iterator[Step]:
    """As eager PyTorch runs it: one layer for queries, keys and values, and attention in one kernel.

    Within windows, whose scores have a bias of their own, it is products and a softmax, and the map is rolled and cut.
    """
    sizes = {"rows": block.tokens, "channels": block.dim}
    passes = [Step(f"pass {number}", op.ElementWise(**sizes)) for number in range(1, block.passes + 1)]
    yield from _around(block, skip, [*passes, *(_explicit(block) if block.window else _attention(block))])


def explicit(block: TransformerBlock, skip: Skipping) -> Iterator[Step]:
    """As an engine runs it: products and a softmax, and everything laid out for them."""
    yield from _around(block, skip, _explicit(block))


def _around(block: TransformerBlock, skip: Skipping, inner: Iterable[Step]) -> Iterator[Step]:
    """Everything but the attention, which is the same in both."""
    d, tokens = block.dim, block.tokens
    yield Step("norm1", op.LayerNorm(rows=tokens, channels=d))
    if block.window:
        yield from _layouts(block, "windows")
    yield Step("query, key, value", op.Linear(tokens=tokens, c_in=d, c_out=3 * d))
    yield from inner
    yield Step("projection", op.Linear(tokens=tokens, c_in=d, c_out=d))
    if block.window:
        yield from _layouts(block, "windows back")
    yield Step("add1", op.TokenAdd(rows=tokens, channels=d))
    yield from (step for step in attention.steps(block, skip) if step.name in _MLP)


def _layouts(block: TransformerBlock, name: str) -> Iterator[Step]:
    """The map rolled, in every other block, and cut into windows."""
    pixels = max(block.tokens // 2, 1)
    yield Step(f"{name} rolled", op.Copy(groups=2, rows=pixels, channels=block.dim), 0.5)
    yield Step(name, op.Copy(groups=2, rows=pixels, channels=block.dim))


def _attention(block: TransformerBlock) -> Iterator[Step]:
    sizes = {"heads": block.heads, "queries": block.tokens, "keys": block.tokens, "channels": block.head_dim}
    yield Step("attention", op.Attention(**sizes))


def _explicit(block: TransformerBlock) -> Iterator[Step]:
    rows, inner, groups = block.tokens, block.head_dim, block.heads
    if block.window:
        rows = block.window**2
        groups *= (-(-block.height // block.window)) * (-(-block.width // block.window))
    laid_out = op.Copy(groups=2, rows=max(block.tokens * block.heads // 2, 1), channels=inner)
    yield Step("scale", op.ElementWise(rows=block.tokens, channels=block.dim))
    yield from (Step(f"{name} by heads", laid_out) for name in ("query", "key", "value"))
    yield Step("scores", op.MatrixProduct(groups=groups, rows=rows, inner=inner, columns=rows))
    yield Step("score bias", op.ChannelScale(channels=rows, height=groups, width=rows))
    yield Step("softmax", op.Softmax(groups=groups, rows=rows, channels=rows))
    yield Step("mixing", op.MatrixProduct(groups=groups, rows=rows, inner=rows, columns=inner))
    yield Step("heads together", laid_out)


#: The steps of the MLP, the same in every form.
_MLP = ("norm2", "fc1", "gelu", "fc2", "add2")
