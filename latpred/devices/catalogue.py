"""Devices by name, from `hardware/`, or from your own YAML file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from latpred.devices.profile import HardwareProfile
from latpred.errors import ProfileError
from latpred.files import data_folder, is_file, is_yaml, read_record
from latpred.wording import quoted, unknown


def list_profiles() -> list[str]:
    """Names of the devices that latpred ships.

    >>> "v100" in list_profiles()
    True
    """
    return sorted(path.stem for path in data_folder("hardware").glob("*.yaml"))


def load_profile(device: HardwareProfile | str | PathLike[str]) -> HardwareProfile:
    """The profile of a shipped device, by name, or of your own, by the path of a YAML file; a profile as it is.

    A name or path with `@` and the name of a power mode is that device at the clock of the mode.

    Raises
    ------
    ProfileError
        No such device.
    DataError
        The file is not a profile; the message lists everything wrong with it.

    Examples
    --------
    >>> load_profile("tx2").clock_hz
    1300000000.0
    """
    if isinstance(device, str) and "@" in device and not is_file(device):
        name, _, mode = device.rpartition("@")
        return load_profile(name).in_power_mode(mode.lower())
    return device if isinstance(device, HardwareProfile) else read_profile(profile_path(device))


def profile_path(name_or_path: str | PathLike[str]) -> Path:
    """The file of a device, by name or path; raises ProfileError where there is none."""
    if not isinstance(name_or_path, str | PathLike):
        kinds = "a HardwareProfile, a name or the path of a YAML file"
        raise ProfileError(f"a device is {kinds}, got {quoted(name_or_path)}")
    name = str(name_or_path)
    if name.lower() in list_profiles():
        return data_folder("hardware") / f"{name.lower()}.yaml"
    if not is_yaml(name):
        raise ProfileError(unknown("device", name, list_profiles(), "the path of a .yaml file"))
    if not is_file(name):
        raise ProfileError(f"there is no device file {quoted(name, most=300)}")
    return Path(name)


def read_profile(path: Path) -> HardwareProfile:
    """The profile in a file, whatever its suffix; raises DataError with everything that is wrong with it."""
    return read_record(HardwareProfile, path)
