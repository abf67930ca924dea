"""How a fit is judged, all by hand on ten rows: folds, errors on what was left out, and the regret.

The rows are of a toy library whose kernels take `scale` × their multiply-adds. Each row takes the multiply-adds of its
target in picoseconds, times a factor of its own, which a fit to rows of other shapes cannot know.
"""

from collections import Counter
from itertools import pairwise
from math import exp, log, sqrt
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

import latpred
from latpred import Layer, Spatial, Static
from latpred.devices.calibration import Calibration
from latpred.devices.libraries import Number
from latpred.measuring import fitting
from latpred.measuring.fitting import FOLDS, calibrate, folds_of, left_out
from latpred.measuring.measurements import Measurement
from latpred.measuring.validation import MOST_REASONS, Prediction, granularity_regrets, metrics, spearman, validate

H200 = latpred.load_profile("h200")
A, B, C, D, E = (latpred.Bottleneck(c_in=c, c_out=c, height=8, width=8) for c in (32, 64, 128, 256, 512))
#: The shape that each row is left out with, and its factor; the operators are convolutions of A and of E.
ROWS = (
    ("A", A, Static(), 1.0),
    ("B", B, Static(), 1.02),
    ("C", C, Static(), 0.98),
    ("D", D, Static(), 1.05),
    ("E", E, Static(), 2.0),
    ("C", C, Spatial(S=1, r=0.5), 1.1),
    ("C", C, Spatial(S=4, r=0.5), 0.9),
    ("A", latpred.Convolution(c_in=32, c_out=8, height=8, width=8), Static(), 1.01),
    ("E", latpred.Convolution(c_in=512, c_out=128, height=8, width=8), Static(), 2.2),
    ("E", latpred.Convolution(c_in=128, c_out=128, height=8, width=8, kernel=3), Static(), 1.8),
)
FACTORS = [factor for *_, factor in ROWS]


class Work(NamedTuple):
    macs: float


class Times(NamedTuple):
    compute: Any
    memory: Any
    constant: Any


def measured(target, paradigm, seconds, **more):
    fields = {"batch": 2, "precision": "fp32", "library": "triton", "device": "NVIDIA H200", **more}
    return Measurement(target, paradigm, seconds=seconds, **fields)


@pytest.fixture
def toy(monkeypatch):
    """The ten rows, and a library with one number."""
    library = SimpleNamespace(
        numbers=lambda precision: {"scale": Number(3e-12, "seconds per multiply-add", 3e-14, 3e-10)},
        work_of=lambda operator, batch, precision: Work(float(operator.macs(batch))),
        times=lambda works, numbers, device: Times(works.macs * numbers["scale"], 0.0 * works.macs, 0.0),
    )
    monkeypatch.setattr(fitting, "library_module", lambda name, of: library)
    monkeypatch.setattr(fitting, "join", lambda compute, memory, numbers: compute)
    monkeypatch.setattr(fitting, "LEAST_ROWS", 10)
    # A calibration knows its library's numbers by name, and the toy's is none of them.
    monkeypatch.setattr(fitting, "Calibration", Calibration.model_construct)
    rows = [measured(target, paradigm, 1.0) for _, target, paradigm, _ in ROWS]
    seconds = fitting.design(rows, H200).seconds({"scale": 1e-12})
    return [measured(r.target, r.paradigm, float(s * f)) for r, s, f in zip(rows, seconds, FACTORS, strict=True)]


def robust_middle(values):
    """Where the slopes of Σ √(1 + (x/0.08)²) cancel, by bisection."""
    low, high = min(values), max(values)
    while high - low > 1e-13:
        middle = (low + high) / 2
        slope = sum((middle - value) / sqrt(1 + ((middle - value) / 0.08) ** 2) for value in values)
        low, high = (low, middle) if slope > 0 else (middle, high)
    return (low + high) / 2


def scale_without(shape):
    """The toy's number [ps], fitted to the rows of other shapes."""
    return exp(robust_middle([log(factor) for name, *_, factor in ROWS if name != shape]))


def expected_ratios():
    """Measured over predicted time of every row, each predicted by what the rows of other shapes say."""
    return np.array([factor / scale_without(name) for name, *_, factor in ROWS])


