"""What every network is: blocks in their places, and their lowering with what stands around them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property, lru_cache
from math import gcd
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, NamedTuple

from pydantic import Field

from latpred.errors import InputError, NetworkError
from latpred.notebook import Shown
from latpred.records import Count, Plain, Record, flag
from latpred.wording import in_stages, quoted
from latpred.workloads.blocks import Block
from latpred.workloads.granularity import channel_groups, patch_edges
from latpred.workloads.lowering import Form, Lowered, Step
from latpred.workloads.networks.narrowing import MULTIPLE, OF_ONE_WIDTH
from latpred.workloads.networks.stages import ImageSize
from latpred.workloads.paradigms import SINGLE, Paradigm, Static, Width, check_supported, restricted

#: More blocks are a slip of the pen; the deepest residual networks that were trained have some four hundred.
MOST_BLOCKS = 10_000


class PlacedBlock(NamedTuple):
    """A block of a network: its stage and its place in the network, both counted from 0."""

    stage: int
    number: int
    block: Block


class PlacedNetwork(Shown, Record):
    """A network: blocks in stages, each on a map, and operators around them; subclasses say which."""

    error: ClassVar[type[InputError]] = NetworkError

    name: Annotated[str, Field(min_length=1)]
    title: str = ""
    aliases: Annotated[tuple[str, ...], Plain] = ()
    source: str = ""
    image_size: ImageSize = (224, 224)

    if TYPE_CHECKING:

        @property
        def kind(self) -> str:
            """What tells its file from those of other networks; a field."""

    @property
    def stage_blocks(self) -> tuple[tuple[Block, ...], ...]:
        """The blocks of each stage, in order."""
        raise NotImplementedError

    def opening(self, form: Form) -> Iterator[Step]:
        """What stands before the first stage, as far as it counts."""
        raise NotImplementedError

    def before_stage(self, number: int, form: Form) -> Iterator[Step]:
        """What stands between a stage (counted from 1) and the one before it, as far as it counts."""
        yield from ()

    def closing(self, form: Form) -> Iterator[Step]:
        """What stands behind the last stage, as far as it counts."""
        raise NotImplementedError

    @property
    def uncounted(self) -> tuple[str, ...]:
        """The parts of the network that no latency of it counts."""
        return ()

    def own_notes(self) -> Iterator[str]:
        """What a reader must know of the network, whatever it skips."""
        yield from ()

    @cached_property
    def blocks(self) -> tuple[PlacedBlock, ...]:
        """Every block, in order."""
        staged = ((stage, block) for stage, blocks in enumerate(self.stage_blocks) for block in blocks)
        return tuple(PlacedBlock(stage, number, block) for number, (stage, block) in enumerate(staged))

    @cached_property
    def blocks_per_stage(self) -> list[int]:
        """Blocks of each stage."""
        return [len(blocks) for blocks in self.stage_blocks]

    @cached_property
    def maps(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each stage's map [pixels]."""
        return tuple((blocks[-1].out_height, blocks[-1].out_width) for blocks in self.stage_blocks)

    @cached_property
    def paradigms(self) -> tuple[str, ...]:
        """What any of its blocks can skip by."""
        return paradigms_of(placed.block for placed in self.blocks)

    def lowest_rate(self, paradigm: Paradigm) -> float:
        """The lowest rate, common to all blocks, that can be asked for."""
        return max((placed.block.lowest_rate(paradigm) for placed in self.blocks), default=0.0)

    def stage(self, number: int) -> NetworkStage:
        """One stage, counted from 1, as a target of its own."""
        if type(number) is not int or not 1 <= number <= len(self.stage_blocks):
            known = f"stages 1 to {len(self.stage_blocks)}, not {quoted(number)}" if self.stage_blocks else "no stages"
            raise NetworkError(f"{self.name} has {known}")
        return NetworkStage(network=self, number=number)

    def block(self, stage: int, *, first: bool = False) -> Block:
        """The first block of a stage (counted from 1), or the repeated one; the only one where there is one."""
        blocks = self.stage(stage).network.stage_blocks[stage - 1]
        return blocks[0 if flag(first, "first") else -1]

    def lower(self, paradigm: Paradigm, form: Form) -> Lowered:
        """The operators of every block in a form; rates are open, known only later.

        Raises
        ------
        InputError
            A granularity that does not fit a stage, or a sequence of another length than the stages.
        """
        if isinstance(paradigm, Width):
            lowered = self.narrowed(paradigm.share).lower(Static(), form)
            return lowered._replace(notes=(*lowered.notes, _slimmed(self.name)))
        return _lower(self, paradigm.opened(), form)

    def narrowed(self, r: float) -> PlacedNetwork:
        """The network at a share `r` of its width; raises NetworkError for one that cannot be narrowed."""
        raise NetworkError(f"{self.name} cannot run at a share of its width: {OF_ONE_WIDTH}")

    def resized(self, image_size: tuple[int, int]) -> Any:
        """The same network for images of another size, (height, width) [pixels]."""
        return self.replace(image_size=image_size)


