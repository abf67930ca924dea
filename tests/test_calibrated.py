"""The calibrated model: its equations by hand, its bounds, and what it says of its own error."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import latpred
from latpred import Channel, Layer, Spatial, Static, predict
from latpred.measuring.measurements import read_measurements
from latpred.models.calibrated import device_of
from latpred.models.calibrated.tiles import halvings, pitch_halvings
from latpred.precision import PRECISIONS
from latpred.prediction import curve
from latpred.question import ask
from latpred.show.tables import verdict
from latpred.workloads.lowering import KERNELS

ROOT = Path(__file__).parents[1]
H200, V100 = latpred.load_profile("h200"), latpred.load_profile("v100")
precisions = st.sampled_from(PRECISIONS)
blocks = st.sampled_from(
    ["resnet50-stage1", "resnet50-stage3", "resnet50-stage4-first", "regnety-400mf-stage2", "regnety-800mf-stage4"]
).map(latpred.load_block)
KINDS = [Spatial(S=1, r=1.0), Spatial(S=3, r=1.0), Channel(G=4, r=1.0), Layer(r=1.0)]
#: Channel skipping has no kernels with grouped convolutions and SE.
settings = st.tuples(blocks, st.sampled_from(KINDS)).filter(lambda pair: pair[1].name != "channel" or not pair[0].se)


def numbers(profile, precision, library="triton"):
    return {number.name: number.value for number in profile.calibration(precision, library).numbers}


def calibrated(target, paradigm=Static(), precision="fp32", batch=8, **more):  # noqa: B008
    return predict(target, H200, paradigm, batch=batch, model="calibrated", precision=precision, **more)


def joined(compute, memory, p):
    return (compute**p + memory**p) ** (1 / p)


def from_memory(moved, weights, n, peaks):
    """Maps of which a share is missing in the L2, and weights, which always are [s]."""
    missing = moved**3 / (moved**3 + (n["cache_share"] * peaks.l2_bytes) ** 3)
    return (weights + missing * moved) / peaks.copy_bandwidth + (1 - missing) * moved / peaks.l2_bandwidth


def test_addition_by_hand():
    n, peaks = numbers(H200, "fp32"), H200.peaks
    moved = 4 * 3 * 256 * 56 * 56 * 128  # two maps read, one written
    expected = n["kernel_s"] + joined(n["serial_s"], from_memory(moved, 0, n, peaks), n["overlap"])
    found = calibrated(latpred.Add(channels=256, height=56, width=56), batch=128)
    assert found.latency_s == pytest.approx(expected, rel=1e-9)


def test_convolution_by_hand():
    """64 → 64 channels, 3×3, 56×56, batch 128 in FP32: 6272 programs of 64 × 64, in steps of 32 channels."""
    n, peaks = numbers(H200, "fp32"), H200.peaks
    rounds, steps = -(-(128 * 56 * 56 // 64) // 132), 9 * 2
    busy = 64 * 64 * 32 * 132 / (peaks.fp32_macs * n["large_efficiency"])
    compute = steps * rounds * busy + rounds * n["program_s"]
    memory = from_memory(4 * 2 * 64 * 56 * 56 * 128, 4 * 64 * 64 * 9, n, peaks)
    expected = n["kernel_s"] + joined(compute, memory, n["overlap"])
    conv = latpred.Convolution(c_in=64, c_out=64, height=56, width=56, kernel=3)
    assert calibrated(conv, batch=128).latency_s == pytest.approx(expected, rel=1e-9)


def test_a_narrow_convolution_by_hand():
    """128 → 32 channels, 1×1, 56×56, batch 128 in FP16: 3136 programs of 128 × 32, as long as of 128 × 64."""
    n, peaks = numbers(H200, "fp16"), H200.peaks
    rounds, steps = -(-3136 // 132), 2
    busy = 128 * 64 * 64 * 132 / (peaks.fp16_macs * n["large_efficiency"])
    compute = steps * rounds * busy + rounds * n["program_s"]
    memory = from_memory(2 * (128 + 32) * 56 * 56 * 128, 2 * 128 * 32, n, peaks)
    expected = n["kernel_s"] + joined(compute, memory, n["overlap"])
    conv = latpred.Convolution(c_in=128, c_out=32, height=56, width=56)
    assert calibrated(conv, precision="fp16", batch=128).latency_s == pytest.approx(expected, rel=1e-9)


def test_a_gathered_convolution_by_hand():
    """Half of 256 → 256 channels in pairs, 3×3, 7×7, one sample in TF32: 2 × 4 programs of 32 × 32, each alone.

    A pair is 8 bytes of a sector of 32, so that accesses are halved twice.
    """
    n, peaks = numbers(H200, "tf32"), H200.peaks
    step = 32 * 32 * 64 * 132 / (peaks.tf32_macs * n["small_efficiency"])
    compute = 9 * 2 * step * n["alone_slowdown"] * n["gather_alone"] ** 2 + n["program_s"]
    memory = from_memory(4 * 2 * 128 * 49, 4 * 9 * 128 * 128, n, peaks)
    expected = n["kernel_s"] + joined(compute, memory, n["overlap"])
    shape = {"c_in": 256, "c_out": 256, "height": 7, "width": 7, "kernel": 3, "channel_group": 2}
    conv = latpred.Convolution(**shape, input_rate=0.5, output_rate=0.5)
    assert calibrated(conv, precision="tf32", batch=1).latency_s == pytest.approx(expected, rel=1e-9)


def test_small_kernels_by_hand():
    """128 samples of 2048 → 512: 8192 programs; 1024 inputs are two steps, of which the second waits twice."""
    n, peaks = numbers(H200, "fp16"), H200.peaks
    waits = (2 * 2 - 1 + -(-512 // 8 * 128 // 132) - 1) * n["serial_s"]
    expected = n["kernel_s"] + joined(waits, from_memory(4 * 1024 * 512, 0, n, peaks), n["overlap"])
    found = calibrated(latpred.FullyConnected(c_in=1024, c_out=512), precision="fp16", batch=128)
    assert found.latency_s == pytest.approx(expected, rel=1e-9)


def test_a_pool_by_hand():
    """1024 channels of 14×14, 32 samples: 2 parts of 128 pixels × 16 of 64 channels, 1024 programs, 8 an engine."""
    n, peaks = numbers(H200, "fp32"), H200.peaks
    pool = latpred.GlobalPool(channels=1024, height=14, width=14)
    memory = from_memory(4 * pool.elements(32), 0, n, peaks)
    expected = n["kernel_s"] + joined((3 + 8 - 1) * n["serial_s"], memory, n["overlap"])
    assert calibrated(pool, batch=32).latency_s == pytest.approx(expected, rel=1e-9)


def test_a_compaction_by_hand():
    """32×32 scores in 64 items: a wait to start, one for the sums, and (1024 + 2·64)/1024 for reading and writing."""
    n, peaks = numbers(H200, "fp32"), H200.peaks
    compaction = latpred.workloads.operators.MaskCompaction(height=32, width=32, items=64)
    memory = from_memory(4 * compaction.elements(4), 0, n, peaks)
    expected = n["kernel_s"] + joined((2 + 1.125) * n["serial_s"], memory, n["overlap"])
    assert calibrated(compaction, batch=4).latency_s == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("precision", "group", "sides", "expected"),
    [
        ("fp32", 1, (False, True), 8),  # adjacent along the inputs, which FP32 reads as slowly whatever the group
        ("fp32", 4, (True, True), 1),  # adjacent along the outputs, 16 of 32 bytes
        ("fp32", 1, (True, False), 0),  # whole rows of outputs
        ("tf32", 1, (False, True), 0),  # whole rows of inputs
        ("tf32", 2, (True, True), 2),
        ("tf32", 16, (True, False), 0),
        ("fp16", 8, (True, True), 1),
        ("fp16", 1, (True, False), 0),
    ],
)
def test_how_often_accesses_to_gathered_weights_are_halved(precision, group, sides, expected):
    assert halvings(precision, group, gathers_in=sides[0], gathers_out=sides[1]) == expected


@pytest.mark.parametrize(
    ("precision", "channels", "columns", "expected"),
    [
        ("fp16", 160, 18, 2 + 3),  # both are multiples of 2, which is 4 bytes: of 16 a quarter, of 32 an eighth
        ("fp16", 24, 40, 1),  # multiples of 8: whole accesses of 16 bytes, half a sector
        ("fp16", 48, 32, 0),
        ("tf32", 33, 64, 2 + 3),
        ("tf32", 64, 20, 1),
        ("tf32", 24, 40, 0),
        ("fp32", 33, 1, 0),
    ],
)
def test_how_often_accesses_to_maps_are_halved(precision, channels, columns, expected):
    assert pitch_halvings(precision, channels, columns) == expected
    several = pitch_halvings(precision, np.array([channels, 64]), np.array([columns, 64]))
    assert np.broadcast_to(several, 2).tolist() == [expected, 0]


def test_a_thread_with_many_results_by_hand():
    """256 → 128 channels, 1×1, 56×56, batch 128 in TF32: 3136 programs of 128 × 128, whose threads have 128 each."""
    n, peaks = numbers(H200, "tf32"), H200.peaks
    rounds, steps = -(-3136 // 132), 8
    busy = 128 * 128 * 32 * 132 / (peaks.tf32_macs * n["large_efficiency"])
    compute = steps * rounds * busy + rounds * n["program_s"] * (128 / 32) ** (1 / 3)
    memory = from_memory(4 * (256 + 128) * 56 * 56 * 128, 4 * 256 * 128, n, peaks)
    expected = n["kernel_s"] + joined(compute, memory, n["overlap"])
    conv = latpred.Convolution(c_in=256, c_out=128, height=56, width=56)
    assert calibrated(conv, precision="tf32", batch=128).latency_s == pytest.approx(expected, rel=1e-9)


def test_kernels_gather_even_where_every_channel_is_on():
    block = latpred.load_block("resnet50-stage3")
    almost, whole = (calibrated(block, Channel(G=16, r=r), "fp16").latency_s for r in (240 / 256, 1.0))
    assert almost <= whole < almost * 1.1
    assert whole > calibrated(block, Static(), "fp16").latency_s


@given(setting=settings, precision=precisions, batch=st.sampled_from([1, 2, 7, 32, 128]))
def test_more_work_is_never_faster(setting, precision, batch):
    """Where channels switch in groups of 32 bytes or more; smaller ones are what the next test is about."""
    block, kind = setting
    kind = Channel(G=16, r=1.0) if kind.name == "channel" else kind
    asked = ask(block, H200, batch=batch, model="calibrated", precision=precision)
    rising = curve(asked, kind, np.linspace(0, 1, 41)).latency_s
    assert (np.diff(rising) >= -1e-12).all()
    assert asked.cost_model.step(latpred.Add(channels=8, height=8, width=8), batch, 0.5, chained=True).latency_s > 0


@pytest.mark.parametrize("precision", ["tf32", "fp16"])
def test_more_channels_can_be_faster_as_they_were_measured(precision):
    """18 of 40 channels are multiples of two, 28 of four: in the shipped measurements the 28 are 5–6 % faster."""
    measured = {
        row.paradigm.r: row
        for row in read_measurements(ROOT / "measurements" / "h200.csv.gz")
        if (row.kind, row.precision, row.batch) == ("channel", precision, 96)
        and (row.target.name, row.paradigm.G) == ("odd-40", 1)
    }
    assert measured[0.7].seconds < measured[0.45].seconds
    few, many = (calibrated(measured[r].target, Channel(G=1, r=r), precision, 96).latency_s for r in (0.45, 0.7))
    assert many < few


@given(setting=settings, precision=precisions, batch=st.integers(1, 200))
def test_a_larger_batch_or_more_channels_are_never_faster(setting, precision, batch):
    block, kind = setting
    paradigm = kind.at_rates(0.5)
    one, more = (calibrated(block, paradigm, precision, n).latency_s for n in (batch, batch + 1))
    assert more >= one * (1 - 1e-12)
    for field in ("c_in", "c_out"):
        conv = latpred.Convolution(c_in=96, c_out=96, height=14, width=14, kernel=3)
        wider = latpred.Convolution(**{**dict(conv), field: 96 + batch})
        assert calibrated(wider, precision=precision).latency_s >= calibrated(conv, precision=precision).latency_s


@given(setting=settings, precision=precisions, batch=st.integers(1, 200), r=st.floats(0, 1))
def test_never_below_the_roofline_of_the_measured_peaks(setting, precision, batch, r):
    block, kind = setting
    for step in block.lower(kind, KERNELS).at({kind.name: [r]}):
        pair = [
            predict(step.operator, H200, batch=batch, model=model, precision=precision).latency_s
            for model in ("calibrated", "roofline")
        ]
        assert pair[0] >= pair[1] * (1 - 1e-12), step.name


@given(setting=settings, batch=st.sampled_from([1, 3, 128]), r=st.floats(0, 1))
def test_a_curve_is_its_points(setting, batch, r):
    block, kind = setting
    found = curve(ask(block, H200, batch=batch, model="calibrated"), kind, np.array([0.3, r]))
    for rate, latency in zip((0.3, r), found.latency_s, strict=True):
        assert calibrated(block, kind.at_rates(rate), batch=batch).latency_s == pytest.approx(latency, rel=1e-9)


@pytest.mark.parametrize("model", ["calibrated", "roofline"])
@pytest.mark.parametrize(("precision", "element_bytes"), [("fp32", 4), ("tf32", 4), ("fp16", 2)])
def test_bytes_are_those_of_the_precision(model, precision, element_bytes):
    """An addition reads two maps and writes one."""
    added = latpred.Add(channels=8, height=4, width=4)
    report = predict(added, H200, batch=16, model=model, precision=precision)
    assert report.operators[0].bytes == 3 * 8 * 4 * 4 * 16 * element_bytes


def test_layer_skipping_gathers_samples():
    """Half of eight samples take what four take; a quarter of two samples is one of them half of the time."""
    block = latpred.load_block("resnet50-stage3")

    def body(rate, batch):
        rows = calibrated(block, Layer(r=rate), batch=batch).operators
        return sum(row.latency_s for row in rows if row.name in ("conv1", "conv2", "conv3"))

    assert body(0.5, 8) == pytest.approx(body(1.0, 4), rel=1e-12)
    assert body(0.25, 2) == pytest.approx(body(1.0, 1) / 2, rel=1e-12)


def test_kernels_mend_the_published_lowering():
    first = latpred.load_block("resnet50-stage1-first")
    assert [step.name for step in first.lower(Static(), KERNELS).steps] == [
        "shortcut",
        "conv1",
        "conv2",
        "conv3",
        "add",
    ]
    steps = {step.name: step.operator for step in first.lower(Channel(G=8, r=0.5), KERNELS).steps}
    assert isinstance(steps["add"], latpred.Add)
    assert steps["conv2"].channel_group == 8
    assert steps["masker fc2"].c_out == first.inner // 8
    with pytest.raises(latpred.InputError, match="knows fused maskers, gathers and scatters"):
        calibrated(first, Spatial(S=4, r=0.5, unfuse=("gather",)))


@pytest.mark.parametrize("profile", [H200, V100], ids=lambda profile: profile.name)
def test_at_most_twelve_numbers(profile):
    assert all(0 < len(found.numbers) <= 12 for found in profile.calibrations)
    found = profile.calibrations[0]
    many = [{"name": str(index), "value": 1.0} for index in range(13)]
    with pytest.raises(latpred.InputError, match="numbers"):
        type(found)(**{**dict(found), "numbers": many})


def test_a_band_says_where_most_measurements_lie():
    block = latpred.load_block("resnet50-stage1")
    report = calibrated(block, Spatial(S=4, r=0.6))
    error = H200.calibration("fp32").error_of("spatial")
    assert report.latency_low_s == pytest.approx(report.latency_s * error.low)
    assert report.latency_high_s == pytest.approx(report.latency_s * error.high)
    network = calibrated(latpred.load_network("resnet50"), Spatial(S=1, r=0.6))
    assert error.low < network.band.low < network.band.high < error.high
    assert predict(block, H200).band is None


def test_what_a_report_says_of_errors():
    block = latpred.load_block("resnet50-stage1")
    assert "extrapolated: h200 was calibrated with batches 1 to 128, not 512" in calibrated(block, batch=512).notes
    assert predict(block, H200).notes == ()
    error = H200.calibration("fp32").published_error
    assert predict(block, H200).to_dict()["about"] == (
        f"published model: it reproduces the papers; on h200 it was off by {error:.0%} on average over measured blocks"
    )
    a100 = latpred.load_profile("a100")
    assert predict(block, a100).notes == (
        "a100's parameters were never validated: no prediction was compared with a measurement",
    )


def models_of(profile):
    """Every cost model that a device has, in every precision and library."""
    yield {"model": "published"}
    yield {"model": "roofline"}
    for found in profile.calibrations:
        yield {"model": "calibrated", "precision": found.precision, "library": found.library}


@pytest.mark.parametrize("name", latpred.list_profiles())
@pytest.mark.parametrize("validated", [None, False])
def test_no_report_contradicts_itself(name, validated):
    """Whoever says how large an error was says nowhere that nothing was measured, nor that nothing was compared."""
    profile = latpred.load_profile(name)
    if validated is not None:
        profile = profile.replace(validated=validated)
    target = latpred.Convolution(c_in=64, c_out=64, height=56, width=56, kernel=3)
    for how in models_of(profile):
        said = verdict(predict(target, profile, **how))
        errors = [line for line in said.splitlines() if "off by" in line or "median error" in line]
        unknown = [line for line in said.splitlines() if "not measured" in line or "never validated" in line]
        assert not (errors and unknown), said
        assert len(errors) <= 1, said
        assert errors or unknown or how["model"] == "roofline" or profile.calibrations, said


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "calibrated", "precision": "tf32"}, "tx2 has no TF32; choose fp32 or fp16"),
        ({"model": "published", "precision": "fp16"}, r"knows FP32 only, not fp16; .* \(tx2: calibrated like v100\)"),
        ({"model": "published", "library": "triton"}, "the published model knows no kernel libraries"),
        ({"model": "calibrated", "precision": "int8"}, "unknown precision 'int8'; choose fp32, tf32, fp16"),
    ],
)
def test_what_a_device_is_not_calibrated_for(settings, message):
    with pytest.raises(latpred.InputError, match=message):
        predict(latpred.load_block("resnet50-stage1"), latpred.load_profile("tx2"), **settings)
    with pytest.raises(latpred.InputError, match="h200 is not calibrated for fp32 with tensorrt; it is for fp16 with"):
        calibrated(latpred.load_block("resnet50-stage1"), library="tensorrt")
    with pytest.raises(
        latpred.InputError, match=r"\(v100: fp16 with tensorrt, fp32 with tensorrt, fp32 with pytorch\)"
    ):
        predict(latpred.load_block("resnet50-stage1"), V100, precision="fp16")


# --- TensorRT on a V100: 80 engines, 7.85e12 FP32 and 62.5e12 FP16 multiply-adds/s, 9e11 bytes/s

LANES, TENSOR, DRAM = 7.85e12, 62.5e12, 9e11


def tensorrt(precision, batch, **shape):
    operator = latpred.Convolution(**shape)
    return predict(operator, V100, batch=batch, model="calibrated", precision=precision, library="tensorrt").latency_s


def test_tensorrt_tiles_by_hand():
    """1×1, 512 → 128, 64×64, batch 10: 320 programs of 128×128, 4 full rounds; smaller tiles only lose."""
    n = numbers(V100, "fp32", "tensorrt")
    compute = 512 * (4 * 128 * 128 * 80 / (LANES * n["efficiency"]) + n["wait_s"]) + 4 * n["program_s"]
    memory = 4 * (10 * 64 * 64 * (512 + 128) + 512 * 128) / (DRAM * n["dram_efficiency"])
    expected = n["kernel_s"] + joined(compute, memory, n["overlap"])
    assert tensorrt("fp32", 10, c_in=512, c_out=128, height=64, width=64) == pytest.approx(expected, rel=1e-9)


def test_tensorrt_winograd_by_hand():
    """3×3, 60 → 64, 56×56, batch 32: 7·4 blocks of 8×16 pixels a sample, 2 of channels, 1792 programs, 23 rounds."""
    n = numbers(V100, "fp32", "tensorrt")
    products = 64 * 4 * (8 * 16 * 32)  # channels in steps of 8, 4 multiply-adds per output
    compute = 23 * (products * 80 / (LANES * n["winograd_efficiency"]) + n["winograd_program_s"])
    memory = 4 * (32 * 56 * 56 * (60 + 64) + 60 * 64 * 9) / (DRAM * n["dram_efficiency"])
    expected = n["kernel_s"] + joined(compute, memory, n["overlap"])
    shape = {"c_in": 60, "c_out": 64, "height": 56, "width": 56, "kernel": 3}
    assert tensorrt("fp32", 32, **shape) == pytest.approx(expected, rel=1e-9)


def test_tensorrt_tensor_cores_by_hand():
    """1×1, stride 2, 40 → 256, 64×64 → 32×32, batch 10: 160 programs of 128×128, 2 rounds, channels by 32."""
    n = numbers(V100, "fp16", "tensorrt")
    compute = 64 * 2 * 128 * 128 * 80 / (TENSOR * n["efficiency"]) + 2 * n["program_s"]
    read = 10 * 32 * 64 * 40  # every second row of the input, whole
    memory = 2 * (read + 10 * 32 * 32 * 256 + 40 * 256) / (DRAM * n["dram_efficiency"])
    expected = n["kernel_s"] + joined(compute, memory, n["overlap"])
    shape = {"c_in": 40, "c_out": 256, "height": 64, "width": 64, "stride": 2}
    assert tensorrt("fp16", 10, **shape) == pytest.approx(expected, rel=1e-9)


def test_tensorrt_filters_larger_than_the_map_by_hand():
    """7×7 on 6×6, 64 → 300, batch 2: one row of 2 programs of 128×256 on the lanes, two halves at a time."""
    n = numbers(V100, "fp16", "tensorrt")
    start = 128 * 256 / 128**2 * n["program_s"]
    compute = 64 * 49 * 128 * 256 * 80 / (2 * LANES * n["lane_efficiency"]) + start
    memory = 2 * (2 * 6 * 6 * (64 + 300) + 64 * 300 * 49) / (DRAM * n["dram_efficiency"])
    expected = n["kernel_s"] + joined(compute, memory, n["overlap"])
    shape = {"c_in": 64, "c_out": 300, "height": 6, "width": 6, "kernel": 7}
    assert tensorrt("fp16", 2, **shape) == pytest.approx(expected, rel=1e-9)
    assert tensorrt("fp16", 1, **shape) < expected / 3  # one sample keeps the tensor cores


@pytest.mark.parametrize(("precision", "size"), [("fp32", 4), ("fp16", 2)])
def test_tensorrt_depthwise_by_hand(precision, size):
    """3×3 of stride 2 on 64 channels, 56×56 → 28×28, batch 32: 2048 planes."""
    n = numbers(V100, precision, "tensorrt")
    compute = 2048 * 28 * 28 * 9 / (LANES * n["depthwise_efficiency"]) + 2048 / 80 * n.get("plane_s", 0)
    moved = size * (2048 * (56 * 56 * n.get("strided_reads", 1) + 28 * 28) + 64 * 9)
    constant = n["kernel_s"] + n.get("depthwise_s", 0)
    expected = constant + joined(compute, moved / (DRAM * n["dram_efficiency"]), n["overlap"])
    shape = {"c_in": 64, "c_out": 64, "height": 56, "width": 56, "kernel": 3, "stride": 2, "groups": 64}
    assert tensorrt(precision, 32, **shape) == pytest.approx(expected, rel=1e-9)


@given(
    precision=st.sampled_from(["fp32", "fp16"]),
    channels=st.tuples(st.integers(2, 600), st.integers(1, 600)),
    edge=st.integers(2, 100),
    kernel=st.sampled_from([1, 3, 5, 7]),
    stride=st.sampled_from([1, 2]),
    depthwise=st.booleans(),
    batch=st.integers(1, 129),
    more=st.integers(1, 70),
)
def test_tensorrt_more_work_is_never_faster(precision, channels, edge, kernel, stride, depthwise, batch, more):
    def time(batch=batch, c_in=channels[0], c_out=channels[1]):
        shape = {"c_in": c_in, "c_out": c_in if depthwise else c_out, "groups": c_in if depthwise else 1}
        return tensorrt(precision, batch, height=edge, width=edge, kernel=kernel, stride=stride, **shape)

    least = time() * (1 - 1e-12)
    assert time(batch=batch + more) >= least
    assert time(c_in=channels[0] + more) >= least
    assert time(c_out=channels[1] + more) >= least


@given(
    precision=st.sampled_from(["fp32", "fp16"]),
    channels=st.tuples(st.integers(1, 2000), st.integers(1, 2000)),
    edge=st.integers(2, 100),
    kernel=st.sampled_from([1, 3, 7]),
    batch=st.integers(1, 128),
)
def test_tensorrt_never_beats_the_peaks(precision, channels, edge, kernel, batch):
    """Winograd does 1/2.25 of the multiply-adds."""
    operator = latpred.Convolution(c_in=channels[0], c_out=channels[1], height=edge, width=edge, kernel=kernel)
    compute = operator.macs(batch) / 2.25 / (TENSOR if precision == "fp16" else LANES)
    memory = operator.elements(batch) * (2 if precision == "fp16" else 4) / DRAM
    found = predict(operator, V100, batch=batch, model="calibrated", precision=precision, library="tensorrt")
    assert found.latency_s >= max(compute, memory) * (1 - 1e-12)


def test_tensorrt_reaches_its_target_with_numbers_that_make_sense():
    """Mean 15 % and median 8 % on FP32's shapes left out; no share of a peak above 1, no time below 0."""
    error = V100.calibration("fp32", "tensorrt").error_of("operators")
    assert (error.mean_error <= 0.15, error.median_error <= 0.08) == (True, True)
    for precision in ("fp32", "fp16"):
        n = numbers(V100, precision, "tensorrt")
        assert all(0 < n[name] <= 1 for name in n if name.endswith("efficiency"))
        assert all(1e-9 < n[name] < 1e-4 for name in n if name.endswith("_s"))


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_tensorrt_predicts_convolutions_only(precision):
    settings = {"batch": 32, "model": "calibrated", "precision": precision, "library": "tensorrt"}
    dense, depthwise = (
        predict(latpred.Convolution(c_in=64, c_out=64, height=56, width=56, kernel=3, groups=g), V100, **settings)
        for g in (1, 64)
    )
    assert 0 < depthwise.latency_s < dense.latency_s
    with pytest.raises(latpred.InputError, match=r"the calibrated \(tensorrt\) model has no equation for Add"):
        predict(latpred.Add(channels=8, height=8, width=8), V100, **settings)


