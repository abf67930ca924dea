"""What was measured of a device: its peaks, and the numbers and errors of the calibrated model."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, model_validator

from latpred.precision import Precision
from latpred.records import Count, Plain, Positive, Record

Finite = Annotated[float, Plain, Field(allow_inf_nan=False, strict=True)]


class Peaks(Record):
    """What `latpred measure` found that the device can do at most; rates in multiply-adds, bandwidths in bytes/s."""

    copy_bandwidth: Positive
    l2_bandwidth: Positive
    l2_bytes: Positive
    fp32_macs: Positive
    tf32_macs: Positive
    fp16_macs: Positive
    kernel_graph_s: Positive
    kernel_stream_s: Positive
    source: str


class FittedNumber(Record):
    """One number of a calibration."""

    name: str
    value: Finite


class ClassError(Record):
    """Errors on shapes left out of the fit, of one class of operators or one paradigm of blocks.

    `low`, `high` bound 80 % of the measured over the predicted times.
    """

    name: str
    n: Count
    median_error: Finite
    mean_error: Finite
    low: Positive
    high: Positive


class Provenance(Record):
    """What a calibration was fitted on."""

    data_sha256: str
    rows: Count
    device: str
    date: str
    latpred: str
    measured_with: str = ""
    source: str = ""


class Calibration(Record):
    """The fitted numbers of a kernel library on this device in one precision, at most twelve."""

    precision: Precision
    library: str
    numbers: Annotated[tuple[FittedNumber, ...], Field(max_length=12)]
    errors: tuple[ClassError, ...]
    provenance: Provenance
    batches: tuple[Count, Count]
    #: Measured latency at the S chosen over the least, minus 1: 95th percentile on shapes left out.
    granularity_regret_p95: Finite | None = None
    #: Mean error of the published model on the blocks measured; it knows FP32 only.
    published_error: Finite | None = None

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
            changes["errors"] = tuple({"name": name, **found} for name, found in errors.items())
        if isinstance(fields.get("batches"), list):
            changes["batches"] = tuple(fields["batches"])
        return {**fields, **changes}

    def error_of(self, *names: str) -> ClassError | None:
        """The errors of the first of `names` that was validated."""
        known = {error.name: error for error in self.errors}
        return next((known[name] for name in names if name in known), None)
