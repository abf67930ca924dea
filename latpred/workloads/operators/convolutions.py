"""Convolutions and linear layers: dense, of active patches, with channel rates.

`height`, `width` are an operator's *input* map [pixels]; strided maps shrink by floor division (MODEL §3). MACs count
multiply-adds as FLOPs are counted on paper: active work only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from latpred.errors import InputError
from latpred.workloads.densities import active_patches, patch_count
from latpred.workloads.operators.base import Count, Operator, Rate, derived, unchecked

#: The density of the fullest tile is a sum over as many terms as channels.
MOST_SKIPPED_CHANNELS = 100_000


C = TypeVar("C", bound="Convolution")


def _check_skipped(channels: int, *rates: Any) -> None:
    if channels > MOST_SKIPPED_CHANNELS and any(rate != 1 for rate in rates):
        raise InputError(f"channels can be skipped among {MOST_SKIPPED_CHANNELS:,}, not among {channels:,}")


@dataclass(frozen=True, kw_only=True)
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
        _check_skipped(self.c_out, self.input_rate, self.output_rate)
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
    def active_weights(self) -> Any:
        """Weights that connect active channels: ρ_i·ρ_o of them, ρ where each channel has its own."""
        rho_i, rho_o = self.rates
        return self.weights * np.where(self.is_depthwise, rho_i, rho_i * rho_o)

    def macs(self, batch: int) -> Any:
        """Multiply-adds of the active channels."""
        return self.out_height * self.out_width * (batch * 1.0) * self.active_weights

    def elements(self, batch: int) -> Any:
        """Active weights once, active channels of input and output per sample."""
        rho_i, rho_o = self.rates
        read = self.c_in * self.out_height * self.out_width * self.stride**2 * rho_i
        written = self.c_out * self.out_height * self.out_width * rho_o
        return self.active_weights + batch * (read + written)


@dataclass(frozen=True, kw_only=True)
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


@dataclass(frozen=True, kw_only=True)
class PatchConvolution(Convolution):
    """A convolution of the active patches of its output map (MODEL §4).

    Parameters
    ----------
    c_in, c_out, height, width, kernel, stride, groups, input_rate, output_rate, channel_group
        As of `Convolution`: channels, the input map and the filters [pixels], and rates of channels.
    S
        Patch edge [pixels].
    r
        Share of the patches that is active, from 0 to 1.
    indexed
        True: it reads its input from the full map; False: the input patches have been gathered already.

    Examples
    --------
    >>> conv = PatchConvolution(c_in=64, c_out=64, height=56, width=56, kernel=3, S=4, r=0.5, indexed=False)
    >>> int(conv.patches), float(conv.active)
    (196, 98.0)
    """

    S: Count
    r: Rate
    indexed: bool

    @property
    def patches(self) -> int:
        """Patches of the output map, n_p."""
        return patch_count(self.out_height, self.out_width, self.S)

    @property
    def active(self) -> Any:
        """Patches computed, a."""
        return active_patches(self.r, self.patches)

    @property
    def stairs(self) -> int | None:
        """Patches are on or off; channels that are on beside them are any share."""
        return self.patches if self.input_rate == self.output_rate == 1 else None

    def macs(self, batch: int) -> Any:
        """Multiply-adds of the active patches, those that stick out of the map whole."""
        return self.active * self.S**2 * (batch * 1.0) * self.active_weights

    def elements(self, batch: int) -> Any:
        """Weights once; active patches of input and output, no input pixel twice."""
        rho_i, rho_o = self.rates
        pixels = self.active * self.S**2
        full_map = self.out_height * self.out_width
        read = self.c_in * np.minimum(pixels, full_map) * self.stride**2 * rho_i
        return self.active_weights + batch * (read + pixels * self.c_out * rho_o)


#: The fields of a dense 1×1 convolution beside its sizes.
_POINTWISE = {"kernel": 1, "stride": 1, "groups": 1, "input_rate": 1.0, "output_rate": 1.0, "channel_group": None}


@dataclass(frozen=True, kw_only=True)
class MaskerConvolution(Operator):
    """The spatial masker and the 1×1 convolution it gates: one fused dense kernel, or two (MODEL §5).

    Parameters
    ----------
    c_in, c_out
        Channels that the convolution reads and puts out.
    height, width
        Input map [pixels].
    S
        Patch edge [pixels].
    r
        Share of the patches that is active, from 0 to 1.
    output_rate
        Share of the output channels that is on, from 0 to 1.

    Examples
    --------
    >>> MaskerConvolution(c_in=256, c_out=64, height=56, width=56, S=4, r=0.5).fused.c_out
    65
    """

    c_in: Count
    c_out: Count
    height: Count
    width: Count
    S: Count
    r: Rate
    output_rate: Rate = 1.0

    def _check(self) -> None:
        _check_skipped(self.c_out, self.output_rate)

    @property
    def stairs(self) -> int | None:
        """Patches are on or off, counted on the input map."""
        return self.separate[1].stairs

    @property
    def fused(self) -> Convolution:
        """One dense convolution that computes the mask as one more channel."""
        return derived(self, _fused)

    @property
    def separate(self) -> tuple[Convolution, PatchConvolution]:
        """A masker of two channels, then the convolution of the active patches."""
        return derived(self, _masker), derived(self, _gated)

    @property
    def dense(self) -> Convolution:
        """The convolution without the masker, of every pixel."""
        return derived(self, _dense)

    @property
    def _active_pixels(self) -> Any:
        """Pixels of the active patches, never more than the map: the fused kernel leaves out what sticks out."""
        return np.minimum(self.separate[1].active * self.S**2, self.height * self.width)

    def macs(self, batch: int) -> Any:
        """On paper: one channel of mask everywhere, the convolution on active patches."""
        active_channels = self.c_out * np.asarray(self.output_rate)
        return self.c_in * (batch * 1.0) * (self.height * self.width + self._active_pixels * active_channels)

    def elements(self, batch: int) -> Any:
        """The whole input is read for the mask; active outputs and the mask are written."""
        convolution = self.separate[1]
        weights = self.c_in + convolution.weights * np.asarray(self.output_rate)
        written = self.c_out * self._active_pixels * np.asarray(self.output_rate) + convolution.patches
        return weights + batch * (self.c_in * self.height * self.width + written)


def _pointwise(o: MaskerConvolution, kind: type[C], **settings: Any) -> C:
    """A 1×1 convolution of the same input."""
    return unchecked(kind, {**_POINTWISE, "c_in": o.c_in, "height": o.height, "width": o.width, **settings})


def _fused(o: MaskerConvolution) -> Convolution:
    return _pointwise(o, Convolution, c_out=o.c_out + 1, output_rate=o.output_rate)


def _masker(o: MaskerConvolution) -> Convolution:
    return _pointwise(o, Convolution, c_out=2)


def _dense(o: MaskerConvolution) -> Convolution:
    return _pointwise(o, Convolution, c_out=o.c_out)


def _gated(o: MaskerConvolution) -> PatchConvolution:
    settings = {name: getattr(o, name) for name in ("c_out", "S", "r", "output_rate")}
    return _pointwise(o, PatchConvolution, **settings, indexed=True)


@dataclass(frozen=True, kw_only=True)
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
