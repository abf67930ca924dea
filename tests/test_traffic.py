"""What the calibrated kernels move, by hand: gathered weights, the border of patches, the last active group."""

from itertools import product

import pytest

import latpred
from latpred import Channel, predict
from latpred.models.calibrated.tiles import TILES, choose, halvings, inputs_adjacent
from latpred.models.interface import cost_model

H200 = latpred.load_profile("h200")
PEAKS = H200.peaks


def memory_s(operator, batch, precision="fp32"):
    (row,) = predict(operator, H200, batch=batch, model="calibrated", precision=precision).operators
    return row.memory_s


def from_memory(maps, weights, precision="fp32"):
    """Time for maps [bytes], of which a share is missing in the L2, and for weights, which always are [s]."""
    share = {number.name: number.value for number in H200.calibration(precision).numbers}["cache_share"]
    missing = maps**3 / (maps**3 + (share * PEAKS.l2_bytes) ** 3)
    return (weights + missing * maps) / PEAKS.copy_bandwidth + (1 - missing) * maps / PEAKS.l2_bandwidth


@pytest.mark.parametrize(("batch", "share"), [(1, 1 / 4), (2, 1 / 2), (4, 1.0), (8, 1.0)])
def test_samples_gather_weights_of_their_own(batch, share):
    """Half of the inputs and of the outputs: each sample reads a quarter of the weights, never more than all."""
    shape = {"c_in": 256, "c_out": 256, "height": 7, "width": 7, "kernel": 3, "channel_group": 8}
    conv = latpred.Convolution(**shape, input_rate=0.5, output_rate=0.5)
    maps, weights = 4 * batch * 49 * (128 + 128), 4 * 9 * 256 * 256
    assert memory_s(conv, batch) == pytest.approx(from_memory(maps, share * weights), rel=1e-9)


@pytest.mark.parametrize("rates", [{"input_rate": 0.0}, {"output_rate": 0.0}])
def test_one_group_at_least_is_computed(rates):
    shape = {"c_in": 64, "c_out": 64, "height": 14, "width": 14, "channel_group": 4}
    none = latpred.Convolution(**shape, **rates)
    one = latpred.Convolution(**shape, **dict.fromkeys(rates, 1 / 16))
    assert predict(none, H200, batch=8, model="calibrated").latency_s == pytest.approx(
        predict(one, H200, batch=8, model="calibrated").latency_s, rel=1e-12
    )
    # Each of 8 samples has a sixteenth of the weights.
    assert memory_s(none, 8) == pytest.approx(from_memory(4 * 8 * 196 * (4 + 64), 4 * 64 * 64 / 2), rel=1e-9)


@pytest.mark.parametrize(
    ("kernel", "stride", "read"),
    [
        (3, 1, 49 * 6 * 6),  # a border of one pixel around each of 49 patches of 4 × 4
        (3, 2, 49 * 10 * 10),  # (4 − 1)·2 + 3 pixels are read of each; the equation takes 4·2 + 2
        (1, 1, 49 * 4 * 4),
    ],
)
def test_indexed_patches_are_read_with_their_border(kernel, stride, read):
    edge = 56 * stride
    shape = {"c_in": 64, "c_out": 32, "height": edge, "width": edge, "kernel": kernel, "stride": stride}
    conv = latpred.PatchConvolution(**shape, S=4, r=0.25, indexed=True)
    maps = 4 * 8 * (64 * read + 32 * 49 * 16)
    assert memory_s(conv, 8) == pytest.approx(from_memory(maps, 4 * 64 * 32 * kernel**2), rel=1e-9)


def test_no_pixel_is_read_twice():
    """With three quarters of the patches on, the borders would add up to more than the map."""
    shape = {"c_in": 64, "c_out": 32, "height": 56, "width": 56, "kernel": 3}
    conv = latpred.PatchConvolution(**shape, S=4, r=0.75, indexed=True)
    maps = 4 * 8 * (64 * 56 * 56 + 32 * 147 * 16)
    assert memory_s(conv, 8) == pytest.approx(from_memory(maps, 4 * 64 * 32 * 9), rel=1e-9)


