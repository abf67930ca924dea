"""A device as the cost models see it: processing engines with FP32 lanes, a clock, three memory levels (MODEL §1)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from latpred.errors import InputError, ProfileError
from latpred.files import data_folder, is_yaml, parse, read_yaml
from latpred.records import Count, Plain, Positive, Record

#: Bytes of an FP32 element.
ELEMENT_BYTES = 4


class DataSheet(Record):
    """What the vendor states, where it was looked up; never used by the published model."""

    pes: Count | None = None
    fp32_lanes_per_pe: Count | None = None
    clock_hz: Positive | None = None
    dram_bandwidth: Positive | None = None
    l2_bytes: Positive | None = None
    fp32_peak_flops: Positive | None = None
    fp16_tensor_peak_flops: Positive | None = None
    source: str


class Source(Record):
    """Where one parameter's value is from."""

    field: str
    text: str


class HardwareProfile(Record):
    """The parameters of one device.

    Parameters
    ----------
    pes
        Processing engines, P (NVIDIA: streaming multiprocessors).
    fp32_lanes_per_pe
        FP32 lanes of an engine, F; each does one multiply-add per cycle.
    clock_hz
        Clock f [Hz].
    dram_bandwidth
        Off-chip bandwidth B [bytes/s].
    l2_bandwidth_ratio
        Bandwidth of the on-chip global memory (L2) as a multiple of `dram_bandwidth`, λ.
    transaction_elements
        Width of a memory transaction q [FP32 elements]; 8 is a 32-byte sector.
    cycles_in_flight
        Cycles a lane keeps in flight, κ; F·κ is the parallelism that fills an engine.
    kernel_s
        Constant time per kernel, t₀ [s].
    overlap
        How compute and data movement combine, ⊕: `add` (the published evaluation) or `max`.
    default_batch
        Batch of a prediction that names none.
    sources, datasheet
        Where each value is from, and what the vendor states beside it.

    Raises
    ------
    ProfileError
        Every field at fault, in one line.
    """

    error: ClassVar[type[InputError]] = ProfileError

    name: Annotated[str, Field(min_length=1)]
    title: str = ""
    pes: Count
    fp32_lanes_per_pe: Count
    clock_hz: Positive
    dram_bandwidth: Positive
    l2_bandwidth_ratio: Annotated[float, Field(ge=1, le=1e6, strict=True), Plain]
    transaction_elements: Count = 8
    cycles_in_flight: Count = 4
    kernel_s: Annotated[float, Field(ge=0, le=1e6, strict=True), Plain] = 8e-6
    overlap: Literal["add", "max"] = "add"
    default_batch: Count = 1
    sources: tuple[Source, ...] = ()
    datasheet: DataSheet | None = None

    @field_validator("sources", mode="before")
    @classmethod
    def _sources_by_field(cls, sources: object) -> object:
        """A file writes `sources` as a mapping, field: text; a hashable record keeps it as a tuple."""
        if not isinstance(sources, dict):
            return sources
        unknown = sorted(str(field) for field in sources if field not in cls.model_fields)
        if unknown:
            raise ValueError(f"name unknown fields: {', '.join(unknown)}")
        return tuple({"field": field, "text": text} for field, text in sources.items())

    @property
    def fp32_peak_macs(self) -> float:
        """Peak rate P·F·f [multiply-adds/s]."""
        return self.pes * self.fp32_lanes_per_pe * self.clock_hz


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
    name = str(name_or_path)
    if name.lower() in list_profiles():
        return read_profile(data_folder("hardware") / f"{name.lower()}.yaml")
    if not is_yaml(name):
        known = ", ".join(list_profiles())
        raise ProfileError(f"unknown device {name!r}; choose {known}, or give the path of a .yaml file")
    if not Path(name).is_file():
        raise ProfileError(f"there is no device file {name!r}")
    return read_profile(Path(name))


def read_profile(path: Path) -> HardwareProfile:
    """The profile in a file, whatever its suffix; raises DataError with everything that is wrong with it."""
    return parse(HardwareProfile, read_yaml(path), path)
