"""The residual bottleneck block (MODEL §6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, ClassVar

from pydantic import model_validator

from latpred.errors import GranularityError, InputError, NetworkError
from latpred.records import Count, Record
from latpred.workloads.granularity import channel_groups, patch_edges
from latpred.workloads.lowering import Form, Lowered, Step
from latpred.workloads.lowering.skipping import Skipping
from latpred.workloads.paradigms import Paradigm, check_supported


class Bottleneck(Record):
    """A residual bottleneck block: 1×1, 3×3 and 1×1 convolutions c_in → w → w → c_out, w = c_out // bottleneck_ratio.

    Parameters
    ----------
    name
        What reports call it.
    c_in, c_out
        Channels of the input and of the output.
    bottleneck_ratio
        Output channels over inner channels, b.
    height, width
        Input feature map [pixels].
    stride
        Of the 3×3 convolution; a strided block has a 1×1 shortcut convolution.
    groups
        Groups of the 3×3 convolution.
    se
        Squeeze-and-excitation on the inner map.

    Examples
    --------
    >>> Bottleneck(c_in=256, c_out=256, height=56, width=56).inner
    64
    """

    error: ClassVar[type[InputError]] = NetworkError
    #: What a block can skip by.
    paradigms: ClassVar[tuple[str, ...]] = ("spatial", "channel", "layer")

    name: str = "bottleneck"
    c_in: Count
    c_out: Count
    bottleneck_ratio: Count = 4
    height: Count
    width: Count
    stride: Count = 1
    groups: Count = 1
    se: bool = False

    @model_validator(mode="after")
    def _divisible(self) -> Bottleneck:
        if self.c_out % self.bottleneck_ratio:
            raise ValueError(f"c_out={self.c_out} is no multiple of bottleneck_ratio={self.bottleneck_ratio}")
        if self.inner % self.groups:
            raise ValueError(f"{self.inner} inner channels cannot be split into {self.groups} groups")
        if min(self.height, self.width) < self.stride:
            raise ValueError(f"a {self.height}×{self.width} map is too small for stride {self.stride}")
        return self

    @property
    def shape(self) -> tuple[Any, ...]:
        """Every field but the name: blocks of one shape take the same time, and err alike."""
        return tuple(value for field, value in self if field != "name")

    @property
    def inner(self) -> int:
        """Channels between the convolutions, w."""
        return self.c_out // self.bottleneck_ratio

    @property
    def out_height(self) -> int:
        """Output map's height [pixels]."""
        return self.height // self.stride

    @property
    def out_width(self) -> int:
        """Output map's width [pixels]."""
        return self.width // self.stride

    def largest_granularity(self, paradigm: str) -> int:
        """The largest S or G that fits: an edge of the output map, or the fewest channels that are read."""
        return min(self.out_height, self.out_width) if paradigm == "spatial" else min(self.c_in, self.inner)

    def granularities(self, paradigm: str) -> list[int]:
        """Every S or G worth a try (`latpred.workloads.granularity`)."""
        if paradigm == "spatial":
            return patch_edges(self.out_height, self.out_width)
        return channel_groups(self.inner, self.largest_granularity(paradigm))

    def lower(self, paradigm: Paradigm, form: Form) -> Lowered:
        """The operators of this block in a form; its rates are open, which are known only later.

        Raises
        ------
        InputError
            A granularity that does not fit the block, a sequence of settings, or what the form does not have.
        """
        paradigm.require_single(self.name)
        return _lower(self, paradigm.at_rates(1.0), form)


@lru_cache(maxsize=4096)
def _lower(block: Bottleneck, paradigm: Paradigm, form: Form) -> Lowered:
    check_supported(paradigm, block.paradigms, block.name)
    skip = Skipping(**paradigm.skipping()).with_shares()
    _check(block, skip)
    steps = tuple(form.steps(block, skip, form))
    return Lowered(steps, (*_map_notes(block, skip.S), *_omissions(block, form, steps)))


def _check(block: Bottleneck, skip: Skipping) -> None:
    """Raise InputError for a granularity that does not fit."""
    edge, channels = (block.largest_granularity(paradigm) for paradigm in ("spatial", "channel"))
    if skip.S and edge < skip.S:
        size = f"{block.out_height}×{block.out_width}"
        raise GranularityError(f"S={skip.S} is larger than the {size} map of {block.name}; choose S from 1 to {edge}")
    if skip.G and channels < skip.G:
        raise GranularityError(
            f"G={skip.G} is larger than the {channels} channels of {block.name}; choose G from 1 to {channels}"
        )


def _map_notes(block: Bottleneck, S: int | None) -> Iterator[str]:
    height, width = block.out_height, block.out_width
    stage = block.name.removesuffix("-first")
    if S and S > 1 and (height, width) == (S, S):
        yield f"{stage}: S={S} is the whole map, one patch that is on for every r > 0; layer skipping is meant"
    elif S and (height % S or width % S):
        down, across = -(-height // S), -(-width // S)
        waste = down * across * S**2 / (height * width) - 1
        yield (
            f"{stage}: S={S} does not divide the {height}×{width} map: {down}×{across} patches, "
            f"{waste:.1%} more pixels than the map has"
        )
    if block.height % block.stride or block.width % block.stride:
        yield (
            f"{block.name}: stride {block.stride} does not divide the {block.height}×{block.width} input; "
            f"the output map is rounded down to {height}×{width}"
        )


def _omissions(block: Bottleneck, form: Form, steps: Iterable[Step]) -> Iterator[str]:
    if form.omits_projections and any(step.name == "shortcut" and step.omitted for step in steps):
        yield f"{block.name}: the {form.name} model leaves out the shortcut convolution {block.c_in}→{block.c_out}"
