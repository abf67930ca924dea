"""Eager PyTorch: its equations by hand, with the H200's numbers, and what they never do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import latpred
from latpred import InputError, predict
from latpred.models.calibrated import LIBRARIES
from latpred.units import seconds as in_words
from latpred.workloads import operators as op

H200 = latpred.load_profile("h200")
PEAKS = H200.peaks
ENGINES = 132
#: An engine's FP32 multiply-adds per clock.
CLOCK_HZ = PEAKS.fp32_macs / (ENGINES * 128)
USUAL_OVERLAP = 2.5


def numbers(precision):
    return {number.name: number.value for number in H200.calibration(precision, "pytorch").numbers}


def seconds(operator, batch, precision="fp32"):
    return predict(operator, H200, batch=batch, model="calibrated", precision=precision, library="pytorch").latency_s


def memory(moved, n):
    """Of which half is missing in the L2 where it is 0.6 of its size [s]."""
    missing = moved**3 / (moved**3 + (0.6 * PEAKS.l2_bytes) ** 3)
    return missing * moved / (n["dram_efficiency"] * PEAKS.copy_bandwidth) + (1 - missing) * moved / PEAKS.l2_bandwidth


def joined(compute, moved, n):
    return (compute**USUAL_OVERLAP + memory(moved, n) ** USUAL_OVERLAP) ** (1 / USUAL_OVERLAP)


def test_an_addition_by_hand():
    """Two maps read and one written, by a kernel that only the memory bounds."""
    n = numbers("fp16")
    moved = 2 * 3 * 256 * 56 * 56 * 128
    assert seconds(op.Add(channels=256, height=56, width=56), 128, "fp16") == pytest.approx(
        n["kernel_s"] + memory(moved, n), rel=1e-9
    )


@pytest.mark.parametrize(
    ("operator", "clocks", "kernels", "more", "widens"),
    [
        (op.BatchNorm(channels=64, height=56, width=56), 0.29, 3.5, 4 * 64, False),
        (op.ChannelScale(channels=64, height=56, width=56), 0.6, 1.0, 64 * 32, False),
        (op.Softmax(groups=64, rows=56, channels=56), 0.33 + 12 / 56, 1.0, 0, True),
        (op.LayerNorm(rows=56 * 56, channels=64), 0.31 + 270 / 64, 1.8, 0, True),
    ],
    ids=["batch norm", "channel scale", "softmax", "layer norm"],
)
def test_what_multiplies_nothing_by_hand(operator, clocks, kernels, more, widens):
    """Clocks of an engine for every element, and for every row [`latpred.models.calibrated.pytorch_work`].

    A map is read and written, a norm in FP16 is widened, and a scale reads its numbers.
    """
    n, elements = numbers("fp16"), 64 * 56 * 56 * 32
    compute = elements * clocks / (n["pass_efficiency"] * ENGINES * CLOCK_HZ)
    moved = 2 * (2 * elements + more) * (n["widened"] if widens else 1)
    expected = kernels * n["kernel_s"] + joined(compute, moved, n)
    assert seconds(operator, 32, "fp16") == pytest.approx(expected, rel=1e-9)


def test_a_largest_of_windows_by_hand():
    """3×3 of stride 2 on 64 channels of 112×112 in FP32: 56×56 outputs, 1.65 clocks each and 0.23 for each of nine."""
    n, pool = numbers("fp32"), op.Pool(channels=64, height=112, width=112, kernel=3, stride=2, padding=1, maximum=True)
    compute = 64 * 56 * 56 * 8 * (1.65 + 9 * 0.23) / (n["pass_efficiency"] * ENGINES * CLOCK_HZ)
    expected = 5 * n["kernel_s"] + joined(compute, 4 * 64 * (112**2 + 56**2) * 8, n)
    assert seconds(pool, 8) == pytest.approx(expected, rel=1e-9)


def test_a_product_in_tiles_by_hand():
    """6272 pixels of 256 → 1024 channels in FP16: 49 × 8 tiles of 128 × 128, 3 rounds on 132 engines.

    Tiles of 256 × 128, which are 11/12 as slow, take two rounds, of 65536 outputs instead of 49152; smaller ones lose
    a sixth or a third.
    """
    n = numbers("fp16")
    compute = 3 * (128 * 128 * 256 * ENGINES / (PEAKS.fp16_macs * n["efficiency"]) + n["program_s"])
    expected = 1.8 * n["kernel_s"] + joined(compute, 2 * (32 * (256 + 1024) * 196 + 256 * 1024), n)
    conv = op.Convolution(c_in=256, c_out=1024, height=14, width=14)
    assert seconds(conv, 32, "fp16") == pytest.approx(expected, rel=1e-9)
    linear = op.Linear(tokens=196, c_in=256, c_out=1024)
    compute = 3 * (128 * 128 * 256 * ENGINES / (PEAKS.fp16_macs * n["linear_efficiency"]) + n["program_s"])
    expected = 1.8 * n["kernel_s"] + joined(compute, 2 * linear.elements(32), n)
    assert seconds(linear, 32, "fp16") == pytest.approx(expected, rel=1e-9)


def test_winograd_in_one_kernel_by_hand():
    """64 → 64 channels of 56×56, one sample in FP32: 7 × 4 blocks of 8×16 pixels, 2 of 32 channels: one round of 56.

    4 multiply-adds instead of 9. There are 196 tiles of 4×4, of which three kernels make more of the memory.
    """
    n = numbers("fp32")
    compute = 8 * 16 * 32 * 64 * 4 * ENGINES / (PEAKS.fp32_macs * n["winograd_efficiency"]) + n["winograd_program_s"]
    conv = op.Convolution(c_in=64, c_out=64, height=56, width=56, kernel=3)
    expected = 1.8 * n["kernel_s"] + joined(compute, 4 * conv.elements(1), n)
    assert seconds(conv, 1) == pytest.approx(expected, rel=1e-9)


def test_winograd_in_three_kernels_by_hand():
    """512 → 512 channels of 14×14, 64 samples in FP32: 1024 tiles of 4×4, 36 products of 1024 × 512 × 512.

    Tiles of 256 × 128: 4 × 4 of them in each product, 576 in all, 5 rounds; the transformed maps go to memory and back.
    """
    n = numbers("fp32")
    rate = n["linear_efficiency"] * PEAKS.fp32_macs / ENGINES
    slower = 1 + 1.5 * (64 / 256 + 64 / 128 - 1) / 3
    product = 5 * 256 * 128 * (512 * slower / rate + n["program_s"] / 128**2)
    conv = op.Convolution(c_in=512, c_out=512, height=14, width=14, kernel=3)
    moved = memory(4 * conv.elements(64) + 2 * 4 * 36 * 1024 * (512 + 512), n)
    constant = 1.8 * n["kernel_s"] + 2 * min(1.8 * n["kernel_s"], 2e-6)
    expected = (product + moved) * (1 + (n["winograd_tiles"] / 1024) ** 2) + constant
    assert seconds(conv, 64) == pytest.approx(expected, rel=1e-9)


def test_depthwise_and_uneven_groups_by_hand():
    """On the lanes: 144 channels of 56×56 with filters of their own; and groups of 24, which is no power of two.

    Those fill 24 of 64 columns of a tile, and take twice as long with a stride of 2.
    """
    n, shape = numbers("fp16"), {"c_in": 144, "c_out": 144, "height": 56, "width": 56, "kernel": 3}
    for groups, share, kernels, each, stride in (
        (144, "depthwise_efficiency", 1.5, 1, 1),
        (144, "depthwise_efficiency", 1.5, 1, 2),
        (6, "uneven_efficiency", 15, 64, 1),
        (6, "uneven_efficiency", 15, 2 * 64, 2),
    ):
        conv = op.Convolution(**shape, groups=groups, stride=stride)
        macs = 32 * (56 // stride) ** 2 * 144 * 9
        compute = macs * each / (n[share] * 2 * PEAKS.fp32_macs)
        expected = kernels * n["kernel_s"] + joined(compute, 2 * conv.elements(32), n)
        assert seconds(conv, 32, "fp16") == pytest.approx(expected, rel=1e-9)


def test_attention_by_hand():
    """12 heads of 197 queries and keys of 64 channels, 32 samples: 2 programs of 128 queries each, 768 in 6 rounds."""
    n = numbers("fp16")
    program = 2 * 128 * 224 * 64 * ENGINES / (n["attention_efficiency"] * PEAKS.fp16_macs) + 1.2 * n["kernel_s"]
    attention = op.Attention(heads=12, queries=197, keys=197, channels=64)
    expected = 3.5 * n["kernel_s"] + joined(6 * program, 2 * attention.elements(32), n)
    assert seconds(attention, 32, "fp16") == pytest.approx(expected, rel=1e-9)


def test_autocast_widens_norms():
    """The RTX 3090's FP16 is autocast's: a norm moves `widened` times the bytes."""
    profile = latpred.load_profile("rtx3090")
    n = {number.name: number.value for number in profile.calibration("fp16", "pytorch").numbers}
    assert n["widened"] > 2
    norm, function = op.LayerNorm(rows=1, channels=2**24), op.ElementWise(rows=1, channels=2**24)
    model = {"model": "calibrated", "precision": "fp16", "batch": 64}
    times = [predict(each, profile, **model).latency_s for each in (norm, function)]
    assert times[0] / times[1] == pytest.approx(n["widened"], rel=0.05)


def test_a_network_waits_for_a_host_that_calls_its_operators_one_by_one():
    """33 µs for each of ten; in a CUDA graph the device's own time, 1.5 µs longer for each than alone."""
    block = latpred.load_block("resnet50-stage4")
    asked = {"batch": 1, "model": "calibrated", "precision": "fp16"}
    eager, graph = (predict(block, H200, **asked, library=each) for each in ("pytorch", "pytorch+graph"))
    assert eager.latency_s == pytest.approx((graph.latency_s**4 + (10 * 3.3e-5) ** 4) ** 0.25, rel=1e-9)
    waits = [one.latency_s - other.latency_s for one, other in zip(eager.operators, graph.operators, strict=True)]
    assert waits == pytest.approx([(eager.latency_s - graph.latency_s) / 10] * 10, rel=1e-9)
    assert eager.operators[0].bound == "launch"
    add = next(row for row in graph.operators if row.name == "add")
    alone = predict(op.Add(channels=2048, height=7, width=7), H200, **asked, library="pytorch")
    assert add.latency_s == pytest.approx(alone.latency_s + 1.5e-6, rel=1e-9)
    assert any("the host takes 330 µs to call 10 operators, 33.0 µs each" in note for note in eager.notes)
    assert not any("host" in note for note in graph.notes)


