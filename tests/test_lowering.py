"""What a block becomes, kernel by kernel, written out by hand for every form and way to skip."""

import pytest

import latpred
from latpred import Channel, Layer, Spatial, Static
from latpred.workloads import operators as op
from latpred.workloads.lowering import KERNELS, PLAIN, PUBLISHED

#: 64 → 32 → 32 → 128 channels, from 16 × 12 to 8 × 6 pixels.
STRIDED = latpred.Bottleneck(c_in=64, c_out=128, height=16, width=12, stride=2)
#: 40 → 64 → 64 → 128 channels in 2 groups, on 8 × 6 pixels; SE squeezes to a quarter of 40.
GROUPED = latpred.Bottleneck(c_in=40, c_out=128, bottleneck_ratio=2, height=8, width=6, groups=2, se=True)
WIDE, SMALL = {"height": 16, "width": 12}, {"height": 8, "width": 6}
SHORTCUT = ("shortcut", op.Convolution(c_in=64, c_out=128, **WIDE, stride=2), 1.0)
CONV1, CONV2 = {"c_in": 64, "c_out": 32, **WIDE}, {"c_in": 32, "c_out": 32, **WIDE, "kernel": 3, "stride": 2}
CONV3, MAP = {"c_in": 32, "c_out": 128, **SMALL}, {"channels": 128, **SMALL}
GROUPED2 = {"c_in": 64, "c_out": 64, **SMALL, "kernel": 3, "groups": 2}
HALF = {"S": 2, "r": 0.5}


def convolutions(runs=1.0):
    return [
        (f"conv{number}", op.Convolution(**shape), runs) for number, shape in enumerate((CONV1, CONV2, CONV3), start=1)
    ]


def squeeze(pool, scale):
    """A quarter of the input's 40 channels."""
    layers = [op.FullyConnected(c_in=64, c_out=10), op.FullyConnected(c_in=10, c_out=64)]
    names = ("SE pool", "SE squeeze", "SE excite", "SE scale")
    return [(name, operator, 1.0) for name, operator in zip(names, (pool, *layers, scale), strict=True)]


def lowered(block, paradigm, form):
    steps = block.lower(paradigm, form).at(paradigm.rates((1,)))
    return [(step.name, step.operator, step.executions) for step in steps]


@pytest.mark.parametrize("form", [KERNELS, PUBLISHED, PLAIN], ids=lambda form: form.name)
def test_static(form):
    assert lowered(STRIDED, Static(), form) == [SHORTCUT, *convolutions(), ("add", op.Add(**MAP), 1.0)]


def test_kernels_of_pixels():
    assert lowered(STRIDED, Spatial(S=2, r=0.5), KERNELS) == [
        SHORTCUT,
        ("masker+conv1", op.MaskerConvolution(**CONV1, **HALF), 1.0),
        ("mask index", op.MaskCompaction(**WIDE, items=12), 1.0),
        ("gather+conv2", op.PatchConvolution(**CONV2, **HALF, indexed=True), 1.0),
        ("conv3", op.PatchConvolution(**CONV3, **HALF, indexed=False), 1.0),
        ("scatter+add", op.ScatterAdd(**MAP, **HALF), 1.0),
    ]


@pytest.mark.parametrize(("G", "hidden", "groups"), [(1, 2, 32), (2, 1, 16), (4, 1, 8), (32, 1, 1)])
def test_kernels_of_channels(G, hidden, groups):
    active = {"output_rate": 0.5, "channel_group": G}
    assert lowered(STRIDED, Channel(G=G, r=0.5), KERNELS) == [
        SHORTCUT,
        ("masker pool", op.GlobalPool(channels=64, **WIDE), 1.0),
        ("masker fc1", op.FullyConnected(c_in=64, c_out=hidden), 1.0),
        ("masker fc2", op.FullyConnected(c_in=hidden, c_out=groups), 1.0),
        ("mask index", op.MaskCompaction(height=1, width=groups, items=groups), 1.0),
        ("conv1", op.Convolution(**CONV1, **active), 1.0),
        ("conv2", op.Convolution(**CONV2, **active, input_rate=0.5), 1.0),
        ("conv3", op.Convolution(**CONV3, channel_group=G, input_rate=0.5), 1.0),
        ("add", op.Add(**MAP), 1.0),
    ]