GATE = (
    "gathers and scatters, two-level masks and linear layer maskers only; "
    "use the published model, which is FP32, or the roofline for other forms"
)
TRITON = "it knows the kernels of residual blocks only; use the published model, which is FP32, or the roofline"
TENSORRT = "it knows single convolutions only, dense or depthwise; use the published model, which is FP32, or the"
STATIC_ONLY = "tensorrt has no kernels of dynamic networks, triton has: leave the paradigm out, or take triton"
CHANNEL = "the calibrated model has no kernels of channel skipping with"
H = "--device h200 --block r50-stage1"
V = "--library tensorrt --device v100 --precision fp16 --block r50-stage1"
N = "--library tensorrt --device v100 --precision fp16 --network resnet50"
#: What the kernels of a device do not cover, and what the message says of it.
NOT_COVERED = {
    f"predict {N}": f"no equation for Add: {TENSORRT} library triton",
    f"predict {V} --S 4 --r 0.5": f"no equation for MaskerConvolution: {TENSORRT}",
    f"sweep {V} --S 4 --r 0.5": TENSORRT,
    f"explain {V} --S 4 --r 0.5": TENSORRT,
    f"recommend-granularity {N} --r 0.5": TENSORRT,
    f"compare {N}": TENSORRT,
    f"lut {N} --output lut.npz": TENSORRT,
    "predict --device v100 --library tensorrt --network resnet50 --S 4 --r 0.5": STATIC_ONLY,
    "predict --device h200 --library pytorch --block r50-stage1 --paradigm layer --r 0.5": "pytorch has no kernels of",
    "sweep --device v100 --library tensorrt --block r50-stage1 --S 4 --r 0.5": STATIC_ONLY,
    "compare --device v100 --library tensorrt --network resnet50": STATIC_ONLY,
    "predict --device h200 --network t2t-vit-19": f"no equation for Unfold: {TRITON}",
    "predict --device h200 --network deit-s --paradigm token --r 0.5": f"no equation for Linear: {TRITON}",
    "predict --device h200 --network deit-s --paradigm head --r 0.5": TRITON,
    "explain --device h200 --network deit-s": TRITON,
    "compare --device h200 --network t2t-vit-19": TRITON,
    f"predict {H} --paradigm token --r 0.5": "resnet50-stage1 has no token skipping: it has no attention; choose",
    f"predict {H} --S 4 --r 0.5 --unfuse gather": f"resnet50-stage1: the calibrated model knows fused maskers, {GATE}",
    f"ablate-fusion {H} --S 4 --r 0.5": GATE,
    "predict --device h200 --preset convaig-resnet50 --r 0.5": GATE,
    "predict --device h200 --preset lcnet-resnet50 --r 0.5": GATE,
    f"predict {H} --paradigm spatial+channel --S 4 --G 2 --r 0.5": f"{CHANNEL} spatial skipping; use the published",
    "predict --device h200 --block regnety-400mf-stage2 --G 2 --r 0.5": f"{CHANNEL} grouped convolutions and SE; use",
    "recommend-granularity --device h200 --network regnety-400mf --paradigm channel --r 0.5": CHANNEL,
    "lut --device h200 --network regnety-400mf --G 2 --output lut.npz": CHANNEL,
    f"predict {H} --G 3 --r 0.5": "resnet50-stage1: G=3 does not divide the 64 inner channels",
    "predict --device v100 --block r50-stage1 --precision tf32": "v100 has no TF32; choose fp32 or fp16",
    f"predict {H} --library cudnn": "h200 is not calibrated for fp32 with cudnn; it is for fp16 with triton, fp32",
}


