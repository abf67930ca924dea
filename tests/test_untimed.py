"""The calibrated model on bodies that nobody has timed: a note and no band; and what it has no kernels for, by name."""

import math

import pytest

import latpred
from latpred import SE, Activation, Channel, Conv, Layer, Norm, Pool, Spatial, Static, predict
from latpred.workloads.lowering import KERNELS

H200 = latpred.load_profile("h200")
STATIC = Static()
WHOLE = {"height": 14, "width": 14}
BOTTLENECK = latpred.Bottleneck(name="mine", c_in=64, c_out=64, bottleneck_ratio=2, **WHOLE)


def body(*layers, **more):
    return latpred.ResidualBlock(name="mine", c_in=64, **WHOLE, body=layers, **more)


def calibrated(target, paradigm=STATIC):
    return predict(target, H200, paradigm, batch=8, model="calibrated", precision="fp16")


#: Bodies of the measured shape (MODEL §6): 1×1, 3×3 in one or more groups, maybe SE, 1×1.
TIMED = {
    "a bottleneck": BOTTLENECK,
    "a strided one, which has a projection": BOTTLENECK.replace(stride=2, c_out=128),
    "one of groups with SE": BOTTLENECK.replace(groups=4, se=True),
    "one spelled out": body(*BOTTLENECK.layers()),
    "one of groups of a channel of several filters": body(
        Conv(c_out=8), Conv(c_out=16, kernel=3, groups=8), Conv(c_out=64)
    ),
}
UNTIMED = {
    "a basic block": (latpred.BasicBlock(name="mine", c_in=64, c_out=64, **WHOLE), "3×3, 3×3"),
    "an inverted residual": (
        latpred.InvertedResidual(name="mine", c_in=64, c_out=64, squeeze=16, **WHOLE),
        "1×1, 3×3 depthwise, SE, 1×1",
    ),
    "SE behind the last convolution": (body(*BOTTLENECK.layers(), SE(squeezed=4)), "1×1, 3×3, 1×1, SE"),
    "a 1×1 in the middle": (body(Conv(c_out=32), Conv(c_out=32), Conv(c_out=64)), "1×1, 1×1, 1×1"),
    "a 3×3 behind": (body(Conv(c_out=32), Conv(c_out=32, kernel=3), Conv(c_out=64, kernel=3)), "1×1, 3×3, 3×3"),
    "a strided first": (
        body(Conv(c_out=32, stride=2), Conv(c_out=32, kernel=3), Conv(c_out=64)),
        "1×1, 3×3, 1×1",
    ),
    "groups before": (
        body(Conv(c_out=32, groups=4), Conv(c_out=32, kernel=3, groups=4), Conv(c_out=64)),
        "1×1 of 4 groups, 3×3 of 4 groups, 1×1",
    ),
    "a 3×3 shortcut": (body(*BOTTLENECK.layers(), shortcut=[Conv(c_out=64, kernel=3)]), "1×1, 3×3, 1×1"),
    "a pooled shortcut": (
        body(*BOTTLENECK.replace(stride=2).layers(), shortcut=[Pool(kernel=2, padding=0)]),
        "1×1, 3×3, 1×1",
    ),
    "no shortcut": (body(*BOTTLENECK.layers(), shortcut="none"), "1×1, 3×3, 1×1"),
}


@pytest.mark.parametrize("case", TIMED)
def test_bodies_that_were_timed_have_a_band(case):
    assert KERNELS.was_timed(TIMED[case])
    report = calibrated(TIMED[case])
    assert report.latency_low_s < report.latency_high_s
    assert report.notes == ()


@pytest.mark.parametrize("case", UNTIMED)
def test_others_have_a_note_and_no_band(case):
    block, words = UNTIMED[case]
    report = calibrated(block)
    assert report.notes == (f"extrapolated, without a band: nobody has timed the kernels of mine ({words})",)
    assert (report.band, report.latency_low_s, report.latency_high_s) == (None, None, None)
    assert report.latency_s > 0


