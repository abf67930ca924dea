"""The operator records: shapes and rates of what a kernel computes, with its multiply-adds and least bytes.

An operator knows no device. `height`, `width` are its *input* map [pixels]; strided maps shrink by floor division
(MODEL §3). Rates may be tuples: every figure is then an array. MACs count multiply-adds of convolutions and linear
layers, as FLOPs are counted on paper: active work only, and none for adding, pooling, copying or scaling.
"""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from latpred.precision import ELEMENT_BYTES
from latpred.records import Count, Plain, Rate, Record
from latpred.workloads.densities import active_patches, patch_count

#: The density of the fullest tile is a sum over as many terms as channels.
MOST_SKIPPED_CHANNELS = 100_000


class Operator(Record):
    """One step of a workload; subclasses say what it computes."""

    def macs(self, batch: int) -> Any:
        """Multiply-adds for `batch` samples."""
        return 0.0

    def elements(self, batch: int) -> Any:
        """Least elements that must cross the off-chip memory: inputs, weights and outputs, each once."""
        raise NotImplementedError

    def bytes(self, batch: int) -> Any:
        """`elements` in bytes of FP32."""
        return self.elements(batch) * float(ELEMENT_BYTES)


class Convolution(Operator):
    """A dense convolution, or one with channel rates: of its input ρ_i and of its output ρ_o (MODEL §3).

    `channel_group` channels switch together, chosen per sample; None where that does not matter or nothing switches.
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

    @model_validator(mode="after")
    def _fits(self) -> Convolution:
        if self.c_in % self.groups or self.c_out % self.groups:
            raise ValueError(f"{self.c_in} → {self.c_out} channels cannot be split into {self.groups} groups")
        if min(self.height, self.width) < self.stride:
            raise ValueError(f"a {self.height}×{self.width} map is too small for stride {self.stride}")
        if self.c_out > MOST_SKIPPED_CHANNELS and not (self.input_rate == self.output_rate == 1):
            raise ValueError(f"channels can be skipped among {MOST_SKIPPED_CHANNELS:,}, not among {self.c_out:,}")
        return self

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
    def _rates(self) -> tuple[Any, Any]:
        return np.asarray(self.input_rate), np.asarray(self.output_rate)

    def macs(self, batch: int) -> Any:
        """Multiply-adds of the active channels."""
        rho_i, rho_o = self._rates
        return self.out_height * self.out_width * self.weights * (batch * 1.0) * rho_i * rho_o

    def elements(self, batch: int) -> Any:
        """Active weights once, active channels of input and output per sample."""
        rho_i, rho_o = self._rates
        read = self.c_in * self.out_height * self.out_width * self.stride**2 * rho_i
        written = self.c_out * self.out_height * self.out_width * rho_o
        return self.weights * rho_i * rho_o + batch * (read + written)


class LayerMasker(Convolution):
    """The masker of layer skipping, fused into the first convolution: one decision per sample."""

    def macs(self, batch: int) -> Any:
        """One output channel."""
        return self.out_height * self.out_width * self.c_in * (batch * 1.0)

    def elements(self, batch: int) -> Any:
        """The input map and the masker's weights."""
        return self.c_in + batch * (self.c_in * self.height * self.width + 1.0)


