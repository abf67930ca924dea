"""Paradigms whose rates shape the operators, so that these are lowered for each rate: tokens and heads, and widths."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Annotated, Any, cast

from pydantic import Field, model_validator

from latpred.errors import InputError
from latpred.records import Plain, Rate
from latpred.workloads.settings import Paradigm, setting_of

#: How often a rate is multiplied by itself.
Power = Annotated[int, Field(ge=0, le=100, strict=True), Plain]


class Shaping(Paradigm):
    """Operators have as many rows, matrices or channels as are kept."""

    @property
    def is_open(self) -> bool:
        """No."""
        return False


class Token(Shaping):
    """Tokens of a transformer's blocks are computed with rate `r`.

    Parameters
    ----------
    r
        Share of the tokens that is computed, from 0 to 1.
    powers
        Where tokens are dropped for good, a number per block, none below the one before: a block keeps r to this power
        of all tokens. Of a single block the number before it, and its own. None where each chooses among all tokens.

    Examples
    --------
    >>> str(Token(r=0.7))
    'token(r=0.7)'
    """

    name = "token"
    positional = ("r",)

    r: Rate
    powers: Annotated[tuple[Power, ...], Plain] | None = None

    @model_validator(mode="after")
    def _drops(self) -> Token:
        if self.powers is None:
            return self
        if isinstance(self.r, tuple):
            raise ValueError("powers are of one rate; give one r, not several")
        if not self.powers or list(self.powers) != sorted(self.powers):
            raise ValueError("powers: tokens that were dropped do not come back; give no number below the one before")
        return self

    def for_block(self, stage: int, block: int, blocks_per_stage: Sequence[int]) -> Token:
        """With one rate; of the powers that of the block before and its own."""
        if self.powers is None:
            return super().for_block(stage, block, blocks_per_stage)
        own = setting_of("powers", self.powers, stage, block, blocks_per_stage)
        before = setting_of("powers", self.powers, *_before(block, blocks_per_stage), blocks_per_stage) if block else 0
        return self.replace(powers=(before, own))

    def require_single(self, target: str) -> None:
        """Nor more than two powers."""
        super().require_single(target)
        if self.powers and len(self.powers) != 2:
            raise InputError(f"{target} is one block: of powers give two, that of the block before it and its own")

    def lowest_rate(self, tokens: int) -> float:
        """The rate at which one of some tokens is left in the last block."""
        return float((1 / tokens) ** (1 / max(self.powers[-1], 1) if self.powers else 1))

    def skipping(self) -> dict[str, Any]:
        """The share of tokens; where others are gone for good, that of those that arrive, and whether it decides."""
        if self.powers is None:
            return {"token_rate": self.r}
        (before, own), r = self.powers, cast(float, self.r)
        return {"token_rate": r**own, "arriving_rate": r**before, "decides_on_tokens": own > before}


def _before(block: int, blocks_per_stage: Sequence[int]) -> tuple[int, int]:
    """Stage and number of the block before one, counted from 0."""
    ends = list(accumulate(blocks_per_stage))
    return next(stage for stage, end in enumerate(ends) if block - 1 < end), block - 1


class Head(Shaping):
    """Heads of a transformer's attention, and as many channels of its MLP's input, are computed with rate `r`.

    Parameters
    ----------
    r
        Share of the heads that is computed, from 0 to 1.

    Examples
    --------
    >>> str(Head(r=0.5))
    'head(r=0.5)'
    """

    name = "head"
    positional = ("r",)

    r: Rate

    def skipping(self) -> dict[str, Any]:
        """The share of heads."""
        return {"head_rate": self.r}


class Width(Shaping):
    """A slimmable network runs at a share `r` of its channels: the same ones in every layer for all samples, undecided.

    Parameters
    ----------
    r
        Share of the channels, from 0 to 1, in multiples of eight; what stands behind the last stage keeps its own.

    Examples
    --------
    >>> str(Width(r=0.5))
    'width(r=0.5)'
    """

    name = "width"
    positional = ("r",)

    r: Rate

    @model_validator(mode="after")
    def _of_the_whole(self) -> Width:
        if isinstance(self.r, tuple):
            raise ValueError("a width is of the whole network; give one r, not several")
        return self

    @property
    def share(self) -> float:
        """The rate, of which there is one."""
        return cast(float, self.r)
