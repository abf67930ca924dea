"""Fit the calibrated model's numbers to measurements: robustly, in log space, judged on shapes that were left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from types import ModuleType
from typing import Any, cast
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from latpred import __version__
from latpred.devices.calibration import Calibration, FittedNumber, Provenance
from latpred.devices.profile import HardwareProfile
from latpred.errors import DataError
from latpred.measuring.class_errors import Rows, class_errors
from latpred.measuring.measurements import Measurement
from latpred.measuring.networks import NetworkRow
from latpred.measuring.validation import Prediction, granularity_regrets, validate
from latpred.models.calibrated import LIBRARIES, device_of, library_module
from latpred.models.calibrated.triton import Device, join
from latpred.wording import listed
from latpred.workloads.densities import ROUNDING_GUARD, whole_samples
from latpred.workloads.operators import Operator

#: Parts that the shapes are split into; each is predicted by a fit to the others.
FOLDS = 5
#: Relative errors beyond this count linearly, not squared.
ROBUST_FROM = 0.08
LEAST_ROWS, LEAST_SHAPES = 40, 5
#: A number is fitted where some row's time changes by this share of a change of it.
LEAST_SENSITIVITY = 1e-3

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Measurements as stacked work: `works` of the library, each a share `weights` of measurement `owners`."""

    module: ModuleType
    device: Device
    works: Any
    weights: Floats
    owners: NDArray[np.int64]
    rows: int

    def seconds(self, numbers: dict[str, float]) -> Floats:
        """The predicted time of every measurement [s]."""
        found = self.module.times(self.works, numbers, self.device)
        times = join(found.compute, found.memory, numbers) + found.constant
        sums: Floats = np.bincount(self.owners, self.weights * times, self.rows).astype(float)
        return sums


def of_rows(rows: Rows) -> str:
    """Of what the numbers are that are fitted to rows: of operators one by one, or of networks."""
    return "networks" if isinstance(rows[0], NetworkRow) else "operators"


def design(measurements: Rows, profile: HardwareProfile) -> Design:
    """The work of every measurement, all of one precision and library; raises DataError for what has no equation."""
    precision, library = measurements[0].precision, measurements[0].library
    module = library_module(library, of_rows(measurements))
    owners, weights, works = [], [], []
    for number, measurement in enumerate(measurements):
        for weight, work in _parts(measurement, module):
            if work is None:
                raise DataError(f"the kernels of {library} do not cover {measurement.kind}; leave these rows out")
            owners.append(number)
            weights.append(weight)
            works.append(work)
    stacked = type(works[0])(*(_stacked(column) for column in zip(*works, strict=True)))
    return Design(
        module, device_of(profile, precision), stacked, np.array(weights), np.array(owners), len(measurements)
    )


def _stacked(values: Sequence[Any]) -> Floats:
    """One field of many works: the last axis counts the works, a first one the library's choices if there are any."""
    arrays = [np.asarray(value, dtype=float) for value in values]
    choices = max(array.size for array in arrays)
    if all(array.ndim == 0 for array in arrays):
        return np.array(arrays)
    return np.stack([np.broadcast_to(array, (choices,)) for array in arrays], axis=-1)


def _parts(measurement: Measurement | NetworkRow, module: ModuleType) -> list[tuple[float, Any]]:
    """Each kernel's weight and work, as `CostModel.step` weighs them."""
    if isinstance(measurement, NetworkRow):
        row = measurement
        works = ((count, module.work_of(step.operator, row.batch, row.precision)) for step, count in row.steps.items())
        return [(count, _chained(work)) for count, work in works]
    target, batch, precision = measurement.target, measurement.batch, measurement.precision
    if isinstance(target, Operator):
        return [(1.0, module.work_of(target, batch, precision))]
    parts: list[tuple[float, Any]] = []
    for step in measurement.steps:
        for weight, count in whole_samples(float(step.executions) * batch):
            if weight > ROUNDING_GUARD:
                work = module.work_of(step.operator, int(count), precision)
                parts.append((float(weight), _chained(work)))
    return parts


def _chained(work: Any) -> Any:
    """Behind other kernels, where that makes a difference."""
    return work._replace(chained=1.0) if work and "chained" in work._fields else work


