"""How far each model is from measurements: errors, ranking, regret of the recommended S, coverage of the band."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latpred.devices.profile import HardwareProfile
from latpred.devices.transfer import fitted
from latpred.errors import DataError, InputError
from latpred.measuring.measurements import Measurement
from latpred.models.interface import MODELS
from latpred.prediction import predict
from latpred.studies.recommendation import DEFAULT_TOLERANCE
from latpred.wording import listed, unknown
from latpred.workloads.paradigms import Spatial, Static

#: A model beside the cost models: time proportional to multiply-adds, its rate the median of the static blocks.
FLOPS = "flops"
ALL_MODELS = (*MODELS, FLOPS)
#: Reasons why rows have no prediction that are told one by one.
MOST_REASONS = 3


@dataclass(frozen=True)
class Metrics:
    """Errors of a set of rows, as fractions; None where they have no meaning.

    `bias` is the median of predicted/measured − 1, `ratio_mae` the mean |rℓ predicted − measured|, and the regret is
    the measured latency at the recommended S over the least measured over S, minus 1.
    """

    n: int
    mape: float | None = None
    median_ape: float | None = None
    p90_ape: float | None = None
    bias: float | None = None
    spearman: float | None = None
    ratio_mae: float | None = None
    granularity_regret_p95: float | None = None
    band_coverage: float | None = None


@dataclass(frozen=True)
class Prediction:
    """A row and what a model says of it; the band in seconds and whose calibration was carried over, if there is."""

    measurement: Any
    seconds: float
    low_s: float | None = None
    high_s: float | None = None
    like: str | None = None

    @property
    def error(self) -> float:
        """predicted/measured − 1."""
        return float(self.seconds / self.measurement.seconds - 1)


@dataclass(frozen=True)
class Validation:
    """The metrics of one model on a file's rows."""

    model: str
    operators: Metrics
    blocks: Metrics
    by_class: dict[str, Metrics]
    predictions: tuple[Prediction, ...]
    #: Rows that the model has no prediction for, by the reason.
    without_prediction: Mapping[str, int]

    @property
    def like(self) -> tuple[str, ...]:
        """The devices whose calibrations were carried over."""
        return tuple(sorted({item.like for item in self.predictions if item.like}))

    @property
    def notes(self) -> tuple[str, ...]:
        """Whose calibration it is, and how many rows have no prediction: a line for each of the commonest reasons."""
        carried = [f"{self.model} model: fitted on {name}, carried over" for name in self.like]
        return (*carried, *missing_notes(f"{self.model} model", len(self.predictions), self.without_prediction))

    def to_dict(self) -> dict[str, Any]:
        """What `--format json` prints of a model."""
        return {
            "like": list(self.like),
            "operators": asdict(self.operators),
            "blocks": asdict(self.blocks),
            "by_class": {name: asdict(metrics) for name, metrics in self.by_class.items()},
            "without_prediction": dict(self.without_prediction),
        }


def missing_notes(whose: str, predicted: int, without_prediction: Mapping[str, int]) -> Iterator[str]:
    """How many rows have no prediction beside those `predicted`, and why: a line for each of the commonest reasons."""
    missing = Counter(without_prediction)
    shown = missing.most_common(MOST_REASONS)
    for reason, n in shown:
        yield f"{whose}: no prediction for {n:,} of {predicted + missing.total():,} rows: {reason}"
    if rest := missing.total() - sum(n for _, n in shown):
        yield f"{whose}: nor for {rest:,} more, for other reasons"


def validate(
    measurements: Sequence[Measurement],
    profile: HardwareProfile,
    models: Iterable[str] = ALL_MODELS,
    *,
    precision: str | None = None,
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Validation]:
    """Every model on the rows of one library of kernels (None: the library of most rows) and precision (None: all).

    A model is judged on the rows that it has a prediction for: the published model knows FP32 only. The others are
    counted in `without_prediction`. The calibrated one takes the calibration of the device `like`, where that is given.

    Raises
    ------
    InputError
        An unknown model; a device `like` that has no calibration of a precision or library of the rows.
    DataError
        No rows of the precision and library.
    """
    models = list(dict.fromkeys(models))
    for model in models:
        if model not in ALL_MODELS:
            raise InputError(unknown("model", model, ALL_MODELS))
    rows = rows_to_judge(measurements, precision, library)
    if like is not None and "calibrated" not in models:
        raise InputError("`like` is for the calibrated model; leave it out, or judge that model too")
    for row_precision, row_library in sorted({(row.precision, row.library) for row in rows if like is not None}):
        fitted(profile, row_precision, row_library, like)
    found = []
    for done, model in enumerate(models):
        progress(done, len(models))
        predictions, missing = _predictions(rows, profile, model, like)
        found.append(_validation(model, predictions, missing))
    progress(len(models), len(models))
    return found


def rows_to_judge(measurements: Sequence[Measurement], precision: str | None, library: str | None) -> list[Measurement]:
    """The rows of one library of kernels (None: the library of most rows), in a precision if one is given."""
    chosen = [row for row in measurements if precision in (None, row.precision)]
    if library is None:
        counts = Counter(row.library for row in chosen)
        library = max(counts, key=lambda name: counts[name], default=None)
    rows = [row for row in chosen if row.library == library]
    if not rows:
        asked = f"{f' in {precision}' if precision else ''}{f' with {library}' if library else ''}"
        there = listed(dict.fromkeys(f"{row.precision} with {row.library}" for row in measurements))
        raise DataError(f"no row was measured{asked}; the file has {there or 'no rows'}")
    return rows


