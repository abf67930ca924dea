"""Recommendations by hand: which S and G are tried, which is chosen, at which neighbouring rates."""

import dataclasses

import pytest

import latpred
from latpred.show.tables import recommendation_text
from latpred.workloads.granularity import channel_groups, dividing_edges, patch_edges
from latpred.workloads.masks import MaskRates

V100, TX2 = (latpred.load_profile(name) for name in ("v100", "tx2"))
RESNET, REGNET = latpred.load_network("resnet50"), latpred.load_network("regnety-400mf")


@pytest.mark.parametrize("size", [(1, 1), (7, 7), (14, 14), (56, 56), (25, 42), (13, 26), (1, 9), (17, 31)])
def test_patch_edges_against_a_loop(size):
    height, width = size
    divisors = [S for S in range(1, max(size) + 1) if height % S == 0 and width % S == 0]
    assert dividing_edges(*size) == divisors
    powers = [S for S in (1, 2, 4, 8, 16, 32) if height != width]
    assert patch_edges(*size) == sorted({S for S in divisors + powers if min(size) > S} | {1})


def test_channel_groups_divide_and_leave_two_groups():
    """48 channels: 32 does not divide them; of 16 inputs no more than 8 go together, or there is nothing to choose."""
    assert channel_groups(48, 48) == [1, 2, 4, 8, 16]
    assert channel_groups(64, 64) == [1, 2, 4, 8, 16, 32]
    assert channel_groups(64, 16) == [1, 2, 4, 8]
    assert channel_groups(7, 7) == [1]
    assert channel_groups(1, 1) == [1]


def test_a_group_is_never_all_channels_of_a_stage():
    """Stage 1 of ResNet-50 reads 64 and switches 64 channels: G = 64 would be one group, layer skipping."""
    found = latpred.recommend_granularity(RESNET, V100, 0.6, paradigm="channel")
    tried = {row.stage: row.granularity for row in found.candidates if row.granularity}
    assert tried == {1: 32, 2: 64, 3: 128, 4: 256}, "the last, largest one of each stage"


def test_an_s_at_which_masks_skip_nothing_is_not_chosen():
    """Half of the smallest patches, 99.5 % of the larger ones: these are faster here, but a static network."""
    small = latpred.load_network("resnet50").replace(stages=RESNET.stages[:1])
    rates = {1: 0.97, 2: 0.98, 4: 0.98, 7: 0.98, 8: 0.991, 14: 0.995, 28: 1.0, 56: 1.0}
    masks = MaskRates(100, ((56, 56),), (rates,), (1.0,))
    found = latpred.recommend_granularity(small, V100, masks)
    latency = {
        S: latpred.predict(small.stage(1), V100, latpred.Spatial(S=S, r=rates[S])).latency_s
        for S in (1, 2, 4, 7, 8, 14, 28)
    }
    assert min(latency, key=latency.get) in (8, 14, 28), "what the guard is for"
    best = min((1, 2, 4, 7), key=latency.get)
    assert [best] == found.S


@pytest.mark.parametrize(
    ("r", "near"),
    [
        (0.6, [[0.5] * 4, [0.7] * 4]),
        (0.05, [[0.01] * 4, [0.15] * 4]),
        (0.005, [[0.105] * 4]),
        (0.95, [[0.85] * 4, [1.0] * 4]),
        (1.0, [[0.9] * 4]),
        ([0.05, 0.5, 0.95, 1.0], [[0.01, 0.4, 0.85, 0.9], [0.15, 0.6, 1.0, 1.0]]),
    ],
)
def test_neighbours_are_rates(r, near):
    """Shifted by 0.1 within (0, 1]; a neighbour that is the same is none. Each choice is that of its own question."""
    found = latpred.recommend_granularity(REGNET, TX2, r)
    assert [neighbour.rates for neighbour in found.neighbours] == [pytest.approx(rates) for rates in near]
    for neighbour, record in zip(found.neighbours, found.to_dict()["neighbours"], strict=True):
        again = latpred.recommend_granularity(REGNET, TX2, neighbour.rates)
        assert list(neighbour.choice) == again.S == record["S"]
        assert record["r"] == list(neighbour.rates)


