"""Networks as data: stages of residual blocks, by name from `zoo/` or from your own YAML file (MODEL §6)."""

from __future__ import annotations

import re
from functools import cached_property, lru_cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple

from pydantic import Field, model_validator

from latpred.blocks import Bottleneck, Step, Workload
from latpred.errors import InputError, NetworkError
from latpred.files import data_folder, parse, read_yaml
from latpred.paradigms import Paradigm
from latpred.records import Count, Plain, Record

ImageSize = Annotated[tuple[Count, Count], Plain]


class Stage(Record):
    """Blocks on one map; the first may change channels and resolution."""

    c_in: Count
    c_out: Count
    blocks: Count
    stride: Count = 1


class PlacedBlock(NamedTuple):
    """A block of a network: its stage and its place in the network, both counted from 0."""

    stage: int
    number: int
    block: Bottleneck


class Network(Record):
    """The residual blocks of a network; stem, pooling and classifier are not part of it.

    Parameters
    ----------
    stages
        In order; each with the input channels and the stride of its first block.
    image_size
        Input image, height and width [pixels].
    stem_stride
        Image edge over the edge of the first stage's input map.
    bottleneck_ratio
        Output over inner channels of every block.
    group_width
        Channels per group of the 3×3 convolutions; None for one group.
    se
        Squeeze-and-excitation in every block.
    """

    error: ClassVar[type[InputError]] = NetworkError

    name: Annotated[str, Field(min_length=1)]
    title: str = ""
    aliases: Annotated[tuple[str, ...], Plain] = ()
    source: str = ""
    image_size: ImageSize = (224, 224)
    stem_stride: Count
    bottleneck_ratio: Count
    group_width: Count | None = None
    se: bool = False
    stages: Annotated[tuple[Stage, ...], Plain, Field(min_length=1)]

    @model_validator(mode="after")
    def _blocks_fit(self) -> Network:
        for number, stage in enumerate(self.stages, start=1):
            inner = stage.c_out // self.bottleneck_ratio
            if stage.c_out % self.bottleneck_ratio:
                raise ValueError(f"stage {number}: c_out={stage.c_out} is no multiple of {self.bottleneck_ratio}")
            if self.group_width and inner % self.group_width:
                raise ValueError(f"stage {number}: {inner} inner channels are no multiple of {self.group_width}")
        return self

    @cached_property
    def maps(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each stage's map [pixels]; every stride rounds up, as padded convolutions do."""
        height, width = (-(-edge // self.stem_stride) for edge in self.image_size)
        maps = []
        for stage in self.stages:
            height, width = -(-height // stage.stride), -(-width // stage.stride)
            maps.append((height, width))
        return tuple(maps)

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

    def lower(self, paradigm: Paradigm, rates: tuple[float, ...] | None = None) -> Workload:
        """The operators of every block; at several `rates` at once every figure is an array.

        Raises
        ------
        InputError
            A granularity that does not fit a stage, or a sequence of another length than the stages or blocks.
        """
        stages = [self.stage(number).lower(paradigm, rates) for number in range(1, len(self.stages) + 1)]
        notes = (*self._rounding_notes(), *chain.from_iterable(stage.notes for stage in stages))
        return Workload(tuple(chain.from_iterable(stage.steps for stage in stages)), tuple(dict.fromkeys(notes)))

    def _rounding_notes(self) -> tuple[str, ...]:
        shrink, rounded = self.stem_stride, []
        for number, (stage, (rows, columns)) in enumerate(zip(self.stages, self.maps, strict=True), start=1):
            shrink *= stage.stride
            if any(edge % shrink for edge in self.image_size):
                rounded.append(f"{rows}×{columns} (stage {number})")
        return (f"{self.name}: maps are rounded up to {', '.join(rounded)}",) if rounded else ()

    def resized(self, image_size: tuple[int, int]) -> Network:
        """The same network for images of another size, (height, width) [pixels]."""
        return type(self)(
            **{**{field: getattr(self, field) for field in type(self).model_fields}, "image_size": image_size}
        )


class NetworkStage(Record):
    """One stage of a network as a target: its first block and its repeated ones."""

    network: Network
    number: Count

    @property
    def name(self) -> str:
        """The network's name and the stage's number."""
        return f"{self.network.name}-stage{self.number}"

    @property
    def blocks(self) -> tuple[PlacedBlock, ...]:
        """The stage's blocks, in order."""
        return tuple(placed for placed in self.network.blocks if placed.stage == self.number - 1)

    def lower(self, paradigm: Paradigm, rates: tuple[float, ...] | None = None) -> Workload:
        """The operators of the stage's blocks; settings may be the whole network's sequences."""
        steps: list[Step] = []
        notes: dict[str, None] = {}
        counts = [stage.blocks for stage in self.network.stages]
        for stage, number, block in self.blocks:
            lowered = block.lower(paradigm.for_block(stage, number, counts), rates)
            steps += [step._replace(stage=stage + 1, block=number + 1) for step in lowered.steps]
            notes.update(dict.fromkeys(lowered.notes))
        return Workload(tuple(steps), tuple(notes))


@lru_cache(maxsize=1)
def _zoo() -> dict[str, Path]:
    """Files of the shipped networks by name."""
    return {path.stem: path for path in sorted(data_folder("zoo").glob("*.yaml"))}


def list_networks() -> list[str]:
    """Names of the networks that latpred ships."""
    return list(_zoo())


def load_network(name_or_path: str | Path, image_size: tuple[int, int] | None = None) -> Network:
    """A shipped network by name or alias, or your own by the path of a YAML file.

    Raises
    ------
    NetworkError
        No such network, or an image that is too small for it.
    DataError
        The file is not a network; the message lists everything wrong with it.
    """
    network = _load(str(name_or_path))
    return network.resized(image_size) if image_size else network


def _load(name: str) -> Network:
    if name.lower() in _zoo():
        return _load_file(_zoo()[name.lower()])
    if Path(name).suffix in {".yaml", ".yml"}:
        if not Path(name).is_file():
            raise NetworkError(f"there is no network file {name!r}")
        return _load_file(Path(name))
    for known in list_networks():
        if name.lower() in (network := _load_file(_zoo()[known])).aliases:
            return network
    raise NetworkError(
        f"unknown network {name!r}; choose {', '.join(list_networks())}, or give the path of a .yaml file"
    )


def _load_file(path: Path) -> Network:
    content = read_yaml(path)
    if isinstance(content.get("stages"), list):
        content["stages"] = [parse(Stage, _mapping(stage, path), path) for stage in content["stages"]]
    return parse(Network, content, path)


def _mapping(stage: object, path: Path) -> dict[str, Any]:
    if not isinstance(stage, dict):
        raise NetworkError(f"{path}: each stage is a mapping of c_in, c_out, blocks and stride, not {stage!r}")
    return stage


def load_block(name_or_path: str | Path, image_size: tuple[int, int] | None = None) -> Bottleneck:
    """A block by name, `<network>-stage<k>` or `<network>-stage<k>-first`, or your own by the path of a YAML file.

    Raises
    ------
    NetworkError
        No such network or stage.
    DataError
        The file is not a block; the message lists everything wrong with it.
    """
    name = str(name_or_path)
    if Path(name).suffix in {".yaml", ".yml"}:
        if not Path(name).is_file():
            raise NetworkError(f"there is no block file {name!r}")
        return parse(Bottleneck, {"name": Path(name).stem, **read_yaml(Path(name))}, Path(name))
    match = re.fullmatch(r"(.+)-stage(\d+)(-first)?", name.lower())
    if not match:
        raise NetworkError(
            f"unknown block {name!r}; name it <network>-stage<k> or <network>-stage<k>-first, e.g. resnet50-stage1 "
            f"(networks: {', '.join(list_networks())}), or give the path of a .yaml file"
        )
    return load_network(match[1], image_size).block(int(match[2]), first=bool(match[3]))
