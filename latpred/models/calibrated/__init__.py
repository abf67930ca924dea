"""The calibrated cost model: the equations of a kernel library with numbers fitted to measurements of one device.

`triton`, `tensorrt`, `engines` (TensorRT's whole networks) and `pytorch` hold the equations of a library each; the
numbers are in a profile's `calibrations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from os import PathLike
from types import ModuleType
from typing import Any

import numpy as np

from latpred.devices.calibration import Calibration
from latpred.devices.profile import HardwareProfile
from latpred.devices.transfer import REACHED_BANDWIDTH, REACHED_L2, REACHED_MACS, Fitted, fitted
from latpred.errors import InputError
from latpred.models.calibrated.triton import Device, join
from latpred.models.interface import Cost, CostModel, unsupported
from latpred.models.tiling import Numbers
from latpred.wording import unknown
from latpred.workloads.lowering import EAGER, FOLDED, FUSED, KERNELS, Form
from latpred.workloads.operators import Convolution, Operator

_STATIC = "the operators of static networks only; take triton for those of dynamic ones"
#: Libraries whose kernels there are equations for: what these are of, and what to use for the rest.
LIBRARIES = {
    "triton": "the kernels of residual blocks only; use the published model, which is FP32, or the roofline",
    "tensorrt": (
        "single convolutions only, dense or depthwise; use the published model, which is FP32, or the library triton"
    ),
    "pytorch": _STATIC,
}
#: TensorRT's whole networks, which have equations of their own.
ENGINES = "engines"
#: Libraries with the kernels of whole blocks, those whose equations know an L2, and those that need engines of their
#: time.
OF_BLOCKS, HEED_L2, SINCE_VOLTA = ("triton",), ("triton", "pytorch"), ("triton",)
#: How a library can be run, and how it is asked for: `pytorch+graph`.
WAYS = {"fold": "normalisations are folded into the convolutions", "graph": "in a CUDA graph"}


class Calibrated(CostModel):
    """A device with its peaks, and the numbers of one library in one precision: its own, or another device's.

    Blocks and networks, or else operators one by one: where both were timed, each has numbers of its own.
    """

    name = "calibrated"

    def __init__(
        self,
        profile: HardwareProfile,
        precision: str,
        library: str | None,
        like: HardwareProfile | str | PathLike[str] | None = None,
        *,
        blocks: bool = False,
    ) -> None:
        """Takes the calibration that serves the profile; raises InputError where there is none."""
        base, *ways = str(library or "").split("+")
        self._fitted = _fitted(profile, precision, base or None, like, blocks)
        calibration = self._fitted.calibration
        check_ways(calibration.library, ways)
        super().__init__(profile, precision, "+".join((calibration.library, *ways)))
        self._profile, self._of_operators = profile, not blocks
        self.module = library_module(calibration.library, calibration.of)
        self.form = _form(self.module, ways)
        self.device = device_of(profile, precision, self._fitted.on)
        self.numbers = self._fitted.numbers_for(profile)
        if "graph" not in ways:
            self.host_s = getattr(self.module, "HOST_S", self.host_s)
            self.host_band = getattr(self.module, "HOST_BAND", self.host_band)

    @property
    def key(self) -> tuple[Any, ...]:
        """The device, the library, and its numbers."""
        return (*super().key, self.device, self.library, self.calibration.of, tuple(self.numbers.items()))

    @property
    def calibration(self) -> Calibration:
        """The fitted numbers, their errors, and what they were fitted on."""
        return self._fitted.calibration

    @property
    def fitted_on(self) -> HardwareProfile:
        """The device that was measured."""
        return self._fitted.on

    @property
    def spread(self) -> float:
        """What carrying over was seen to cost; nothing on the device itself."""
        return self._fitted.spread(self._profile)

    @property
    def in_pairs(self) -> bool:
        """Whether halves are multiplied in pairs on the lanes, with what FP32 was fitted to."""
        return self.calibration.precision != self.precision

    @property
    def notes(self) -> tuple[str, ...]:
        """What is not there."""
        name, notes = self._profile.name, []
        if self.in_pairs:
            notes.append(f"{name} has no tensor cores: halves are taken as FP32 in pairs, at twice its rate")
        if self.library in SINCE_VOLTA and self._profile.multiplies_pairs:
            before = f"{self.library} makes no kernels for {name}, which is older than Volta"
            notes.append(f"{before}: times are what they would take")
        if self.calibration.library in HEED_L2 and self._profile.l2_size is None:
            notes.append(f"{name} gives no l2_bytes: all maps are taken to come from the off-chip memory")
        return tuple(notes)

    @property
    def about(self) -> str:
        """What was measured, and with which kernels."""
        fitted = "fitted to measurements of this device"
        if self._fitted.on != self._profile:
            fitted = f"fitted on {self._fitted.on.name}, carried over: {self._judged}"
        return f"calibrated model, {self.precision} with {self.library}: {fitted}"

    @property
    def _judged(self) -> str:
        """By what the calibration of another device was judged here."""
        asked = self.library, self.precision, self._fitted.on.name, self._of_operators
        for one in self._profile.judged:
            if (one.library, one.precision, one.like, one.of == "operators") == asked:
                at = f" at batch {one.batch}" if one.batch else ""
                return f"median error {one.median_error:.1%} on {one.rows} {one.of} measured here{at}"
        return "never measured here" + (" but for its peaks" if self._profile.peaks else "")

    def cost(self, operator: Operator, batch: Numbers, *, chained: bool = False) -> Cost:
        """(computeᵖ + memoryᵖ)^(1/p) + constant, and never below the roofline of the peaks."""
        work = self.module.work_of(operator, batch, self.calibration.precision)
        if work is None:
            known = _STATIC if self.form.is_static else LIBRARIES[self.calibration.library]
            raise unsupported(f"calibrated ({self.library})", operator, known)
        if self.in_pairs:
            work = _of_halves(work)
        if chained and "chained" in work._fields:
            work = work._replace(chained=1.0)
        found = self.module.times(work, self.numbers, self.device)
        latency = join(found.compute, found.memory, self.numbers) + found.constant
        counted = operator.in_whole_groups if isinstance(operator, Convolution) else operator
        # What an engine takes in moves less than on its own.
        moved = work.bytes if self.form is FUSED else self.bytes(counted, batch)
        macs = self.module.LEAST_MACS * counted.macs(batch)
        least = np.maximum(macs / self.device.macs, moved / self.device.dram)
        return Cost(found.compute, found.memory, found.constant, np.maximum(latency, least), found.l2)


def _fitted(profile: HardwareProfile, precision: str, library: str | None, like: Any, blocks: bool) -> Fitted:
    """The calibration that serves; of a library with the kernels of `blocks`, where there is one."""
    if blocks and library is None:
        with suppress(InputError):
            return fitted(profile, precision, None, like, lambda name: name in OF_BLOCKS)
    return fitted(profile, precision, library, like, of="networks" if blocks else "operators")


def _of_halves(work: Any) -> Any:
    """What is asked of the memories by elements of half the size."""
    return work._replace(**{name: getattr(work, name) / 2 for name in work._fields if name.endswith("bytes")})


def _form(module: ModuleType, ways: Sequence[str]) -> Form:
    """In which form networks are lowered for a library."""
    name = module.__name__.rpartition(".")[2]
    return {"pytorch": FOLDED if "fold" in ways else EAGER, ENGINES: FUSED}.get(name, KERNELS)


def check_ways(library: str, ways: Sequence[str]) -> None:
    """Raise InputError for a way of running a library that it does not have."""
    for number, way in enumerate(ways):
        if way in ways[:number]:
            raise InputError(f"{library}+{'+'.join(ways)} has {way} twice; leave one of them out")
        if way not in WAYS:
            raise InputError(unknown("way to run a library", way, WAYS))
        if library != "pytorch":
            raise InputError(f"{library} has no {way}: eager PyTorch alone is run with it or without")


def library_module(library: str, of: str = "operators") -> ModuleType:
    """The equations of a library's operators one by one, or of whole networks; InputError for one that has none."""
    if library not in LIBRARIES:
        raise InputError(f"the calibrated model has no equations for {library!r}; choose {', '.join(LIBRARIES)}")
    name = ENGINES if (library, of) == ("tensorrt", "networks") else library
    return import_module(f"latpred.models.calibrated.{name}")


