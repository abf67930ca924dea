"""Residual bodies of any layers: what they are lowered to under every paradigm, written out by hand."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

import latpred
from latpred import SE, Activation, Channel, Conv, Joint, Layer, Norm, Pool, Spatial, Static
from latpred.workloads import operators as op
from latpred.workloads.lowering import KERNELS, PLAIN, PUBLISHED

TX2 = latpred.load_profile("tx2")
BASIC = latpred.BasicBlock(c_in=64, c_out=64, height=12, width=8)
STRIDED = latpred.BasicBlock(c_in=64, c_out=128, height=12, width=8, stride=2)
INVERTED = latpred.InvertedResidual(c_in=32, c_out=32, height=12, width=8, kernel=5, squeeze=0.25)
CONVNEXT = latpred.ConvNeXtBlock(channels=96, height=12, width=8)
WHOLE, HALVED = {"height": 12, "width": 8}, {"height": 6, "width": 4}


def lowered(block, paradigm, form=PUBLISHED):
    """Names and operators at the paradigm's rates."""
    rates = {part.name: [part.rate] for part in paradigm.parts}
    return {step.name: step.operator for step in block.lower(paradigm, form).at(rates)}


def test_a_basic_block():
    conv = {"c_in": 64, "c_out": 64, "kernel": 3, **WHOLE}
    assert lowered(BASIC, Static()) == {
        "conv1": op.Convolution(**conv),
        "conv2": op.Convolution(**conv),
        "add": op.Add(channels=64, **WHOLE),
    }
    # 12×8 pixels are 6 patches of 4×4; the first convolution computes a pixel more on every side, (4−1)·1+3 = 6.
    half = {"r": 0.5}
    assert lowered(BASIC, Spatial(S=4, r=0.5)) == {
        "masker": op.Convolution(c_in=64, c_out=2, **WHOLE),
        "gather+conv1": op.HaloConvolution(**conv, **half, indexed=True, edge=6, count=6),
        "conv2": op.PatchConvolution(**conv, **half, indexed=False, S=4),
        "scatter+add": op.ScatterAdd(channels=64, **WHOLE, S=4, **half),
    }
    # The masker decides on the 64 channels in between, from the 64 of the input.
    assert lowered(BASIC, Channel(G=2, r=0.5)) == {
        "masker pool": op.AveragePool(channels=64, **WHOLE),
        "masker fc1": op.FullyConnected(c_in=64, c_out=2),
        "masker fc2": op.FullyConnected(c_in=2, c_out=32),
        "conv1": op.Convolution(**conv, output_rate=0.5),
        "conv2": op.Convolution(**conv, input_rate=0.5),
        "scatter+add": op.ScatterAdd(channels=64, **WHOLE, S=1, r=1.0),
    }
    # No 1×1 convolution comes first that the masker could be a channel of.
    assert lowered(BASIC, Layer(r=0.5))["layer masker"] == op.Convolution(c_in=64, c_out=1, **WHOLE)


def test_a_strided_basic_block():
    first = {"c_in": 64, "c_out": 128, "kernel": 3, "stride": 2, **WHOLE}
    assert lowered(STRIDED, Spatial(S=2, r=0.5)) == {
        "masker": op.Convolution(c_in=64, c_out=2, **WHOLE),
        "shortcut": op.Convolution(c_in=64, c_out=128, stride=2, **WHOLE),
        # The mask is one of the 6×4 output map: 6 patches.
        "gather+conv1": op.HaloConvolution(**first, r=0.5, indexed=True, edge=4, count=6),
        "conv2": op.PatchConvolution(c_in=128, c_out=128, kernel=3, **HALVED, r=0.5, indexed=False, S=2),
        "scatter+add": op.ScatterAdd(channels=128, **HALVED, S=2, r=0.5),
    }


def test_a_stride_behind_the_gather_spreads_the_patches():
    """Through a 3×3 kernel of stride 2 a patch of 2×2 is seen by 5×5, and is 4×4 of the map before."""
    body = [Conv(c_out=64, kernel=3), Conv(c_out=64, kernel=3, stride=2)]
    block = latpred.ResidualBlock(c_in=64, **WHOLE, body=body)
    conv = {"c_in": 64, "c_out": 64, "kernel": 3, **WHOLE}
    steps = lowered(block, Spatial(S=2, r=0.5))
    assert steps["gather+conv1"] == op.HaloConvolution(**conv, r=0.5, indexed=True, edge=5, count=6)
    assert steps["conv2"] == op.PatchConvolution(**conv, stride=2, r=0.5, indexed=False, S=2)
    # 4×4 of the map that conv1 reads as well, and a pixel more than the 5×5 that it computes on every side: 7.
    gathered = lowered(block, Spatial(S=2, r=0.5, unfuse=["gather"]))["gather"]
    assert (gathered.S, gathered.patches, gathered.patch_edge) == (4, 6, 8)


