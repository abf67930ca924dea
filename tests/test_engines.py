"""TensorRT's whole networks, by hand from the fitted numbers and the data sheet of the V100."""

from math import ceil

import pytest

import latpred
from latpred import InputError, predict
from latpred.models.interface import cost_model
from latpred.workloads import operators as op

V100, NANO = latpred.load_profile("v100"), latpred.load_profile("nano")
N = {number.name: number.value for number in V100.calibration("fp32", "tensorrt", "networks").numbers}
#: An engine's peak [multiply-adds/s], of 80, and the bandwidth [bytes/s].
PEAK, ENGINES, DRAM = 15.7e12 / 2 / 80, 80, 900e9
TILES = [(128, 128), (128, 64), (128, 32), (64, 64), (64, 32), (32, 32)]
USUAL_OVERLAP = 2.5


def seconds(operator, batch, profile=V100, precision="fp32"):
    model = cost_model("calibrated", profile, precision=precision, library="tensorrt", blocks=True)
    return float(model.cost(operator, batch, chained=True).latency_s)


def joined(compute, moved, constant=1.0):
    memory = moved / (N["dram_efficiency"] * DRAM)
    return (compute**USUAL_OVERLAP + memory**USUAL_OVERLAP) ** (1 / USUAL_OVERLAP) + constant * N["kernel_s"]


def product(rows, columns, depth):
    """In the fastest tile; one of 32×32 takes 19 % longer for a multiply-add."""
    depth, times = ceil(depth / 8) * 8, []
    for down, across in TILES:
        rounds = ceil(ceil(rows / down) * ceil(columns / across) / ENGINES)
        slower = 1 + 0.19 * (64 / down + 64 / across - 1) / 3
        per_output = depth * slower / (N["efficiency"] * PEAK) + N["program_s"] / 128**2
        times.append(rounds * down * across * per_output)
    return min(times) + depth * N["wait_s"]


def test_a_convolution_as_a_product_by_hand():
    """8 samples of 14×14 pixels, 256 → 1024 channels."""
    conv = op.Convolution(c_in=256, c_out=1024, height=14, width=14)
    moved = 4 * (8 * 196 * (256 + 1024) + 256 * 1024)
    assert seconds(conv, 8) == pytest.approx(joined(product(8 * 196, 1024, 256), moved), rel=1e-9)


def test_winograd_by_hand():
    """64 → 64 channels of 56×56: 7 × 4 blocks of 8×16 pixels and 2 of 32 channels, a round; 4 multiply-adds of 9."""
    conv = op.Convolution(c_in=64, c_out=64, height=56, width=56, kernel=3)
    winograd = 8 * 16 * 32 * 64 * 4 / (N["winograd_efficiency"] * PEAK) + N["winograd_program_s"]
    assert winograd < product(56**2, 64, 64 * 9)
    moved = 4 * (2 * 64 * 56**2 + 64 * 64 * 9)
    assert seconds(conv, 1) == pytest.approx(joined(winograd, moved), rel=1e-9)


def test_depthwise_by_hand():
    """Multiply-adds on the lanes, and a turn of an engine for each of 8 · 96 maps."""
    conv = op.Convolution(c_in=96, c_out=96, height=28, width=28, kernel=3, groups=96)
    macs, maps = 8 * 96 * 28**2 * 9, 8 * 96
    compute = macs / (N["depthwise_efficiency"] * PEAK * ENGINES) + maps / ENGINES * N["plane_s"]
    moved = 4 * (2 * 8 * 96 * 28**2 + 96 * 9)
    assert seconds(conv, 8) == pytest.approx(joined(compute, moved), rel=1e-9)


@pytest.mark.parametrize(("groups", "one_by_one"), [(32, False), (2, True)])
def test_groups_by_hand(groups, one_by_one):
    """All together without tiles where there are many, a kernel for each where there are few."""
    conv = op.Convolution(c_in=256, c_out=256, height=14, width=14, kernel=3, groups=groups)
    each = 256 // groups
    alone = groups * (product(8 * 196, each, each * 9) + N["group_s"])
    together = 8 * 196 * 256 * each * 9 / (N["group_efficiency"] * PEAK * ENGINES)
    assert (alone < together) == one_by_one
    moved = 4 * (2 * 8 * 256 * 196 + 256 * each * 9)
    assert seconds(conv, 8) == pytest.approx(joined(min(alone, together), moved), rel=1e-9)


def test_passes_and_what_is_taken_in_by_hand():
    """A pass reads and writes; an addition is one more map that a convolution reads; a layer norm is four passes."""
    a_map = 4 * 8 * 64 * 56**2
    sizes = {"channels": 64, "height": 56, "width": 56}
    assert seconds(op.GlobalPool(**sizes), 8) == pytest.approx(joined(0, a_map + 4 * 8 * 64), rel=1e-9)
    assert seconds(op.Add(**sizes), 8) == pytest.approx(joined(0, a_map, 0), rel=1e-9)
    norm = op.LayerNorm(rows=56**2, channels=64)
    assert seconds(norm, 8) == pytest.approx(joined(0, 4 * 4 * norm.elements(8), 4), rel=1e-9)


def test_halves_in_pairs_by_hand():
    """On a Nano FP16 is what FP32 is with twice the rate and half the bytes: a pass takes half as long off-chip.

    Times go with the clock, 1530 MHz of the V100's data sheet over 921.6 MHz.
    """
    sizes = {"channels": 64, "height": 56, "width": 56}
    constant = N["kernel_s"] * 1530 / 921.6
    moved = 4 * 64 * (56**2 + 1) / (N["dram_efficiency"] * 25.6e9)
    single, half = (seconds(op.GlobalPool(**sizes), 1, NANO, precision) for precision in ("fp32", "fp16"))
    assert single == pytest.approx(moved + constant, rel=1e-9)
    assert half == pytest.approx(moved / 2 + constant, rel=1e-9)
    report = predict("resnet50", NANO, model="calibrated", precision="fp16", library="tensorrt")
    assert "nano has no tensor cores: halves are taken as FP32 in pairs, at twice its rate" in report.notes
    assert report.like == "v100"


def test_an_operator_of_a_dynamic_network_has_no_equation():
    with pytest.raises(InputError, match="no equation for Gather: it knows the operators of static networks only"):
        seconds(op.Gather(channels=64, height=56, width=56, S=4, r=0.5), 8)