def calibrate(
    measurements: Rows,
    profile: HardwareProfile,
    *,
    like: HardwareProfile | None = None,
    data_sha256: str,
    measured_with: str = "",
    source: str = "",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Calibration]:
    """A calibration for every precision and library of kernels among the measurements.

    Numbers that no row depends on are those of the device `like`.

    Raises
    ------
    DataError
        Too few rows or shapes, rows of several devices, a number that no row depends on, or nothing to calibrate at
        all. Rows of a library without equations are left out, see `left_out`.
    """
    devices = dict.fromkeys(row.device for row in measurements)
    if len(devices) > 1:
        raise DataError(f"rows of several devices, {listed(devices)}; calibrate one device at a time")
    groups: dict[tuple[str, str], list[Any]] = {}
    for measurement in measurements:
        if measurement.library in LIBRARIES:
            groups.setdefault((measurement.precision, measurement.library), []).append(measurement)
    if not groups:
        raise DataError(f"no row is of a library that there are equations for: {', '.join(LIBRARIES)}")
    found = []
    for done, (key, rows) in enumerate(groups.items()):
        progress(done, len(groups))
        origin = Provenance(
            data_sha256=data_sha256,
            rows=len(rows),
            device=rows[0].device,
            date=date.today().isoformat(),
            latpred=__version__,
            measured_with=measured_with,
            source=source,
        )
        found.append(_calibration(key, rows, profile, origin, _numbers_like(like, key, of_rows(rows))))
    progress(len(groups), len(groups))
    return found


def _numbers_like(like: HardwareProfile | None, key: tuple[str, str], of: str) -> dict[str, float]:
    """The numbers of another device, for what no row depends on."""
    if like is None:
        return {}
    return {number.name: number.value for number in like.calibration(*key, of).numbers}


def left_out(measurements: Iterable[Any]) -> dict[str, int]:
    """Rows that `calibrate` does not fit, by their library of kernels: the calibrated model has no equations for it."""
    return dict(Counter(row.library for row in measurements if row.library not in LIBRARIES))


def _calibration(
    key: tuple[str, str], rows: list[Any], profile: HardwareProfile, origin: Provenance, like: dict[str, float]
) -> Calibration:
    what = " with ".join(key)
    shapes = {row.shape for row in rows}
    if len(rows) < LEAST_ROWS or len(shapes) < LEAST_SHAPES:
        raise DataError(
            f"{what}: {len(rows)} rows of {len(shapes)} shapes are too few; "
            f"measure at least {LEAST_ROWS} rows of {LEAST_SHAPES} shapes"
        )
    whole = design(rows, profile)
    measured = np.array([row.seconds for row in rows])
    given = without_effect(whole, like)
    fitted = fit(whole, measured, key[0], what, given=given)
    folds = folds_of(rows)
    predicted = np.empty(len(rows))
    for fold in range(FOLDS):
        inside = folds == fold
        if inside.any():
            others = chosen(whole, ~inside)
            numbers = fit(others, measured[~inside], key[0], what, start=fitted, given=given, check=False)
            predicted[inside] = whole.seconds(numbers)[inside]
    regrets = granularity_regrets(Prediction(row, float(time)) for row, time in zip(rows, predicted, strict=True))
    return Calibration(
        precision=key[0],
        library=key[1],
        of="networks" if of_rows(rows) == "networks" else "operators",
        numbers=tuple(FittedNumber(name=name, value=_rounded(value)) for name, value in fitted.items()),
        errors=tuple(class_errors(rows, measured / predicted)),
        provenance=origin,
        batches=(min(row.batch for row in rows), max(row.batch for row in rows)),
        granularity_regret_p95=round(float(np.quantile(regrets, 0.95)), 4) if regrets else None,
        published_error=_published_error(rows, profile) if key[0] == "fp32" and of_rows(rows) == "operators" else None,
    )


def _published_error(rows: list[Measurement], profile: HardwareProfile) -> float | None:
    """How far the published model is off, on average over the blocks."""
    blocks = [row for row in rows if row.is_block]
    if not blocks:
        return None
    error = validate(blocks, profile, ["published"])[0].blocks.mape
    return None if error is None else round(error, 4)