def test_an_inverted_residual():
    wide = {"c_in": 32, "c_out": 192, **WHOLE}
    deep = {"c_in": 192, "c_out": 192, "kernel": 5, "groups": 192, **WHOLE}
    narrow = {"c_in": 192, "c_out": 32, **WHOLE}
    assert lowered(INVERTED, Spatial(S=4, r=0.5)) == {
        "masker+conv1": op.MaskerConvolution(**wide, S=4, r=0.5),
        "gather+conv2": op.PatchConvolution(**deep, S=4, r=0.5, indexed=True),
        "SE pool": op.PatchGlobalPool(channels=192, **WHOLE, S=4, r=0.5),
        "SE squeeze": op.FullyConnected(c_in=192, c_out=8),
        "SE excite": op.FullyConnected(c_in=8, c_out=192),
        "SE scale": op.ChannelScale(channels=192, **WHOLE),
        "conv3": op.PatchConvolution(**narrow, S=4, r=0.5, indexed=False),
        "scatter+add": op.ScatterAdd(channels=32, **WHOLE, S=4, r=0.5),
    }
    channels = lowered(INVERTED, Channel(G=4, r=0.25))
    assert channels["masker fc2"] == op.FullyConnected(c_in=3, c_out=48)
    assert channels["conv1"] == op.Convolution(**wide, output_rate=0.25)
    assert channels["conv2"] == op.Convolution(**deep, input_rate=0.25, output_rate=0.25)
    assert channels["conv3"] == op.Convolution(**narrow, input_rate=0.25)
    # One mask: a quarter of the depthwise channels costs a quarter, not a sixteenth.
    assert channels["conv2"].macs(1) == 12 * 8 * 192 * 25 * 0.25
    # In time, too: no less than these at the peak of 2 · 128 lanes, and a little more, of the fullest tile.
    (row,) = latpred.predict(channels["conv2"], "tx2", batch=1).operators
    assert 1 <= row.compute_s / (12 * 8 * 192 * 25 * 0.25 / (2 * 128 * 1.3e9)) < 1.2
    assert lowered(INVERTED, Layer(r=0.5))["layer masker"] == op.LayerMasker(**wide)


def test_a_convnext_block():
    deep = {"c_in": 96, "c_out": 96, "kernel": 7, "groups": 96, **WHOLE}
    assert lowered(CONVNEXT, Spatial(S=4, r=0.5)) == {
        "masker": op.Convolution(c_in=96, c_out=2, **WHOLE),
        "gather+conv1": op.PatchConvolution(**deep, S=4, r=0.5, indexed=True),
        "norm": op.PatchElementWise(channels=96, edge=4, count=6, r=0.5),
        "conv2": op.PatchConvolution(c_in=96, c_out=384, **WHOLE, S=4, r=0.5, indexed=False),
        "conv3": op.PatchConvolution(c_in=384, c_out=96, **WHOLE, S=4, r=0.5, indexed=False),
        "scatter+add": op.ScatterAdd(channels=96, **WHOLE, S=4, r=0.5),
    }
    static = lowered(CONVNEXT, Static())
    assert static["norm"] == op.ElementWise(groups=12, rows=8, channels=96)
    # 96 filters of 7×7, and 96 × 384 twice, at every pixel.
    assert sum(operator.macs(1) for operator in static.values()) == 12 * 8 * (96 * 49 + 2 * 96 * 384)


def test_layers_before_the_gather_run_on_the_whole_map():
    """Normalised before it is convolved, the input of the first convolution is not what the masker reads."""
    body = [Norm(activation="relu"), Conv(c_out=32), Conv(c_out=32, kernel=3), Conv(c_out=64)]
    steps = lowered(latpred.ResidualBlock(c_in=64, **WHOLE, body=body), Spatial(S=4, r=0.5))
    assert list(steps) == ["masker", "norm", "conv1", "gather+conv2", "conv3", "scatter+add"]
    assert steps["norm"] == op.ElementWise(groups=12, rows=8, channels=64)
    assert steps["conv1"] == op.Convolution(c_in=64, c_out=32, **WHOLE)


def test_a_body_of_1x1_kernels_needs_no_border():
    body = [Conv(c_out=32), Activation(), Conv(c_out=64)]
    steps = lowered(latpred.ResidualBlock(c_in=64, **WHOLE, body=body), Spatial(S=4, r=0.5))
    assert list(steps) == ["masker", "gather+conv1", "activation", "conv2", "scatter+add"]
    assert steps["gather+conv1"] == op.PatchConvolution(c_in=64, c_out=32, **WHOLE, S=4, r=0.5, indexed=True)


def test_shortcuts():
    body = [Conv(c_out=128, kernel=3, stride=2), Conv(c_out=128, kernel=3)]
    pooled = latpred.ResidualBlock(
        c_in=64, **WHOLE, body=body, shortcut=[Pool(kernel=2, padding=0), Conv(c_out=128, norm=True)]
    )
    steps = lowered(pooled, Static())
    assert steps["shortcut pool"] == op.AveragePool(channels=64, **WHOLE, out_height=6, out_width=4)
    assert steps["shortcut"] == op.Convolution(c_in=64, c_out=128, **HALVED)
    assert lowered(pooled.replace(shortcut="auto"), Static()) == lowered(STRIDED, Static())
    alone = pooled.replace(shortcut="none")
    assert list(lowered(alone, Static())) == ["conv1", "conv2"]
    assert alone.paradigms == ()
    with pytest.raises(latpred.InputError, match="nothing leads past the layers"):
        alone.lower(Layer(r=0.5), PUBLISHED)