def device_of(profile: HardwareProfile, precision: str, fitted_on: HardwareProfile | None = None) -> Device:
    """The rates that a calibration's shares are of: measured ones where those of the device it was fitted on are.

    Where this device's own were not measured, the data sheet's, of which the same part is reached as elsewhere; shares
    of a data sheet's rates are of this device's data sheet, which its parameters stand in for.
    """
    shares_of_measured = (fitted_on or profile).peaks is not None
    if not shares_of_measured:
        profile = profile.replace(peaks=None)
    sheet, peaks = profile.stated, profile.peaks
    macs = lane_macs = profile.peak_macs("fp32")
    if not peaks and sheet.fp32_peak_flops:
        macs = lane_macs = sheet.fp32_peak_flops / 2
    if precision != "fp32":
        macs = profile.peak_macs(precision)
    if peaks:
        dram, l2 = peaks.copy_bandwidth, peaks.l2_bandwidth
    else:
        dram = sheet.dram_bandwidth or profile.dram_bandwidth
        l2 = sheet.l2_bandwidth or profile.l2_bandwidth_ratio * profile.dram_bandwidth
    if shares_of_measured and not peaks:
        on_lanes = precision == "fp32" or profile.multiplies_pairs
        macs, lane_macs = macs * REACHED_MACS["fp32" if on_lanes else precision], lane_macs * REACHED_MACS["fp32"]
        dram, l2 = dram * REACHED_BANDWIDTH, l2 * REACHED_L2
    clock_hz = lane_macs / (profile.pes * profile.fp32_lanes_per_pe)
    if precision == "fp16" and profile.multiplies_pairs:
        lane_macs = macs
    return Device(profile.pes, macs, lane_macs, dram, l2, profile.l2_size or 1.0, clock_hz)
