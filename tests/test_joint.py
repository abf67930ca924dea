"""Several paradigms at once, against the single ones and against costs added up operator by operator."""

import pytest

import latpred
from latpred import Channel, Head, Joint, Layer, Spatial, Static, Token, predict
from latpred.models.interface import cost_model
from latpred.workloads import operators as op

V100, TX2 = latpred.load_profile("v100"), latpred.load_profile("tx2")
#: Without and with SE and a stride.
BLOCKS = {
    name: latpred.load_block(name)
    for name in ("resnet50-stage2", "resnet50-stage2-first", "regnety-800mf-stage3", "regnety-800mf-stage3-first")
}
SINGLE = [
    Spatial(S=2, r=0.6),
    Spatial(S=2, r=0.6, unfuse=("masker", "gather", "scatter")),
    Channel(G=2, r=0.4),
    Channel(r=0.4, masker_layers=1, scaled=True),
    Layer(r=0.3),
    Layer(r=0.3, masker="pooled"),
]


def total(operators, profile, batch):
    """The published costs of some (operator, share) pairs, added up."""
    cost = cost_model("published", profile)
    return sum(share * float(cost.cost(operator, batch).latency_s) for operator, share in operators)


@pytest.mark.parametrize("part", [*SINGLE, Token(r=0.5), Head(r=0.5), Layer(attention_r=0.5, mlp_r=0.7)], ids=str)
def test_one_part_alone_is_the_single_paradigm(part):
    vit = isinstance(part, Token | Head) or part.to_dict().get("attention_r")
    targets = [latpred.load_network("t2t-vit-19")] if vit else BLOCKS.values()
    for target in targets:
        single, joint = (predict(target, TX2, paradigm, batch=2) for paradigm in (part, Joint(part)))
        assert joint.operators == single.operators
        assert joint.notes == single.notes


@pytest.mark.parametrize("masker", ["fused", "pooled"])
@pytest.mark.parametrize("other", [*SINGLE[:4], Joint(Spatial(S=2, r=0.6), Channel(G=2, r=0.4))], ids=str)
@pytest.mark.parametrize("name", BLOCKS)
def test_a_layer_part_at_rate_one_adds_its_masker_and_nothing_else(name, other, masker):
    """Layer skipping at r = 0 leaves the masker, and the shortcut of a strided block."""
    block = BLOCKS[name]
    gate = [row for row in predict(block, V100, Layer(r=0.0, masker=masker)).operators if row.executions]
    gate = [row for row in gate if row.name != "shortcut"]
    without = predict(block, V100, other)
    joint = predict(block, V100, Joint(*other.parts, Layer(r=1.0, masker=masker)))
    assert sorted(map(repr, joint.operators)) == sorted(map(repr, (*without.operators, *gate)))
    assert joint.latency_s == pytest.approx(without.latency_s + sum(row.latency_s for row in gate), rel=1e-12)


@pytest.mark.parametrize("batch", [1, 128])
def test_spatial_and_channel_by_hand(batch):
    """MODEL §6's spatial row with the channel row's ρ, and both maskers: 512 → 128 → 128 → 512 on 28×28."""
    patches, rho = {"S": 4, "r": 0.6}, 0.5
    edge = {"height": 28, "width": 28}
    parts = [
        op.AveragePool(channels=512, **edge),  # channel masker: 512 → 256/16 → 256
        op.FullyConnected(c_in=512, c_out=16),
        op.FullyConnected(c_in=16, c_out=256),
        op.MaskerConvolution(c_in=512, c_out=128, **edge, **patches, output_rate=rho),
        op.PatchConvolution(
            c_in=128, c_out=128, kernel=3, **edge, **patches, indexed=True, input_rate=rho, output_rate=rho
        ),
        op.PatchConvolution(c_in=128, c_out=512, **edge, **patches, indexed=False, input_rate=rho),
        op.ScatterAdd(channels=512, **edge, **patches),
    ]
    found = predict(BLOCKS["resnet50-stage2"], V100, Joint(Spatial(**patches), Channel(G=2, r=rho)), batch=batch)
    assert found.latency_s == pytest.approx(total([(part, 1) for part in parts], V100, batch), rel=1e-12)


@pytest.mark.parametrize("name", BLOCKS)
def test_all_three_weight_the_body_and_always_pay_the_maskers(name):
    """The body at rate 1 times 0.7, plus all maskers, the spatial one on its own for the 0.3 that skip the body."""
    block, layer = BLOCKS[name], 0.7
    spatial, channel = Spatial(S=2, r=0.6), Channel(G=2, r=0.4)
    body = {row.name: row.latency_s for row in predict(block, V100, Joint(spatial, channel)).operators}
    always = {part: body.pop(part) for part in list(body) if part.startswith("masker ") or part == "shortcut"}
    gate = predict(block, V100, Layer(r=0.0)).operators[0].latency_s
    masker = op.Convolution(c_in=block.c_in, c_out=2, height=block.height, width=block.width)
    by_hand = gate + sum(always.values()) + layer * sum(body.values()) + total([(masker, 1 - layer)], V100, 128)
    joint = predict(block, V100, Joint(spatial, channel, Layer(r=layer)))
    assert len(always) == 3 + (block.stride > 1)
    assert joint.latency_s == pytest.approx(by_hand, rel=1e-12)


def test_an_unfused_spatial_masker_is_paid_whole_at_any_layer_rate():
    spatial = Spatial(S=4, r=0.6, unfuse=("masker",))
    rows = predict(BLOCKS["resnet50-stage2"], V100, Joint(spatial, Layer(r=0.2))).operators
    assert [(row.name, row.executions) for row in rows if "masker" in row.name] == [("layer masker", 1), ("masker", 1)]