def expected_band(shapes, ratios):
    """A tenth of the way from the least ratio to the largest, and nine tenths, on which neighbours lie as far apart as
    both weigh on average; the rows of a shape share its weight.
    """
    found = sorted((ratio, 1 / shapes.count(shape)) for shape, ratio in zip(shapes, ratios, strict=True))
    places = [0.0]
    for (_, left), (_, right) in pairwise(found):
        places.append(places[-1] + (left + right) / 2)
    return np.interp([0.1 * places[-1], 0.9 * places[-1]], places, [ratio for ratio, _ in found])


def test_folds_are_the_shapes_and_operators_go_with_their_block(toy):
    folds = folds_of(toy)
    of_shape = {}
    for (name, *_), fold in zip(ROWS, folds, strict=True):
        of_shape.setdefault(name, set()).add(int(fold))
    assert {name: len(found) for name, found in of_shape.items()} == dict.fromkeys("ABCDE", 1)
    assert sorted(fold for found in of_shape.values() for fold in found) == list(range(FOLDS))


def test_operators_of_no_block_are_left_out_with_some_part(toy):
    alone = [measured(latpred.Add(channels=c, height=8, width=8), Static(), 1.0) for c in range(1, 30)]
    assert set(folds_of([*toy, *alone])) == set(range(FOLDS))


def test_four_shapes_are_too_few_and_five_are_not(toy):
    rows = [measured(r.target, r.paradigm, r.seconds, batch=n) for r in toy[:5] for n in (1, 2, 4)]
    assert calibrate(rows, H200, data_sha256="0")[0].provenance.rows == 15
    with pytest.raises(latpred.DataError, match=r"12 rows of 4 shapes are too few; measure at least 10 rows of 5"):
        calibrate(rows[:12], H200, data_sha256="0")
    with pytest.raises(latpred.DataError, match=r"9 rows of 5 shapes are too few"):
        calibrate(rows[::3] + rows[1:11:3], H200, data_sha256="0")


def test_work_adds_up_over_the_kernels_of_a_block(toy):
    """A, in picoseconds: 32 → 8 → 8 → 32 channels on 64 pixels of 2 samples."""
    assert toy[0].seconds == pytest.approx(2 * 64 * (32 * 8 + 9 * 8 * 8 + 8 * 32) * 1e-12)


def test_errors_are_those_of_fits_to_the_other_shapes(toy):
    (found,) = calibrate(toy, H200, data_sha256="0")
    assert found.numbers[0].value == pytest.approx(1e-12 * exp(robust_middle(np.log(FACTORS))), rel=1e-3)
    ratios = expected_ratios()
    classes = {
        "blocks": range(7),
        "operators": range(7, 10),
        "static": range(5),
        "spatial": (5, 6),
        "Convolution": range(7, 10),
    }
    assert {error.name for error in found.errors} == set(classes)
    for name, places in classes.items():
        error, chosen = found.error_of(name), np.sort(ratios[list(places)])
        assert error.n == len(chosen)
        assert error.mean_error == pytest.approx(np.mean(np.abs(1 / chosen - 1)), abs=2e-4)
        assert error.median_error == pytest.approx(np.median(np.abs(1 / chosen - 1)), abs=2e-4)
        assert (error.low, error.high) == pytest.approx(
            expected_band([toy[n].shape for n in places], ratios[list(places)]), abs=2e-4
        )
        figures = (error.median_error, error.mean_error, error.low, error.high)
        assert figures == tuple(round(figure, 4) for figure in figures)
    # Far from what a fit to all rows, or one that keeps the operators of E, would say of E.
    assert ratios[4] == pytest.approx(2.0 / 1.01, rel=0.02)
    assert ratios[4] > 1.05 * 2.0 / exp(robust_middle(np.log(FACTORS)))


