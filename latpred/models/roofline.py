"""The roofline: no operator beats its multiply-adds at peak rate, or its least bytes at peak bandwidth."""

from __future__ import annotations

from typing import Any

import numpy as np

from latpred.devices.profile import HardwareProfile
from latpred.models.interface import Cost, CostModel, refuse_library
from latpred.models.tiling import Numbers
from latpred.workloads.lowering import PLAIN
from latpred.workloads.operators import Convolution, Operator


class Roofline(CostModel):
    """A lower bound for any kernels: peak rate [multiply-adds/s] and off-chip bandwidth [bytes/s]."""

    name = "roofline"
    form = PLAIN

    def __init__(self, profile: HardwareProfile, precision: str, library: str | None) -> None:
        """The measured peaks where the profile has them, else P·F·f and B; raises InputError for any library."""
        super().__init__(profile, precision, library)
        refuse_library(self.name, library)
        self.peak_macs, self.bandwidth = profile.peak_macs(precision), profile.copy_bandwidth

    @property
    def key(self) -> tuple[Any, ...]:
        """The peaks."""
        return (*super().key, self.peak_macs, self.bandwidth)

    @property
    def about(self) -> str:
        """It is no estimate."""
        return f"roofline, {self.precision}: a lower bound, not an estimate"

    def cost(self, operator: Operator, batch: Numbers, *, chained: bool = False) -> Cost:
        """max(MACs/peak, bytes/bandwidth), without any launch time; channels that switch together count in groups."""
        counted = operator.in_whole_groups if isinstance(operator, Convolution) else operator
        compute = counted.macs(batch) / self.peak_macs
        memory = self.bytes(counted, batch) / self.bandwidth
        return Cost(compute, memory, 0.0, np.maximum(compute, memory))
