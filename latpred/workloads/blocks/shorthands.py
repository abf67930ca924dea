"""The residual blocks of well-known networks, as a few fields each that say what their layers are."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from latpred.records import Count, Plain
from latpred.workloads.blocks.residual import ConvolutionalBlock
from latpred.workloads.layers import SE, Conv, Layer, Norm

#: The papers' bottleneck squeezes to this share of its input channels (MODEL §6).
SQUEEZE_RATIO = 0.25

#: Inner over outer channels.
Expansion = Annotated[float, Field(gt=0, le=1000, strict=True), Plain]
#: A number of channels, or as a share below 1 of those of the block's input.
Squeeze = Annotated[Count | Annotated[float, Field(gt=0, lt=1, strict=True)], Plain]


class Bottleneck(ConvolutionalBlock):
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
    projects
        Shortcut convolutions that the published model counts: `always`, where there is one; `strided`, as in the
        papers' networks, not where a block changes its channels alone (MODEL §10, oddity 5).

    Examples
    --------
    >>> Bottleneck(c_in=256, c_out=256, height=56, width=56).inner
    64
    """

    kind: ClassVar[str] = "bottleneck"
    masks_input_channels: ClassVar[bool] = True

    name: str = "bottleneck"
    c_in: Count
    c_out: Count
    bottleneck_ratio: Count = 4
    height: Count
    width: Count
    stride: Count = 1
    groups: Count = 1
    se: bool = False
    projects: Literal["always", "strided"] = "always"

    @model_validator(mode="after")
    def _divisible(self) -> Bottleneck:
        if self.c_out % self.bottleneck_ratio:
            raise ValueError(f"c_out={self.c_out} is no multiple of bottleneck_ratio={self.bottleneck_ratio}")
        if self.inner % self.groups:
            raise ValueError(f"{self.inner} inner channels cannot be split into {self.groups} groups")
        return self

    @property
    def inner(self) -> int:
        """Channels between the convolutions, w."""
        return self.c_out // self.bottleneck_ratio

    @property
    def squeezed(self) -> int:
        """Channels between the two layers of SE, a quarter of the block's input, half to even (MODEL §6)."""
        return max(round(SQUEEZE_RATIO * self.c_in), 1)

    @property
    def after_addition(self) -> str | None:
        """A rectifier."""
        return "relu"

    @property
    def counts_shortcut(self) -> bool:
        """Not where only the channels change, in the papers' networks."""
        return self.stride > 1 or self.projects == "always"

    def layers(self) -> tuple[Layer, ...]:
        """Three convolutions, with SE before the last."""
        folded: dict[str, Any] = {"norm": True, "activation": "relu"}
        squeeze = (SE(squeezed=self.squeezed),) if self.se else ()
        conv2 = Conv(c_out=self.inner, kernel=3, stride=self.stride, groups=self.groups, **folded)
        return Conv(c_out=self.inner, **folded), conv2, *squeeze, Conv(c_out=self.c_out, norm=True)

    def shortcut_layers(self) -> tuple[Layer, ...]:
        """A 1×1 convolution of the input where the block is strided or changes the channels."""
        return strided_projection(self)


class BasicBlock(ConvolutionalBlock):
    """A residual block of two 3×3 convolutions c_in → c_out → c_out.

    Parameters
    ----------
    name
        What reports call it.
    c_in, c_out
        Channels of the input and of the output.
    height, width
        Input feature map [pixels].
    stride
        Of the first convolution.

    Examples
    --------
    >>> BasicBlock(c_in=64, c_out=128, height=56, width=56, stride=2).out_height
    28
    """

    kind: ClassVar[str] = "basic"

    name: str = "basic block"
    c_in: Count
    c_out: Count
    height: Count
    width: Count
    stride: Count = 1

    @property
    def after_addition(self) -> str | None:
        """A rectifier."""
        return "relu"

    def layers(self) -> tuple[Layer, ...]:
        """Two convolutions."""
        first = Conv(c_out=self.c_out, kernel=3, stride=self.stride, norm=True, activation="relu")
        return first, Conv(c_out=self.c_out, kernel=3, norm=True)

    def shortcut_layers(self) -> tuple[Layer, ...]:
        """A 1×1 convolution of the input where the block is strided or changes the channels."""
        return strided_projection(self)


