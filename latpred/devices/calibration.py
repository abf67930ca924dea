"""What was measured of a device: its peaks, and the numbers and errors of the calibrated model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, field_validator, model_validator

from latpred.devices.libraries import numbers_of
from latpred.devices.quantities import Bandwidth, Duration, Error, Finite, MacRate, MacRateOrNone, Number, Size
from latpred.precision import Precision
from latpred.records import Count as AnyCount
from latpred.records import Plain, Record, describe
from latpred.wording import did_you_mean, quoted

Samples = Annotated[AnyCount, Field(le=10**9)]


class Peaks(Record):
    """What `latpred measure` found that the device can do at most; rates in multiply-adds, bandwidths in bytes/s."""

    copy_bandwidth: Bandwidth
    l2_bandwidth: Bandwidth
    l2_bytes: Size
    fp32_macs: MacRate
    #: 0 where the device has no TF32.
    tf32_macs: MacRateOrNone
    fp16_macs: MacRate
    kernel_graph_s: Duration
    kernel_stream_s: Duration
    source: str


class Judged(Record):
    """How far predictions with another device's calibration were off here, against what nothing was fitted to."""

    library: Literal["triton", "tensorrt", "pytorch"]
    precision: Precision
    #: The device whose calibration was carried over.
    like: Annotated[str, Field(min_length=1)]
    of: Literal["operators", "blocks", "networks"]
    rows: AnyCount
    median_error: Error
    #: The batch of all rows, where they have the same; at others a host may decide.
    batch: Samples | None = None
    source: str


class _Named(Record):
    """One of several in a file, there by name; what is wrong with it is told with the name."""

    name: str

    @model_validator(mode="wrap")
    @classmethod
    def _told_by_name(cls, fields: Any, validated: ModelWrapValidatorHandler[Any]) -> Any:
        try:
            return validated(fields)
        except ValidationError as problems:
            name = fields.get("name") if isinstance(fields, dict) else None
            raise ValueError(f"{quoted(name)}: {describe(problems, cls)}") from None


class FittedNumber(_Named):
    """One number of a calibration."""

    value: Finite


class ClassError(_Named):
    """Errors on shapes left out of the fit, of one class of operators or one paradigm of blocks.

    `low`, `high` bound 80 % of the measured over the predicted times.
    """

    n: AnyCount
    median_error: Error
    mean_error: Error
    low: Number
    high: Number

    @model_validator(mode="after")
    def _low_below_high(self) -> ClassError:
        if self.low > self.high:
            raise ValueError(f"{self.name!r}: low={self.low:g} is above high={self.high:g}")
        return self


class Provenance(Record):
    """What a calibration was fitted on."""

    data_sha256: str
    rows: AnyCount
    device: str
    date: str
    latpred: str
    measured_with: str = ""
    source: str = ""


class Calibration(Record):
    """The fitted numbers of a kernel library on this device in one precision: all that its equations need, no other.

    `latpred.devices.libraries` has the names, and the range that each lies in. Where both were timed, whole `networks`
    have numbers of their own beside those of operators one by one.
    """

    precision: Precision
    library: Literal["triton", "tensorrt", "pytorch"]
    of: Literal["operators", "networks"] = "operators"
    numbers: Annotated[tuple[FittedNumber, ...], Field(max_length=12)]
    errors: Annotated[tuple[ClassError, ...], Field(min_length=1)]
    provenance: Provenance
    batches: Annotated[tuple[Samples, Samples], Plain]
    #: Measured latency at the S chosen over the least, minus 1: 95th percentile on shapes left out.
    granularity_regret_p95: Error | None = None
    #: Mean error of the published model on the blocks measured; it knows FP32 only.
    published_error: Error | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_mappings(cls, fields: object) -> object:
        """A file writes `numbers` as name: value and `errors` as name: {…}."""
        if not isinstance(fields, dict):
            return fields
        numbers, errors = fields.get("numbers"), fields.get("errors")
        changes: dict[str, Any] = {}
        if isinstance(numbers, dict):
            changes["numbers"] = tuple({"name": name, "value": value} for name, value in numbers.items())
        if isinstance(errors, dict):
            changes["errors"] = tuple(
                {"name": name, **found} if isinstance(found, dict) else {"name": name, "found": found}
                for name, found in errors.items()
            )
        return {**fields, **changes}

    @field_validator("batches")
    @classmethod
    def _from_few_to_many(cls, batches: tuple[int, int]) -> tuple[int, int]:
        if batches[0] > batches[1]:
            raise ValueError(f"the lowest comes first, got {batches[0]}, {batches[1]}")
        return batches

    @model_validator(mode="after")
    def _numbers_of_the_library(self) -> Calibration:
        """Every number that the equations need, by name and within its range."""
        wanted = numbers_of(self.library, self.precision, self.of)
        given = {number.name: number.value for number in self.numbers}
        missing = [name for name in wanted if name not in given]
        problems = [f"numbers {name}: missing" for name in missing]
        if len(given) < len(self.numbers):
            problems.append("numbers: one is given twice")
        for name, value in given.items():
            if name not in wanted:
                problems.append(f"numbers {quoted(name)}: unknown number{did_you_mean(name, missing or wanted)}")
            elif not wanted[name].low <= value <= wanted[name].high:
                low, high = wanted[name].low, wanted[name].high
                problems.append(f"numbers {name}: must be from {low:g} to {high:g}, got {value:g}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def error_of(self, *names: str) -> ClassError | None:
        """The errors of the first of `names` that was validated."""
        known = {error.name: error for error in self.errors}
        return next((known[name] for name in names if name in known), None)