def test_the_neighbours_are_printed_as_they_were_asked(run):
    command = "recommend-granularity --device tx2 --network regnety-400mf --r"
    out = run(f"{command} 0.05")[1].splitlines()
    assert [line.partition(":")[0] for line in out if line.startswith("At ")] == ["At r = 0.01", "At r = 0.15"]
    out = run(f"{command} 0.05,0.5,0.5,0.5")[1].splitlines()
    assert [line.partition(":")[0] for line in out if line.startswith("At ")] == [
        "At rates 0.01-0.4-0.4-0.4",
        "At rates 0.15-0.6-0.6-0.6",
    ]


def test_included_parts_change_nothing():
    plain, included = (
        latpred.recommend_granularity(network, TX2, 0.6) for network in (REGNET, REGNET.including("stem", "head"))
    )
    assert dataclasses.replace(plain, asked=included.asked) == included


@pytest.mark.parametrize(
    ("target", "why"),
    [
        ("t2t-vit-19", "t2t-vit-19 skips by layer, token, head"),
        ("densenet121", "densenet121 is static"),
        (RESNET.block(1), "has no stages"),
        (RESNET.stage(1), "has no stages"),
    ],
)
def test_what_has_no_granularity(target, why):
    with pytest.raises(latpred.InputError, match=f"{why}, so no granularity to choose"):
        latpred.recommend_granularity(target, V100, 0.6)


@pytest.mark.parametrize("paradigm", ["spatial", "channel"])
def test_stages_that_cannot_skip_have_no_candidates(paradigm):
    """Nothing leads past the first and the last inverted residual of MobileNetV2, which are stages of their own."""
    found = latpred.recommend_granularity("mobilenetv2", TX2, 0.6, paradigm=paradigm)
    assert found.without_choice == found.to_dict()["without_choice"] == [1, 7]
    assert (found.choice[0], found.choice[6]) == (1, 1)
    assert sorted({candidate.stage for candidate in found.candidates}) == [2, 3, 4, 5, 6]
    assert [sum(row.chosen for row in found.candidates if row.stage == stage) for stage in range(1, 8)] == [
        0,
        *5 * [1],
        0,
    ]
    assert found.rates == (0.6,) * 7


def test_a_choice_within_stages_of_several_kinds_fits_them_all():
    """Stage 1 of a network of bottlenecks and basic blocks: S is of the map, G of what both kinds' channels allow."""
    runs = [
        {"kind": "bottleneck", "c_in": 64, "c_out": 96, "blocks": 1},
        {"kind": "basic", "c_in": 96, "c_out": 96, "blocks": 2},
    ]
    stage = latpred.Stage(c_in=64, c_out=96, blocks=runs)
    network = latpred.Network(name="mine", stem=latpred.Stem(c_out=64, kernel=3, stride=4), stages=[stage])
    assert latpred.recommend_granularity(network, TX2, 0.6).without_choice == []
    # 24 channels within the bottleneck and 96 within the basic blocks: groups of 8 divide both.
    rows = latpred.recommend_granularity(network, TX2, 0.6, paradigm="channel").candidates
    assert [row.granularity for row in rows] == [1, 2, 4, 8, None]


@pytest.mark.parametrize("tolerance", [-0.1, float("inf"), float("nan")])
def test_tolerances_that_are_none(tolerance):
    with pytest.raises(latpred.InputError, match="tolerance must be a finite number of at least 0"):
        latpred.recommend_granularity(RESNET, V100, 0.6, tolerance=tolerance)


def test_what_a_target_can_skip_by():
    assert RESNET.block(1).paradigms == RESNET.stage(1).paradigms == RESNET.paradigms == ("spatial", "channel", "layer")
    assert latpred.load_network("deit-s").paradigms == ("layer", "token", "head")


