"""Networks of residual blocks, for images of any size (MODEL §6), and static ones, which have none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import model_validator

from latpred.errors import InputError, NetworkError
from latpred.records import Count, Plain, joined
from latpred.wording import listed
from latpred.workloads.blocks import Block
from latpred.workloads.blocks.residual import Layers
from latpred.workloads.layers import Dense, Layer, Map, OfGraph, Placed, Pool, chain
from latpred.workloads.lowering import Form, Step
from latpred.workloads.networks.narrowing import narrowed
from latpred.workloads.networks.placed import MOST_BLOCKS, PlacedNetwork
from latpred.workloads.networks.segments import operator_steps
from latpred.workloads.networks.stages import Stage, Stem

if TYPE_CHECKING:
    import pandas

Part = Literal["stem", "transitions", "head"]
PARTS: tuple[Part, ...] = get_args(Part)
#: Channels of an image.
_COLOURS = 3


class Network(PlacedNetwork):
    """A network of residual blocks; what stands around them counts only where `include` names it.

    Parameters
    ----------
    name, title, aliases, source
        How it is asked for, what it is called, other names, and where its shape is from.
    kind
        `residual`, which tells its file from that of a transformer.
    stages
        In order; each with the input channels and the stride of its first block: those that the stem, or the stage
        before it, puts out. Together at most 10,000 blocks. A network without any is static.
    image_size
        Input image, height and width [pixels], each at most 65,536.
    stem
        What stands before the first stage: `Stem`, or layers.
    head
        Layers behind the last stage; None for a global average and a classifier.
    bottleneck_ratio
        Output over inner channels of every bottleneck.
    group_width
        Channels per group of the 3×3 convolutions of bottlenecks; None for one group.
    se
        Squeeze-and-excitation in every bottleneck.
    projects
        As of `Bottleneck`: of the papers' networks `strided`.
    classes
        Outputs of the classifier.
    include
        Parts that are counted although the papers leave them out: `stem`, `transitions` between stages, `head`. All of
        a static network count.
    unread
        What was not understood when the network was read from a model.
    remarks
        What else a reader of results must know of how it was read.

    Examples
    --------
    >>> stages = [Stage(c_in=64, c_out=256, blocks=3), Stage(c_in=256, c_out=512, blocks=4, stride=2)]
    >>> Network(name="mine", stem=Stem(c_out=64, kernel=7, stride=2, pool=True), bottleneck_ratio=4, stages=stages)
    <Network: mine, 3-4 blocks, images of 224×224>
    """

    kind: Literal["residual"] = "residual"
    stem: Stem | Layers
    bottleneck_ratio: Count = 4
    group_width: Count | None = None
    se: bool = False
    projects: Literal["always", "strided"] = "always"
    classes: Count = 1000
    include: Annotated[tuple[Part, ...], Plain] = ()
    stages: Annotated[tuple[Stage, ...], Plain] = ()
    head: Layers | None = None
    unread: Annotated[tuple[str, ...], Plain] = ()
    remarks: Annotated[tuple[str, ...], Plain] = ()

    @model_validator(mode="after")
    def _blocks_fit(self) -> Network:
        blocks = sum(stage.count for stage in self.stages)
        if blocks > MOST_BLOCKS:
            raise ValueError(f"{blocks:,} blocks are too many; {MOST_BLOCKS:,} are the most")
        problems = self._layout.problems
        if not (self.stages or self.stem_layers or self.head_layers):
            problems = [*problems, "has no layers"]
        if problems:
            raise ValueError(joined(problems))
        return self

    @cached_property
    def _layout(self) -> _Layout:
        return _Layout(self)

    @property
    def stem_layers(self) -> tuple[Layer, ...]:
        """What stands before the first stage."""
        return self.stem.layers() if isinstance(self.stem, Stem) else self.stem

    @property
    def head_layers(self) -> tuple[Layer, ...]:
        """What stands behind the last stage."""
        return (Pool(), Dense(c_out=self.classes)) if self.head is None else self.head

    @property
    def included(self) -> tuple[Part, ...]:
        """The parts that count beside the stages."""
        return self.include if self.stages else PARTS

    @property
    def uncounted(self) -> tuple[Part, ...]:
        """The parts that it has and leaves out: of networks that ship stem and head, of those that were read none."""
        has = {"stem": self.stem_layers, "transitions": any(stage.before for stage in self.stages)}
        has["head"] = self.head_layers
        return tuple(part for part in PARTS if has[part] and part not in self.included)

    @property
    def stage_blocks(self) -> tuple[tuple[Block, ...], ...]:
        """The blocks of each stage, in order."""
        return tuple(self._layout.blocks)

    @property
    def summary(self) -> str:
        """Name, blocks and image size."""
        height, width = self.image_size
        blocks = f"{'-'.join(map(str, self.blocks_per_stage))} blocks" if self.stages else "static"
        return f"{self.name}, {blocks}, images of {height}×{width}"

    def to_frame(self) -> pandas.DataFrame:
        """A row per stage: its map, kind, channels, blocks and stride, and what they can skip by."""
        import pandas

        rows = [
            {
                "height": height,
                "width": width,
                "kind": "/".join(dict.fromkeys(run.kind for run in stage.runs)),
                "c_in": stage.c_in,
                "c_out": stage.c_out,
                "blocks": stage.count,
                "stride": stage.stride,
                "paradigms": ", ".join(self.stage(number).paradigms),
            }
            for number, (stage, (height, width)) in enumerate(zip(self.stages, self.maps, strict=True), start=1)
        ]
        return pandas.DataFrame(rows).rename_axis("stage").rename(lambda index: index + 1).reset_index()

    def opening(self, form: Form) -> Iterator[Step]:
        """The stem, where it counts."""
        if "stem" in self.included:
            yield from operator_steps("stem", self.stem_layers, Map(_COLOURS, *self.image_size), form)

    def before_stage(self, number: int, form: Form) -> Iterator[Step]:
        """A transition, where they count."""
        if "transitions" in self.included:
            stage, into = self.stages[number - 1], self._layout.before[number - 1]
            yield from operator_steps(f"stage {number} transition", stage.before, into, form)

    def closing(self, form: Form) -> Iterator[Step]:
        """The head, where it counts."""
        if "head" in self.included:
            yield from operator_steps("head", self.head_layers, self._layout.end, form)

    def own_notes(self) -> Iterator[str]:
        """That nothing skips in a static network, what is asked for and not there, and what was not understood."""
        if not self.stages:
            yield f"{self.name} has no residual blocks: it is static, and nothing of it can be skipped"
        # With all parts nothing of it is asked for in particular.
        asked_for = "transitions" in self.include and set(self.include) < set(PARTS)
        if self.stages and asked_for and not any(stage.before for stage in self.stages):
            yield f"{self.name}: nothing stands between its stages: it has no transitions to include"
        if self.unread:
            yield f"{self.name}: not understood and counted as one pass over its output: {listed(self.unread)}"
        yield from (f"{self.name}: {remark}" for remark in self.remarks)

    @property
    def is_of_one_size(self) -> bool:
        """Whether its maps were read from a model, and do not follow from the image."""
        segments = (self.stem_layers, self.head_layers, *(stage.before for stage in self.stages))
        return any(stage.map for stage in self.stages) or any(
            isinstance(layer, OfGraph) for layers in segments for layer in layers
        )

    def resized(self, image_size: tuple[int, int]) -> Network:
        """The same network for images of another size; raises NetworkError where it is of one size."""
        if self._layout.flattens and tuple(image_size) != self.image_size:
            raise NetworkError(f"{self.name}: a linear layer reads a whole map, whose size its weights fix")
        if self.is_of_one_size and tuple(image_size) != self.image_size:
            height, width = self.image_size
            raise NetworkError(
                f"{self.name} was read from a model at {height}×{width}; read the model again at another image size"
            )
        return self.replace(image_size=image_size)

    def narrowed(self, r: float) -> Network:
        """The network at a share `r` of its width; raises NetworkError for one that cannot be narrowed."""
        if self.is_of_one_size:
            raise NetworkError(f"{self.name} cannot run at a share of its width: it was read from a model")
        return narrowed(self, r)

    def including(self, *parts: str) -> Network:
        """The same network with its stem, its transitions, its head, or several; raises NetworkError for another."""
        return self.replace(include=parts)


class _Layout:
    """The maps and blocks of a network; `problems` say what does not fit."""

    def __init__(self, network: Network) -> None:
        self.problems: list[str] = []
        #: Whether a linear layer reads more than one pixel.
        self.flattens = False
        #: The input of what stands before each stage; the blocks; the map behind the last.
        self.before: list[Map] = []
        self.blocks: list[tuple[Block, ...]] = []
        into = self._after("the stem", network.stem_layers, Map(_COLOURS, *network.image_size))
        before = "the stem"
        defaults = {name: getattr(network, name) for name in ("bottleneck_ratio", "se", "projects")}
        defaults |= {"group_width": network.group_width} if network.group_width else {}
        for number, stage in enumerate(network.stages, start=1):
            self.before.append(into)
            into = self._after(f"stage {number}, before it", stage.before, into)
            if stage.map:
                into = Map(stage.c_in, *stage.map)
            elif stage.c_in != into.channels:
                self.problems.append(
                    f"stage {number}: reads {stage.c_in} channels, but {before} puts out {into.channels}"
                )
            before = f"stage {number}"
            into = self._placed(network, number, stage, Map(stage.c_in, *into[1:]), defaults)
        self.end = into
        self._after("the head", network.head_layers, into)

    def _after(self, where: str, layers: Sequence[Layer], into: Map) -> Map:
        try:
            placed = chain(layers, into)
            self.flattens |= _flattens(placed)
            return placed[-1].out if placed else into
        except InputError as problem:
            self.problems.append(f"{where}: {problem}")
            return into

    def _placed(self, network: Network, number: int, stage: Stage, into: Map, defaults: dict[str, Any]) -> Map:
        try:
            blocks = stage.place(into, f"{network.name}-stage{number}", defaults)
        except InputError as problem:
            self.problems.append(f"stage {number}: {problem}")
            return Map(stage.c_out, *(-(-edge // stage.stride) for edge in into[1:]))
        self.blocks.append(blocks)
        return Map(stage.c_out, blocks[-1].out_height, blocks[-1].out_width)


def _flattens(placed: Sequence[Placed]) -> bool:
    """Whether a linear layer reads a map of several pixels, and no pool before it makes that one of a fixed size."""
    for each in placed:
        if isinstance(each.layer, Pool) and each.layer.kernel is None:
            return False
        if isinstance(each.layer, Dense) and max(each.into[1:]) > 1:
            return True
    return False
