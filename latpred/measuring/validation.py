"""How far each model is from measurements: errors, ranking, regret of the recommended S, coverage of the band."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latpred.devices.profile import HardwareProfile
from latpred.errors import DataError, InputError
from latpred.measuring.measurements import Measurement
from latpred.models.interface import MODELS
from latpred.prediction import predict
from latpred.studies.recommendation import DEFAULT_TOLERANCE
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.paradigms import Spatial, Static

#: A model beside the cost models: time proportional to multiply-adds, its rate the median of the static blocks.
FLOPS = "flops"
ALL_MODELS = (*MODELS, FLOPS)


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
    """A row and what a model says of it; the band in seconds, where the model has one."""

    measurement: Measurement
    seconds: float
    low_s: float | None = None
    high_s: float | None = None

    @property
    def error(self) -> float:
        """predicted/measured − 1."""
        return self.seconds / self.measurement.seconds - 1


@dataclass(frozen=True)
class Validation:
    """The metrics of one model on a file's rows."""

    model: str
    operators: Metrics
    blocks: Metrics
    by_class: dict[str, Metrics]
    predictions: tuple[Prediction, ...]

    def to_dict(self) -> dict[str, Any]:
        """What `--format json` prints of a model."""
        return {
            "operators": asdict(self.operators),
            "blocks": asdict(self.blocks),
            "by_class": {name: asdict(metrics) for name, metrics in self.by_class.items()},
        }


def validate(
    measurements: Sequence[Measurement],
    profile: HardwareProfile,
    models: Iterable[str] = ALL_MODELS,
    *,
    library: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Validation]:
    """Every model on the rows of one library of kernels (None: the library of most rows).

    A model is judged on the rows that it has a prediction for: the published model knows FP32 only.

    Raises
    ------
    DataError
        No rows of the library.
    """
    counts = {row.library: 0 for row in measurements}
    for row in measurements:
        counts[row.library] += 1
    library = library or max(counts, key=lambda name: counts[name], default=None)
    rows = [row for row in measurements if row.library == library]
    if not rows:
        raise DataError(f"no row was measured with {library}; the file has {', '.join(counts) or 'no rows'}")
    found = []
    models = list(models)
    for done, model in enumerate(models):
        progress(done, len(models))
        predictions = tuple(_predictions(rows, profile, model))
        found.append(_validation(model, predictions))
    progress(len(models), len(models))
    return found


def _predictions(rows: Sequence[Measurement], profile: HardwareProfile, model: str) -> Iterable[Prediction]:
    if model == FLOPS:
        yield from _proportional(rows, profile)
        return
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
            )
        except InputError:
            continue
        yield Prediction(row, report.latency_s, report.latency_low_s, report.latency_high_s)


def _proportional(rows: Sequence[Measurement], profile: HardwareProfile) -> Iterable[Prediction]:
    macs = {
        index: predict(row.target, profile, row.paradigm, batch=row.batch, model="roofline").macs
        for index, row in enumerate(rows)
        if isinstance(row.target, Bottleneck)
    }
    static = [row.seconds / macs[index] for index, row in enumerate(rows) if index in macs and row.kind == "static"]
    if static:
        rate = float(np.median(static))
        yield from (Prediction(rows[index], rate * value) for index, value in macs.items() if value > 0)


def _validation(model: str, predictions: tuple[Prediction, ...]) -> Validation:
    blocks = [item for item in predictions if isinstance(item.measurement.target, Bottleneck)]
    operators = [item for item in predictions if not isinstance(item.measurement.target, Bottleneck)]
    static = {_setting(item): item for item in blocks if item.measurement.paradigm == Static()}
    kinds = sorted({item.measurement.kind for item in predictions})
    by_class = {
        kind: metrics([item for item in predictions if item.measurement.kind == kind], static) for kind in kinds
    }
    return Validation(model, metrics(operators, {}), metrics(blocks, static), by_class, predictions)


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
    inside = [i.low_s <= i.measurement.seconds <= i.high_s for i in items if i.low_s is not None and i.high_s]
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