class InvertedResidual(ConvolutionalBlock):
    """A block that widens, filters each channel by itself, and narrows: 1×1, depthwise, 1×1 convolutions.

    Where it is strided or changes the channels nothing leads past it, and it cannot skip.

    Parameters
    ----------
    name
        What reports call it.
    c_in, c_out
        Channels of the input and of the output.
    expansion
        Inner over input channels; 1 leaves the widening convolution out.
    hidden
        Inner channels, where they are no round multiple: instead of `expansion`.
    kernel, stride
        Of the depthwise convolution [pixels].
    height, width
        Input feature map [pixels].
    squeeze
        Channels between the layers of squeeze-and-excitation, or below 1 their share of the input's; None for none.
    activation
        The function after all convolutions but the last.

    Examples
    --------
    >>> block = InvertedResidual(c_in=32, c_out=32, height=28, width=28)
    >>> block.inner, block.paradigms
    (192, ('spatial', 'channel', 'layer'))
    """

    kind: ClassVar[str] = "inverted-residual"

    name: str = "inverted residual"
    c_in: Count
    c_out: Count
    expansion: Expansion = 6
    hidden: Count | None = None
    kernel: Count = 3
    height: Count
    width: Count
    stride: Count = 1
    squeeze: Squeeze | None = None
    activation: str = "relu6"

    @model_validator(mode="after")
    def _widens(self) -> InvertedResidual:
        if self.hidden is not None and "expansion" in self.model_fields_set:
            raise ValueError("give expansion or hidden, the inner channels, not both")
        return self

    @property
    def inner(self) -> int:
        """Channels between the convolutions."""
        return self.hidden or max(round(self.c_in * self.expansion), 1)

    def layers(self) -> tuple[Layer, ...]:
        """Two or three convolutions, with SE before the last."""
        folded: dict[str, Any] = {"norm": True, "activation": self.activation}
        widen = (Conv(c_out=self.inner, **folded),) if self.inner != self.c_in else ()
        depthwise = Conv(c_out=self.inner, kernel=self.kernel, stride=self.stride, groups="depthwise", **folded)
        return *widen, depthwise, *self._squeeze(), Conv(c_out=self.c_out, norm=True)

    def _squeeze(self) -> tuple[Layer, ...]:
        if self.squeeze is None:
            return ()
        squeezed = self.squeeze if self.squeeze >= 1 else self.c_in * self.squeeze
        return (SE(squeezed=max(int(squeezed), 1)),)

    def shortcut_layers(self) -> tuple[Layer, ...] | None:
        """The input itself, where the output is alike."""
        return () if self.stride == 1 and self.c_in == self.c_out else None


class ConvNeXtBlock(ConvolutionalBlock):
    """A block of ConvNeXt: a large depthwise convolution, a layer norm, and two 1×1 convolutions, wide in between.

    Parameters
    ----------
    name
        What reports call it.
    channels
        Of input and output.
    kernel
        Of the depthwise convolution [pixels].
    expansion
        Inner over outer channels.
    height, width
        Feature map [pixels].

    Examples
    --------
    >>> [layer.kind for layer in ConvNeXtBlock(channels=96, height=56, width=56).layers()]
    ['conv', 'norm', 'conv', 'conv']
    """

    kind: ClassVar[str] = "convnext"

    name: str = "convnext block"
    channels: Count
    kernel: Count = 7
    expansion: Expansion = 4
    height: Count
    width: Count

    @property
    def c_in(self) -> int:
        """Channels of the input."""
        return self.channels

    def layers(self) -> tuple[Layer, ...]:
        """Three convolutions, with a norm after the first."""
        widen = Conv(c_out=max(round(self.channels * self.expansion), 1), bias=True, activation="gelu")
        narrow = Conv(c_out=self.channels, bias=True, scale=True)
        filters = Conv(c_out=self.channels, kernel=self.kernel, groups="depthwise", bias=True)
        return filters, Norm(over="layer"), widen, narrow

    def shortcut_layers(self) -> tuple[Layer, ...]:
        """The input itself."""
        return ()


def strided_projection(block: Bottleneck | BasicBlock) -> tuple[Layer, ...]:
    """The shortcut of a block that says its stride and output channels."""
    if block.stride == 1 and block.c_in == block.c_out:
        return ()
    return (Conv(c_out=block.c_out, stride=block.stride, norm=True),)
