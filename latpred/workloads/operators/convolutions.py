"""Convolutions and linear layers: dense, and with channel rates.

`height`, `width` are an operator's *input* map [pixels]; strided maps shrink by floor division (MODEL §3). MACs count
multiply-adds as FLOPs are counted on paper: active work only.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from latpred.errors import InputError
from latpred.workloads.densities import active_patches
from latpred.workloads.operators.base import Count, Operator, Rate, unchecked

#: The density of the fullest tile is a sum over as many terms as channels.
MOST_SKIPPED_CHANNELS = 100_000


C = TypeVar("C", bound="Convolution")


def check_skipped(channels: int, *rates: Any) -> None:
    """Raise InputError for more channels than can be skipped among."""
    if channels > MOST_SKIPPED_CHANNELS and any(rate != 1 for rate in rates):
        raise InputError(f"channels can be skipped among {MOST_SKIPPED_CHANNELS:,}, not among {channels:,}")


class Convolution(Operator):
    """A dense convolution, or one with channel rates: of its input ρ_i and of its output ρ_o (MODEL §3).

    Parameters
    ----------
    c_in, c_out
        Channels of the input and of the output.
    height, width
        Input map [pixels].
    kernel, stride, groups
        Edge of the filters [pixels], step between them [pixels], groups of channels that do not mix.
    input_rate, output_rate
        Shares of the channels that are on, ρ_i and ρ_o, each from 0 to 1.
    channel_group
        Channels that switch together, chosen per sample; None where that does not matter or nothing switches.

    Examples
    --------
    >>> float(Convolution(c_in=64, c_out=64, height=56, width=56, kernel=3).macs(batch=1))
    115605504.0
    """

    c_in: Count
    c_out: Count
    height: Count
    width: Count
    kernel: Count = 1
    stride: Count = 1
    groups: Count = 1
    input_rate: Rate = 1.0
    output_rate: Rate = 1.0
    channel_group: Count | None = None

    def _check(self) -> None:
        if self.c_in % self.groups or self.c_out % self.groups:
            raise InputError(f"{self.c_in} → {self.c_out} channels cannot be split into {self.groups} groups")
        if min(self.height, self.width) < self.stride:
            raise InputError(f"a {self.height}×{self.width} map is too small for stride {self.stride}")
        check_skipped(self.c_out, self.input_rate, self.output_rate)
        if self.is_depthwise and self.input_rate != self.output_rate:
            raise InputError("a depthwise convolution has one mask: give it the same input_rate and output_rate")
        for side, channels, rate in (("c_in", self.c_in, self.input_rate), ("c_out", self.c_out, self.output_rate)):
            if self.channel_group and rate != 1 and channels % self.channel_group:
                raise InputError(f"{side}={channels} cannot be split into groups of channel_group={self.channel_group}")
        if self.channel_group and self.input_rate == self.output_rate == 1:
            raise InputError("channel_group says which channels switch together; give it with a rate below 1")

    @property
    def is_depthwise(self) -> Any:
        """Whether every channel has a filter of its own."""
        return (self.groups == self.c_in) & (self.groups == self.c_out) & (self.groups > 1)

    @property
    def out_height(self) -> int:
        """Output map's height [pixels]."""
        return self.height // self.stride

    @property
    def out_width(self) -> int:
        """Output map's width [pixels]."""
        return self.width // self.stride

    @property
    def weights(self) -> int:
        """Weight elements, c_out·C·k²."""
        return self.c_out * (self.c_in // self.groups) * self.kernel**2

    @property
    def stairs(self) -> int | None:
        """Groups of channels are on or off, as many on either side that switches."""
        sides = ((self.c_in, self.input_rate), (self.c_out, self.output_rate))
        counts = {channels // self.channel_group for channels, rate in sides if self.channel_group and rate != 1}
        return counts.pop() if len(counts) == 1 else None

    @property
    def in_whole_groups(self: C) -> C:
        """The convolution with its rates as shares of whole groups, at least one of them."""
        if not self.channel_group:
            return self
        values = dict(self.__dict__)
        for name, channels in (("input_rate", self.c_in), ("output_rate", self.c_out)):
            if np.any(np.asarray(values[name]) < 1):
                groups = channels // self.channel_group
                values[name] = np.maximum(active_patches(values[name], groups), 1.0) / groups
        return unchecked(type(self), values)

    @property
    def rates(self) -> tuple[Any, Any]:
        """ρ_i and ρ_o."""
        return np.asarray(self.input_rate), np.asarray(self.output_rate)

    @property
    def summed_rate(self) -> Any:
        """Share of what an active output channel sums that is on: ρ_i; all of it where one mask switches both."""
        return np.where(self.is_depthwise, 1.0, self.input_rate)

    @property
    def active_weights(self) -> Any:
        """Weights that connect active channels: ρ_i·ρ_o of them, ρ where each channel has its own."""
        return self.weights * self.summed_rate * np.asarray(self.output_rate)

    def macs(self, batch: int) -> Any:
        """Multiply-adds of the active channels."""
        return self.out_height * self.out_width * (batch * 1.0) * self.active_weights

    def elements(self, batch: int) -> Any:
        """Active weights once, active channels of input and output per sample."""
        rho_i, rho_o = self.rates
        read = self.c_in * self.out_height * self.out_width * self.stride**2 * rho_i
        written = self.c_out * self.out_height * self.out_width * rho_o
        return self.active_weights + batch * (read + written)


class LayerMasker(Operator):
    """The masker of layer skipping, fused into a block's first convolution c_in → c_out: one decision per sample.

    Parameters
    ----------
    c_in, c_out
        Channels that the first convolution reads and puts out.
    height, width
        Input map [pixels].

    Examples
    --------
    >>> LayerMasker(c_in=256, c_out=64, height=56, width=56).macs(batch=1)
    802816.0
    """

    c_in: Count
    c_out: Count
    height: Count
    width: Count

    def macs(self, batch: int) -> Any:
        """One output channel."""
        return self.height * self.width * self.c_in * (batch * 1.0)

    def elements(self, batch: int) -> Any:
        """The input map and the masker's weights."""
        return self.c_in + batch * (self.c_in * self.height * self.width + 1.0)


class FullyConnected(Operator):
    """A fully connected layer, one row per sample (MODEL §5).

    Parameters
    ----------
    c_in, c_out
        Numbers that it reads and puts out for a sample.

    Examples
    --------
    >>> FullyConnected(c_in=2048, c_out=1000).macs(batch=2)
    4096000.0
    """

    c_in: Count
    c_out: Count

    def macs(self, batch: int) -> Any:
        """c_in·c_out multiply-adds per sample."""
        return self.c_in * self.c_out * batch * 1.0

    def elements(self, batch: int) -> Any:
        """Weights once, inputs and outputs per sample."""
        return self.c_in * self.c_out + (batch * 1.0) * (self.c_in + self.c_out)
