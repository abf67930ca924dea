"""What every block of a network is: a part of it that can skip, in ways that it names."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from latpred.errors import InputError, NetworkError
from latpred.records import Count, Record
from latpred.workloads.lowering import Form, Lowered
from latpred.workloads.lowering.skipping import Skipping
from latpred.workloads.paradigms import SINGLE, Paradigm


class Block(Record):
    """A block on an input map, with a `name`, `height` and `width`; subclasses say what it computes."""

    error: ClassVar[type[InputError]] = NetworkError
    #: As a stage of a network names it.
    kind: ClassVar[str]

    if TYPE_CHECKING:
        # Fields, in the order that each kind of block has them.
        name: str
        height: Count
        width: Count

    @property
    def shape(self) -> tuple[Any, ...]:
        """Every field but the name: blocks of one shape take the same time, and err alike."""
        return type(self).__name__, *(value for field, value in self if field != "name")

    @property
    def out_height(self) -> int:
        """Output map's height [pixels]."""
        return self.height

    @property
    def out_width(self) -> int:
        """Output map's width [pixels]."""
        return self.width

    @property
    def obstacles(self) -> dict[str, str]:
        """The paradigms that the block cannot skip by, and why."""
        raise NotImplementedError

    @property
    def paradigms(self) -> tuple[str, ...]:
        """What the block can skip by; nothing of a static one."""
        return tuple(name for name in SINGLE if name not in self.obstacles)

    def lowest_rate(self, paradigm: Paradigm) -> float:
        """The lowest rate that can be asked for."""
        return 0.0

    def largest_granularity(self, paradigm: str) -> int:
        """The largest S or G that fits."""
        raise NotImplementedError

    def granularities(self, paradigm: str) -> list[int]:
        """Every S or G worth a try (`latpred.workloads.granularity`)."""
        raise NotImplementedError

    @property
    def switched_together(self) -> int:
        """What every G must divide: the common divisor of all channels that switch."""
        raise NotImplementedError

    def lower(self, paradigm: Paradigm, form: Form) -> Lowered:
        """The operators of this block in a form; its rates are open, which are known only later.

        Raises
        ------
        InputError
            A granularity that does not fit the block, a sequence of settings, or what the form does not have.
        """
        paradigm.require_single(self.name)
        return _lower(self, paradigm.opened(), form)

    def _lowered(self, skip: Skipping, form: Form) -> Lowered:
        """The operators at what the block skips, which it can."""
        raise NotImplementedError


@lru_cache(maxsize=4096)
def _lower(block: Block, paradigm: Paradigm, form: Form) -> Lowered:
    for part in paradigm.parts:
        if part.name not in block.paradigms:
            reason = block.obstacles.get(part.name, "a network is narrowed as a whole")
            choose = f"; choose {', '.join(block.paradigms)}" if block.paradigms else ""
            raise InputError(f"{block.name} has no {part.name} skipping: {reason}{choose}")
    return block._lowered(Skipping(**paradigm.skipping()).with_shares(), form)
