"""The stages of a network: how many blocks of which kind stand on a map, and the stem before the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from latpred.errors import InputError
from latpred.records import Count, ImageEdge, Plain, Record
from latpred.workloads.blocks import KINDS, Block, Bottleneck
from latpred.workloads.blocks.residual import Layers
from latpred.workloads.blocks.shorthands import Expansion, Squeeze
from latpred.workloads.layers import Conv, Layer, Map, Pool

ImageSize = Annotated[tuple[ImageEdge, ImageEdge], Plain]
#: Fields of a stage that say where its blocks stand; all others are settings of its kind of block.
_PLACE = frozenset({"kind", "c_in", "c_out", "blocks", "stride", "before", "map"})


class Stem(Record):
    """What leads from the image to the first stage: a convolution, and maybe 3×3 pooling of stride 2.

    Parameters
    ----------
    c_out
        Channels that it puts out.
    kernel, stride
        Of the convolution [pixels].
    pool
        Whether it is pooled.

    Examples
    --------
    >>> Stem(c_out=64, kernel=7, stride=2, pool=True)
    Stem(c_out=64, kernel=7, stride=2, pool=True)
    """

    c_out: Count
    kernel: Count
    stride: Count
    pool: bool = False

    def layers(self) -> tuple[Layer, ...]:
        """A convolution, with what is folded into it, and the pooling."""
        convolution = Conv(c_out=self.c_out, kernel=self.kernel, stride=self.stride, norm=True, activation="relu")
        return (convolution, Pool(kernel=3, stride=2, maximum=True)) if self.pool else (convolution,)


class Stage(Record):
    """Blocks on one map; the first may change channels and resolution.

    Parameters
    ----------
    c_in, c_out
        Channels that the first block reads, and that every block puts out.
    blocks
        How many; or, where they differ, stages within the stage, on its map.
    stride
        Of the first block [pixels].
    kind
        `bottleneck`, `basic`, `inverted-residual`, `convnext`, `transformer`, or `body`, whose layers are spelled out.
    before
        Layers between the stage before and this one.
    map
        Edges of the input map [pixels], where they do not follow from what stands before, as in a model that was read.
    bottleneck_ratio, group_width, groups, se, projects
        Of bottlenecks: as of `Bottleneck`, with channels per group or groups.
    kernel
        Of inverted residuals and ConvNeXt blocks: edge of the depthwise filters [pixels].
    expansion, hidden, squeeze, activation
        Of inverted residuals, ConvNeXt and transformer blocks: as of these.
    body, shortcut
        As of `ResidualBlock`.
    heads, head_dim, extra, passes
        As of `TransformerBlock`.
    window
        As of `TransformerBlock` [pixels].

    Examples
    --------
    >>> Stage(c_in=256, c_out=512, blocks=4, stride=2)
    Stage(c_in=256, c_out=512, blocks=4, stride=2)
    """

    kind: Literal["bottleneck", "basic", "inverted-residual", "convnext", "body", "transformer"] = "bottleneck"
    c_in: Count
    c_out: Count
    blocks: Count | Annotated[tuple[Stage, ...], Plain, Field(min_length=1)]
    stride: Count = 1
    before: Layers = ()
    map: ImageSize | None = None
    bottleneck_ratio: Count | None = None
    group_width: Count | None = None
    groups: Count | None = None
    se: bool | None = None
    projects: Literal["always", "strided"] | None = None
    expansion: Expansion | None = None
    hidden: Count | None = None
    kernel: Count | None = None
    squeeze: Squeeze | None = None
    activation: str | None = None
    body: Layers | None = None
    shortcut: Literal["auto", "none"] | Layers | None = None
    heads: Count | None = None
    head_dim: Count | None = None
    extra: Annotated[int, Field(ge=0, le=10**6, strict=True), Plain] | None = None
    window: Count | None = None
    passes: Annotated[int, Field(ge=0, le=100, strict=True), Plain] | None = None

    @model_validator(mode="after")
    def _fits_kind(self) -> Stage:
        given = self.settings()
        if isinstance(self.blocks, tuple):
            if given or (self.stride != 1 and self.stride != self.blocks[0].stride):
                raise ValueError("its blocks say their kind, stride and settings themselves; leave these out")
            self._check_within(self.blocks)
            return self
        known = {*KINDS[self.kind].model_fields, *(("group_width",) if self.kind == "bottleneck" else ())}
        strange = sorted(given.keys() - known)
        if strange:
            raise ValueError(f"{', '.join(strange)}: no setting of the kind {self.kind}")
        if self.group_width and self.groups:
            raise ValueError("give groups or group_width, the channels of one, not both")
        if self.kind in ("convnext", "transformer") and (self.stride != 1 or self.c_in != self.c_out):
            raise ValueError(f"blocks of the kind {self.kind} keep channels and map; say in before what changes them")
        return self

    def _check_within(self, runs: tuple[Stage, ...]) -> None:
        """Raise ValueError for stages within this one that do not stand on one map, one after the other."""
        width = self.c_in
        for number, run in enumerate(runs, start=1):
            if isinstance(run.blocks, tuple) or run.before or run.map:
                raise ValueError(f"blocks {number}: a stage within a stage is blocks alone")
            if run.c_in != width:
                raise ValueError(f"blocks {number}: reads {run.c_in} channels of {width}")
            if number > 1 and run.stride > 1:
                raise ValueError(f"blocks {number}: stride {run.stride} leaves the map of the stage")
            width = run.c_out
        if width != self.c_out:
            raise ValueError(f"the blocks put out {width} channels, not c_out={self.c_out}")

    def __repr_args__(self) -> Iterator[tuple[str, Any]]:
        """What was given."""
        yield from ((name, value) for name, value in self if name in self.model_fields_set)

    def settings(self) -> dict[str, Any]:
        """What is said of its blocks beside their place."""
        return {name: value for name, value in self if name not in _PLACE and value is not None}

    @property
    def runs(self) -> tuple[Stage, ...]:
        """The stages within it; itself where its blocks are alike."""
        return self.blocks if isinstance(self.blocks, tuple) else (self,)

    @property
    def count(self) -> int:
        """Blocks."""
        return self.blocks if isinstance(self.blocks, int) else sum(run.count for run in self.blocks)

    def place(self, into: Map, name: str, defaults: Mapping[str, Any]) -> tuple[Block, ...]:
        """The blocks on an input map; `defaults` are settings of bottlenecks that do not have their own.

        Raises InputError for blocks that do not fit.
        """
        placed: list[Block] = []
        for run in self.runs:
            placed.append(run._block(into, run.stride, run.c_in, defaults))
            into = Map(run.c_out, placed[-1].out_height, placed[-1].out_width)
            if run.count > 1:
                placed += (run.count - 1) * [run._block(into, 1, run.c_out, defaults)]
        return tuple(named(placed, name))

    def _block(self, into: Map, stride: int, c_in: int, defaults: Mapping[str, Any]) -> Block:
        """A block of this kind; a stage of bottlenecks says its groups by their width, too."""
        kind, settings = KINDS[self.kind], self.settings()
        if kind is Bottleneck:
            own = settings if "groups" in settings else {**defaults, **settings}
            settings = {**defaults, **own}
            width, inner = own.get("group_width"), self.c_out // settings.get("bottleneck_ratio", 4)
            if width and inner % width:
                raise InputError(f"{inner} inner channels are no multiple of {width}")
            settings = {**settings, **({"groups": inner // width} if width else {})}
            settings.pop("group_width", None)
        sizes = {"c_in": c_in, "c_out": self.c_out, "stride": stride, "channels": self.c_out, "dim": self.c_out}
        fields = {name: size for name, size in sizes.items() if name in kind.model_fields}
        return kind(**fields, **settings, height=into.height, width=into.width)


def named(blocks: Sequence[Block], name: str) -> Iterator[Block]:
    """Blocks of a stage with their names: the last and its like after the stage, the first, others by their number."""
    repeated = blocks[-1].replace(name=name)
    for number, block in enumerate(blocks, start=1):
        if number > 1 and block.shape == repeated.shape:
            yield repeated
        else:
            yield block.replace(name=f"{name}-first" if number == 1 else f"{name}-block{number}")
