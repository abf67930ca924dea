"""Widths of slimmable networks, and tokens that are dropped for good: rates that shape the operators."""

import pytest

import latpred
from latpred import Head, Joint, Layer, Token, Width, predict
from latpred.workloads import operators as op
from latpred.workloads.lowering import PUBLISHED
from latpred.workloads.networks import PARTS

TX2 = latpred.load_profile("tx2")
MOBILENET = latpred.load_network("mobilenetv2")
DEIT = latpred.load_network("deit-s")
#: DynamicViT drops tokens before blocks 4, 7 and 10.
POWERS = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]

# --- widths


@pytest.mark.parametrize(
    ("r", "macs"), [(0.35, 59_285_808), (0.5, 97_131_840), (0.75, 209_069_792), (1.0, 300_774_272)]
)
def test_mobilenets_of_other_widths(r, macs):
    """As torch.utils.flop_counter counts torchvision 0.29's mobilenet_v2(width_mult=r), halved."""
    report = predict(MOBILENET.including(*PARTS), TX2, Width(r), batch=1)
    assert report.macs == macs
    assert report.static_macs == 300_774_272


def test_half_a_network_is_a_network_of_half_the_channels():
    """32 → 16, 48 → 24, and 24 → 16: 12 is between 8, more than a tenth below it, and 16. The head keeps its 200."""
    stages = [
        latpred.Stage(kind="basic", c_in=32, c_out=48, blocks=2, stride=2),
        latpred.Stage(kind="inverted-residual", c_in=48, c_out=24, blocks=2, hidden=96, squeeze=24),
        latpred.Stage(
            kind="convnext", c_in=48, c_out=48, blocks=1, before=[latpred.Norm(), latpred.Conv(c_out=48, kernel=3)]
        ),
    ]
    halves = [
        latpred.Stage(kind="basic", c_in=16, c_out=24, blocks=2, stride=2),
        latpred.Stage(kind="inverted-residual", c_in=24, c_out=16, blocks=2, hidden=48, squeeze=16),
        latpred.Stage(
            kind="convnext", c_in=24, c_out=24, blocks=1, before=[latpred.Norm(), latpred.Conv(c_out=24, kernel=3)]
        ),
    ]
    head = [latpred.Conv(c_out=200), latpred.Pool(), latpred.Dense(c_out=10)]
    whole, half = (
        latpred.Network(
            name="mine", image_size=(64, 64), stem=latpred.Stem(c_out=c, kernel=3, stride=2), stages=own, head=head
        )
        for c, own in ((32, stages), (16, halves))
    )
    assert whole.narrowed(0.5) == half
    counted = whole.including(*PARTS)
    slim = predict(counted, TX2, Width(0.5))
    assert slim.operators == predict(half.including(*PARTS), TX2).operators
    assert slim.static_operators == predict(counted, TX2).operators
    assert "mine: every layer up to the last stage has the share r of its channels, in multiples of 8" in slim.notes
    assert predict(whole.stage(2), TX2, Width(0.5)).operators == predict(half.stage(2), TX2).operators


def test_every_layer_of_a_narrow_bottleneck_has_multiples_of_eight():
    """Of 64 inner channels 0.3 are 19.2, rounded to 24, not the quarter of 80; those behind read what is put out."""
    network = latpred.load_network("resnet50").narrowed(0.3)
    assert sorted({placed.block.inner for placed in network.blocks}) == [24, 40, 80, 152]
    for placed in network.blocks:
        assert {one.out.channels % 8 for one in placed.block.chain} == {0}
    for placed, behind in zip(network.blocks, network.blocks[1:], strict=False):
        assert behind.block.c_in == placed.block.out.channels


def test_the_whole_width_is_the_network_itself():
    """Also where its channels are no multiples of eight."""
    stage = latpred.Stage(kind="basic", c_in=12, c_out=20, blocks=1)
    own = latpred.Network(name="own", stem=latpred.Stem(c_out=12, kernel=3, stride=2), stages=[stage])
    assert own.narrowed(1.0) == own
    assert predict(own, TX2, Width(1.0)).operators == predict(own, TX2).operators


def test_a_narrower_network_is_never_slower():
    assert predict(MOBILENET, TX2, Width(0.5)).break_even_rate == 1.0
    frame = latpred.sweep([MOBILENET], [TX2], [Width(r) for r in (1.0, 0.75, 0.5, 0.25, 0.0)])
    assert frame["latency_s"].is_monotonic_decreasing


def test_the_band_of_a_width_is_that_of_its_own_channels():
    """In a sweep as alone: which blocks take how much of the time changes with the width."""
    how = {"model": "calibrated", "precision": "fp16"}
    (row,) = latpred.sweep(["resnet50"], ["h200"], [Width(0.25)], **how).to_dict("records")
    report = predict("resnet50", "h200", Width(0.25), **how)
    assert (row["latency_low_s"], row["latency_high_s"]) == pytest.approx(
        (report.latency_low_s, report.latency_high_s), rel=1e-12
    )


def test_spelled_out_layers_are_narrowed():
    branches = [[], [latpred.Conv(c_out=32, kernel=3)]]
    stem = [latpred.Conv(c_out=64, kernel=3), latpred.SE(squeezed=16), latpred.Join(branches=branches)]
    found = latpred.Network(name="mine", stem=stem).narrowed(0.5).stem_layers
    assert (found[0].c_out, found[1].squeezed, found[2].branches[1][0].c_out) == (32, 8, 16)


