"""The calibrated cost model: the equations of a kernel library with numbers fitted to measurements of one device.

`triton` and `tensorrt` hold the equations of a library each; the numbers are in a profile's `calibrations`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from latpred.devices.calibration import Calibration
from latpred.devices.profile import DataSheet, HardwareProfile
from latpred.errors import InputError
from latpred.models.calibrated.triton import Device, join
from latpred.models.interface import Cost, CostModel, unsupported
from latpred.models.tiling import Numbers
from latpred.workloads.lowering import KERNELS
from latpred.workloads.operators import Convolution, Operator

#: Libraries whose kernels there are equations for: what these are of, and what to use for the rest.
LIBRARIES = {
    "triton": "the kernels of residual blocks only; use the published model, which is FP32, or the roofline",
    "tensorrt": (
        "single convolutions only, dense or depthwise; use the published model, which is FP32, or a device calibrated "
        "with triton"
    ),
}


class Calibrated(CostModel):
    """A device with its measured peaks, and the numbers of one library in one precision."""

    name = "calibrated"
    form = KERNELS

    def __init__(self, profile: HardwareProfile, precision: str, library: str | None) -> None:
        """Takes the profile's calibration; raises InputError where there is none."""
        self._calibration = profile.calibration(precision, library)
        super().__init__(profile, precision, self._calibration.library)
        self.module = library_module(self._calibration.library)
        self.device = device_of(profile, precision)
        self.numbers = {number.name: number.value for number in self._calibration.numbers}

    @property
    def key(self) -> tuple[Any, ...]:
        """The device, the library, and its numbers."""
        return (*super().key, self.device, self.library, tuple(self.numbers.items()))

    @property
    def calibration(self) -> Calibration:
        """The fitted numbers, their errors, and what they were fitted on."""
        return self._calibration

    @property
    def about(self) -> str:
        """What was measured, and with which kernels."""
        return f"calibrated model, {self.precision} with {self.library}: fitted to measurements of this device"

    def cost(self, operator: Operator, batch: Numbers, *, chained: bool = False) -> Cost:
        """(computeᵖ + memoryᵖ)^(1/p) + constant, and never below the roofline of the peaks."""
        work = self.module.work_of(operator, batch, self.precision)
        if work is None:
            raise unsupported(f"calibrated ({self.library})", operator, LIBRARIES[self._calibration.library])
        if chained and "chained" in work._fields:
            work = work._replace(chained=1.0)
        found = self.module.times(work, self.numbers, self.device)
        latency = join(found.compute, found.memory, self.numbers) + found.constant
        counted = operator.in_whole_groups if isinstance(operator, Convolution) else operator
        macs, moved = self.module.LEAST_MACS * counted.macs(batch), self.bytes(counted, batch)
        least = np.maximum(macs / self.device.macs, moved / self.device.dram)
        return Cost(found.compute, found.memory, found.constant, np.maximum(latency, least), found.l2)


def library_module(library: str) -> ModuleType:
    """The equations of a library; raises InputError for one that has none."""
    if library not in LIBRARIES:
        raise InputError(f"the calibrated model has no equations for {library!r}; choose {', '.join(LIBRARIES)}")
    return import_module(f"latpred.models.calibrated.{library}")


def device_of(profile: HardwareProfile, precision: str) -> Device:
    """Measured peaks where the profile has them, else the data sheet's, else its parameters."""
    sheet = profile.datasheet or DataSheet(source="")
    rated = None if profile.peaks else sheet.fp32_peak_flops
    lane_macs = rated / 2 if rated else profile.peak_macs("fp32")
    return Device(
        engines=profile.pes,
        macs=lane_macs if precision == "fp32" else profile.peak_macs(precision),
        lane_macs=lane_macs,
        dram=profile.peaks.copy_bandwidth if profile.peaks else (sheet.dram_bandwidth or profile.dram_bandwidth),
        l2=profile.peaks.l2_bandwidth if profile.peaks else profile.l2_bandwidth_ratio * profile.dram_bandwidth,
        l2_bytes=profile.l2_size,
    )