def test_what_else_a_calibration_says(toy):
    (found,) = calibrate(toy, H200, data_sha256="abc", measured_with="driver 1", source="made")
    assert (found.precision, found.library, found.batches) == ("fp32", "triton", (2, 2))
    origin = found.provenance
    assert (origin.data_sha256, origin.rows, origin.device) == ("abc", 10, "NVIDIA H200")
    assert (origin.measured_with, origin.source) == ("driver 1", "made")
    # C at S = 1 and 4: as many multiply-adds, so that the smaller is chosen, which took 1.1/0.9 of the other's time.
    assert found.granularity_regret_p95 == pytest.approx(toy[5].seconds / toy[6].seconds - 1, abs=1e-4)
    errors = [
        abs(latpred.predict(row.target, H200, row.paradigm, batch=row.batch).latency_s / row.seconds - 1)
        for row in toy[:7]
    ]
    assert found.published_error == pytest.approx(np.mean(errors), abs=1e-4)


def test_batches_are_the_least_and_the_most(toy):
    rows = [measured(r.target, r.paradigm, r.seconds, batch=n) for r, n in zip(toy, [4, 2, 8] * 4, strict=False)]
    (found,) = calibrate(rows, H200, data_sha256="0")
    assert found.batches == (2, 8)


def test_rows_of_two_devices_are_refused(toy):
    rows = [*toy, measured(A, Static(), 1.0, device="NVIDIA H200 NVL")]
    with pytest.raises(latpred.DataError, match="rows of several devices, NVIDIA H200, NVIDIA H200 NVL; calibrate one"):
        calibrate(rows, H200, data_sha256="0")


def test_rows_without_equations_are_counted(toy):
    assert left_out([*toy, measured(A, Static(), 1.0, library="cudnn")]) == {"cudnn": 1}
    assert left_out(toy) == {}


# --- regret


def spatial(S, seconds, predicted, r=0.5, target=C, **more):
    return Prediction(measured(target, Spatial(S=S, r=r), seconds, **more), predicted)


@pytest.mark.parametrize(
    ("predicted", "regret"),
    [
        ((1.0, 1.0, 1.0), 0.5),  # equal: the smallest S
        ((1.005, 1.0, 2.0), 0.5),  # within 1 %: still the smallest
        ((1.02, 1.0, 1.0), 0.2),  # beyond it: the next
        ((3.0, 2.0, 1.0), 0.0),  # the best
    ],
)
def test_regret_by_hand(predicted, regret):
    """Measured 1.5, 1.2 and 1.0 s at S = 1, 2 and 4."""
    items = [spatial(S, s, p) for S, s, p in zip((1, 2, 4), (1.5, 1.2, 1.0), predicted, strict=True)]
    assert granularity_regrets(items) == pytest.approx([regret])
    assert granularity_regrets(items[::-1]) == pytest.approx([regret])


def test_regret_is_within_a_block_rate_batch_and_precision():
    base = [spatial(1, 1.0, 1.0), spatial(2, 0.5, 1.0)]
    others = [
        spatial(4, 0.1, 0.1, r=0.25),
        spatial(4, 0.1, 0.1, target=B),
        spatial(4, 0.1, 0.1, batch=4),
        spatial(4, 0.1, 0.1, precision="fp16"),
        Prediction(measured(C, Layer(r=0.5), 0.1), 0.1),
    ]
    assert granularity_regrets([*base, *others]) == pytest.approx([1.0])  # one of a kind: nothing to choose


# --- metrics and what has none


def test_two_rows_have_no_rank():
    assert spearman(np.array([1.0, 2.0]), np.array([1.0, 2.0])) is None
    assert spearman(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0])) == -1


def test_metrics_of_four_rows_by_hand():
    items = [Prediction(measured(A, Layer(r=r), 1.0), p) for r, p in ((0.25, 1.1), (0.5, 0.6), (0.75, 0.8), (1.0, 2.0))]
    found = metrics(items, {})
    assert (found.n, found.spearman, found.ratio_mae, found.band_coverage) == (4, None, None, None)
    assert found.mape == pytest.approx((0.1 + 0.4 + 0.2 + 1.0) / 4)
    assert found.median_ape == pytest.approx(0.3)
    assert found.bias == pytest.approx((-0.2 + 0.1) / 2)
    assert found.p90_ape == pytest.approx(0.4 + 0.7 * 0.6)  # 2.7 steps from the first


def test_ratios_are_to_the_static_row_of_the_same_setting():
    static = Prediction(measured(A, Static(), 2.0), 1.0)
    half, other = (Prediction(measured(A, Layer(r=0.5), 1.0, batch=n), 0.8) for n in (2, 4))
    key = (A, 2, "fp32")
    assert metrics([static, half, other], {key: static}).ratio_mae == pytest.approx(0.8 - 0.5)