def test_what_is_said_of_the_device_is_what_the_library_named_there_predicts():
    """Folded, it is the folded network in a graph: another time than that of `pytorch+graph`."""
    asked = {"batch": 1, "model": "calibrated", "precision": "fp16"}
    folded, graph = (predict("resnet50", H200, **asked, library=f"pytorch+fold{each}") for each in ("", "+graph"))
    (note,) = (note for note in folded.notes if "host" in note)
    assert note.endswith(f"the device takes {in_words(graph.latency_s)}, which is what pytorch+fold+graph predicts")


def test_a_way_to_run_is_not_given_twice():
    with pytest.raises(InputError, match=r"pytorch\+fold\+fold has fold twice; leave one of them out"):
        predict("resnet50", H200, model="calibrated", library="pytorch+fold+fold")


def test_the_band_is_the_hosts_as_far_as_the_time_is():
    """Of resnet50 at batch 1 in FP16, nearly all of it, (host/time)⁴; 80 % of hosts take 0.55 to 1.6 times as long."""
    asked = {"batch": 1, "model": "calibrated", "precision": "fp16"}
    report, graph = (predict("resnet50", H200, **asked, library=each) for each in ("pytorch", "pytorch+graph"))
    share = 1 - (graph.latency_s / report.latency_s) ** 4
    error = H200.calibration("fp16", "pytorch").error_of("networks")
    low = (1 - share) * error.low + share * 0.55
    high = (1 - share) * error.high + share * 1.6
    assert report.latency_low_s / report.latency_s == pytest.approx(low, rel=1e-9)
    assert report.latency_high_s / report.latency_s == pytest.approx(high, rel=1e-9)
    assert graph.latency_low_s / graph.latency_s == pytest.approx(error.low, rel=1e-9)


