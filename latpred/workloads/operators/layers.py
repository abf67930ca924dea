"""The operators of a static network as a library runs them that fuses nothing: one kernel each, as eager PyTorch does.

They are as a graph has them: kernels need not be square, nor borders "same". Shapes are per sample; `height`, `width`
are an operator's *input* map [pixels]. Element-wise functions, linear layers, matrix products, softmax and layer norms
are in `tokens`, additions, global averages and scaling in `maps`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from latpred.errors import InputError
from latpred.workloads.operators.base import Border, Count, Operator, unchecked, windows
from latpred.workloads.operators.convolutions import Convolution
from latpred.workloads.operators.maps import _Map


class PlainConvolution(Operator):
    """A convolution of any kernel and border, without bias; for a 1×1 one of a single pixel, a linear layer."""

    c_in: Count
    c_out: Count
    height: Count
    width: Count
    kernel_height: Count = 1
    kernel_width: Count = 1
    stride: Count = 1
    padding_height: Border = 0
    padding_width: Border = 0
    dilation: Count = 1
    groups: Count = 1

    def _check(self) -> None:
        if self.c_in % self.groups or self.c_out % self.groups:
            raise InputError(f"{self.c_in} → {self.c_out} channels cannot be split into {self.groups} groups")
        if min(self.out_height, self.out_width) < 1:
            raise InputError(
                f"a {self.height}×{self.width} map is too small for a {self.kernel_height}×{self.kernel_width} kernel"
            )

    @property
    def is_depthwise(self) -> Any:
        """Whether every channel has filters of its own."""
        return (self.groups == self.c_in) & (self.groups > 1)

    @property
    def out_height(self) -> int:
        """Output map's height [pixels]."""
        return windows(self.height, (self.kernel_height - 1) * self.dilation + 1, self.stride, self.padding_height)

    @property
    def out_width(self) -> int:
        """Output map's width [pixels]."""
        return windows(self.width, (self.kernel_width - 1) * self.dilation + 1, self.stride, self.padding_width)

    @property
    def weights(self) -> int:
        """Weight elements."""
        return self.c_out * (self.c_in // self.groups) * self.kernel_height * self.kernel_width

    def macs(self, batch: int) -> Any:
        """Every weight at every output pixel."""
        return 1.0 * batch * self.out_height * self.out_width * self.weights

    def elements(self, batch: int) -> Any:
        """Both maps and the weights, each once."""
        read, written = self.c_in * self.height * self.width, self.c_out * self.out_height * self.out_width
        return self.weights + 1.0 * batch * (read + written)


def plain(o: Convolution) -> PlainConvolution:
    """A dense convolution with its border, which keeps the map; of a stack, a stack."""
    border = (np.asarray(o.kernel) - 1) // 2
    sizes = {name: getattr(o, name) for name in ("c_in", "c_out", "height", "width", "stride", "groups")}
    edges = {f"kernel_{side}": o.kernel for side in ("height", "width")}
    borders = {f"padding_{side}": border for side in ("height", "width")}
    return unchecked(PlainConvolution, {**sizes, **edges, **borders, "dilation": 1})


class BatchNorm(_Map):
    """Batch normalisation with fixed statistics, as a pass of its own."""

    def elements(self, batch: int) -> Any:
        """Read once, written once, and four numbers per channel."""
        return 2.0 * self.size * batch + 4.0 * self.channels


class Pool(_Map):
    """The largest number of each window, or the average."""

    kernel: Count
    stride: Count
    padding: Border = 0
    maximum: bool = True

    def _check(self) -> None:
        if min(self.out_height, self.out_width) < 1:
            raise InputError(f"a {self.height}×{self.width} map is too small for a window of {self.kernel}")
        if 2 * self.padding > self.kernel:
            raise InputError(f"padding of {self.padding} pixels is more than half a window of {self.kernel}")

    @property
    def out_height(self) -> int:
        """Output map's height [pixels]."""
        return windows(self.height, self.kernel, self.stride, self.padding)

    @property
    def out_width(self) -> int:
        """Output map's width [pixels]."""
        return windows(self.width, self.kernel, self.stride, self.padding)

    def elements(self, batch: int) -> Any:
        """One map read, one written."""
        return 1.0 * batch * (self.size + self.channels * self.out_height * self.out_width)


class Attention(Operator):
    """softmax(Q·Kᵀ)·V in one kernel, which never writes the scores; `heads` of `channels` each, no mask."""

    heads: Count
    queries: Count
    keys: Count
    channels: Count

    def macs(self, batch: int) -> Any:
        """Both matrix products."""
        return 2.0 * batch * self.heads * self.queries * self.keys * self.channels

    def elements(self, batch: int) -> Any:
        """Queries, keys and values read, as many rows as queries written."""
        return 2.0 * batch * self.heads * (self.queries + self.keys) * self.channels


class Copy(Operator):
    """A tensor laid out anew: `groups` × `rows` swapped, each an unbroken run of `channels` elements.

    What permutes, concatenates, pads or rolls comes down to such runs; with one channel it is a transposition.
    """

    groups: Count = 1
    rows: Count
    channels: Count

    def elements(self, batch: int) -> Any:
        """Read once, written once."""
        return 2.0 * batch * self.groups * self.rows * self.channels