class NetworkStage(Record):
    """One stage of a network as a target: its first block and its repeated ones."""

    network: PlacedNetwork
    number: Count

    @property
    def paradigms(self) -> tuple[str, ...]:
        """What any of its blocks can skip by."""
        return paradigms_of(placed.block for placed in self.blocks)

    def granularities(self, paradigm: str) -> list[int]:
        """Every S or G worth a try in all of the stage's blocks that can skip."""
        blocks = [placed.block for placed in self.blocks if paradigm in placed.block.paradigms]
        if not blocks:
            return [1]
        if paradigm == "spatial":
            return patch_edges(*self.network.maps[self.number - 1])
        most = min(block.largest_granularity(paradigm) for block in blocks)
        return channel_groups(gcd(*(block.switched_together for block in blocks)), most)

    def lowest_rate(self, paradigm: Paradigm) -> float:
        """The lowest rate, common to all blocks, that can be asked for."""
        return max(placed.block.lowest_rate(paradigm) for placed in self.blocks)

    @property
    def name(self) -> str:
        """The network's name and the stage's number."""
        return f"{self.network.name}-stage{self.number}"

    @property
    def blocks(self) -> tuple[PlacedBlock, ...]:
        """The stage's blocks, in order."""
        return tuple(placed for placed in self.network.blocks if placed.stage == self.number - 1)

    def lower(self, paradigm: Paradigm, form: Form) -> Lowered:
        """The operators of the stage's blocks; settings may be the whole network's sequences.

        Raises InputError for a paradigm that no block of the network can skip by.
        """
        if isinstance(paradigm, Width):
            return NetworkStage(network=self.network.narrowed(paradigm.share), number=self.number).lower(Static(), form)
        check_supported(paradigm, self.network.paradigms, self.name)
        return _lower_stage(self.network, self.number, paradigm.opened(), form)


def paradigms_of(blocks: Iterator[Block] | Any) -> tuple[str, ...]:
    """What any of some blocks can skip by, in the order of the paradigms."""
    found = set().union(*(block.paradigms for block in blocks))
    return tuple(name for name in SINGLE if name in found)


@lru_cache(maxsize=256)
def _lower(network: PlacedNetwork, paradigm: Paradigm, form: Form) -> Lowered:
    check_supported(paradigm, network.paradigms, network.name)
    steps, notes = list(network.opening(form)), list(network.own_notes())
    for number in range(1, len(network.stage_blocks) + 1):
        stage = _lower_stage(network, number, paradigm, form)
        steps += network.before_stage(number, form)
        steps += stage.steps
        notes += stage.notes
    steps += network.closing(form)
    return Lowered(tuple(steps), tuple(dict.fromkeys((*notes, *_whole(network, paradigm)))))


@lru_cache(maxsize=1024)
def _lower_stage(network: PlacedNetwork, number: int, paradigm: Paradigm, form: Form) -> Lowered:
    steps: list[Step] = []
    notes: dict[str, None] = {}
    for stage, place, block in network.stage(number).blocks:
        here = restricted(paradigm, block.paradigms).for_block(stage, place, network.blocks_per_stage)
        lowered = block.lower(here, form)
        steps += [step._replace(stage=stage + 1, block=place + 1) for step in lowered.steps]
        notes.update(dict.fromkeys(lowered.notes))
    return Lowered(tuple(steps), tuple(notes))


def _slimmed(name: str) -> str:
    """What a reader must know of a slimmable network, at any width: a sweep notes it once for all."""
    return f"{name}: every layer up to the last stage has the share r of its channels, in multiples of {MULTIPLE}"


def _whole(network: PlacedNetwork, paradigm: Paradigm) -> Iterator[str]:
    """Notes on blocks that cannot skip what a paradigm asks for."""
    for part in paradigm.parts:
        reasons = Counter(placed.block.obstacles.get(part.name) for placed in network.blocks)
        del reasons[None]
        for reason, count in reasons.items():
            whole = f"{count} of {len(network.blocks)} blocks run whole under {part.name} skipping"
            yield f"{network.name}: {whole}: {reason}"
        if stages := [number for number in range(1, len(network.maps) + 1) if not _skips(network, number, part.name)]:
            yield f"{network.name}: no block of {in_stages(stages)} has {part.name} skipping"


def _skips(network: PlacedNetwork, number: int, paradigm: str) -> bool:
    """Whether any block of a stage can."""
    return any(paradigm in block.paradigms for block in network.stage_blocks[number - 1])