def test_a_sweep_has_the_hosts_band_and_notes_too():
    how = {"model": "calibrated", "precision": "fp16", "library": "pytorch"}
    frame = latpred.sweep("resnet50", H200, latpred.Static(), batches=[1, 128], **how)
    reports = [predict("resnet50", H200, batch=batch, **how) for batch in (1, 128)]
    for column in ("latency_s", "latency_low_s", "latency_high_s"):
        assert frame[column].tolist() == pytest.approx([getattr(report, column) for report in reports], rel=1e-12)
    assert frame.attrs["notes"] == [note for report in reports for note in report.notes if "host" in note]


def test_a_busy_device_does_not_wait_for_the_host():
    """At batch 1024 the block takes 100 times what the host does: 1 + 10⁻⁸/4 of the device's time."""
    block = latpred.load_block("resnet50-stage1")
    asked = {"batch": 1024, "model": "calibrated"}
    eager, graph = (predict(block, H200, **asked, library=each) for each in ("pytorch", "pytorch+graph"))
    assert eager.latency_s == pytest.approx(graph.latency_s, rel=1e-6)
    assert not any("host" in note for note in eager.notes)


PRODUCTS = st.builds(
    op.Convolution,
    c_in=st.sampled_from([16, 24, 64, 96, 256]),
    c_out=st.sampled_from([16, 32, 72, 128, 512]),
    height=st.integers(2, 60),
    width=st.integers(2, 60),
    kernel=st.sampled_from([1, 3, 5]),
    stride=st.sampled_from([1, 2]),
    groups=st.sampled_from([1, 8]),
)


