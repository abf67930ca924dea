"""The band of a network, by hand: errors of blocks of one shape go together, those of different shapes do not."""

from itertools import pairwise
from math import sqrt

import pytest

import latpred
from latpred import Layer, Spatial, predict
from latpred.models.bands import band_of_sum

H200 = latpred.load_profile("h200")
RESNET = latpred.load_network("resnet50")


def band(target, paradigm):
    return predict(target, H200, paradigm, batch=32, model="calibrated").band


def times(report):
    """Predicted time of every block [s], by its number."""
    found = {}
    for row in report.operators:
        found[row.block] = found.get(row.block, 0.0) + row.latency_s
    return found


@pytest.mark.parametrize(
    ("parts", "share"),
    [
        ([("a", 2.0)], 1.0),  # one shape keeps its band
        ([("a", 2.0), ("a", 1.0), ("a", 7.0)], 1.0),  # however often it occurs
        ([("a", 1.0), ("b", 1.0), ("c", 1.0), ("d", 1.0)], 1 / 2),  # √4/4
        ([("a", 1.0), ("b", 4.0), ("a", 2.0)], 5 / 7),  # √(3² + 4²)/7
    ],
)
def test_half_widths_by_hand(parts, share):
    """From 0.72 to 1.28 around √(.72·1.28) = .96: both ends a factor 4/3 away, of which the share's power is left."""
    assert band_of_sum(0.72, 1.28, parts) == pytest.approx((0.96 * 0.75**share, 0.96 / 0.75**share))


def test_a_block_that_never_runs_takes_no_time_for_sure():
    """Decided before the network, at a rate of 0: from 0 to 0, and nothing is divided by it."""
    block = latpred.load_block("resnet50-stage1")
    never = latpred.Joint(Layer(r=0.0, masker="none"), Spatial(S=4, r=0.5))
    report = predict(block, H200, never, batch=32, model="calibrated")
    assert (report.latency_low_s, report.latency_s, report.latency_high_s) == (0, 0, 0)


def test_the_band_of_a_network_by_hand():
    """Eight shapes: the first block of each stage, and those after it."""
    report = predict(RESNET, H200, Spatial(S=1, r=0.5), batch=32, model="calibrated")
    block = times(report)
    firsts = (1, 4, 8, 14, 17)
    groups = [[first] for first in firsts[:-1]]
    groups += [list(range(first + 1, after)) for first, after in pairwise(firsts)]
    seconds = [sum(block[number] for number in group) for group in groups]
    share = sqrt(sum(s * s for s in seconds)) / report.latency_s
    error = H200.calibration("fp32").error_of("spatial")
    middle = sqrt(error.low * error.high)
    assert 0.3 < share < 0.7
    assert report.band.low == pytest.approx(middle * (error.low / middle) ** share)
    assert report.band.high == pytest.approx(middle * (error.high / middle) ** share)
    assert (report.band.of, report.band.median_error) == ("spatial", error.median_error)


def test_rates_a_hair_apart_do_not_make_errors_independent():
    equal = band(RESNET, Layer(r=0.5))
    apart = band(RESNET, Layer(r=[0.5 + 1e-4 * number for number in range(16)]))
    assert apart.low == pytest.approx(equal.low, abs=1e-4)
    assert apart.high == pytest.approx(equal.high, abs=1e-4)


def test_a_stage_shares_the_error_of_its_repeated_blocks():
    report = predict(RESNET.stage(3), H200, Spatial(S=1, r=0.5), batch=32, model="calibrated")
    first, *rest = times(report).values()
    share = sqrt(first**2 + sum(rest) ** 2) / report.latency_s
    error = H200.calibration("fp32").error_of("spatial")
    middle = sqrt(error.low * error.high)
    assert report.band.low == pytest.approx(middle * (error.low / middle) ** share)


def test_shapes_are_told_apart_by_every_field_but_the_name():
    block = latpred.Bottleneck(c_in=64, c_out=64, height=8, width=8)
    assert block.shape == block.replace(name="another").shape
    changes = {"c_in": 32, "c_out": 128, "bottleneck_ratio": 2, "height": 9, "width": 9, "stride": 2, "groups": 2}
    changes |= {"se": True, "projects": "strided"}
    assert {*changes, "name"} == set(type(block).model_fields)
    for field, value in changes.items():
        assert block.replace(**{field: value}).shape != block.shape
