"""What is not a convolution: additions, copies, pools and scaling of maps, and masks made into indices.

`height`, `width` are an operator's *input* map [pixels]. None of them multiplies and adds.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from latpred.workloads.densities import active_patches, patch_count
from latpred.workloads.operators.base import Border, Count, Operator, Rate


class _Map(Operator):
    channels: Count
    height: Count
    width: Count

    @property
    def size(self) -> int:
        """Elements of the map, c·h·w."""
        return self.channels * self.height * self.width


class Add(_Map):
    """The residual addition of two maps (MODEL §5).

    Parameters
    ----------
    channels, height, width
        Channels of the map, and its edges [pixels].

    Examples
    --------
    >>> Add(channels=256, height=56, width=56).elements(batch=1)
    2408448.0
    """

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

    @property
    def stairs(self) -> int | None:
        """Patches are on or off."""
        return self.patches


class ScatterAdd(_PatchMap):
    """Active patches added into the residual map they belong to (MODEL §5).

    Parameters
    ----------
    channels, height, width
        Channels of the map, and its edges [pixels].
    S
        Patch edge [pixels].
    r
        Share of the patches that is active, from 0 to 1.

    Examples
    --------
    >>> ScatterAdd(channels=256, height=56, width=56, S=4, r=0.5).patches
    196
    """

    def elements(self, batch: int) -> Any:
        """Patches read; the residual map read and written."""
        return batch * (self.active * self.channels * self.S**2 + 2.0 * self.size)


class Gather(_PatchMap):
    """Active patches with a border of `pad` pixels copied out of a map into a compact tensor (MODEL §5).

    Parameters
    ----------
    channels, height, width
        Channels of the map, and its edges [pixels].
    S
        Patch edge [pixels].
    r
        Share of the patches that is active, from 0 to 1.
    pad
        Border of a patch [pixels], from 0.

    Examples
    --------
    >>> Gather(channels=64, height=56, width=56, S=4, r=0.5, pad=1).patch_edge
    6
    """

    pad: Border = 0

    @property
    def patch_edge(self) -> int:
        """Edge of a copied patch [pixels], p = S + 2·pad."""
        return self.S + 2 * self.pad

    def elements(self, batch: int) -> Any:
        """Patches read, patches written."""
        return batch * 2.0 * self.channels * self.active * self.patch_edge**2


class Scatter(Gather):
    """Active patches copied from a compact tensor back into the map they belong to (MODEL §5).

    Parameters
    ----------
    channels, height, width
        Channels of the map, and its edges [pixels].
    S
        Patch edge [pixels].
    r
        Share of the patches that is active, from 0 to 1.
    pad
        Border of a patch [pixels], from 0.

    Examples
    --------
    >>> float(Scatter(channels=64, height=56, width=56, S=4, r=0.5).active)
    98.0
    """


class AveragePool(_Map):
    """Average pooling to `out_height` × `out_width` (MODEL §5).

    Parameters
    ----------
    channels, height, width
        Channels of the map, and its edges [pixels].
    out_height, out_width
        Output map [pixels].

    Examples
    --------
    >>> AveragePool(channels=2048, height=7, width=7).elements(batch=1)
    102400.0
    """

    out_height: Count = 1
    out_width: Count = 1

    def elements(self, batch: int) -> Any:
        """One map read, a smaller one written."""
        return batch * (self.size + 1.0 * self.channels * self.out_height * self.out_width)


class GlobalPool(_Map):
    """The global average of squeeze-and-excitation, reduced inside the engines (MODEL §5).

    Parameters
    ----------
    channels, height, width
        Channels of the map, and its edges [pixels].

    Examples
    --------
    >>> GlobalPool(channels=64, height=56, width=56).elements(batch=1)
    200768.0
    """

    def elements(self, batch: int) -> Any:
        """The map read, one value per channel written."""
        return batch * (self.size + 1.0 * self.channels)


class PatchGlobalPool(_PatchMap):
    """The global average over active patches only (MODEL §5, dynamic SE).

    Parameters
    ----------
    channels, height, width
        Channels of the map, and its edges [pixels].
    S
        Patch edge [pixels].
    r
        Share of the patches that is active, from 0 to 1.

    Examples
    --------
    >>> float(PatchGlobalPool(channels=64, height=56, width=56, S=4, r=0.5).elements(batch=1))
    100416.0
    """

    def elements(self, batch: int) -> Any:
        """Active patches read, one value per channel written."""
        return batch * (self.active * self.channels * self.S**2 + 1.0 * self.channels)


class ChannelScale(_Map):
    """Each channel of a map multiplied by its own number, or a share `rate` of them (MODEL §5).

    Parameters
    ----------
    channels, height, width
        Channels of the map, and its edges [pixels].
    rate
        Share of the channels that is on, from 0 to 1.

    Examples
    --------
    >>> float(ChannelScale(channels=64, height=56, width=56, rate=0.5).elements(batch=1))
    200736.0
    """

    rate: Rate = 1.0

    def elements(self, batch: int) -> Any:
        """The map and the factors read, the map written."""
        return batch * (2.0 * self.size + self.channels) * np.asarray(self.rate)


class PatchChannelScale(_PatchMap):
    """Each channel of the active patches multiplied by its own number."""

    def elements(self, batch: int) -> Any:
        """The active patches and the factors read, the patches written."""
        return batch * (2.0 * self.active * self.channels * self.S**2 + self.channels)


class PatchElementWise(Operator):
    """One operation per element of the active ones of `count` patches: a norm or an activation.

    Parameters
    ----------
    channels
        Channels of a patch.
    edge
        Its edge [pixels].
    count
        Patches of the mask.
    r
        Share of the patches that is active, from 0 to 1.

    Examples
    --------
    >>> float(PatchElementWise(channels=96, edge=4, count=196, r=0.5).elements(batch=1))
    301056.0
    """

    channels: Count
    edge: Count
    count: Count
    r: Rate

    @property
    def active(self) -> Any:
        """Active patches, a."""
        return active_patches(self.r, self.count)

    @property
    def stairs(self) -> int | None:
        """Patches are on or off."""
        return self.count

    def elements(self, batch: int) -> Any:
        """Read once, written once."""
        return batch * 2.0 * self.active * self.channels * self.edge**2


class MaskCompaction(Operator):
    """A map of scores turned into the indices of its active items; `shared` if it decides for the whole batch."""

    height: Count
    width: Count
    items: Count
    shared: bool = False

    def maps(self, batch: Any) -> Any:
        """Maps of scores."""
        return np.where(self.shared, 1.0, batch)

    def elements(self, batch: int) -> Any:
        """Scores and thresholds read; indices and ranks written."""
        return self.maps(batch) * (self.height * self.width + 3.0 * self.items)