def test_gathered_patches_are_read_alone():
    shape = {"c_in": 64, "c_out": 32, "height": 56, "width": 56, "kernel": 3}
    conv = latpred.PatchConvolution(**shape, S=4, r=0.25, indexed=False)
    maps = 4 * 8 * 49 * 16 * (64 + 32)
    assert memory_s(conv, 8) == pytest.approx(from_memory(maps, 4 * 64 * 32 * 9), rel=1e-9)


def test_a_group_fits_the_narrower_of_input_and_inner_channels():
    """An input of 32 channels before 64 inner ones, and the other way round."""
    for c_in, inner in ((32, 64), (64, 32)):
        block = latpred.Bottleneck(c_in=c_in, c_out=inner, bottleneck_ratio=1, height=14, width=14)
        predict(block, H200, Channel(G=32, r=0.5), batch=8)
        with pytest.raises(latpred.InputError, match="G=64 is larger than the 32 channels"):
            predict(block, H200, Channel(G=64, r=0.5), batch=8)


def test_a_group_fits_what_switches_where_that_is_what_is_decided_on():
    """Of an inverted residual 144 channels, whatever it reads: 48 of them are a third."""
    block = latpred.InvertedResidual(c_in=24, c_out=24, height=14, width=14)
    (masker,) = (row for row in predict(block, "tx2", Channel(G=48, r=0.5)).operators if row.name == "masker fc2")
    assert masker.macs == 1 * 3
    assert block.granularities("channel") == [1, 2, 4, 8, 16]
    with pytest.raises(latpred.InputError, match="G=145 is larger than the 144 channels"):
        predict(block, "tx2", Channel(G=145, r=0.5))


@pytest.mark.parametrize(("group", "expected"), [(1, 8), (2, 8), (4, 1), (8, 0), (16, 0)])
def test_a_sector_of_32_bytes_holds_eight_numbers_of_fp32(group, expected):
    """Groups that fill no access of 16 bytes lie along the inputs, which counts as eight halvings."""
    assert halvings("fp32", group, gathers_in=True, gathers_out=True) == expected


@pytest.mark.parametrize(("c_in", "steps"), [(512, 1), (513, 2), (1024, 2), (1025, 3), (1026, 3)])
def test_a_linear_layer_takes_512_inputs_at_a_time(c_in, steps):
    """132 engines: one sample of 8 · 132 outputs is a program each; the first step waits once, the others twice."""
    serial = {number.name: number.value for number in H200.calibration("fp32").numbers}["serial_s"]
    for c_out, more in ((8 * 132, 0), (8 * 132 + 1, 1)):
        layer = latpred.FullyConnected(c_in=c_in, c_out=c_out)
        (row,) = predict(layer, H200, batch=1, model="calibrated").operators
        assert row.compute_s == pytest.approx((2 * steps - 1 + more) * serial, rel=1e-9)


@pytest.mark.parametrize(
    ("channels", "width", "rounds"),
    [(64 * 132, 128, 1), (64 * 132 + 1, 128, 2), (64 * 132, 129, 2), (64 * 264, 128, 2), (64 * 132, 256, 2)],
)
def test_a_pool_takes_128_pixels_of_64_channels(channels, width, rounds):
    """Three waits, and one more for each further round of the 132 engines."""
    serial = {number.name: number.value for number in H200.calibration("fp32").numbers}["serial_s"]
    (row,) = predict(
        latpred.GlobalPool(channels=channels, height=1, width=width), H200, batch=1, model="calibrated"
    ).operators
    assert row.compute_s == pytest.approx((3 + rounds - 1) * serial, rel=1e-9)