@pytest.mark.parametrize("paradigm", [Static(), Spatial(S=2, r=0.4), Channel(G=2, r=0.4), Layer(r=0.4)])
@pytest.mark.parametrize("form", [PUBLISHED, PLAIN, KERNELS])
def test_a_bottleneck_is_its_layers_spelled_out(form, paradigm):
    """But for the groups of its input that the published masker decides on."""
    short = latpred.Bottleneck(c_in=64, c_out=64, bottleneck_ratio=1, **WHOLE)
    spelled = latpred.ResidualBlock(c_in=64, **WHOLE, body=short.layers(), shortcut=short.shortcut_layers())
    assert lowered(spelled, paradigm, form) == lowered(short, paradigm, form)


def test_what_blocks_can_skip_by():
    assert BASIC.paradigms == INVERTED.paradigms == CONVNEXT.paradigms == ("spatial", "channel", "layer")
    assert INVERTED.replace(stride=2).paradigms == INVERTED.replace(c_out=48).paradigms == ()
    one = latpred.ResidualBlock(c_in=64, **WHOLE, body=[Conv(c_out=64, kernel=3)])
    assert one.paradigms == ("spatial", "layer")
    with pytest.raises(latpred.InputError, match="one convolution has no inner channels to switch; choose spatial"):
        one.lower(Channel(r=0.5), PUBLISHED)
    spread = latpred.ResidualBlock(c_in=64, **WHOLE, body=[Conv(c_out=64), Conv(c_out=64, kernel=3, dilation=2)])
    assert spread.paradigms == ()
    assert "conv2 is not square, undilated and padded" in spread.obstacles["spatial"]


BAD = {
    "a layer that does not fit": (
        [Conv(c_out=64), Conv(c_out=60, groups=8)],
        "layer 2, conv on 64 channels of 12×8: 64 → 60 channels cannot be split into 8 groups",
    ),
    "another map than the shortcut": (
        [Conv(c_out=32, kernel=3, padding=0)],
        "the body puts out 32 channels of 10×6, the shortcut 32 channels of 6×4",
    ),
    "no convolution": ([Norm()], "the body of a residual block needs a convolution"),
    "no layer": ([7], "layer 1: must be a mapping with layer, one of conv, se"),
    "another kind": ([{"layer": "cnv", "c_out": 64}], "layer 1: unknown layer 'cnv'; did you mean conv?"),
    "a field too many": ([{"layer": "conv", "c_out": 64, "kernal": 3}], "kernal: unknown field; did you mean kernel"),
    "a classifier": ([Conv(c_out=64), latpred.Dense(c_out=10)], "a dense layer has no place in a residual block"),
    "no list": ("conv", "must be a list of at most"),
}


@pytest.mark.parametrize("case", BAD)
def test_bodies_that_make_no_block(case):
    body, message = BAD[case]
    with pytest.raises(latpred.NetworkError) as problem:
        latpred.ResidualBlock(c_in=64, **WHOLE, body=body)
    assert message in str(problem.value)


def test_lists_of_settings_are_for_networks_in_joint_paradigms_too():
    with pytest.raises(latpred.InputError, match="basic block takes one S, not a list"):
        BASIC.lower(Joint(Layer(r=0.5), Spatial(S=[4, 2], r=0.5)), PUBLISHED)


@given(
    S=st.integers(1, 6),
    kernels=st.lists(st.sampled_from([1, 3, 5]), min_size=1, max_size=4),
    stride=st.sampled_from([1, 2]),
    r=st.floats(0.01, 1),
)
def test_computed_patches_see_what_the_next_layer_reads(S, kernels, stride, r):
    """Each layer's patch is as large as what the next reads of it, as many as of the mask, and r = 1 costs no less."""
    body = [Conv(c_out=16, kernel=kernel, stride=stride if place == 0 else 1) for place, kernel in enumerate(kernels)]
    block = latpred.ResidualBlock(c_in=16, height=12, width=12, body=[*body, SE(squeezed=4)])
    convs = [step for name, step in lowered(block, Spatial(S=S, r=r)).items() if isinstance(step, op.ActivePatches)]
    assert convs[-1].patch_edge == S
    for before, after in pairwise(convs):
        assert before.patch_edge == (after.patch_edge - 1) * after.stride + after.kernel
        assert before.patches == after.patches
    some = latpred.predict(block, TX2, Spatial(S=S, r=r))
    every = latpred.predict(block, TX2, Spatial(S=S, r=1.0))
    assert some.latency_s <= every.latency_s * (1 + 1e-12)
    assert every.macs <= every.static_macs * (-(-12 // stride // S) * S) ** 2 / (12 // stride) ** 2 + 12 * 12 * 16 * 2