def test_a_validation_takes_each_ratio_to_its_static_row():
    rows = [measured(A, Static(), 2.0), measured(A, Layer(r=0.5), 1.0), measured(B, Static(), 4.0)]
    (found,) = validate(rows, H200, ["published"])
    ratio = latpred.predict(A, H200, Layer(r=0.5), batch=2).ratio
    for part in (found.blocks, found.by_class["layer"]):
        assert part.ratio_mae == pytest.approx(abs(ratio - 0.5), rel=1e-12)
    assert found.by_class["static"].ratio_mae is None


def test_rows_without_a_prediction_are_counted_and_told():
    """FP32 and FP16 rows of a block, and a compaction, which the published model has no equation for."""
    compaction = latpred.workloads.operators.MaskCompaction(height=8, width=8, items=4)
    rows = [measured(A, Static(), 1.0), measured(A, Layer(r=0.0), 1.0)]
    rows += [measured(A, Static(), 1.0, precision="fp16")] * 2 + [measured(compaction, Static(), 1.0)]
    published, flops = validate(rows, H200, ["published", "flops"])
    assert len(published.predictions) == 2
    reasons = list(published.without_prediction)
    assert [published.without_prediction[reason] for reason in reasons] == [2, 1]
    assert reasons[0].startswith("the published model knows FP32 only, not fp16")
    assert "MaskCompaction" in reasons[1]
    assert published.notes[0] == f"published model: no prediction for 2 of 5 rows: {reasons[0]}"
    assert published.to_dict()["without_prediction"] == published.without_prediction
    assert "it knows blocks only" in flops.without_prediction
    assert len(flops.predictions) + Counter(flops.without_prediction).total() == 5
    assert validate(rows[:1], H200, ["published"])[0].notes == ()


def test_proportional_times_by_hand():
    """The rate is the median of the static blocks' seconds per multiply-add: 2 of 1, 2 and 3 ps."""
    rows = [measured(block, Static(), 1.0) for block in (A, B, C)] + [measured(A, Layer(r=0.5), 1.0)]
    macs = [latpred.predict(row.target, H200, row.paradigm, batch=2, model="roofline").macs for row in rows]
    rows = [
        measured(row.target, row.paradigm, scale * 1e-12 * count)
        for row, scale, count in zip(rows, (1, 2, 3, 9), macs, strict=True)
    ]
    (found,) = validate(rows, H200, ["flops"])
    assert [item.seconds for item in found.predictions] == pytest.approx([2e-12 * count for count in macs])
    (none,) = validate(rows[3:], H200, ["flops"])
    assert none.without_prediction == {"no static block to take the rate from": 1}


def test_many_reasons_are_told_in_part():
    rows = [measured(A, Spatial(S=S, r=0.5), 1.0) for S in range(9, 15)]  # larger than the map
    (found,) = validate(rows, H200, ["published"])
    assert len(found.without_prediction) == 6
    assert len(found.notes) == MOST_REASONS + 1
    assert found.notes[-1] == "published model: nor for 3 more, for other reasons"


@pytest.mark.parametrize(
    ("asked", "error", "message"),
    [
        ({"models": ["publishd"]}, latpred.InputError, "unknown model 'publishd'; did you mean published"),
        ({"library": "cudn"}, latpred.DataError, "no row was measured with cudn; the file has fp32 with triton"),
        ({"precision": "fp16"}, latpred.DataError, "no row was measured in fp16; the file has fp32 with triton"),
    ],
)
def test_what_cannot_be_validated(asked, error, message):
    with pytest.raises(error, match=message):
        validate([measured(A, Static(), 1.0)], H200, **asked)
    with pytest.raises(latpred.DataError, match="the file has no rows"):
        validate([], H200)


def test_the_library_of_most_rows_and_each_model_once():
    rows = [measured(A, Static(), 1.0, library=name) for name in ("cudnn", "triton", "triton")]
    (found,) = validate(rows, H200, ["published", "published"])
    assert [item.measurement.library for item in found.predictions] == ["triton"] * 2
    assert validate(rows, H200, ["published"], library="cudnn")[0].blocks.n == 1
