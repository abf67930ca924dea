"""What every residual block is: y = f(shortcut(x) + body(x)), where the body is a chain of layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from math import gcd
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BeforeValidator, InstanceOf, model_validator

from latpred.errors import GranularityError, InputError
from latpred.records import Count
from latpred.workloads.blocks.base import Block
from latpred.workloads.granularity import channel_groups, patch_edges
from latpred.workloads.layers import SE, Activation, Conv, Layer, Map, Norm, Placed, Pool, chain, layers_of
from latpred.workloads.lowering import Form, Lowered, Step
from latpred.workloads.lowering.skipping import Skipping
from latpred.workloads.paradigms import SINGLE

#: Layers that a body may have.
IN_BODIES = (Conv, SE, Norm, Activation, Pool)

#: Layers as records, or as mappings that a file has.
Layers = Annotated[tuple[InstanceOf[Layer], ...], BeforeValidator(layers_of)]


class ConvolutionalBlock(Block):
    """A residual block on a feature map; subclasses say with few fields what its layers are."""

    #: In the published model, whether channels are decided on in groups of the input's (MODEL §6), not of those that
    #: switch.
    masks_input_channels: ClassVar[bool] = False

    if TYPE_CHECKING:

        @property
        def c_in(self) -> int:
            """Channels of the input map; a field of most blocks."""

    def layers(self) -> tuple[Layer, ...]:
        """The body."""
        raise NotImplementedError

    def shortcut_layers(self) -> tuple[Layer, ...] | None:
        """What the input goes through beside the body: nothing for an identity, None where there is no such way."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _fits(self) -> ConvolutionalBlock:
        _check_chains(self.name, self.into, self.layers(), self.shortcut_layers())
        return self

    @property
    def into(self) -> Map:
        """The input map."""
        return Map(self.c_in, self.height, self.width)

    @cached_property
    def chain(self) -> tuple[Placed, ...]:
        """The body's layers in their places."""
        return chain(self.layers(), self.into)

    @cached_property
    def bypass(self) -> tuple[Placed, ...] | None:
        """The shortcut's layers in their places; None where nothing leads past the body."""
        layers = self.shortcut_layers()
        return None if layers is None else chain(layers, self.into)

    @property
    def after_addition(self) -> str | None:
        """The function that follows the addition; None for none."""
        return None

    @property
    def counts_shortcut(self) -> bool:
        """Whether the published model counts the shortcut's layers (MODEL §10, oddity 5)."""
        return True

    @property
    def out(self) -> Map:
        """The output map."""
        return self.chain[-1].out

    @property
    def out_height(self) -> int:
        """Output map's height [pixels]."""
        return self.out.height

    @property
    def out_width(self) -> int:
        """Output map's width [pixels]."""
        return self.out.width

    @property
    def in_words(self) -> str:
        """The body's layers, `1×1, 3×3 depthwise, SE, 1×1`."""
        return ", ".join(_in_words(placed) for placed in self.chain)

    @property
    def switched(self) -> tuple[Placed, ...]:
        """The convolutions whose output channels can switch: all but the last."""
        return tuple(placed for placed in self.chain if isinstance(placed.layer, Conv))[:-1]

    @cached_property
    def obstacles(self) -> dict[str, str]:
        """The paradigms that the block cannot skip by, and why."""
        if self.bypass is None:
            return dict.fromkeys(SINGLE, "output and input differ, and nothing leads past the layers")
        odd = [placed.name for placed in self.chain if not _keeps_patches(placed.layer)]
        if odd:
            return dict.fromkeys(SINGLE, f"{odd[0]} is not square, undilated and padded to keep the map")
        found = dict.fromkeys(("token", "head"), "it has no attention")
        if any(isinstance(placed.layer, Norm) and placed.layer.over == "group" for placed in self.chain):
            found["spatial"] = "a norm in it takes its figures from the whole map"
        return found if self.switched else {**found, "channel": "one convolution has no inner channels to switch"}

    def largest_granularity(self, paradigm: str) -> int:
        """The largest S or G that fits: an edge of the output map, or the fewest channels that are decided on."""
        if paradigm == "spatial":
            return min(self.out_height, self.out_width)
        switched = [placed.out.channels for placed in self.switched]
        return min(self.c_in, *switched) if self.masks_input_channels else min(switched)

    def granularities(self, paradigm: str) -> list[int]:
        """Every S or G worth a try (`latpred.workloads.granularity`)."""
        if paradigm == "spatial":
            return patch_edges(self.out_height, self.out_width)
        return channel_groups(self.switched_together, self.largest_granularity(paradigm))

    @property
    def switched_together(self) -> int:
        """What every G must divide: the common divisor of all channels that switch."""
        return gcd(*(placed.out.channels for placed in self.switched))

    def _lowered(self, skip: Skipping, form: Form) -> Lowered:
        if skip.attention_rate is not None and skip.layer_rate is None:
            raise InputError(f"{self.name} has no attention and MLP; give the layer rate r")
        _check(self, skip)
        steps = tuple(form.steps(self, skip, form))
        return Lowered(steps, (*_map_notes(self, skip.S), *_omissions(self, form, steps)))


