"""How one device's calibration serves another (docs/accuracy.md says what was seen of it).

A calibration holds shares of a peak, factors, and times. Shares and factors carry over as they are, to this device's
own peaks; times go with the clock, since what waits in a kernel (starting it, its programs, a step) counts cycles.
What this device was not measured to reach is taken to be the same part of its data sheet as elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from typing import NamedTuple

from latpred.devices.calibration import Calibration
from latpred.devices.catalogue import list_profiles, load_profile
from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError, ProfileError
from latpred.wording import listed

#: What `latpred measure --profile-only` reached of data sheets, means of an H200 and an H100 (SXM): copies 0.882 and
#: 0.901, FP32 0.910 and 0.910, TF32 0.717 and 0.815, FP16 0.770 and 0.770.
REACHED_BANDWIDTH = 0.89
REACHED_MACS = {"fp32": 0.91, "tf32": 0.77, "fp16": 0.77}
#: The same of what others measured reading from the L2 (RRZE-HPC gpu-benches, gpu-l2-cache): 0.867 and 0.893.
REACHED_L2 = 0.88
#: What carrying over was seen to cost, as half the width of an 80 % band in logarithms: 1.28 times what all predictions
#: of a kind are off by. From an H200 to an H100, whose engines are the same: up to 4.3 %.
SAME_ENGINES = 0.06
#: Between a V100 and an A100, with FP32 convolutions of cuDNN and the equations of TensorRT: 6.5 and 16.5 %.
OTHER_ENGINES = 0.15
#: The same of PyTorch's operators, which are other kernels elsewhere: networks of a V100, an A100 and an RTX 3090 with
#: an H200's numbers are off by 3 to 48 %, by device and precision, 26 % together.
OTHER_PYTORCH = 0.33


class Fitted(NamedTuple):
    """A calibration and the device that it was fitted on."""

    calibration: Calibration
    on: HardwareProfile

    def numbers_for(self, profile: HardwareProfile) -> dict[str, float]:
        """The numbers by name, times with the clock of another device."""
        slower = clock_hz(self.on) / clock_hz(profile)
        found = {number.name: number.value for number in self.calibration.numbers}
        return {name: value * slower if name.endswith("_s") else value for name, value in found.items()}

    def spread(self, profile: HardwareProfile) -> float:
        """What carrying over to another device adds to the half-width of a band, in logarithms."""
        if self.on == profile:
            return 0.0
        engines = [(device.pes, device.fp32_lanes_per_pe, clock_hz(device)) for device in (self.on, profile)]
        if engines[0] == engines[1]:
            return SAME_ENGINES
        return OTHER_PYTORCH if self.calibration.library == "pytorch" else OTHER_ENGINES


def clock_hz(profile: HardwareProfile) -> float:
    """The data sheet's clock, else the parameter's [Hz]."""
    return profile.stated.clock_hz or profile.clock_hz


def fitted(
    profile: HardwareProfile,
    precision: str,
    library: str | None = None,
    like: HardwareProfile | str | PathLike[str] | None = None,
    wanted: Callable[[str], bool] = lambda library: True,
    of: str = "operators",
) -> Fitted:
    """The calibration that serves a device: its own, else that of the device it names in `calibrate_like`, and so on.

    Of several the first that is for the precision, and for the library or, without one, a library that is `wanted`;
    where whole networks have numbers of their own beside those of operators one by one, the ones asked for with `of`.
    With `like` only those of that device are looked at. Another device's FP32 numbers serve halves that are multiplied
    in pairs on the FP32 lanes.

    Raises
    ------
    InputError
        The device has no such precision, or there is no such calibration.
    ProfileError, DataError
        Another device cannot be read.
    """
    profile.peak_macs(precision)
    seen = []
    for source in chain(profile) if like is None else [load_profile(like)]:
        seen.append(source)
        # What is multiplied on the lanes is like FP32.
        served = "fp32" if precision == "fp16" and profile.multiplies_pairs and source != profile else precision
        known = [found for found in source.calibrations if found.precision == served]
        for found in known:
            if wanted(found.library) if library is None else str(library) == found.library:
                alike = (item for item in known if (item.library, item.of) == (found.library, of))
                return Fitted(next(alike, found), source)
    if like is None:
        raise _none_in(seen, precision, library)
    raise _none_like(profile, seen[0], precision, library)


def chain(profile: HardwareProfile) -> Iterator[HardwareProfile]:
    """The device, the one that it is calibrated like, and so on; ends where one comes again.

    Raises
    ------
    ProfileError
        `calibrate_like` names no device; the message says whose.
    """
    seen: list[HardwareProfile] = []
    source = profile
    while source not in seen:
        yield source
        seen.append(source)
        if source.calibrate_like is None:
            return
        try:
            source = load_profile(source.calibrate_like)
        except ProfileError as problem:
            raise ProfileError(f"{source.name}: calibrate_like: {problem}") from None


def check_chain(profile: HardwareProfile) -> None:
    """Raises ProfileError for a `calibrate_like` that names no device, or leads back to where it was."""
    *_, last = chain(profile)
    if back := _leads_back(last):
        raise ProfileError(f"{back}; leave one of them out")


def _leads_back(last: HardwareProfile) -> str:
    """What closes a circle, of the last device of a chain; empty where nothing does."""
    return f"calibrate_like of {last.name} leads back to {last.calibrate_like}" if last.calibrate_like else ""


def _none_in(seen: Sequence[HardwareProfile], precision: str, library: str | None) -> InputError:
    """The error of a device, and of those that it is calibrated like in turn."""
    others = listed(source.name for source in seen[1:])
    nor = f"nor is any that it is calibrated like ({others})" if others else ""
    problem = str(seen[0].uncalibrated(precision, library))
    return InputError("; ".join(filter(None, (problem, nor, _leads_back(seen[-1])))))


def _none_like(profile: HardwareProfile, other: HardwareProfile, precision: str, library: str | None) -> InputError:
    wanted = precision if library is None else f"{precision} with {listed([library])}"
    known = listed(name for name in list_profiles() if load_profile(name).calibrations)
    have = f"it is for {other.calibrated_for}" if other.calibrations else f"choose {known}"
    return InputError(f"{profile.name} cannot be like {other.name}, which is not calibrated for {wanted}; {have}")
