"""The roofline: no operator beats its multiply-adds at peak rate, or its least bytes at peak bandwidth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from latpred.devices.profile import HardwareProfile
from latpred.models.interface import Cost
from latpred.precision import element_bytes
from latpred.workloads.operators import Operator


class Machine(NamedTuple):
    """Peak rates of a device: multiply-adds [1/s] and off-chip bytes [1/s]."""

    macs: float
    bandwidth: float
    element_bytes: int

    @classmethod
    def of(cls, profile: HardwareProfile, precision: str = "fp32") -> Machine:
        """The measured peaks where the profile has them, else P·F·f and B."""
        return cls(profile.peak_macs(precision), profile.copy_bandwidth, element_bytes(precision))


def cost(operator: Operator, machine: Machine, batch: int) -> Cost:
    """max(MACs/peak, bytes/bandwidth), without any launch time."""
    compute = operator.macs(batch) / machine.macs
    memory = operator.elements(batch) * machine.element_bytes / machine.bandwidth
    return Cost(compute, memory, 0.0, np.maximum(compute, memory))
