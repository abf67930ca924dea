"""What the paradigms have in common: settings that are one number or a sequence, told apart per stage and block."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from latpred.errors import InputError
from latpred.records import Count, Plain, Record

#: One granularity, or one per stage.
Granularity = Annotated[Count | tuple[Count, ...], Plain]

#: Longer sequences are spelled as their range; networks of inverted residuals have seven stages.
MOST_SPELLED = 7

P = TypeVar("P", bound="Paradigm")
#: Settings that may be sequences.
_SETTINGS = ("S", "G", "r")
#: Those of them, and others, that may be told per block.
_PER_BLOCK = ("r", "powers")
#: Fields that are rates.
RATES = ("r", "attention_r", "mlp_r")


class Paradigm(Record):
    """What is skipped, how finely and how often; `Static`, `Spatial`, `Channel`, `Layer`, `Token`, `Head` or `Joint`.

    >>> from latpred import Spatial
    >>> Spatial(4, 0.5).at_rates(0.7)
    Spatial(S=4, r=0.7, unfuse=())
    """

    name: ClassVar[str]
    #: The field that holds the granularity, if there is one.
    granularity_field: ClassVar[str | None] = None

    @property
    def label(self) -> str:
        """The name; of a joint paradigm its parts' names."""
        return self.name

    @property
    def parts(self) -> tuple[Paradigm, ...]:
        """The paradigms that are on."""
        return (self,)

    @property
    def granularity(self) -> Any:
        """The granularity's value, None where the paradigm has none."""
        return getattr(self, self.granularity_field) if self.granularity_field else None

    @property
    def rate(self) -> Any:
        """The activation rate r; None where there is none, or more than one."""
        return getattr(self, "r", None)

    def at_rates(self: P, rates: tuple[float, ...] | float) -> P:
        """The same paradigm at one other rate, or at several at once: every figure is then an array."""
        return self.replace(r=rates) if "r" in type(self).model_fields else self

    @property
    def is_open(self) -> bool:
        """Whether its rate shapes no operator, so that it may be left open until the operators are costed."""
        return True

    def opened(self: P) -> P:
        """The same for every open rate: what operators are lowered for."""
        return self.at_rates(1.0) if self.is_open else self

    def for_block(self: P, stage: int, block: int, blocks_per_stage: Sequence[int]) -> P:
        """The paradigm as one block of a network sees it; `stage` and `block` (in the network) count from 0."""
        changes: dict[str, Any] = {}
        for field in _SETTINGS:
            value = getattr(self, field, None)
            if isinstance(value, tuple):
                changes[field] = setting_of(field, value, stage, block, blocks_per_stage)
        return self.replace(**changes) if changes else self

    def rates(self, blocks_per_stage: Sequence[int]) -> dict[str, NDArray[np.float64]]:
        """The rate of every open part by its name: of shape (1,) where all blocks have it in common, else (blocks,).

        Raises InputError for another number of rates than there are stages or blocks.
        """
        found = {}
        for part in self.parts:
            if not part.is_open:
                continue
            rates = np.atleast_1d(np.asarray(part.rate, dtype=float))
            if isinstance(part.rate, tuple):
                _check_length("r", part.rate, blocks_per_stage)
                rates = np.repeat(rates, blocks_per_stage) if len(rates) == len(blocks_per_stage) else rates
            found[part.name] = rates
        return found

    def skipping(self) -> dict[str, Any]:
        """The fields of `Skipping` that this paradigm sets for one block; settings must be single values by now."""
        return {}

    def require_single(self, target: str) -> None:
        """Raise InputError where a sequence is given for a target that has no stages."""
        for field in _SETTINGS:
            if isinstance(getattr(self, field, None), tuple):
                raise InputError(f"{target} takes one {field}, not a list; lists are for networks")

    def to_dict(self) -> dict[str, Any]:
        """The name and the settings, sequences as lists."""
        settings = {key: list(value) if isinstance(value, tuple) else value for key, value in self if value is not None}
        return {"name": self.label, **settings}

    def __str__(self) -> str:
        """As a reader would write it, `spatial(S=4-4-2-1, r=0.5)`."""
        return self.text()

    def text(self, *, rates: bool = True, whole: bool = False) -> str:
        """As a reader would write it, with or without the rates; `whole` shortens no sequence."""
        settings = self.settings_text(leave_out=() if rates else RATES, whole=whole)
        return f"{self.name}({settings})" if settings else self.name

    def settings_text(self, *, leave_out: Collection[str] = (), whole: bool = False) -> str:
        """The settings that are not the default ones, `S=4-4-2-1, r=0.5`; `whole` shortens no sequence and no rate."""
        fields = type(self).model_fields
        shown = [(key, value) for key, value in self if value != fields[key].default and key not in leave_out]
        return ", ".join(f"{key}={spelled(value, whole=whole)}" for key, value in shown)


def spelled(value: Any, *, whole: bool = False) -> str:
    """A setting as text; sequences as in `4-4-2-1`, long ones as their range unless the `whole` is wanted.

    >>> spelled((8, 4, 7, 1)), spelled((0.25,) * 15 + (0.5,)), spelled(0.123456), spelled(0.123456, whole=True)
    ('8-4-7-1', '0.25…0.5', '0.1235', '0.123456')
    """
    if isinstance(value, tuple) and len(value) > MOST_SPELLED and not whole:
        return f"{spelled(min(value))}…{spelled(max(value))}"
    if isinstance(value, tuple):
        return "-".join(spelled(item, whole=whole) for item in value)
    return f"{value:.{12 if whole else 4}g}" if isinstance(value, float) else str(value)


def setting_of(field: str, values: tuple[Any, ...], stage: int, block: int, blocks_per_stage: Sequence[int]) -> Any:
    """That of a block, of settings per stage or per block; raises InputError for another number of them."""
    _check_length(field, values, blocks_per_stage)
    return values[stage] if len(values) == len(blocks_per_stage) else values[block]


def _check_length(field: str, values: tuple[Any, ...], blocks_per_stage: Sequence[int]) -> None:
    stages, blocks = len(blocks_per_stage), sum(blocks_per_stage)
    per_block_too = field in _PER_BLOCK
    if len(values) != stages and not (per_block_too and len(values) == blocks):
        per_block = f", {stages} (per stage) or {blocks} (per block)" if per_block_too else f", or {stages} (per stage)"
        raise InputError(f"{field} has {len(values)} values; give one{per_block}")


def single(value: int | tuple[int, ...]) -> int:
    """The granularity of one block; raises InputError for a sequence."""
    if isinstance(value, tuple):
        raise InputError(f"a block takes one granularity, not {spelled(value)}")
    return value
