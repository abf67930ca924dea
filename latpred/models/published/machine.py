"""A device in the symbols of the published model (MODEL §1), and the efficiencies its equations share (MODEL §2)."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple, TypeAlias

import numpy as np

from latpred.devices.profile import HardwareProfile
from latpred.models.interface import Cost, Tiling
from latpred.models.tiling import Axis, Numbers, ceil_div, cheapest
from latpred.precision import ELEMENT_BYTES

#: Compute, memory, and the part of memory that is L2 [s], at a tile or over a grid of tiles.
Terms: TypeAlias = tuple[Numbers, Numbers, Numbers]


class Machine(NamedTuple):
    """A profile in the symbols of MODEL §1."""

    P: int
    F: int
    f: float
    kappa: int
    q: int
    t0: float
    beta: float
    beta2: float
    overlap: str

    @classmethod
    def of(cls, profile: HardwareProfile) -> Machine:
        """Bandwidths become FP32 elements per second: β = B/4, β₂ = λβ."""
        beta = profile.dram_bandwidth / ELEMENT_BYTES
        return cls(
            P=profile.pes,
            F=profile.fp32_lanes_per_pe,
            f=profile.clock_hz,
            kappa=profile.cycles_in_flight,
            q=profile.transaction_elements,
            t0=profile.kernel_s,
            beta=beta,
            beta2=profile.l2_bandwidth_ratio * beta,
            overlap=profile.overlap,
        )

    def join(self, compute: Numbers, memory: Numbers) -> Numbers:
        """compute ⊕ memory."""
        return compute + memory if self.overlap == "add" else np.maximum(compute, memory)

    def waves(self, tiles: Numbers) -> Numbers:
        """Rounds that the engines need for `tiles`, ⌈n/P⌉."""
        return ceil_div(tiles, self.P)

    def lane_seconds(self, work: Numbers, parallel: Numbers) -> Numbers:
        """Seconds of one engine for `work` multiply-adds of which `parallel` run side by side: W/(f·F·e(·, Fκ))."""
        return work / (self.f * self.F * efficiency(parallel, self.F * self.kappa))

    def coalescing(self, n: Numbers, gap: Numbers) -> Numbers:
        """c(n, gap): the useful share of the transactions for runs of `n` elements, `gap` apart."""
        gap = np.maximum(gap, 0)
        short = np.where(n + gap > self.q, n / self.q, n / (n + gap))
        return np.where(n > self.q, efficiency(n, self.q), short)

    def reduction_s(self, c: Numbers, n: Numbers, batch: int) -> Numbers:
        """Red(c, n): a tree reduction of `n` values for each of `c` channels inside an engine [s]."""
        seconds: Numbers = 0.0
        n = ceil_div(n, 2)
        while np.any(n > 1):
            step = ceil_div(n * c, self.F) / efficiency(n * c, self.F * self.kappa) / self.f
            seconds = seconds + np.where(n > 1, step, 0.0)
            n = ceil_div(n, 2)
        return seconds * batch

    def cost(self, compute: Numbers, memory: Numbers, l2: Numbers = 0.0, tiling: Tiling | None = None) -> Cost:
        """A kernel: (compute ⊕ memory) + t₀; `l2` is the part of `memory` between L2 and the engines."""
        return Cost(compute, memory, self.t0, self.join(compute, memory) + self.t0, l2, tiling)

    def search(self, axes: tuple[Axis, ...], terms: Callable[..., Terms]) -> tuple[Numbers, ...]:
        """The tile of least compute ⊕ memory."""
        return cheapest(axes, lambda *tile: self.join(*terms(*tile)[:2]))

    def cheapest_cost(
        self, axes: tuple[Axis, ...], terms: Callable[..., Terms], extents: tuple[int, ...] | None = None
    ) -> Cost:
        """The kernel at the tile of least compute ⊕ memory; its edges cut `extents`, where tiles cover the operator."""
        tile = self.search(axes, terms)
        edges = (*tile, *(1,) * (len(extents or ()) - len(tile)))
        return self.cost(*terms(*tile), Tiling(tile, extents, edges, prod(tile)))


def efficiency(x: Numbers, p: Numbers) -> Numbers:
    """Quantisation efficiency e(x, p) = x/(⌈x/p⌉·p)."""
    return x / (ceil_div(x, p) * p)