def test_a_group_fits_the_channels_that_are_read_and_those_between():
    """conv1 reads c_in = 16 channels, the others w = 256 / 4 = 64; of c_in = 128 it is the 64 that bound."""
    shape = {"c_out": 256, "height": 8, "width": 8}
    for c_in, most in ((16, 16), (128, 64)):
        block = latpred.Bottleneck(c_in=c_in, **shape)
        assert latpred.predict(block, V100, latpred.Channel(G=most, r=0.5)).latency_s > 0
        with pytest.raises(latpred.InputError, match=f"G={most + 1} is larger than the {most} channels"):
            latpred.predict(block, V100, latpred.Channel(G=most + 1, r=0.5))


def test_stages_that_are_slower_than_static_are_named():
    found = latpred.recommend_granularity(RESNET, V100, 0.6)
    chosen = {row.stage: row for row in found.candidates if row.chosen}
    latency = [
        latpred.predict(RESNET.stage(stage), V100, latpred.Spatial(S=row.granularity, r=0.6))
        for stage, row in chosen.items()
    ]
    slower = [stage for stage, report in zip(chosen, latency, strict=True) if report.ratio > 1]
    assert found.static_is_faster == slower == [4]
    text = recommendation_text(found)
    assert "\nIn stage 4 the static block is faster than any of them.\n" in text
    assert ", the alternative to one patch as large as the map.\n" in text


def test_groups_of_channels_are_no_patches():
    found = latpred.recommend_granularity(RESNET, "h200", 0.6, paradigm="channel", model="calibrated", precision="fp16")
    text = recommendation_text(found)
    assert f"\nIn stages {', '.join(map(str, found.static_is_faster))} the static block is faster" in text
    assert "\n`layer` is layer skipping at the same rate.\n" in text
    assert len(found.static_is_faster) > 1


def test_layer_skipping_is_listed_at_the_rate_of_its_own_stage():
    two = RESNET.replace(stages=RESNET.stages[:2])
    rates = (dict.fromkeys((1, 2, 4, 7, 8, 14, 28), 0.5), dict.fromkeys((1, 2, 4, 7, 14), 0.6))
    masks = MaskRates(100, ((56, 56), (28, 28)), rates, (0.8, 0.9))
    found = latpred.recommend_granularity(two, V100, masks)
    assert {row.stage: row.rate for row in found.candidates if row.paradigm == "layer"} == {1: 0.8, 2: 0.9}


def test_margins_are_over_the_fastest_of_the_stage():
    """Of S; layer skipping is no S, and may be faster than all of them."""
    found = latpred.recommend_granularity(RESNET, V100, 0.6)
    for stage in (1, 2, 3, 4):
        rows = [row for row in found.candidates if row.stage == stage]
        best = min(row.latency_s for row in rows if row.paradigm == "spatial")
        for row in rows:
            assert row.margin == pytest.approx(row.latency_s / best - 1, abs=1e-12)
            report = latpred.predict(RESNET.stage(stage), V100, latpred.Static())
            assert row.ratio == pytest.approx(row.latency_s / report.latency_s, rel=1e-12)


def test_a_choice_for_many_stages_is_written_whole():
    """Elsewhere more than six are written as the range that they are in."""
    stages = [{"c_in": 64, "c_out": 64, "blocks": 1}] * 7
    stem = {"c_out": 64, "kernel": 7, "stride": 8}
    network = latpred.Network(name="seven", stem=stem, bottleneck_ratio=4, stages=stages, image_size=(64, 64))
    found = latpred.recommend_granularity(network, V100, 0.6)
    assert found.text == "-".join(map(str, found.S))
    assert [near["text"] for near in found.to_dict()["neighbours"]] == [
        "-".join(map(str, near.choice)) for near in found.neighbours
    ]
    assert len(found.S) == 7