@pytest.mark.parametrize(
    ("precision", "rows", "masker", "chosen"),
    [
        # TF32, 256 columns of 256 channels, 1×1. Steps of 32, 32 and 64 channels: 8, 8 and 4 of them.
        ("tf32", 128 * 132, False, 0),  # 264 programs, 2·0.53·8 = 8.48; 1056, 8·0.27·8 = 17.28; 4224, 32·0.18·4 = 23.04
        ("tf32", 32, False, 2),  # a program alone: 0.67·8 and 0.3·8 and 0.36·4
        ("tf32", 32, True, 1),  # with a masker never the smallest
        ("fp32", 64 * 33, False, 1),  # 132 programs alone, 1.39·8 = 11.12; 1056 of 16 × 32, 8·0.3·4 = 9.6
        ("fp32", 64 * 66, False, 0),  # 264 programs, 2·0.83·8 = 13.28; 2112, 16·0.3·4 = 19.2
    ],
)
def test_the_rule_that_picks_a_tile_by_hand(precision, rows, masker, chosen):
    assert int(choose(precision, rows, 256, 256, 1, 1, masker=masker)) == chosen


#: Rows, columns and depth of each tile, its warps and stages, and its weights in the rule: as measured on an H200.
MEASURED = {
    "fp32": ((64, 64, 32, 4, 2, 0.83, 1.39), (16, 32, 64, 2, 3, 0.3, 0.72)),
    "tf32": ((128, 128, 32, 4, 3, 0.53, 0.67), (64, 64, 32, 4, 4, 0.27, 0.3), (32, 32, 64, 4, 3, 0.18, 0.36)),
    "fp16": ((128, 128, 64, 8, 3, 0.49, 0.67), (64, 64, 64, 4, 4, 0.25, 0.39), (32, 32, 64, 4, 4, 0.12, 0.28)),
}


def fastest(precision, rows, columns, channels, taps, planes):
    """Which tile finishes first: on 132 engines at its busy weight, and no sooner than a program alone."""
    times = []
    for tall, wide, deep, _, _, busy, alone in MEASURED[precision]:
        programs = -(-rows // tall) * -(-columns // wide) * planes
        power = 16
        while power < channels:
            power *= 2
        steps = taps * -(-channels // min(deep, power))
        times.append(max(-(-programs // 132) * busy, alone) * steps)
    return times.index(min(times))


@pytest.mark.parametrize("precision", MEASURED)
def test_the_rule_that_picks_a_tile_by_a_loop(precision):
    assert tuple(map(tuple, TILES[precision])) == MEASURED[precision]
    picked = set()
    for shape in product((1, 100, 1000, 3136, 10**5), (8, 64, 100, 512), (8, 40, 100, 2048), (1, 9), (1, 8)):
        picked.add(fastest(precision, *shape))
        assert int(choose(precision, *shape)) == fastest(precision, *shape)
    assert picked == set(range(len(MEASURED[precision])))


@pytest.mark.parametrize(
    ("precision", "group", "gathers_out", "adjacent"),
    [
        ("tf32", 8, False, True),
        ("fp32", 1, False, False),
        ("fp32", 2, True, True),  # 8 of the 16 bytes of the widest access
        ("fp32", 4, True, False),  # all of them
        ("fp16", 1, False, False),
        ("fp16", 64, True, True),
    ],
)
def test_which_channels_of_a_filter_lie_side_by_side(precision, group, gathers_out, adjacent):
    assert inputs_adjacent(precision, group, gathers_out=gathers_out) == adjacent


def test_channels_that_are_all_on_beside_fewer_are_gathered_too():
    """Several rates are one kernel at each: half of the channels cost the same beside all of them as alone."""
    model = cost_model("calibrated", H200)
    shape = {"c_in": 64, "c_out": 64, "height": 14, "width": 14, "channel_group": 1}
    for name in ("input_rate", "output_rate"):
        both = model.cost(latpred.Convolution(**shape, **{name: (1.0, 0.5)}), 8)
        alone = model.cost(latpred.Convolution(**shape, **{name: 0.5}), 8)
        assert both.latency_s[1] == pytest.approx(float(alone.latency_s), rel=1e-12)
        assert both.compute_s[1] == pytest.approx(float(alone.compute_s), rel=1e-12)
