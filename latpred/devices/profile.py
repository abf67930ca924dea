"""A device as the cost models see it: processing engines with FP32 lanes, a clock, three memory levels (MODEL §1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from latpred.devices.calibration import Calibration, Judged, Peaks
from latpred.devices.quantities import Bandwidth, Clock, Count, Duration, Flops, FlopsOrNone, Ratio, Size
from latpred.errors import InputError, ProfileError
from latpred.notebook import Shown
from latpred.precision import PRECISIONS, known_precision
from latpred.records import Plain, Record
from latpred.units import si
from latpred.wording import did_you_mean, listed, unknown

if TYPE_CHECKING:
    import pandas


class DataSheet(Record):
    """What the vendor states, where it was looked up; never used by the published model.

    Peaks of tensor units are dense; 0 says that the device has none. `fp16_lane_peak_flops` is that of halves in pairs
    on the FP32 lanes, for devices without tensor units; `l2_bandwidth` what others measured reading from the L2, which
    vendors do not state.
    """

    pes: Count | None = None
    fp32_lanes_per_pe: Count | None = None
    clock_hz: Clock | None = None
    dram_bandwidth: Bandwidth | None = None
    l2_bytes: Size | None = None
    l2_bandwidth: Bandwidth | None = None
    fp32_peak_flops: Flops | None = None
    fp16_lane_peak_flops: Flops | None = None
    fp16_tensor_peak_flops: FlopsOrNone | None = None
    tf32_tensor_peak_flops: FlopsOrNone | None = None
    source: str


class Source(Record):
    """Where one parameter's value is from."""

    field: str
    text: str


#: What of a data sheet is proportional to the clock.
_CLOCKED = ("clock_hz", "fp32_peak_flops", "fp16_lane_peak_flops", "fp16_tensor_peak_flops", "tf32_tensor_peak_flops")


class PowerMode(Record):
    """A clock that a board can be set to, by the vendor's name of the mode."""

    name: Annotated[str, Field(pattern="^[a-z0-9-]+$")]
    clock_hz: Clock