@pytest.mark.parametrize("name", ["deit-s", "swin-tiny", "resnext50-32x4d", "regnety-400mf"])
def test_what_has_one_width(name):
    with pytest.raises(latpred.NetworkError, match=f"{name} cannot run at a share of its width: its heads, or its gr"):
        predict(name, TX2, Width(0.5))


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (
            lambda: predict("resnet50-stage1", TX2, Width(0.5)),
            "has no width skipping: a network is narrowed as a whole",
        ),
        (
            lambda: Joint(Width(0.5), Layer(r=0.5)),
            "needs one or more of spatial, channel, layer, token, head, each once",
        ),
        (lambda: Width([0.5, 0.6]), "a width is of the whole network; give one r, not several"),
        (lambda: Width(1.5), "r: must be at most 1"),
        (lambda: latpred.evaluate(MOBILENET, TX2, Width(0.5), [[0.5] * 17]), "shape its operators"),
    ],
)
def test_widths_that_make_no_sense(ask, message):
    with pytest.raises(latpred.InputError, match=message):
        ask()


# --- tokens


def tokens_of(report, name, block):
    (step,) = (row for row in report.operators if (row.name, row.block) == (name, block))
    return step.macs


def test_tokens_that_are_dropped_by_hand():
    """197 tokens of which 137 = ⌊197·0.7⌋, 96 = ⌊197·0.49⌋ and 67 = ⌊197·0.343⌋ are left; a policy wherever some go."""
    report = predict(DEIT, TX2, Token(r=0.7, powers=POWERS), batch=1)
    left = 3 * [197] + 3 * [137] + 3 * [96] + 3 * [67]
    for name, per_token in (("query", 384**2), ("projection", 384**2), ("fc1", 4 * 384**2)):
        assert [tokens_of(report, name, block) / per_token for block in range(1, 13)] == left
    assert [tokens_of(report, "scores", block) / 384 for block in range(1, 13)] == [n * n for n in left]
    policies = {row.block: row.macs / 384 for row in report.operators if row.name == "token policy"}
    assert policies == {4: 197, 7: 137, 10: 96}


def test_the_papers_multiply_adds():
    """Table 1 of DynamicViT: 2.9 G of DeiT-S's 4.6 G at ρ = 0.7."""
    preset = latpred.load_preset("dynamicvit-deit-s")
    assert preset.at_rates(0.7) == Token(r=0.7, powers=POWERS)
    assert predict(DEIT, TX2, preset.at_rates(0.7), batch=1).macs == pytest.approx(2.9e9, rel=0.02)


def test_powers_of_zero_drop_nothing():
    assert predict(DEIT, TX2, Token(r=0.5, powers=[0] * 12)).operators == predict(DEIT, TX2).operators


def test_powers_of_a_block_alone_are_that_before_it_and_its_own():
    block = latpred.load_block("deit-s-stage1")
    steps = {step.name: step.operator for step in block.lower(Token(r=0.5, powers=[1, 2]), PUBLISHED).steps}
    assert steps["token policy"] == op.Linear(tokens=98, c_in=384, c_out=1)
    assert steps["query"].tokens == 49
    with pytest.raises(latpred.InputError, match="of powers give two, that of the block before it and its own"):
        predict(block, TX2, Token(r=0.5, powers=[1, 2, 3]))


def test_dropped_tokens_go_with_other_paradigms():
    joint = Joint(Token(r=0.7, powers=POWERS), Head(r=0.5), Layer(r=0.5))
    report = predict(DEIT, TX2, joint, batch=1)
    assert tokens_of(report, "fc2", 12) == 67 * 4 * 384**2 * 0.5
    assert tokens_of(report, "query", 12) == 67 * 384 * 192 * 0.5


def test_break_even_leaves_a_token_in_the_last_block():
    """One of 197 after three times r: r ≥ (1/197)^(1/3) = 0.1719."""
    assert DEIT.lowest_rate(Token(r=0.7, powers=POWERS)) == pytest.approx(0.1719, abs=1e-4)
    assert 0.9 < predict(DEIT, TX2, Token(r=0.7, powers=POWERS)).break_even_rate <= 1


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"r": [0.5, 0.6], "powers": [1, 2]}, "powers are of one rate; give one r, not several"),
        ({"r": 0.5, "powers": [1, 0]}, "tokens that were dropped do not come back"),
        ({"r": 0.5, "powers": []}, "tokens that were dropped do not come back"),
        ({"r": 0.5, "powers": [-1, 0]}, "powers 1: must be at least 0"),
    ],
)
def test_powers_that_make_no_sense(fields, message):
    with pytest.raises(latpred.InputError, match=message):
        Token(**fields)


def test_as_many_powers_as_blocks():
    with pytest.raises(latpred.InputError, match=r"powers has 3 values; give one, 1 \(per stage\) or 12 \(per block\)"):
        predict(DEIT, TX2, Token(r=0.5, powers=[1, 2, 3]))


# --- decisions before the network


@pytest.mark.parametrize("model", ["published", "roofline", "calibrated"])
def test_layers_that_are_decided_on_before_cost_no_masker(model):
    """At a rate of one half that is half of everything but the shortcut."""
    h200 = latpred.load_profile("h200")
    block = latpred.load_block("resnet50-stage2-first")
    names = {row.name for row in predict(block, h200, Layer(r=0.5, masker="none"), batch=2, model=model).operators}
    assert not any("mask" in name for name in names)
    half = predict(block, h200, Layer(r=0.5, masker="none"), batch=2, model="published")
    shortcut = next(row.latency_s for row in half.operators if row.name == "shortcut")
    assert half.latency_s - shortcut == pytest.approx((half.static_latency_s - shortcut) / 2)


def test_equal_times_that_are_added_up_in_another_order_break_even():
    """At rate 1 without a masker every operator takes its static time."""
    for name in ("blockdrop-resnet32", "blockdrop-resnet101"):
        preset = latpred.load_preset(name)
        assert predict(preset.network, "v100", preset.at_rates(0.5)).break_even_rate == 1.0
