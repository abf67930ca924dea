"""Detection sizes: maps, patches and waste by hand; the stem and the head of ResNet-50 add up to its published MACs."""

import pytest

import latpred
from latpred import Spatial, predict
from latpred.workloads.lowering import PUBLISHED

V100, TX2 = latpred.load_profile("v100"), latpred.load_profile("tx2")
#: Detectors resize to 800×1333, Mask2Former to 1024×1024.
MAPS = {
    (224, 224): ((56, 56), (28, 28), (14, 14), (7, 7)),
    (800, 1333): ((200, 334), (100, 167), (50, 84), (25, 42)),
    (1333, 800): ((334, 200), (167, 100), (84, 50), (42, 25)),
    (1024, 1024): ((256, 256), (128, 128), (64, 64), (32, 32)),
    (225, 31): ((57, 8), (29, 4), (15, 2), (8, 1)),
}


@pytest.mark.parametrize("size", MAPS, ids=str)
def test_maps_round_up_at_every_stride(size):
    network = latpred.load_network("resnet50", size)
    assert network.maps == MAPS[size]
    # The first layer of a stage's first block reads the map of the stage before, of no pixel more.
    for before, after, block in zip(MAPS[size], MAPS[size][1:], (3, 7, 13), strict=False):
        assert (network.blocks[block].block.height, network.blocks[block].block.width) == before
        assert (network.blocks[block].block.out_height, network.blocks[block].block.out_width) == after


@pytest.mark.parametrize(("S", "down", "across", "waste"), [(4, 50, 84, 0.006), (8, 25, 42, 0.006), (7, 29, 48, 0.021)])
def test_patches_and_waste_by_hand(S, down, across, waste):
    """Stage 1 at 800×1333 is 200×334: ⌈200/S⌉·⌈334/S⌉ patches, those at the edge whole."""
    block = latpred.load_block("resnet50-stage1", (800, 1333))
    assert down * across * S**2 / (200 * 334) - 1 == pytest.approx(waste, abs=1e-3)
    (note,) = predict(block, V100, Spatial(S=S, r=0.5)).notes
    assert f"S={S} does not divide the 200×334 map: {down}×{across} patches, {waste:.1%} more pixels" in note
    steps = {step.name: step.operator for step in block.lower(Spatial(S=S, r=0.5), PUBLISHED).at({"spatial": [0.5]})}
    assert steps["conv3"].patches == down * across
    assert steps["conv3"].active == down * across / 2


def test_a_map_that_s_divides_has_no_note():
    block = latpred.load_block("resnet50-stage1", (1024, 1024))
    assert predict(block, V100, Spatial(S=8, r=0.5)).notes == ()


def test_equal_areas_cost_alike_whichever_way_they_lie():
    """Patches and MACs are the same; tiles run along the rows, so times differ a little."""
    wide, tall = (latpred.load_network("resnet50", size) for size in ((800, 1333), (1333, 800)))
    one, other = (predict(network, V100, Spatial(S=[4, 4, 2, 1], r=0.5), batch=1) for network in (wide, tall))
    assert one.macs == other.macs
    assert one.latency_s == pytest.approx(other.latency_s, rel=0.05)


@pytest.mark.parametrize("S", [2, [4, 4, 2, 2]])
def test_s_larger_than_a_map_after_resizing(S):
    """225×31 has a map of 8×1 in stage 4."""
    network = latpred.load_network("resnet50", (225, 31))
    with pytest.raises(latpred.InputError, match="S=2 is larger than the 8×1 map of resnet50-stage4-first"):
        predict(network, V100, Spatial(S=S, r=0.5))
    assert predict(network, V100, Spatial(S=[8, 4, 2, 1], r=0.5)).latency_s > 0


def test_macs_of_resnet50_by_hand():
    """Stem 7·7·3·64·112², classifier 2048·1000; with all blocks, every shortcut among them, 4.09 G as published."""
    network = latpred.load_network("resnet50")
    stem, head = 49 * 3 * 64 * 112**2, 2048 * 1000
    blocks = predict(network, TX2).macs
    assert predict(network.including("stem"), TX2).macs == blocks + stem
    assert predict(network.including("head"), TX2).macs == blocks + head
    whole = predict(network.including("stem", "head"), TX2)
    assert whole.macs == blocks + stem + head
    assert whole.macs == pytest.approx(4.09e9, rel=0.001)


def test_parts_by_hand():
    """The stem's map is 112×112 and is pooled to 56×56; the head pools 2048 channels of 7×7."""
    network = latpred.load_network("resnet50").including("stem", "head")
    first, pool, *_, head, classifier = (step.operator for step in network.lower(latpred.Static(), PUBLISHED).steps)
    assert (first.c_in, first.c_out, first.out_height, first.out_width) == (3, 64, 112, 112)
    assert (pool.channels, pool.height, pool.out_height) == (64, 112, 56)
    assert (head.channels, head.height, head.out_height) == (2048, 7, 1)
    assert classifier == latpred.FullyConnected(c_in=2048, c_out=1000)


def test_parts_cost_the_same_with_and_without_skipping():
    whole, blocks = latpred.load_network("resnet50").including("stem", "head"), latpred.load_network("resnet50")
    skipped = Spatial(S=[4, 4, 2, 1], r=0.5)
    dynamic = predict(whole, TX2, skipped).latency_s - predict(blocks, TX2, skipped).latency_s
    static = predict(whole, TX2).latency_s - predict(blocks, TX2).latency_s
    assert dynamic == pytest.approx(static, rel=1e-9)


def test_an_unknown_part():
    with pytest.raises(latpred.NetworkError, match="must be 'stem', 'transitions' or 'head', got 'neck'"):
        latpred.load_network("resnet50").including("neck")