class HardwareProfile(Shown, Record):
    """The parameters of one device.

    Parameters
    ----------
    name, title
        How it is asked for, and what it is called.
    pes
        Processing engines, P (NVIDIA: streaming multiprocessors).
    fp32_lanes_per_pe
        FP32 lanes of an engine, F; each does one multiply-add per cycle.
    clock_hz
        Clock f [Hz].
    dram_bandwidth
        Off-chip bandwidth B [bytes/s].
    l2_bandwidth_ratio
        Bandwidth of the on-chip global memory (L2) as a multiple of `dram_bandwidth`, λ; 4 unless given, as the papers
        have it for all but one of their devices, and predictions then note that it is assumed.
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
        True where predictions with these parameters were compared with a measurement or a paper.
    peaks, calibrations
        What was measured, and the calibrated model's numbers.
    calibrate_like
        Another device, by name or path, whose calibrations serve this one where it has none of its own.
    judged
        How far predictions that were carried over so were off here.
    power_modes
        Clocks that the board can be set to, in a file by name: `load_profile("tx2@max-p")`.

    Raises
    ------
    ProfileError
        Every field at fault, in one line.

    Examples
    --------
    >>> HardwareProfile(name="mine", pes=46, fp32_lanes_per_pe=96, clock_hz=1.98e9, dram_bandwidth=504e9)
    <HardwareProfile: mine, 17.5 TFLOP/s FP32, 504 GB/s off-chip, not calibrated>
    """

    error: ClassVar[type[InputError]] = ProfileError

    name: Annotated[str, Field(min_length=1)]
    title: str = ""
    pes: Count
    fp32_lanes_per_pe: Count
    clock_hz: Clock
    dram_bandwidth: Bandwidth
    l2_bandwidth_ratio: Ratio = 4.0
    transaction_elements: Count = 8
    cycles_in_flight: Count = 4
    kernel_s: Duration = 8e-6
    overlap: Literal["add", "max"] = "add"
    default_batch: Count = 1
    sources: tuple[Source, ...] = ()
    datasheet: DataSheet | None = None
    validated: bool = False
    peaks: Peaks | None = None
    calibrations: Annotated[tuple[Calibration, ...], Plain] = ()
    calibrate_like: Annotated[str, Field(min_length=1)] | None = None
    judged: Annotated[tuple[Judged, ...], Plain] = ()
    power_modes: Annotated[tuple[PowerMode, ...], Plain] = ()

    @field_validator("power_modes", mode="before")
    @classmethod
    def _modes_by_name(cls, modes: object) -> object:
        """A file writes `power_modes` as a mapping, name: clock."""
        if not isinstance(modes, dict):
            return modes
        return tuple({"name": name, "clock_hz": clock_hz} for name, clock_hz in modes.items())

    @field_validator("sources", mode="before")
    @classmethod
    def _sources_by_field(cls, sources: object) -> object:
        """A file writes `sources` as a mapping, field: text; a hashable record keeps it as a tuple."""
        if not isinstance(sources, dict):
            return sources
        unknown = [str(field) for field in sources if field not in cls.model_fields]
        if unknown:
            hint = did_you_mean(unknown[0], cls.model_fields) if len(unknown) == 1 else ""
            raise ValueError(f"name unknown fields: {listed(sorted(unknown))}{hint}")
        return tuple({"field": field, "text": text} for field, text in sources.items())

    @field_validator("calibrations")
    @classmethod
    def _one_of_a_kind(cls, calibrations: tuple[Calibration, ...]) -> tuple[Calibration, ...]:
        kinds = [
            f"{found.precision} with {found.library}{' of networks' if found.of == 'networks' else ''}"
            for found in calibrations
        ]
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is given twice")
        return calibrations

    @property
    def fp32_peak_macs(self) -> float:
        """Peak rate P·F·f [multiply-adds/s]."""
        return self.pes * self.fp32_lanes_per_pe * self.clock_hz

    @property
    def copy_bandwidth(self) -> float:
        """Off-chip bandwidth as measured by a copy, else B [bytes/s]."""
        return self.peaks.copy_bandwidth if self.peaks else self.dram_bandwidth

    @property
    def l2_size(self) -> float | None:
        """Bytes of the L2: measured, else the data sheet's."""
        return self.peaks.l2_bytes if self.peaks else self.stated.l2_bytes

    @property
    def stated(self) -> DataSheet:
        """The data sheet, empty where there is none."""
        return self.datasheet or DataSheet(source="")

    @property
    def multiplies_pairs(self) -> bool:
        """Whether halves are multiplied in pairs on the FP32 lanes, for want of tensor units."""
        return self.stated.fp16_tensor_peak_flops == 0

    def peak_macs(self, precision: str) -> float:
        """Peak rate in a precision [multiply-adds/s]: measured, else the data sheet's; in FP32 else that of the lanes.

        Raises
        ------
        InputError
            The device has no such units, or their peak is not known.
        """
        known = {name: peak for name in PRECISIONS if (peak := self._known_peak(name))}
        precision = known_precision(precision)
        if precision in known:
            return known[precision]
        others = " or ".join(known)
        if self._known_peak(precision) == 0:
            raise InputError(f"{self.name} has no {precision.upper()}; choose {others}")
        raise InputError(
            f"{self.name}'s peak in {precision.upper()} is not known; choose {others}, or give its data sheet's "
            f"{precision}_tensor_peak_flops (dense; 0 where it has none) under datasheet"
        )

    def _known_peak(self, precision: str) -> float | None:
        """The peak [multiply-adds/s]; 0 where there are no such units, None where it is not known."""
        if self.peaks:
            return float(getattr(self.peaks, f"{precision}_macs"))
        if precision == "fp32":
            return self.fp32_peak_macs
        tensor: float | None = getattr(self.stated, f"{precision}_tensor_peak_flops", None)
        if precision == "fp16" and not tensor:
            tensor = self.stated.fp16_lane_peak_flops
        return None if tensor is None else tensor / 2

    def in_power_mode(self, mode: str) -> HardwareProfile:
        """The device at the clock of a power mode; bandwidths stay, and what was measured at its own clock is left out.

        Raises
        ------
        ProfileError
            There is no such mode.

        Examples
        --------
        >>> from latpred import load_profile
        >>> load_profile("tx2").in_power_mode("max-p").clock_hz
        1122000000.0
        """
        clocks = {known.name: known.clock_hz for known in self.power_modes}
        if mode not in clocks:
            have = unknown("power mode", mode, clocks) if clocks else f"there are no power modes of {self.name}"
            raise ProfileError(have)
        clock_hz = clocks[mode]
        if clock_hz == self.clock_hz:
            return self
        slower = clock_hz / (self.stated.clock_hz or self.clock_hz)
        rates = {name: value * slower for name, value in self.stated if value and name in _CLOCKED}
        others = tuple(source for source in self.sources if source.field not in ("clock_hz", "power_modes"))
        return self.replace(
            name=f"{self.name}@{mode}",
            clock_hz=clock_hz,
            sources=(*others, Source(field="clock_hz", text=f"power mode {mode}")),
            datasheet=self.stated.replace(**rates),
            validated=False,
            peaks=None,
            calibrations=(),
            power_modes=(),
        )

    def caveats(self, calibration: Calibration | None = None) -> tuple[str, ...]:
        """What a reader must know of the parameters; little where a calibration of this device says how good it is."""
        notes = []
        compared = any(found.published_error is not None for found in self.calibrations)
        if not (self.validated or calibration or compared):
            notes.append(
                f"{self.name}'s parameters were never validated: no prediction was compared with a measurement"
            )
        if "l2_bandwidth_ratio" not in self.model_fields_set and not (calibration and self.peaks):
            notes.append(f"{self.name} gives no l2_bandwidth_ratio: {self.l2_bandwidth_ratio:g} is assumed")
        return tuple(notes)

    @property
    def summary(self) -> str:
        """Name, peak and bandwidth, and what it is calibrated for."""
        peaks = f"{si(2 * self.fp32_peak_macs, 'FLOP/s')} FP32, {si(self.dram_bandwidth, 'B/s')} off-chip"
        return f"{self.name}, {peaks}, {self.calibrated_in_words}"

    def to_frame(self) -> pandas.DataFrame:
        """A row per parameter, with its value and source; SI units."""
        import pandas

        sources = {source.field: source.text for source in self.sources}
        inner = {"sources", "datasheet", "peaks", "calibrations", "calibrate_like", "judged", "power_modes"}
        values = {name: value for name, value in self if name not in inner}
        rows = [{"parameter": name, "value": value, "source": sources.get(name, "")} for name, value in values.items()]
        return pandas.DataFrame(rows)

    @property
    def calibrated_for(self) -> str:
        """The precisions and libraries of the calibrations, in words; empty where there is none."""
        return ", ".join(dict.fromkeys(f"{found.precision} with {found.library}" for found in self.calibrations))

    @property
    def calibrated_in_words(self) -> str:
        """What the calibrated model knows: from measurements of this device, or of another."""
        like = f"calibrated like {self.calibrate_like}" if self.calibrate_like else "not calibrated"
        return self.calibrated_for or like

    def calibration(self, precision: str, library: str | None = None, of: str = "operators") -> Calibration:
        """The calibration for a precision and library (None: the first one listed); InputError where there is none.

        That of operators one by one, or of whole `networks`, where both were timed.
        """
        known_precision(precision)
        known = [item for item in self.calibrations if item.precision == precision]
        found = [item for item in known if str(library or item.library) == item.library]
        if found:
            return next((item for item in found if (item.library, item.of) == (found[0].library, of)), found[0])
        raise self.uncalibrated(precision, library)

    def uncalibrated(self, precision: str, library: str | None) -> InputError:
        """The error of a calibration that is not there: what is, and what to do."""
        wanted = precision if library is None else f"{precision} with {listed([library])}"
        others = "the published model, which is FP32, or the roofline"
        measure = f"run `latpred measure` and `latpred calibrate` on it, or use {others}"
        known = f"it is for {self.calibrated_for}" if self.calibrations else measure
        return InputError(f"{self.name} is not calibrated for {wanted}; {known}")