@given(operator=PRODUCTS, precision=st.sampled_from(["fp32", "tf32", "fp16"]), batch=st.integers(1, 300))
def test_never_below_the_roofline_of_the_peaks(operator, precision, batch):
    """But that F(4×4, 3×3) does a quarter of the multiply-adds of a 3×3 convolution."""
    roofline = predict(operator, H200, batch=batch, model="roofline", precision=precision)
    macs = PEAKS.fp32_macs if precision == "fp32" else PEAKS.tf32_macs if precision == "tf32" else PEAKS.fp16_macs
    least = max(roofline.operators[0].memory_s, operator.macs(batch) / 4 / macs)
    assert seconds(operator, batch, precision) >= least * (1 - 1e-9)


@given(operator=PRODUCTS, precision=st.sampled_from(["tf32", "fp16"]), batch=st.integers(1, 300))
def test_a_larger_batch_is_never_faster(operator, precision, batch):
    assert seconds(operator, batch + 1, precision) >= seconds(operator, batch, precision) * (1 - 1e-12)


@pytest.mark.parametrize(
    ("library", "line"),
    [
        ("pytorch+jit", "unknown way to run a library 'jit'; choose fold, graph"),
        ("triton+graph", "triton has no graph: eager PyTorch alone is run with it or without"),
    ],
)
def test_ways_that_there_are_not(library, line):
    with pytest.raises(InputError) as problem:
        predict("resnet50-stage1", H200, model="calibrated", library=library)
    assert str(problem.value) == line


def test_an_operator_of_a_dynamic_network_has_no_equation():
    patches = op.Gather(channels=64, height=56, width=56, S=4, r=0.5)
    with pytest.raises(InputError) as problem:
        seconds(patches, 8)
    expected = f"the calibrated (pytorch) model has no equation for Gather: it knows {LIBRARIES['pytorch']}"
    assert str(problem.value) == expected
    assert np.isfinite(seconds(op.Copy(groups=4, rows=4, channels=64), 8))