def fit(
    rows: Design,
    measured: Floats,
    precision: str,
    what: str,
    *,
    start: dict[str, float] | None = None,
    given: Mapping[str, float] | None = None,
    check: bool = True,
) -> dict[str, float]:
    """The numbers that minimise a robust loss of log(predicted/measured), but for those `given`.

    Raises DataError where one has no effect.
    """
    from scipy.optimize import least_squares

    described, given = rows.module.numbers(precision), given or {}
    names = [name for name in described if name not in given]
    first = np.log([start[name] if start else described[name].start for name in names])
    logs = np.log(measured)

    def residuals(values: Floats) -> Floats:
        return np.log(rows.seconds({**given, **dict(zip(names, np.exp(values), strict=True))})) - logs

    if check:
        _check_sensitivity(residuals, first, {name: described[name] for name in names}, what)
    bounds = tuple(np.log([getattr(described[name], end) for name in names]) for end in ("low", "high"))
    found = least_squares(residuals, first, bounds=bounds, loss="soft_l1", f_scale=ROBUST_FROM, max_nfev=60)
    numbers = {**given, **dict(zip(names, np.exp(found.x).tolist(), strict=True))}
    return {name: numbers[name] for name in described}


def without_effect(rows: Design, numbers: Mapping[str, float]) -> dict[str, float]:
    """Those of some numbers that no row depends on."""
    if not numbers:
        return {}
    base = rows.seconds(dict(numbers))
    return {
        name: value
        for name, value in numbers.items()
        if np.abs(rows.seconds({**numbers, name: value * 1.1}) / base - 1).max() < 0.1 * LEAST_SENSITIVITY
    }


def _check_sensitivity(residuals: Callable[[Floats], Floats], first: Floats, described: Any, what: str) -> None:
    base = residuals(first)
    for index, (name, number) in enumerate(described.items()):
        moved = first.copy()
        moved[index] += 0.1
        if np.abs(residuals(moved) - base).max() < 0.1 * LEAST_SENSITIVITY:
            raise DataError(
                f"{what}: no row depends on {name}, the {number.meaning}; measure operators or blocks that do"
            )


def chosen(rows: Design, inside: NDArray[np.bool_]) -> Design:
    """Some of the measurements."""
    keep = inside[rows.owners]
    numbering = np.cumsum(inside) - 1
    works = type(rows.works)(*(column[..., keep] for column in rows.works))
    owners = numbering[rows.owners[keep]]
    return Design(rows.module, rows.device, works, rows.weights[keep], owners, int(inside.sum()))


def folds_of(rows: Rows) -> NDArray[np.int64]:
    """The part that each row is left out with: all rows of a shape together, operators with a block that has them."""
    if of_rows(rows) == "networks":
        numbers = {
            shape: number % FOLDS for number, shape in enumerate(sorted({row.shape for row in rows}, key=_hashed))
        }
        return np.array([numbers[row.shape] for row in rows])
    places: dict[tuple[Any, ...], int] = {}
    rows = cast(Sequence[Measurement], rows)
    shapes = sorted({row.shape for row in rows if row.is_block}, key=_hashed)
    for number, shape in enumerate(shapes):
        places[shape] = number % FOLDS
    for row in rows:
        if not isinstance(row.target, Operator):
            for step in row.steps:
                inner = Measurement(step.operator, row.paradigm, row.batch, row.precision, row.library, 1.0, row.device)
                places.setdefault(inner.shape, places[row.shape])
    return np.array([places.get(row.shape, _hashed(row.shape) % FOLDS) for row in rows])


def _hashed(shape: tuple[Any, ...]) -> int:
    return crc32(repr(shape).encode())


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def recalibrated(profile: HardwareProfile, found: Sequence[Calibration]) -> HardwareProfile:
    """The profile with the calibrations `found` in place of its own of their kind."""
    kinds = {(item.library, item.precision, item.of) for item in found}
    kept = [item for item in profile.calibrations if (item.library, item.precision, item.of) not in kinds]
    # The first is the default.
    order = list(LIBRARIES)
    calibrations = sorted((*kept, *found), key=lambda item: (order.index(item.library), item.precision, item.of))
    return profile.replace(calibrations=tuple(calibrations))
