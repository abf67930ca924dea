"""The calibrated cost model: the equations of a kernel library with numbers fitted to measurements of one device.

`triton` and `tensorrt` hold the equations of a library each; the numbers are in a profile's `calibrations`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import numpy as np

from latpred.devices.calibration import Calibration
from latpred.devices.profile import DataSheet, HardwareProfile
from latpred.errors import InputError
from latpred.models.calibrated.triton import Device, join
from latpred.models.interface import Cost, unsupported
from latpred.precision import element_bytes
from latpred.workloads.operators import Operator

#: A block is lowered to its kernels, not as published.
KERNELS = True
#: Libraries whose kernels there are equations for: what these are of, and what to use for the rest.
LIBRARIES = {
    "triton": "the kernels of residual blocks only; use the published model, which is FP32, or the roofline",
    "tensorrt": (
        "single convolutions only, dense or depthwise; use the published model, which is FP32, or a device calibrated "
        "with triton"
    ),
}


class Machine(NamedTuple):
    """A device with its measured peaks, and the numbers of one library in one precision."""

    device: Device
    calibration: Calibration
    numbers: dict[str, float]

    @classmethod
    def of(cls, profile: HardwareProfile, precision: str = "fp32", library: str | None = None) -> Machine:
        """The profile's calibration; raises InputError where there is none."""
        found = profile.calibration(precision, library)
        return cls(device_of(profile, precision), found, {number.name: number.value for number in found.numbers})


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


def cost(operator: Operator, machine: Machine, batch: int, *, chained: bool = False) -> Cost:
    """(computeᵖ + memoryᵖ)^(1/p) + constant, and never below the roofline of the peaks.

    `chained`: other kernels run before this one, as in a block.
    """
    module = library_module(machine.calibration.library)
    precision = machine.calibration.precision
    work = module.work_of(operator, batch, precision)
    if work is None:
        library = machine.calibration.library
        raise unsupported(f"calibrated ({library})", operator, LIBRARIES[library])
    if chained and "chained" in work._fields:
        work = work._replace(chained=1.0)
    compute, memory, constant = module.times(work, machine.numbers, machine.device)
    latency = join(compute, memory, machine.numbers) + constant
    moved = operator.elements(batch) * element_bytes(precision)
    least = np.maximum(module.LEAST_MACS * operator.macs(batch) / machine.device.macs, moved / machine.device.dram)
    return Cost(compute, memory, constant, np.maximum(latency, least))