def test_kernels_look_channels_up_even_if_all_are_on():
    rates = [operator.input_rate for name, operator, _ in lowered(STRIDED, Channel(G=4, r=1.0), KERNELS)[-3:-1]]
    assert all(0.999 < rate < 1 for rate in rates)


def test_one_linear_layer_decides_on_channels():
    steps = lowered(STRIDED, Channel(G=2, r=0.5, masker_layers=1), KERNELS)
    assert steps[2] == ("masker fc1", op.FullyConnected(c_in=64, c_out=16), 1.0)
    assert steps[3][0] == "mask index"


def test_kernels_of_layers():
    assert lowered(STRIDED, Layer(r=0.25), KERNELS) == [
        SHORTCUT,
        ("layer masker pool", op.GlobalPool(channels=64, **WIDE), 1.0),
        ("layer masker fc", op.FullyConnected(c_in=64, c_out=1), 1.0),
        ("layer mask index", op.MaskCompaction(height=1, width=1, items=1), 1.0),
        *convolutions(0.25),
        ("scatter+add", op.ScatterAdd(**MAP, S=1, r=0.25), 1.0),
    ]


def test_kernels_of_squeeze_and_excitation():
    shape = {"channels": 64, **SMALL}
    steps = lowered(GROUPED, Static(), KERNELS)
    assert steps[0] == ("shortcut", op.Convolution(c_in=40, c_out=128, **SMALL), 1.0)
    assert steps[2] == ("conv2", op.Convolution(**GROUPED2), 1.0)
    assert steps[3:7] == squeeze(op.GlobalPool(**shape), op.ChannelScale(**shape))
    steps = lowered(GROUPED, Spatial(S=2, r=0.5), KERNELS)
    assert steps[2] == ("mask index", op.MaskCompaction(**SMALL, items=12), 1.0)
    assert steps[4:8] == squeeze(op.PatchGlobalPool(**shape, **HALF), op.PatchChannelScale(**shape, **HALF))


@pytest.mark.parametrize(
    ("block", "paradigm", "message"),
    [
        (STRIDED, Spatial(S=2, r=0.5, unfuse=("gather",)), "fused maskers"),
        (STRIDED, Channel(G=2, r=0.5, scaled=True), "fused maskers"),
        (STRIDED, Layer(r=0.5, masker="pooled"), "fused maskers"),
        (GROUPED, Channel(G=2, r=0.5), "no kernels of channel skipping with grouped convolutions and SE"),
        (GROUPED.replace(groups=1), Channel(G=2, r=0.5), "no kernels of channel skipping with SE"),
        (GROUPED.replace(se=False), Channel(G=2, r=0.5), "no kernels of channel skipping with grouped convolutions;"),
        (STRIDED, Channel(G=3, r=0.5), "G=3 does not divide the 32 inner channels"),
    ],
)
def test_what_the_kernels_do_not_have(block, paradigm, message):
    with pytest.raises(latpred.InputError, match=message):
        block.lower(paradigm, KERNELS)


def test_published_pixels():
    assert lowered(STRIDED, Spatial(S=2, r=0.5), PUBLISHED) == [
        SHORTCUT,
        ("masker+conv1", op.MaskerConvolution(**CONV1, **HALF), 1.0),
        ("gather+conv2", op.PatchConvolution(**CONV2, **HALF, indexed=True), 1.0),
        ("conv3", op.PatchConvolution(**CONV3, **HALF, indexed=False), 1.0),
        ("scatter+add", op.ScatterAdd(**MAP, **HALF), 1.0),
    ]


def test_published_pixels_unfused():
    """The gather reads patches of 4 × 4 pixels of the input map, and a pixel around each."""
    assert lowered(STRIDED, Spatial(S=2, r=0.5, unfuse=("masker", "gather", "scatter")), PUBLISHED) == [
        ("masker", op.Convolution(c_in=64, c_out=2, **WIDE), 1.0),
        SHORTCUT,
        ("conv1", op.PatchConvolution(**CONV1, **HALF, indexed=True), 1.0),
        ("gather", op.Gather(channels=32, **WIDE, S=4, r=0.5, pad=1), 1.0),
        ("conv2", op.PatchConvolution(**CONV2, **HALF, indexed=False), 1.0),
        ("conv3", op.PatchConvolution(**CONV3, **HALF, indexed=False), 1.0),
        ("scatter", op.Scatter(**MAP, **HALF), 1.0),
        ("add", op.Add(**MAP), 1.0),
    ]


