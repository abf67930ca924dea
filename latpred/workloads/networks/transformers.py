"""Vision transformers, plain or with a token-to-token front, and their lowering to operators (MODEL §8)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import model_validator

from latpred.records import Count
from latpred.workloads import operators as op
from latpred.workloads.blocks import Block, TransformerBlock
from latpred.workloads.lowering import Form, Lowered, Step
from latpred.workloads.networks.placed import MOST_BLOCKS, PlacedNetwork
from latpred.workloads.paradigms import Paradigm

if TYPE_CHECKING:
    import pandas

#: Channels of the token-to-token module's two performers (MODEL §8).
T2T_CHANNELS = 64
#: Edge of a pixel patch that a plain transformer embeds; also the shrinkage of the token-to-token module.
PATCH_EDGE = 16


class VisionTransformer(PlacedNetwork):
    """A vision transformer: embedding, `depth` equal blocks of attention and MLP, classifier.

    Parameters
    ----------
    name, title, aliases, source
        How it is asked for, what it is called, other names, and where its shape is from.
    kind
        `transformer`, which tells its file from that of a residual network.
    dim, heads, head_dim, mlp_ratio, depth
        Channels d, attention heads and their width, hidden over outer channels of the MLP, blocks: heads × head_dim
        is d, and 10,000 blocks are the most.
    classes
        Outputs of the classifier.
    embedding
        `patch`: a linear layer on 16×16 patches; `t2t`: the token-to-token module.
    image_size
        Input image, height and width [pixels], each at most 65,536.

    Examples
    --------
    >>> VisionTransformer(name="mine", dim=384, heads=6, depth=12).tokens
    197
    """

    unread: ClassVar[tuple[str, ...]] = ()

    kind: Literal["transformer"] = "transformer"
    embedding: Literal["patch", "t2t"] = "patch"
    dim: Count
    heads: Count
    head_dim: Count = 64
    mlp_ratio: Count = 4
    depth: Count
    classes: Count = 1000

    @model_validator(mode="after")
    def _heads_fit(self) -> VisionTransformer:
        problems = []
        if self.heads * self.head_dim != self.dim:
            problems.append(f"heads={self.heads} × head_dim={self.head_dim} must be dim={self.dim}")
        if self.depth > MOST_BLOCKS:
            problems.append(f"{self.depth:,} blocks are too many; {MOST_BLOCKS:,} are the most")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def grid(self) -> tuple[int, int]:
        """Height and width of the token map."""
        height, width = self.image_size
        return -(-height // PATCH_EDGE), -(-width // PATCH_EDGE)

    @property
    def tokens(self) -> int:
        """Tokens with the class token."""
        return self.grid[0] * self.grid[1] + 1

    @property
    def summary(self) -> str:
        """Name, blocks, tokens and heads."""
        return f"{self.name}, {self.depth} blocks, {self.tokens} tokens of {self.dim} channels in {self.heads} heads"

    def to_frame(self) -> pandas.DataFrame:
        """A row per field."""
        import pandas

        return pandas.DataFrame([{"field": name, "value": value} for name, value in self])

    @cached_property
    def stage_blocks(self) -> tuple[tuple[Block, ...], ...]:
        """All blocks, which are alike, as one stage."""
        height, width = self.grid
        shape = {"dim": self.dim, "heads": self.heads, "head_dim": self.head_dim, "hidden": self.mlp_ratio * self.dim}
        block = TransformerBlock(name=f"{self.name}-stage1", **shape, height=height, width=width, extra=1)
        return (self.depth * (block,),)

    def lower(self, paradigm: Paradigm, form: Form) -> Lowered:
        """The operators of the whole network, the same in every form; they are of no stage.

        Raises
        ------
        InputError
            A paradigm that a transformer has no use for, or a rate that keeps no head or no token.
        """
        lowered = super().lower(paradigm, form)
        return lowered._replace(steps=tuple(step._replace(stage=None) for step in lowered.steps))

    def opening(self, form: Form) -> Iterator[Step]:
        """The embedding, and the positions added to it."""
        yield from (Step(name, operator) for name, operator in _embedding(self))
        yield Step("position embedding", op.ElementWise(rows=self.tokens, channels=self.dim))

    def closing(self, form: Form) -> Iterator[Step]:
        """The last norm, and the classifier."""
        yield Step("head norm", op.LayerNorm(rows=self.tokens, channels=self.dim))
        yield Step("classifier", op.Linear(tokens=1, c_in=self.dim, c_out=self.classes))

    def own_notes(self) -> Iterator[str]:
        """That patches do not divide the image."""
        if any(edge % PATCH_EDGE for edge in self.image_size):
            image, grid = ("×".join(map(str, size)) for size in (self.image_size, self.grid))
            yield f"{self.name}: {PATCH_EDGE}×{PATCH_EDGE} patches do not divide the {image} image; {grid} are counted"


def _embedding(network: VisionTransformer) -> Iterator[tuple[str, op.Operator]]:
    height, width = network.image_size
    pixels = 3 * height * width
    if network.embedding == "patch":
        # Patches do not overlap, so that no kernel has to copy them out first.
        rows, columns = network.grid
        yield "embedding", op.Linear(tokens=rows * columns, c_in=3 * PATCH_EDGE**2, c_out=network.dim)
        return
    # Three unfoldings, 7×7 of stride 4 and twice 3×3 of stride 2, with a performer after the first two.
    channels_in, elements_in = 3 * 7**2, pixels
    for number, shrink in enumerate((4, 8, PATCH_EDGE), start=1):
        L = -(-height // shrink) * -(-width // shrink)
        yield f"t2t{number} unfold", op.Unfold(elements_in=elements_in, elements_out=channels_in * L)
        if shrink == PATCH_EDGE:
            yield "embedding", op.Linear(tokens=L, c_in=channels_in, c_out=network.dim)
        else:
            for name, operator in _performer(L, channels_in, T2T_CHANNELS):
                yield f"t2t{number} {name}", operator
            channels_in, elements_in = T2T_CHANNELS * 3**2, T2T_CHANNELS * L


def _performer(L: int, i: int, o: int) -> Iterator[tuple[str, op.Operator]]:
    """performer(L, i→o), m = o/2 (MODEL §8)."""
    m = o // 2
    yield "norm", op.LayerNorm(rows=L, channels=i)
    yield "qkv", op.Linear(tokens=L, c_in=i, c_out=3 * o)
    for name in ("key", "query"):
        yield f"{name} square", op.ElementWise(rows=L, channels=o)
        yield f"{name} features", op.Linear(tokens=L, c_in=o, c_out=m)
        yield f"{name} add", op.TokenAdd(rows=L, channels=m)
        yield f"{name} exp", op.ElementWise(rows=L, channels=m)
    yield "normaliser", op.Linear(tokens=L, c_in=m, c_out=1)
    yield "key value", op.MatrixProduct(rows=o, inner=L, columns=m)
    yield "query key value", op.MatrixProduct(rows=L, inner=m, columns=o)
    yield "projection", op.Linear(tokens=L, c_in=o, c_out=o)
    yield "mlp norm", op.LayerNorm(rows=L, channels=o)
    yield "mlp fc1", op.Linear(tokens=L, c_in=o, c_out=o)
    yield "mlp gelu", op.ElementWise(rows=L, channels=o)
    yield "mlp fc2", op.Linear(tokens=L, c_in=o, c_out=o)
