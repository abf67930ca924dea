"""A device as the cost models see it: processing engines with FP32 lanes, a clock, three memory levels (MODEL §1)."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from latpred.devices.calibration import Calibration, Peaks
from latpred.errors import InputError, ProfileError
from latpred.records import Count, Plain, Positive, Record


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
    validated
        False where nothing predicted with these parameters has been compared with a measurement or a paper.
    peaks, calibrations
        What was measured, and the calibrated model's numbers.

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
    validated: bool = True
    peaks: Peaks | None = None
    calibrations: Annotated[tuple[Calibration, ...], Plain] = ()

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

    @property
    def copy_bandwidth(self) -> float:
        """Off-chip bandwidth as measured by a copy, else B [bytes/s]."""
        return self.peaks.copy_bandwidth if self.peaks else self.dram_bandwidth

    @property
    def l2_size(self) -> float:
        """Bytes of the L2: measured, else the data sheet's, else none."""
        if self.peaks:
            return self.peaks.l2_bytes
        return self.datasheet.l2_bytes if self.datasheet and self.datasheet.l2_bytes else 1.0

    def peak_macs(self, precision: str) -> float:
        """Peak rate in a precision [multiply-adds/s]: measured, else the data sheet's, else that of the FP32 lanes."""
        if self.peaks:
            return float(getattr(self.peaks, f"{precision}_macs"))
        tensor = self.datasheet.fp16_tensor_peak_flops if self.datasheet else None
        return tensor / 2 if precision == "fp16" and tensor else self.fp32_peak_macs

    @property
    def calibrated_for(self) -> str:
        """The precisions and libraries of the calibrations, in words; empty where there is none."""
        return ", ".join(f"{found.precision} with {found.library}" for found in self.calibrations)

    def calibration(self, precision: str, library: str | None = None) -> Calibration:
        """The calibration for a precision and library (None: the first one listed); InputError where there is none."""
        for found in self.calibrations:
            if found.precision == precision and library in (None, found.library):
                return found
        wanted = f"{precision} with {library}" if library else precision
        measure = "run `latpred measure` and `latpred calibrate` on it, or use the published model"
        known = f"it is for {self.calibrated_for}" if self.calibrations else measure
        raise InputError(f"{self.name} is not calibrated for {wanted}; {known}")