def test_a_bottleneck_spelled_out_takes_the_same_time():
    for paradigm in (STATIC, Spatial(S=2, r=0.5), Channel(G=8, r=0.5), Layer(r=0.5)):
        spelled, short = (calibrated(block, paradigm) for block in (TIMED["one spelled out"], BOTTLENECK))
        assert (spelled.latency_s, spelled.band) == (short.latency_s, short.band)


def test_a_body_is_the_sum_of_its_kernels():
    """Those of a basic block are dense 3×3 convolutions and an addition, each after another kernel."""
    block, _ = UNTIMED["a basic block"]
    model = calibrated(block).asked.cost_model
    conv = latpred.Convolution(c_in=64, c_out=64, kernel=3, **WHOLE)
    costs = [model.cost(operator, 8, chained=True) for operator in (conv, conv, latpred.Add(channels=64, **WHOLE))]
    assert calibrated(block).latency_s == pytest.approx(sum(cost.latency_s for cost in costs))


NONE = "mine: the calibrated model has no kernel of "
REFUSED = {
    "ConvNeXt": (
        latpred.ConvNeXtBlock(name="mine", channels=64, **WHOLE),
        "conv1, a 7×7 depthwise convolution (it has 1×1 and 3×3)",
    ),
    "a 5×5": (body(Conv(c_out=32), Conv(c_out=64, kernel=5)), "conv2, a 5×5 convolution (it has 1×1 and 3×3)"),
    "a dilated": (
        body(Conv(c_out=32), Conv(c_out=64, kernel=3, dilation=2)),
        "conv2, a 3×3 convolution, dilated or with a border of its own",
    ),
    "a norm": (body(Conv(c_out=32), Norm(), Conv(c_out=64)), "norm, a pass of its own"),
    "an activation": (body(Conv(c_out=32), Activation(), Conv(c_out=64)), "activation, a pass of its own"),
    "a pool": (body(Conv(c_out=32), Pool(kernel=3, stride=1), Conv(c_out=64)), "pool, a pass of its own"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_layers_without_kernels_are_named(case):
    block, what = REFUSED[case]
    for paradigm in (STATIC, *([Layer(r=0.5)] if block.paradigms else [])):
        with pytest.raises(latpred.InputError) as problem:
            calibrated(block, paradigm)
        assert str(problem.value).startswith(NONE + what)
        for model in ("published", "roofline"):
            assert predict(block, H200, paradigm, model=model).latency_s > 0


def test_networks_say_how_many_of_their_blocks():
    mixed = latpred.Network(
        name="mine",
        image_size=(64, 64),
        stem=latpred.Stem(c_out=64, kernel=3, stride=4),
        stages=[
            latpred.Stage(c_in=64, c_out=64, blocks=2),
            latpred.Stage(kind="basic", c_in=64, c_out=64, blocks=3),
        ],
    )
    report = calibrated(mixed, Layer(r=0.5))
    words = "extrapolated, without a band: nobody has timed the kernels of 3 of 5 blocks of mine (3×3, 3×3)"
    assert words in report.notes
    assert report.band is None
    assert calibrated(mixed.stage(1), Layer(r=0.5)).band
    assert any("of all 3 blocks of mine-stage2" in note for note in calibrated(mixed.stage(2), Layer(r=0.5)).notes)
    frame = latpred.sweep([mixed, "resnet50"], [H200], [Layer(r=0.5)], model="calibrated", precision="fp16")
    assert [math.isnan(low) for low in frame["latency_low_s"]] == [True, False]
    assert words in frame.attrs["notes"]
    regrets = [
        latpred.recommend_granularity(network, H200, 0.6, model="calibrated", precision="fp16").regret_p95
        for network in (mixed, "resnet50")
    ]
    assert regrets[0] is None
    assert regrets[1] > 0


def test_static_networks():
    """A 3×3 convolution and a pool have kernels, and nobody has timed what is no block."""
    stem = [Conv(c_out=64, kernel=3, stride=2), Conv(c_out=64)]
    network = latpred.Network(name="mine", image_size=(32, 32), stem=stem)
    report = calibrated(network)
    assert "nobody has timed the kernels of mine, which has no blocks" in report.notes[-1]
    assert report.band is None
    assert calibrated("vgg16").band is None
    with pytest.raises(latpred.InputError, match="no kernels of 7×7 convolutions"):
        calibrated("densenet121")
