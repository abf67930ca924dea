"""Vision transformers, plain or with a token-to-token front, and their lowering to operators (MODEL §8)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import floor
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from latpred.errors import InputError, NetworkError
from latpred.notebook import Shown
from latpred.records import Count, ImageEdge, Plain, Record
from latpred.workloads import operators as op
from latpred.workloads.lowering import Form, Lowered, Step
from latpred.workloads.lowering.skipping import Skipping
from latpred.workloads.paradigms import Paradigm, check_supported

if TYPE_CHECKING:
    import pandas

#: Kept heads, tokens and channels are ⌊n·r⌋, with this guard against rounding noise.
ROUNDING_GUARD = 1e-9
#: Channels of the token-to-token module's two performers (MODEL §8).
T2T_CHANNELS = 64
#: Edge of a pixel patch that a plain transformer embeds; also the shrinkage of the token-to-token module.
PATCH_EDGE = 16
#: More blocks are a slip of the pen.
MOST_DEPTH = 10_000


class VisionTransformer(Shown, Record):
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

    error: ClassVar[type[InputError]] = NetworkError
    #: What it can skip by.
    paradigms: ClassVar[tuple[str, ...]] = ("token", "head", "layer")

    name: Annotated[str, Field(min_length=1)]
    title: str = ""
    kind: Literal["transformer"] = "transformer"
    aliases: Annotated[tuple[str, ...], Plain] = ()
    source: str = ""
    image_size: Annotated[tuple[ImageEdge, ImageEdge], Plain] = (224, 224)
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
        if self.depth > MOST_DEPTH:
            problems.append(f"{self.depth:,} blocks are too many; {MOST_DEPTH:,} are the most")
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

    def lowest_rate(self, paradigm: Paradigm) -> float:
        """The lowest rate, common to all parts, that keeps a token and a head."""
        kinds = {part.name for part in paradigm.parts}
        return max(1 / self.tokens if "token" in kinds else 0.0, 1 / self.heads if "head" in kinds else 0.0)

    def resized(self, image_size: tuple[int, int]) -> VisionTransformer:
        """The same network for images of another size, (height, width) [pixels]."""
        return self.replace(image_size=image_size)

    def lower(self, paradigm: Paradigm, form: Form) -> Lowered:
        """The operators of the whole network, the same in every form; their shapes follow the rates.

        Raises
        ------
        InputError
            A paradigm that a transformer has no use for, or a rate that keeps no head or no token.
        """
        check_supported(paradigm, self.paradigms, self.name)
        paradigm.require_single(self.name)
        return _lower(self, paradigm)


@lru_cache(maxsize=1024)
def _lower(network: VisionTransformer, paradigm: Paradigm) -> Lowered:
    skip = Skipping(**paradigm.skipping())
    if skip.layer_masker != "fused":
        raise InputError(
            f"{network.name} decides with a policy of its own; leave the layer masker {skip.layer_masker!r} out"
        )
    tokens, d = network.tokens, network.dim
    block = list(_block(network, skip))
    steps = [Step(name, operator) for name, operator in _embedding(network)]
    steps.append(Step("position embedding", op.ElementWise(rows=tokens, channels=d)))
    for number in range(1, network.depth + 1):
        steps += [step._replace(block=number) for step in block]
    steps.append(Step("head norm", op.LayerNorm(rows=tokens, channels=d)))
    steps.append(Step("classifier", op.Linear(tokens=1, c_in=d, c_out=network.classes)))
    return Lowered(tuple(steps), tuple(_notes(network)))


def _notes(network: VisionTransformer) -> Iterator[str]:
    if any(edge % PATCH_EDGE for edge in network.image_size):
        image, grid = ("×".join(map(str, size)) for size in (network.image_size, network.grid))
        yield f"{network.name}: {PATCH_EDGE}×{PATCH_EDGE} patches do not divide the {image} image; {grid} are counted"


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


def _block(network: VisionTransformer, skip: Skipping) -> Iterator[Step]:
    """One block at its token, head and layer rates; every policy that is on is paid (MODEL §8)."""
    d, tokens, heads, head_dim = network.dim, network.tokens, network.heads, network.head_dim
    token_rate = 1.0 if skip.token_rate is None else skip.token_rate
    head_rate = 1.0 if skip.head_rate is None else skip.head_rate
    L_s, H = kept(tokens, token_rate, "token"), kept(heads, head_rate, "head")
    if skip.attention_rate is not None:
        yield Step("layer policy", op.Linear(tokens=1, c_in=d, c_out=2))
    if skip.head_rate is not None:
        yield Step("head policy", op.Linear(tokens=1, c_in=d, c_out=heads))
    attention: list[tuple[str, op.Operator]] = [("norm1", op.LayerNorm(rows=tokens, channels=d))]
    attention += [
        (name, op.Linear(tokens=tokens, c_in=d, c_out=d, output_rate=head_rate)) for name in ("query", "key", "value")
    ]
    if skip.token_rate is not None:
        attention += [("token policy", op.Linear(tokens=tokens, c_in=d, c_out=1, input_rate=head_rate))]
    attention += [
        ("scores", op.MatrixProduct(groups=H, rows=L_s, inner=head_dim, columns=L_s)),
        ("softmax", op.Softmax(groups=H, rows=L_s, channels=L_s)),
        ("mixing", op.MatrixProduct(groups=H, rows=L_s, inner=L_s, columns=head_dim)),
        ("projection", op.Linear(tokens=L_s, c_in=d, c_out=d, input_rate=head_rate, output_rate=head_rate)),
        ("add1", op.TokenAdd(rows=L_s, channels=kept(d, head_rate, "channel"))),
    ]
    mlp: list[tuple[str, op.Operator]] = [
        ("norm2", op.LayerNorm(rows=tokens, channels=d)),
        ("fc1", op.Linear(tokens=L_s, c_in=d, c_out=network.mlp_ratio * d, input_rate=head_rate)),
        ("gelu", op.ElementWise(rows=L_s, channels=network.mlp_ratio * d)),
        ("fc2", op.Linear(tokens=L_s, c_in=network.mlp_ratio * d, c_out=d)),
        ("add2", op.TokenAdd(rows=L_s, channels=d)),
    ]
    for steps, executions in ((attention, skip.attention_rate), (mlp, skip.mlp_rate)):
        yield from (Step(name, operator, 1.0 if executions is None else executions) for name, operator in steps)


def kept(n: int, rate: Any, what: str) -> int:
    """⌊n·r⌋ of `n` things; raises InputError where none is kept.

    >>> kept(7, 3 / 7, "head")
    3
    """
    count = floor(n * float(rate) + ROUNDING_GUARD)
    if count < 1:
        raise InputError(f"a {what} rate of {float(rate):g} keeps no {what} of {n}; give at least {1 / n:.4g}")
    return count
