"""Residual networks: stages of bottleneck blocks, for images of any size (MODEL §6)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property, lru_cache
from itertools import chain
from math import gcd
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple, get_args

from pydantic import Field, model_validator

from latpred.errors import InputError, NetworkError
from latpred.notebook import Shown
from latpred.records import Count, ImageEdge, Plain, Record, joined
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.granularity import channel_groups, patch_edges
from latpred.workloads.lowering import Form, Lowered, Step
from latpred.workloads.operators import AveragePool, Convolution, FullyConnected
from latpred.workloads.paradigms import Paradigm

if TYPE_CHECKING:
    import pandas

ImageSize = Annotated[tuple[ImageEdge, ImageEdge], Plain]
#: More blocks are a slip of the pen; the deepest residual networks that were trained have some four hundred.
MOST_BLOCKS = 10_000

Part = Literal["stem", "head"]
PARTS: tuple[Part, ...] = get_args(Part)
#: A pooling stem halves the map once more, with a 3×3 maximum of stride 2.
_POOL_STRIDE = 2


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


class Stage(Record):
    """Blocks on one map; the first may change channels and resolution.

    Parameters
    ----------
    c_in, c_out
        Channels that the first block reads, and that every block puts out.
    blocks
        How many.
    stride
        Of the first block [pixels].

    Examples
    --------
    >>> Stage(c_in=256, c_out=512, blocks=4, stride=2)
    Stage(c_in=256, c_out=512, blocks=4, stride=2)
    """

    c_in: Count
    c_out: Count
    blocks: Count
    stride: Count = 1


class PlacedBlock(NamedTuple):
    """A block of a network: its stage and its place in the network, both counted from 0."""

    stage: int
    number: int
    block: Bottleneck


class Network(Shown, Record):
    """The residual blocks of a network; stem, pooling and classifier only where `include` names them.

    Parameters
    ----------
    name, title, aliases, source
        How it is asked for, what it is called, other names, and where its shape is from.
    kind
        `residual`, which tells its file from that of a transformer.
    stages
        In order; each with the input channels and the stride of its first block: those that the stem, or the stage
        before it, puts out. Together at most 10,000 blocks.
    image_size
        Input image, height and width [pixels], each at most 65,536.
    stem
        The convolution, and the pooling, before the first stage.
    bottleneck_ratio
        Output over inner channels of every block.
    group_width
        Channels per group of the 3×3 convolutions; None for one group.
    se
        Squeeze-and-excitation in every block.
    classes
        Outputs of the classifier.
    include
        Parts that are counted although the papers leave them out: `stem`, `head` (pooling and classifier).

    Examples
    --------
    >>> stages = [Stage(c_in=64, c_out=256, blocks=3), Stage(c_in=256, c_out=512, blocks=4, stride=2)]
    >>> Network(name="mine", stem=Stem(c_out=64, kernel=7, stride=2, pool=True), bottleneck_ratio=4, stages=stages)
    <Network: mine, 3-4 blocks, images of 224×224>
    """

    error: ClassVar[type[InputError]] = NetworkError
    #: What its blocks can skip by.
    paradigms: ClassVar[tuple[str, ...]] = Bottleneck.paradigms

    name: Annotated[str, Field(min_length=1)]
    title: str = ""
    aliases: Annotated[tuple[str, ...], Plain] = ()
    source: str = ""
    kind: Literal["residual"] = "residual"
    image_size: ImageSize = (224, 224)
    stem: Stem
    bottleneck_ratio: Count
    group_width: Count | None = None
    se: bool = False
    classes: Count = 1000
    include: Annotated[tuple[Part, ...], Plain] = ()
    stages: Annotated[tuple[Stage, ...], Plain, Field(min_length=1)]

    @model_validator(mode="after")
    def _blocks_fit(self) -> Network:
        problems, before, width = [], "the stem", self.stem.c_out
        for number, stage in enumerate(self.stages, start=1):
            if stage.c_in != width:
                problems.append(f"stage {number}: reads {stage.c_in} channels, but {before} puts out {width}")
            before, width = f"stage {number}", stage.c_out
            inner = stage.c_out // self.bottleneck_ratio
            if stage.c_out % self.bottleneck_ratio:
                problems.append(f"stage {number}: c_out={stage.c_out} is no multiple of {self.bottleneck_ratio}")
            elif self.group_width and inner % self.group_width:
                problems.append(f"stage {number}: {inner} inner channels are no multiple of {self.group_width}")
        if sum(self.blocks_per_stage) > MOST_BLOCKS:
            problems.append(f"{sum(self.blocks_per_stage):,} blocks are too many; {MOST_BLOCKS:,} are the most")
        if problems:
            raise ValueError(joined(problems))
        return self

    @property
    def stem_stride(self) -> int:
        """Image edge over the edge of the first stage's input map."""
        return self.stem.stride * (_POOL_STRIDE if self.stem.pool else 1)

    @cached_property
    def maps(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each stage's map [pixels]; every stride rounds up, as padded convolutions do."""
        height, width = (-(-edge // self.stem_stride) for edge in self.image_size)
        maps = []
        for stage in self.stages:
            height, width = -(-height // stage.stride), -(-width // stage.stride)
            maps.append((height, width))
        return tuple(maps)

    @property
    def summary(self) -> str:
        """Name, blocks and image size."""
        height, width = self.image_size
        blocks = "-".join(map(str, self.blocks_per_stage))
        return f"{self.name}, {blocks} blocks, images of {height}×{width}"

    def to_frame(self) -> pandas.DataFrame:
        """A row per stage: its map, and the fields of `Stage`."""
        import pandas

        rows = [{"height": h, "width": w, **dict(stage)} for stage, (h, w) in zip(self.stages, self.maps, strict=True)]
        return pandas.DataFrame(rows).rename_axis("stage").rename(lambda index: index + 1).reset_index()

    @property
    def blocks_per_stage(self) -> list[int]:
        """Blocks of each stage."""
        return [stage.blocks for stage in self.stages]

    def block(self, stage: int, *, first: bool = False) -> Bottleneck:
        """The first block of a stage (counted from 1), or the repeated one; the only one where there is one."""
        self.stage(stage)
        shape, (height, width) = self.stages[stage - 1], self.maps[stage - 1]
        first = first or shape.blocks == 1
        stride = shape.stride if first else 1
        inner = shape.c_out // self.bottleneck_ratio
        return Bottleneck(
            name=f"{self.name}-stage{stage}" + ("-first" if first else ""),
            c_in=shape.c_in if first else shape.c_out,
            c_out=shape.c_out,
            bottleneck_ratio=self.bottleneck_ratio,
            height=height * stride,
            width=width * stride,
            stride=stride,
            groups=inner // self.group_width if self.group_width else 1,
            se=self.se,
        )

    @cached_property
    def blocks(self) -> tuple[PlacedBlock, ...]:
        """Every block, in order."""
        placed: list[PlacedBlock] = []
        for number, stage in enumerate(self.stages, start=1):
            kinds = [self.block(number, first=True)] + [self.block(number)] * (stage.blocks - 1)
            placed += [PlacedBlock(number - 1, len(placed) + i, block) for i, block in enumerate(kinds)]
        return tuple(placed)

    def stage(self, number: int) -> NetworkStage:
        """One stage, counted from 1, as a target of its own."""
        if not 1 <= number <= len(self.stages):
            raise NetworkError(f"{self.name} has stages 1 to {len(self.stages)}, not {number}")
        return NetworkStage(network=self, number=number)

    def lower(self, paradigm: Paradigm, form: Form) -> Lowered:
        """The operators of every block in a form; rates are open, known only later.

        Raises
        ------
        InputError
            A granularity that does not fit a stage, or a sequence of another length than the stages.
        """
        return _lower(self, paradigm.at_rates(1.0), form)

    def _stem_steps(self) -> Iterator[Step]:
        """The stem's convolution, and its pooling as an average pool: the same traffic, no arithmetic to speak of."""
        if "stem" not in self.include:
            return
        stem, (height, width) = self.stem, (-(-edge // self.stem.stride) for edge in self.image_size)
        shape = {"height": height * stem.stride, "width": width * stem.stride}
        convolution = Convolution(c_in=3, c_out=stem.c_out, kernel=stem.kernel, stride=stem.stride, **shape)
        yield Step("stem convolution", convolution)
        if stem.pool:
            out_height, out_width = (-(-edge // _POOL_STRIDE) for edge in (height, width))
            pool = AveragePool(
                channels=stem.c_out, height=height, width=width, out_height=out_height, out_width=out_width
            )
            yield Step("stem pool", pool)

    def _head_steps(self) -> Iterator[Step]:
        if "head" in self.include:
            (height, width), channels = self.maps[-1], self.stages[-1].c_out
            yield Step("head pool", AveragePool(channels=channels, height=height, width=width))
            yield Step("classifier", FullyConnected(c_in=channels, c_out=self.classes))

    def _rounding_notes(self) -> tuple[str, ...]:
        shrink, rounded = self.stem_stride, []
        for number, (stage, (rows, columns)) in enumerate(zip(self.stages, self.maps, strict=True), start=1):
            shrink *= stage.stride
            if any(edge % shrink for edge in self.image_size):
                rounded.append(f"{rows}×{columns} (stage {number})")
        return (f"{self.name}: maps are rounded up to {', '.join(rounded)}",) if rounded else ()

    def resized(self, image_size: tuple[int, int]) -> Network:
        """The same network for images of another size, (height, width) [pixels]."""
        return self.replace(image_size=image_size)

    def including(self, *parts: str) -> Network:
        """The same network with its stem, its head, or both. Raises NetworkError for another part."""
        return self.replace(include=parts)


class NetworkStage(Record):
    """One stage of a network as a target: its first block and its repeated ones."""

    paradigms: ClassVar[tuple[str, ...]] = Bottleneck.paradigms

    network: Network
    number: Count

    def granularities(self, paradigm: str) -> list[int]:
        """Every S or G worth a try in all of the stage's blocks."""
        if paradigm == "spatial":
            return patch_edges(*self.network.maps[self.number - 1])
        blocks = [placed.block for placed in self.blocks]
        most = min(block.largest_granularity(paradigm) for block in blocks)
        return channel_groups(gcd(*(block.inner for block in blocks)), most)

    @property
    def name(self) -> str:
        """The network's name and the stage's number."""
        return f"{self.network.name}-stage{self.number}"

    @property
    def blocks(self) -> tuple[PlacedBlock, ...]:
        """The stage's blocks, in order."""
        return tuple(placed for placed in self.network.blocks if placed.stage == self.number - 1)

    def lower(self, paradigm: Paradigm, form: Form) -> Lowered:
        """The operators of the stage's blocks; settings may be the whole network's sequences."""
        return _lower_stage(self.network, self.number, paradigm.at_rates(1.0), form)


@lru_cache(maxsize=256)
def _lower(network: Network, paradigm: Paradigm, form: Form) -> Lowered:
    numbers = range(1, len(network.stages) + 1)
    stages = [_lower_stage(network, number, paradigm, form) for number in numbers]
    steps = (*network._stem_steps(), *chain.from_iterable(stage.steps for stage in stages), *network._head_steps())
    notes = (*network._rounding_notes(), *chain.from_iterable(stage.notes for stage in stages))
    return Lowered(steps, tuple(dict.fromkeys(notes)))


@lru_cache(maxsize=1024)
def _lower_stage(network: Network, number: int, paradigm: Paradigm, form: Form) -> Lowered:
    steps: list[Step] = []
    notes: dict[str, None] = {}
    for stage, place, block in network.stage(number).blocks:
        here = paradigm.for_block(stage, place, network.blocks_per_stage)
        lowered = block.lower(here, form)
        steps += [step._replace(stage=stage + 1, block=place + 1) for step in lowered.steps]
        notes.update(dict.fromkeys(lowered.notes))
    return Lowered(tuple(steps), tuple(notes))