def test_lc_net_by_hand():
    """L-Net: pool and 64 → 16 → 1; C-Net: pool and 512 → 32 → 512, then a scaling after each inner map, at 0.5."""
    preset, _ = latpred.load_preset("lcnet-resnet50")
    layer, channel = (part.replace(r=rate) for part, rate in zip(preset.paradigm.parts, (0.7, 0.5), strict=True))
    assert (layer.name, channel.name, channel.G) == ("layer", "channel", 1)
    edge = {"height": 28, "width": 28}
    pool = op.AveragePool(channels=512, **edge)
    gates = [
        *(pool, op.FullyConnected(c_in=512, c_out=16), op.FullyConnected(c_in=16, c_out=1)),
        *(pool, op.FullyConnected(c_in=512, c_out=32), op.FullyConnected(c_in=32, c_out=512)),
    ]
    scale = op.ChannelScale(channels=128, **edge, rate=0.5)
    body = [
        op.Convolution(c_in=512, c_out=128, **edge, output_rate=0.5),
        op.Convolution(c_in=128, c_out=128, kernel=3, **edge, input_rate=0.5, output_rate=0.5),
        op.Convolution(c_in=128, c_out=512, **edge, input_rate=0.5),
        *(scale, scale, op.ScatterAdd(channels=512, **edge, S=1, r=1.0)),
    ]
    by_hand = total([*((gate, 1) for gate in gates), *((step, 0.7) for step in body)], TX2, 4)
    found = predict(BLOCKS["resnet50-stage2"], TX2, Joint(layer, channel), batch=4)
    assert found.latency_s == pytest.approx(by_hand, rel=1e-12)
    # The scaling of half of the channels costs half of that of all.
    whole = total([(scale.replace(rate=1.0), 1)], TX2, 4) - TX2.kernel_s
    assert total([(scale, 1)], TX2, 4) - TX2.kernel_s == pytest.approx(whole / 2, rel=1e-12)


def test_per_stage_settings_reach_every_part():
    network = latpred.load_network("resnet50")
    joint = Joint(Spatial(S=[8, 4, 7, 1], r=[0.5, 0.6, 0.7, 0.8]), Layer(r=[0.9, 0.8, 0.7, 0.6]))
    stages = predict(network, TX2, joint).stages
    for number, S, r, layer in ((1, 8, 0.5, 0.9), (4, 1, 0.8, 0.6)):
        alone = predict(network.stage(number), TX2, Joint(Spatial(S=S, r=r), Layer(r=layer)))
        assert stages[number - 1].latency_s == alone.latency_s


def test_several_rates_at_once_are_the_rates_one_by_one():
    block = BLOCKS["regnety-800mf-stage3"]
    joint = Joint(Spatial(S=2, r=1.0), Channel(G=2, r=1.0), Layer(r=1.0))
    frame = latpred.sweep([block], [V100], [joint.at_rates(rate) for rate in (0.2, 0.7, 1.0)])
    for rate, latency in zip(frame["r"], frame["latency_s"], strict=True):
        assert latency == pytest.approx(predict(block, V100, joint.at_rates(rate)).latency_s, rel=1e-12)


def test_text_and_plain_types():
    joint = Joint(Layer(r=0.7), Channel(G=2, r=0.5))
    assert str(joint) == "layer(r=0.7) + channel(G=2, r=0.5)"
    assert joint.label == "layer+channel"
    assert joint.to_dict()["name"] == "layer+channel"
    assert [(part["name"], part["r"]) for part in joint.to_dict()["parts"]] == [("layer", 0.7), ("channel", 0.5)]
    assert Joint(Layer(r=0.7), Channel(G=2, r=0.5)) == joint
    assert joint.rate is None
    assert joint.at_rates(0.3).rate == 0.3


def test_parts_that_cannot_be_joined():
    for parts, message in (
        ((), "got none"),
        ((Layer(r=0.5), Layer(r=0.6)), "each once, got layer, layer"),
        ((Static(), Layer(r=0.5)), "got static, layer"),
        ((Joint(Layer(r=0.5)),), "got joint"),
    ):
        with pytest.raises(latpred.InputError, match=message):
            Joint(*parts)


@pytest.mark.parametrize(
    ("joint", "field"),
    [
        (Joint(Spatial(S=[4, 4], r=0.5), Layer(r=0.5)), "S"),
        (Joint(Layer(r=0.5), Channel(G=2, r=[0.5, 0.6])), "r"),
        (Joint(Layer(r=[0.5]), Channel(G=2, r=0.5)), "r"),
    ],
)
def test_a_block_takes_no_list_of_a_part(joint, field):
    with pytest.raises(latpred.InputError, match=f"^resnet50-stage1 takes one {field}, not a list; lists are for"):
        latpred.predict("resnet50-stage1", "tx2", joint)


def test_targets_that_cannot_skip_a_part():
    block, vit = BLOCKS["resnet50-stage2"], latpred.load_network("t2t-vit-19")
    for target, part, message in (
        (block, Layer(attention_r=0.5, mlp_r=0.5), "has no attention and MLP"),
        (block, Token(r=0.5), "has no token skipping: it has no attention; choose spatial, channel, layer"),
        (vit, Spatial(S=4, r=0.5), "has no spatial skipping; choose layer, token, head"),
        (vit, Layer(r=0.5, masker="pooled"), "decides with a policy of its own"),
    ):
        with pytest.raises(latpred.InputError, match=message):
            predict(target, V100, Joint(part))


def test_the_width_of_a_gate_needs_a_gate():
    with pytest.raises(latpred.InputError, match="hidden is the width of a pooled masker"):
        latpred.Layer(r=0.5, hidden=8)