@pytest.mark.parametrize("command", NOT_COVERED)
def test_what_the_kernels_do_not_cover_is_one_line(run, command):
    code, _, err = run(f"{command} --model calibrated")
    assert code == 2
    assert NOT_COVERED[command] in err


def test_joint_skipping_is_predicted_from_the_parts_and_says_so():
    block = latpred.load_block("resnet50-stage1")
    report = calibrated(block, latpred.Joint(Layer(r=0.5), Spatial(S=4, r=0.5)))
    assert "no blocks with layer+spatial skipping were measured: each part's kernels are taken together" in report.notes


def test_without_measured_peaks_the_data_sheet_counts():
    """The L2 takes what others read from it, or λ times the off-chip bandwidth of the profile."""
    sheet = H200.replace(peaks=None)
    device = device_of(sheet, "fp16")
    assert device.l2 == 1.01e13
    unread = device_of(sheet.replace(datasheet=sheet.datasheet.replace(l2_bandwidth=None)), "fp16")
    assert unread.l2 == pytest.approx(2.1 * 4.8e12, rel=1e-12)
    assert (device.macs, device.lane_macs, device.dram) == pytest.approx((9.89e14 / 2, 6.7e13 / 2, 4.8e12), rel=1e-12)
    assert device_of(H200, "fp16").l2 == H200.peaks.l2_bandwidth