@pytest.mark.parametrize(
    ("form", "groups", "addition"),
    [
        (PUBLISHED, 32, ("scatter+add", op.ScatterAdd(**MAP, S=1, r=1.0), 1.0)),  # of 64 input channels; oddity 4
        (PLAIN, 16, ("add", op.Add(**MAP), 1.0)),  # of the 32 inner channels, which switch
    ],
)
def test_channels_without_kernels_of_their_own(form, groups, addition):
    hidden = groups // 16
    assert lowered(STRIDED, Channel(G=2, r=0.5, scaled=True), form) == [
        ("masker pool", op.AveragePool(channels=64, **WIDE), 1.0),
        ("masker fc1", op.FullyConnected(c_in=64, c_out=hidden), 1.0),
        ("masker fc2", op.FullyConnected(c_in=hidden, c_out=groups), 1.0),
        SHORTCUT,
        ("conv1", op.Convolution(**CONV1, output_rate=0.5), 1.0),
        ("scale1", op.ChannelScale(channels=32, **WIDE, rate=0.5), 1.0),
        ("conv2", op.Convolution(**CONV2, input_rate=0.5, output_rate=0.5), 1.0),
        ("scale2", op.ChannelScale(channels=32, **SMALL, rate=0.5), 1.0),
        ("conv3", op.Convolution(**CONV3, input_rate=0.5), 1.0),
        addition,
    ]


def test_one_group_of_channels_needs_no_decision():
    """As published, a masker of one group is no masker (MODEL §5)."""
    block = latpred.Bottleneck(c_in=128, c_out=128, bottleneck_ratio=1, **SMALL)
    assert lowered(block, Channel(G=128, r=0.5), PUBLISHED)[0][0] == "conv1"


@pytest.mark.parametrize(
    ("paradigm", "maskers"),
    [
        (Layer(r=0.25), [("layer masker", op.LayerMasker(c_in=64, c_out=32, **WIDE), 1.0)]),
        (
            Layer(r=0.25, masker="pooled", hidden=5),
            [
                ("layer masker pool", op.AveragePool(channels=64, **WIDE), 1.0),
                ("layer masker fc1", op.FullyConnected(c_in=64, c_out=5), 1.0),
                ("layer masker fc2", op.FullyConnected(c_in=5, c_out=1), 1.0),
            ],
        ),
    ],
)
def test_published_layers(paradigm, maskers):
    """Maskers and the shortcut always run, everything else for a quarter of the samples."""
    assert lowered(STRIDED, paradigm, PUBLISHED) == [
        *maskers,
        SHORTCUT,
        *convolutions(0.25),
        ("add", op.Add(**MAP), 0.25),
    ]


def test_a_fused_masker_runs_alone_where_the_body_does_not():
    paradigm = latpred.Joint(Spatial(S=2, r=0.5), Layer(r=0.25))
    steps = {name: (operator, runs) for name, operator, runs in lowered(STRIDED, paradigm, PUBLISHED)}
    assert steps["masker alone"] == (op.Convolution(c_in=64, c_out=2, **WIDE), 0.75)
    assert steps["scatter+add"] == (op.ScatterAdd(**MAP, **HALF), 0.25)
    assert "masker alone" not in [name for name, *_ in lowered(STRIDED, paradigm, KERNELS)]


def test_published_squeeze_and_excitation():
    shape = {"channels": 64, **SMALL}
    # Oddity 5, which the papers' networks have: no shortcut without a stride.
    static = lowered(GROUPED.replace(projects="strided"), Static(), PUBLISHED)
    assert [name for name, *_ in static][:2] == ["conv1", "conv2"]
    assert static[2:6] == squeeze(op.GlobalPool(**shape), op.ChannelScale(**shape))
    plain = lowered(GROUPED, Static(), PLAIN)
    assert plain[0] == ("shortcut", op.Convolution(c_in=40, c_out=128, **SMALL), 1.0)
    assert plain == lowered(GROUPED, Static(), PUBLISHED)
    assert plain[1:] == static
    # Only the pool is of patches (MODEL §5).
    steps = lowered(GROUPED.replace(projects="strided"), Spatial(S=2, r=0.5), PUBLISHED)
    assert steps[2:6] == squeeze(op.PatchGlobalPool(**shape, **HALF), op.ChannelScale(**shape))