def _in_words(placed: Placed) -> str:
    """A layer by what tells it from others of its kind."""
    layer, into = placed.layer, placed.into
    if not isinstance(layer, Conv):
        return layer.kind.upper() if isinstance(layer, SE) else layer.kind
    groups = layer.groups_of(into.channels)
    depthwise = layer.is_depthwise(into.channels)
    kind = " depthwise" if depthwise else f" of {groups} groups" if groups > 1 else ""
    return f"{layer.kernel}×{layer.kernel_width or layer.kernel}{kind}"


def _keeps_patches(layer: Layer) -> bool:
    """Whether a patch of a layer's output needs the same patch of its input, and a border as wide on every side."""
    if isinstance(layer, Conv):
        return layer.is_square_and_same and layer.kernel % 2 == 1
    return not isinstance(layer, Pool) or (layer.kernel is not None and layer.padding is None)


def _check_chains(name: str, into: Map, layers: tuple[Layer, ...], shortcut: tuple[Layer, ...] | None) -> None:
    """Raise ValueError for layers that do not fit one another, or put out another map than the shortcut."""
    strange = [layer.kind for layer in (*layers, *(shortcut or ())) if not isinstance(layer, IN_BODIES)]
    if strange:
        raise ValueError(f"a {strange[0]} layer has no place in a residual block")
    if not any(isinstance(layer, Conv) for layer in layers):
        raise ValueError("the body of a residual block needs a convolution")
    try:
        out = chain(layers, into)[-1].out
        beside = chain(shortcut, into)[-1].out if shortcut else into
    except InputError as problem:
        raise ValueError(str(problem)) from None
    if shortcut is not None and out != beside:
        raise ValueError(f"the body puts out {out}, the shortcut {beside}")


class ResidualBlock(ConvolutionalBlock):
    """A residual block whose layers are spelled out.

    Parameters
    ----------
    name
        What reports call it.
    c_in, height, width
        Channels and edges of the input map [pixels].
    body
        Its layers, in order: `latpred.Conv` and its like, or mappings as a file has them.
    shortcut
        `auto`: the input itself, or a 1×1 convolution of it where the body changes channels or map; `none`; or layers.
    activation
        The function that follows the addition; None for none.

    Examples
    --------
    >>> from latpred.workloads.layers import Conv
    >>> block = ResidualBlock(c_in=64, height=56, width=56, body=[Conv(c_out=64, kernel=3), Conv(c_out=64, kernel=3)])
    >>> block.paradigms
    ('spatial', 'channel', 'layer')
    """

    kind: ClassVar[str] = "body"

    name: str = "residual block"
    c_in: Count
    height: Count
    width: Count
    body: Layers
    shortcut: Literal["auto", "none"] | Layers = "auto"
    activation: str | None = None

    def layers(self) -> tuple[Layer, ...]:
        """As given."""
        return self.body

    def shortcut_layers(self) -> tuple[Layer, ...] | None:
        """As given; by default what the body asks for."""
        if self.shortcut == "none":
            return None
        return projection(self.into, chain(self.body, self.into)[-1].out) if self.shortcut == "auto" else self.shortcut

    @property
    def after_addition(self) -> str | None:
        """As given."""
        return self.activation


def projection(into: Map, out: Map) -> tuple[Layer, ...]:
    """The shortcut from one map to another: nothing, or a 1×1 convolution of as many steps as the map shrinks by."""
    if into == out:
        return ()
    return (Conv(c_out=out.channels, stride=-(-into.height // out.height), norm=True),)


def _check(block: ConvolutionalBlock, skip: Skipping) -> None:
    """Raise InputError for a granularity that does not fit."""
    if skip.S and (edge := block.largest_granularity("spatial")) < skip.S:
        size = f"{block.out_height}×{block.out_width}"
        raise GranularityError(f"S={skip.S} is larger than the {size} map of {block.name}; choose S from 1 to {edge}")
    if skip.G and (channels := block.largest_granularity("channel")) < skip.G:
        raise GranularityError(
            f"G={skip.G} is larger than the {channels} channels of {block.name}; choose G from 1 to {channels}"
        )


def _map_notes(block: ConvolutionalBlock, S: int | None) -> Iterator[str]:
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


def _omissions(block: ConvolutionalBlock, form: Form, steps: Iterable[Step]) -> Iterator[str]:
    if any(step.name == "shortcut" and step.omitted for step in steps):
        yield (
            f"{block.name}: the {form.name} model leaves out the shortcut convolution {block.c_in}→{block.out.channels}"
        )
