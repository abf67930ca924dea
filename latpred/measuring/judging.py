"""The calibrated model on what its operators were not fitted to: whole networks that were timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from latpred.confidence import share_of_host
from latpred.devices.calibration import Calibration
from latpred.devices.catalogue import load_profile
from latpred.devices.profile import HardwareProfile
from latpred.errors import DataError, InputError
from latpred.measuring.class_errors import class_errors
from latpred.measuring.fitting import recalibrated
from latpred.measuring.networks import NetworkRow
from latpred.measuring.validation import Metrics, Prediction, metrics, missing_notes
from latpred.models.interface import cost_model
from latpred.prediction import predict
from latpred.report import Report

#: A network whose time is the host's to a larger share says little of the device.
MOST_WAITING = 0.5


@dataclass(frozen=True)
class NetworkValidation:
    """The calibrated model on the networks of one device, library and precision."""

    device: str
    library: str
    precision: str
    networks: Metrics
    by_family: dict[str, Metrics]
    predictions: tuple[Prediction, ...]
    #: Rows that have no prediction, by the reason.
    without_prediction: Mapping[str, int]

    @property
    def title(self) -> str:
        """Device, precision and library."""
        return f"{self.device}, {self.precision} with {self.library}"

    @property
    def notes(self) -> Iterator[str]:
        """How many rows have no prediction, and why."""
        return missing_notes(self.title, len(self.predictions), self.without_prediction)

    def to_dict(self) -> dict[str, Any]:
        """What `--format json` prints of it."""
        return {
            "device": self.device,
            "library": self.library,
            "precision": self.precision,
            "networks": asdict(self.networks),
            "by_family": {name: asdict(metrics) for name, metrics in self.by_family.items()},
            "without_prediction": dict(self.without_prediction),
        }


def validate_networks(
    rows: Sequence[NetworkRow],
    profile: HardwareProfile | None = None,
    *,
    like: HardwareProfile | str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[NetworkValidation]:
    """The calibrated model on networks that were timed, per device, library and precision.

    `profile` is that of all rows, if not each row's own device's; `like` as of `latpred.predict`.

    Raises DataError where no row has a prediction.
    """
    ordered = sorted(rows, key=_group)
    found, done = [], 0
    for (device, library, precision), group in groupby(ordered, key=_group):
        predictions: list[Prediction] = []
        missing: Counter[str] = Counter()
        for row in group:
            progress(done := done + 1, len(ordered))
            try:
                report = report_of(row, profile or load_profile(device), like)
                predictions.append(Prediction(row, report.latency_s, report.latency_low_s, report.latency_high_s))
            except InputError as reason:
                missing[str(reason)] += 1
        families = groupby(sorted(predictions, key=_family), key=_family)
        by_family = {name: metrics(list(members), {}) for name, members in families}
        about = (device, library, precision, metrics(predictions, {}), by_family, tuple(predictions), missing)
        found.append(NetworkValidation(*about))
    if not any(item.predictions for item in found):
        raise DataError(f"no row has a prediction; {next(note for item in found for note in item.notes)}")
    return found


def _group(row: NetworkRow) -> tuple[str, str, str]:
    return row.device, row.library, row.precision


def _family(prediction: Prediction) -> str:
    return str(prediction.measurement.family)


def report_of(row: NetworkRow, profile: HardwareProfile, like: HardwareProfile | str | Path | None = None) -> Report:
    """What the calibrated model says of a network."""
    how: dict[str, Any] = {"precision": row.precision, "library": row.library, "like": like}
    return predict(row.network, profile, batch=row.batch, model="calibrated", **how)


def judged(found: Calibration, rows: Sequence[NetworkRow], profile: HardwareProfile) -> Calibration:
    """A calibration of operators with its errors on whole networks, of those rows that are of its kernels.

    Raises DataError where no row is, and for a calibration that predicts no networks, or is fitted to them.
    """
    profile = recalibrated(profile, [found])
    what = f"{found.precision} with {found.library} on {profile.name}"
    model = cost_model("calibrated", profile, precision=found.precision, library=found.library, blocks=True)
    if found.of == "networks" or not model.form.is_static or model.calibration != found:
        own = "is fitted to networks, and has their errors" if found.of == "networks" else "predicts no networks"
        raise DataError(f"{what} {own}: none judge it")
    ratios, kept = [], []
    for row in rows:
        if (row.device, row.library, row.precision) == (profile.name, found.library, found.precision):
            report = report_of(row, profile)
            if share_of_host(report.asked.cost_model, report.operators) < MOST_WAITING:
                ratios.append(row.seconds / report.latency_s)
                kept.append(row)
    if not kept:
        raise DataError(f"no network was timed in {what} that does not wait for the host")
    errors = [error for error in found.errors if error.name != "networks"]
    return found.model_copy(update={"errors": (*errors, *class_errors(kept, np.array(ratios)))})