class PatchConvolution(Convolution):
    """A convolution of the active patches of its output map (MODEL §4).

    `S` is the patch edge [pixels], `r` the share of patches that is active. An `indexed` one reads its input from the
    full map; otherwise the input patches have been gathered already.
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

    def macs(self, batch: int) -> Any:
        """Multiply-adds of the active patches, those that stick out of the map whole."""
        rho_i, rho_o = self._rates
        return self.active * self.S**2 * self.weights * (batch * 1.0) * rho_i * rho_o

    def elements(self, batch: int) -> Any:
        """Weights once; active patches of input and output, no input pixel twice."""
        rho_i, rho_o = self._rates
        pixels = self.active * self.S**2
        full_map = self.out_height * self.out_width
        read = self.c_in * np.minimum(pixels, full_map) * self.stride**2 * rho_i
        return self.weights * rho_i * rho_o + batch * (read + pixels * self.c_out * rho_o)


class MaskerConvolution(Operator):
    """The spatial masker and the 1×1 convolution it gates: one fused dense kernel, or two (MODEL §5)."""

    c_in: Count
    c_out: Count
    height: Count
    width: Count
    S: Count
    r: Rate
    output_rate: Rate = 1.0

    @property
    def fused(self) -> Convolution:
        """One dense convolution that computes the mask as one more channel."""
        return self._dense(self.c_out + 1, self.output_rate)

    @property
    def separate(self) -> tuple[Convolution, PatchConvolution]:
        """A masker of two channels, then the convolution of the active patches."""
        shape = {name: getattr(self, name) for name in ("c_in", "c_out", "height", "width", "S", "r", "output_rate")}
        return self._dense(2), PatchConvolution(**shape, indexed=True)

    def _dense(self, c_out: int, output_rate: Any = 1.0) -> Convolution:
        return Convolution(c_in=self.c_in, c_out=c_out, height=self.height, width=self.width, output_rate=output_rate)

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


class _Map(Operator):
    channels: Count
    height: Count
    width: Count

    @property
    def size(self) -> int:
        """Elements of the map, c·h·w."""
        return self.channels * self.height * self.width


class Add(_Map):
    """The residual addition of two maps (MODEL §5)."""

    def elements(self, batch: int) -> Any:
        """Two maps read, one written."""
        return 3.0 * self.size * batch


class _PatchMap(_Map):
    S: Count
    r: Rate

    @property
    def patches(self) -> int:
        """Patches of the map, n_p."""
        return patch_count(self.height, self.width, self.S)

    @property
    def active(self) -> Any:
        """Active patches, a."""
        return active_patches(self.r, self.patches)


class ScatterAdd(_PatchMap):
    """Active patches added into the residual map they belong to (MODEL §5)."""

    def elements(self, batch: int) -> Any:
        """Patches read; the residual map read and written."""
        return batch * (self.active * self.channels * self.S**2 + 2.0 * self.size)


class Gather(_PatchMap):
    """Active patches with a border of `pad` pixels copied out of a map into a compact tensor (MODEL §5)."""

    pad: Annotated[int, Field(ge=0, le=10**9, strict=True), Plain] = 0

    @property
    def patch_edge(self) -> int:
        """Edge of a copied patch [pixels], p = S + 2·pad."""
        return self.S + 2 * self.pad

    def elements(self, batch: int) -> Any:
        """Patches read, patches written."""
        return batch * 2.0 * self.channels * self.active * self.patch_edge**2


class Scatter(Gather):
    """Active patches copied from a compact tensor back into the map they belong to (MODEL §5)."""


class AveragePool(_Map):
    """Average pooling to `out_height` × `out_width` (MODEL §5)."""

    out_height: Count = 1
    out_width: Count = 1

    def elements(self, batch: int) -> Any:
        """One map read, a smaller one written."""
        return batch * (self.size + float(self.channels * self.out_height * self.out_width))


class GlobalPool(_Map):
    """The global average of squeeze-and-excitation, reduced inside the engines (MODEL §5)."""

    def elements(self, batch: int) -> Any:
        """The map read, one value per channel written."""
        return batch * (self.size + float(self.channels))


class PatchGlobalPool(_PatchMap):
    """The global average over active patches only (MODEL §5, dynamic SE)."""

    def elements(self, batch: int) -> Any:
        """Active patches read, one value per channel written."""
        return batch * (self.active * self.channels * self.S**2 + float(self.channels))


class ChannelScale(_Map):
    """Each channel of a map multiplied by its own number, or a share `rate` of them (MODEL §5)."""

    rate: Rate = 1.0

    def elements(self, batch: int) -> Any:
        """The map and the factors read, the map written."""
        return batch * (2.0 * self.size + self.channels) * np.asarray(self.rate)


class PatchChannelScale(_PatchMap):
    """Each channel of the active patches multiplied by its own number."""

    def elements(self, batch: int) -> Any:
        """The active patches and the factors read, the patches written."""
        return batch * (2.0 * self.active * self.channels * self.S**2 + self.channels)


class MaskCompaction(Operator):
    """A map of scores turned into the indices of its active items; `shared` if it decides for the whole batch."""

    height: Count
    width: Count
    items: Count
    shared: bool = False

    def maps(self, batch: Any) -> Any:
        """Maps of scores."""
        return 1 if self.shared else batch

    def elements(self, batch: int) -> Any:
        """Scores and thresholds read; indices and ranks written."""
        return self.maps(batch) * (self.height * self.width + 3.0 * self.items)


class FullyConnected(Operator):
    """A fully connected layer, one row per sample (MODEL §5)."""

    c_in: Count
    c_out: Count

    def macs(self, batch: int) -> Any:
        """c_in·c_out multiply-adds per sample."""
        return self.c_in * self.c_out * batch * 1.0

    def elements(self, batch: int) -> Any:
        """Weights once, inputs and outputs per sample."""
        return self.c_in * self.c_out + (batch * 1.0) * (self.c_in + self.c_out)


def operator_class(operator: Operator) -> str:
    """The class that errors are reported by: the type, and for convolutions what makes them differ in kind."""
    name = type(operator).__name__
    if isinstance(operator, Convolution):
        if operator.channel_group:
            return "channel " + name
        return ("grouped " if operator.groups > 1 else "") + name
    return name
