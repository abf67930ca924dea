"""What the calibrated kernels move, by hand: gathered weights, the border of patches, the last active group."""

import pytest

import latpred
from latpred import Channel, predict
from latpred.models.calibrated.tiles import halvings

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


@pytest.mark.parametrize(("group", "expected"), [(1, 3), (2, 2), (4, 1), (8, 0), (16, 0)])
def test_a_sector_of_32_bytes_holds_eight_numbers_of_fp32(group, expected):
    assert halvings("fp32", group, gathers_in=True, gathers_out=True) == expected
