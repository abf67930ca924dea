"""Devices by name, from `hardware/`, or from your own YAML file."""

from __future__ import annotations

from pathlib import Path

from latpred.devices.profile import HardwareProfile
from latpred.errors import ProfileError
from latpred.files import data_folder, is_yaml, parse, read_yaml
from latpred.wording import unknown


def list_profiles() -> list[str]:
    """Names of the devices that latpred ships."""
    return sorted(path.stem for path in data_folder("hardware").glob("*.yaml"))


def load_profile(name_or_path: str | Path) -> HardwareProfile:
    """The profile of a shipped device, by name, or of your own, by the path of a YAML file.

    Raises
    ------
    ProfileError
        No such device.
    DataError
        The file is not a profile; the message lists everything wrong with it.
    """
    return read_profile(profile_path(name_or_path))


def profile_path(name_or_path: str | Path) -> Path:
    """The file of a device, by name or path; raises ProfileError where there is none."""
    name = str(name_or_path)
    if name.lower() in list_profiles():
        return data_folder("hardware") / f"{name.lower()}.yaml"
    if not is_yaml(name):
        raise ProfileError(unknown("device", name, list_profiles(), "the path of a .yaml file"))
    if not Path(name).is_file():
        raise ProfileError(f"there is no device file {name!r}")
    return Path(name)


def read_profile(path: Path) -> HardwareProfile:
    """The profile in a file, whatever its suffix; raises DataError with everything that is wrong with it."""
    return parse(HardwareProfile, read_yaml(path), path)