def _predictions(
    rows: Sequence[Measurement], profile: HardwareProfile, model: str, like: HardwareProfile | str | Path | None
) -> tuple[tuple[Prediction, ...], Counter[str]]:
    """What a model says of every row, and why it says nothing of others."""
    if model == FLOPS:
        return _proportional(rows, profile)
    found, missing = [], Counter[str]()
    for row in rows:
        try:
            report = predict(
                row.target,
                profile,
                row.paradigm,
                batch=row.batch,
                model=model,
                precision=row.precision,
                library=row.library if model == "calibrated" else None,
                like=like if model == "calibrated" else None,
            )
        except InputError as reason:
            missing[str(reason)] += 1
        else:
            band = report.latency_low_s, report.latency_high_s
            found.append(Prediction(row, report.latency_s, *band, report.like))
    return tuple(found), missing


def _proportional(rows: Sequence[Measurement], profile: HardwareProfile) -> tuple[tuple[Prediction, ...], Counter[str]]:
    missing = Counter[str]()
    macs: dict[int, float] = {}
    for index, row in enumerate(rows):
        if not row.is_block:
            missing["it knows blocks only"] += 1
        elif count := predict(row.target, profile, row.paradigm, batch=row.batch, model="roofline").macs:
            macs[index] = count
        else:
            missing["nothing is multiplied"] += 1
    static = [rows[index].seconds / count for index, count in macs.items() if rows[index].kind == "static"]
    if not static:
        return (), missing + Counter({"no static block to take the rate from": len(macs)})
    rate = float(np.median(static))
    return tuple(Prediction(rows[index], rate * count) for index, count in macs.items()), missing


def _validation(model: str, predictions: tuple[Prediction, ...], missing: Counter[str]) -> Validation:
    blocks = [item for item in predictions if item.measurement.is_block]
    operators = [item for item in predictions if not item.measurement.is_block]
    static = {_setting(item): item for item in blocks if item.measurement.paradigm == Static()}
    kinds = sorted({item.measurement.kind for item in predictions})
    by_class = {
        kind: metrics([item for item in predictions if item.measurement.kind == kind], static) for kind in kinds
    }
    return Validation(model, metrics(operators, {}), metrics(blocks, static), by_class, predictions, missing)


def _setting(item: Prediction) -> tuple[Any, ...]:
    row = item.measurement
    return row.target, row.batch, row.precision


def metrics(items: Sequence[Prediction], static: dict[tuple[Any, ...], Prediction]) -> Metrics:
    """The metrics of some rows; `static` holds the static rows that ratios are taken to."""
    if not items:
        return Metrics(n=0)
    errors = np.array([item.error for item in items])
    predicted = np.array([item.seconds for item in items])
    measured = np.array([item.measurement.seconds for item in items])
    inside = [
        i.low_s <= i.measurement.seconds <= i.high_s for i in items if i.low_s is not None and i.high_s is not None
    ]
    ratios = [
        abs(item.seconds / base.seconds - item.measurement.seconds / base.measurement.seconds)
        for item in items
        if item.measurement.paradigm != Static() and (base := static.get(_setting(item)))
    ]
    regrets = granularity_regrets(items)
    return Metrics(
        n=len(items),
        mape=float(np.abs(errors).mean()),
        median_ape=float(np.median(np.abs(errors))),
        p90_ape=float(np.quantile(np.abs(errors), 0.9)),
        bias=float(np.median(errors)),
        spearman=spearman(predicted, measured),
        ratio_mae=float(np.mean(ratios)) if ratios else None,
        granularity_regret_p95=float(np.quantile(regrets, 0.95)) if regrets else None,
        band_coverage=float(np.mean(inside)) if inside else None,
    )


def granularity_regrets(items: Iterable[Prediction]) -> list[float]:
    """Per block, rate, batch and precision: measured latency at the recommended S over the least, minus 1."""
    groups: dict[tuple[Any, ...], list[tuple[int, Prediction]]] = {}
    for item in items:
        paradigm = item.measurement.paradigm
        if isinstance(paradigm, Spatial):
            groups.setdefault((*_setting(item), paradigm.r), []).append((int(paradigm.granularity), item))
    regrets = []
    for group in groups.values():
        if len(group) > 1:
            limit = min(item.seconds for _, item in group) * (1 + DEFAULT_TOLERANCE)
            _, chosen = min((S, index) for index, (S, item) in enumerate(group) if item.seconds <= limit)
            best = min(item.measurement.seconds for _, item in group)
            regrets.append(group[chosen][1].measurement.seconds / best - 1)
    return regrets


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Rank correlation, ties at their mean rank; None for fewer than three values or constant ones.

    >>> spearman(np.array([1.0, 2.0, 3.0, 4.0]), np.array([10.0, 30.0, 20.0, 40.0]))
    0.8
    """
    if len(a) < 3:
        return None
    ranks = [_ranks(values) - (len(values) + 1) / 2 for values in (a, b)]
    scale = np.sqrt((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum())
    return float((ranks[0] * ranks[1]).sum() / scale) if scale else None


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends: NDArray[np.float64] = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place], dtype=float)
