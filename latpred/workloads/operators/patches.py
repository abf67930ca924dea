"""Convolutions of active patches, and with the masker that says which are active (MODEL §4, §5).

`height`, `width` are an operator's *input* map [pixels].
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from latpred.workloads.densities import active_patches, patch_count
from latpred.workloads.operators.base import Count, Operator, Rate, derived, unchecked
from latpred.workloads.operators.convolutions import Convolution, check_skipped

C = TypeVar("C", bound=Convolution)


class ActivePatches(Convolution):
    """A convolution of the active ones of some patches; subclasses say which patches there are."""

    r: Rate
    indexed: bool

    @property
    def patches(self) -> int:
        """Patches of the mask, n_p."""
        raise NotImplementedError

    @property
    def patch_edge(self) -> int:
        """Edge of a computed patch [pixels]."""
        raise NotImplementedError

    @property
    def active(self) -> Any:
        """Patches computed, a."""
        return active_patches(self.r, self.patches)

    @property
    def pixels(self) -> Any:
        """Pixels computed, as counted on paper."""
        return self.active * self.patch_edge**2

    @property
    def stairs(self) -> int | None:
        """Patches are on or off; channels that are on beside them are any share."""
        return self.patches if self.input_rate == self.output_rate == 1 else None

    def macs(self, batch: int) -> Any:
        """Multiply-adds of the active patches."""
        return self.pixels * (batch * 1.0) * self.active_weights

    def elements(self, batch: int) -> Any:
        """Weights once; active patches of input and output, no input pixel twice."""
        rho_i, rho_o = self.rates
        full_map = self.out_height * self.out_width
        read = self.c_in * np.minimum(self.pixels, full_map) * self.stride**2 * rho_i
        return self.active_weights + batch * (read + self.pixels * self.c_out * rho_o)


class PatchConvolution(ActivePatches):
    """A convolution of the active patches of its output map (MODEL §4); those that stick out of it count whole.

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

    @property
    def patches(self) -> int:
        """Patches of the output map, n_p."""
        return patch_count(self.out_height, self.out_width, self.S)

    @property
    def patch_edge(self) -> int:
        """S."""
        return self.S


class HaloConvolution(ActivePatches):
    """A convolution of active patches with the border that layers behind it need, on paper no pixel of it twice.

    Parameters
    ----------
    c_in, c_out, height, width, kernel, stride, groups, input_rate, output_rate, channel_group
        As of `Convolution`: channels, the input map and the filters [pixels], and rates of channels.
    edge
        Edge of a computed patch, its border included [pixels].
    count
        Patches of the mask.
    r
        Share of the patches that is active, from 0 to 1.
    indexed
        True: it reads its input from the full map; False: the input patches have been gathered already.

    Examples
    --------
    >>> shape = {"c_in": 64, "c_out": 64, "height": 56, "width": 56, "kernel": 3}
    >>> conv = HaloConvolution(**shape, r=0.5, indexed=True, edge=6, count=196)
    >>> float(conv.active), float(conv.pixels)
    (98.0, 3136.0)
    """

    edge: Count
    count: Count

    @property
    def patches(self) -> int:
        """Those of the mask."""
        return self.count

    @property
    def patch_edge(self) -> int:
        """With the border."""
        return self.edge

    @property
    def pixels(self) -> Any:
        """No pixel twice."""
        return np.minimum(super().pixels, 1.0 * self.out_height * self.out_width)


#: The fields of a dense 1×1 convolution beside its sizes.
_POINTWISE = {"kernel": 1, "stride": 1, "groups": 1, "input_rate": 1.0, "output_rate": 1.0, "channel_group": None}


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
        check_skipped(self.c_out, self.output_rate)

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
