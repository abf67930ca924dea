"""What must hold for every prediction, whatever the numbers are."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import latpred
from latpred import Channel, Layer, Spatial, Static, predict
from latpred.models.interface import cost_model
from latpred.models.tiling import tile_edges
from latpred.workloads.densities import active_patches, patch_count
from tests.strategies import batches, blocks, paradigms, profiles, rates, shipped

R50 = latpred.load_block("resnet50-stage1")
BLOCKS = st.sampled_from(["resnet50-stage1", "r101-stage3", "resnet50-stage2-first", "regnety-800mf-stage2"])
blocks_of_the_zoo = BLOCKS.map(latpred.load_block)


def close(value, rel=1e-12):
    return pytest.approx(value, rel=rel, abs=0)


# --- scaling and bounds


@given(data=st.data(), profile=profiles, batch=batches, block=blocks(), k=st.sampled_from([0.25, 3.0, 10.0]))
def test_a_device_k_times_as_fast_takes_one_kth_of_the_time(data, profile, batch, block, k):
    paradigm = data.draw(paradigms(block, rates))
    faster = latpred.HardwareProfile(
        **{
            **dict(profile),
            "clock_hz": profile.clock_hz * k,
            "dram_bandwidth": profile.dram_bandwidth * k,
            "kernel_s": profile.kernel_s / k,
        }
    )
    times = [predict(block, device, paradigm, batch=batch).latency_s for device in (profile, faster)]
    assert times[1] * k == close(times[0], rel=1e-9)


@given(data=st.data(), profile=profiles, batch=batches, block=blocks())
def test_dense_and_spatial_operators_are_never_below_the_roofline(data, profile, batch, block):
    edge = min(block.out_height, block.out_width)
    paradigm = data.draw(st.one_of(st.just(Static()), st.builds(Spatial, S=st.integers(1, edge), r=rates)))
    published, roofline = (predict(block, profile, paradigm, batch=batch, model=m) for m in ("published", "roofline"))
    for row, bound in zip(published.operators, roofline.operators, strict=True):
        if row.name not in ("SE squeeze", "SE excite"):  # fully connected: see below
            assert row.compute_s >= bound.compute_s * (1 - 1e-9), row.name
            assert row.latency_s >= bound.latency_s * (1 - 1e-9), row.name


@given(profile=profiles, batch=batches, block=blocks(), r=rates)
def test_channel_convolutions_are_below_the_roofline_by_their_input_rate_at_most(profile, batch, block, r):
    """MODEL §3 scales compute by ρ_i·D with D ≥ ρ_i·ρ_o, multiply-adds are scaled by ρ_i·ρ_o: ρ_i counts twice."""
    conv = latpred.Convolution(c_in=8, c_out=16, height=9, width=7, kernel=3, input_rate=r, output_rate=r)
    published, roofline = (predict(conv, profile, batch=batch, model=m).operators[0] for m in ("published", "roofline"))
    assert published.compute_s >= r * roofline.compute_s * (1 - 1e-9)
    dense_input = conv.replace(input_rate=1.0)
    published, roofline = (predict(dense_input, profile, batch=batch, model=m) for m in ("published", "roofline"))
    assert published.operators[0].compute_s >= roofline.operators[0].compute_s * (1 - 1e-9)


def test_where_the_published_model_is_below_the_roofline():
    """conv2 of resnet50-stage2 at r = 0.4 on v100 takes 0.90 of its roofline: the fact of the test above."""
    block, v100 = latpred.load_block("resnet50-stage2"), latpred.load_profile("v100")
    published, roofline = (predict(block, v100, Channel(G=1, r=0.4), model=m) for m in ("published", "roofline"))
    rows = {row.name: (row, bound) for row, bound in zip(published.operators, roofline.operators, strict=True)}
    row, bound = rows["conv2"]
    assert row.latency_s / bound.latency_s == pytest.approx(0.8974, abs=1e-4)
    assert 0.4 < row.compute_s / bound.compute_s < 1


def test_fully_connected_layers_are_below_the_compute_roofline():
    """Oddity 1: one tile of 1 × 1 counts as one tile in all, so 784·196 multiply-adds cost one engine one step."""
    v100 = latpred.load_profile("v100")
    row = predict(latpred.FullyConnected(c_in=784, c_out=196), v100, batch=1).operators[0]
    assert row.compute_s == close(4 / 1.5e9)  # κ = 4 cycles: e(1, 64·4) = 1/256, over f·F = 1.5 GHz · 64
    assert row.compute_s < row.macs / v100.fp32_peak_macs


@given(data=st.data(), profile=profiles, batch=batches, block=blocks(), low=rates, high=rates)
def test_a_higher_rate_never_costs_less(data, profile, batch, block, low, high):
    low, high = sorted((low, high))
    paradigm = data.draw(paradigms(block, st.just(low)))
    times = [predict(block, profile, paradigm.at_rates(r), batch=batch).latency_s for r in (low, high)]
    assert times[0] <= times[1] * (1 + 1e-9)


# --- sums and equal answers


@given(data=st.data(), profile=shipped, batch=batches, block=blocks_of_the_zoo)
def test_totals_are_sums_of_rows_and_two_predictions_are_equal_bit_for_bit(data, profile, batch, block):
    paradigm = data.draw(paradigms(block, rates))
    reports = [predict(block, profile, paradigm, batch=batch) for _ in range(2)]
    assert reports[0].to_dict() == reports[1].to_dict()
    for rows, latency, macs in (
        ("operators", "latency_s", "macs"),
        ("static_operators", "static_latency_s", "static_macs"),
    ):
        assert getattr(reports[0], latency) == close(math.fsum(row.latency_s for row in getattr(reports[0], rows)))
        assert getattr(reports[0], macs) == close(math.fsum(row.macs for row in getattr(reports[0], rows)))
    for row in reports[0].operators:
        assert row.latency_s == close(row.compute_s + row.memory_s + row.launch_s)


@pytest.mark.parametrize("paradigm", [Static(), Spatial(S=[8, 4, 2, 1], r=0.5), Channel(G=2, r=0.7), Layer(r=0.6)])
@pytest.mark.parametrize("name", ["resnet50", "regnety-800mf"])
def test_a_network_is_the_sum_of_its_blocks(name, paradigm):
    network, profile = latpred.load_network(name), latpred.load_profile("tx2")
    counts = [stage.blocks for stage in network.stages]
    alone = [
        predict(block, profile, paradigm.for_block(stage, number, counts)) for stage, number, block in network.blocks
    ]
    report = predict(network, profile, paradigm)
    assert report.latency_s == close(math.fsum(block.latency_s for block in alone))
    assert report.static_latency_s == close(math.fsum(block.static_latency_s for block in alone))
    assert report.latency_s == close(math.fsum(stage.latency_s for stage in report.stages))
    assert [stage.stage for stage in report.stages] == [1, 2, 3, 4]


@pytest.mark.parametrize("r", [[0.9, 0.7, 0.5, 0.3], list(np.linspace(0.2, 1.0, 16))])
def test_rates_per_stage_and_per_block(r):
    network, profile = latpred.load_network("resnet50"), latpred.load_profile("v100")
    per_block = r if len(r) == 16 else np.repeat(r, [3, 4, 6, 3])
    report = predict(network, profile, Spatial(S=4, r=r))
    for (_, number, block), rate in zip(network.blocks, per_block, strict=True):
        rows = [row.latency_s for row in report.operators if row.block == number + 1]
        assert math.fsum(rows) == close(predict(block, profile, Spatial(S=4, r=float(rate))).latency_s)


@given(
    data=st.data(),
    profile=shipped,
    block=blocks_of_the_zoo,
    several=st.lists(rates, min_size=2, max_size=5, unique=True),
)
def test_rows_of_a_sweep_are_single_predictions(data, profile, block, several):
    paradigm = data.draw(paradigms(block, st.just(1.0)))
    batch = data.draw(batches)
    frame = latpred.sweep([block], [profile], [paradigm.at_rates(r) for r in several], batches=[batch])
    for row, r in zip(frame.itertuples(), several, strict=True):
        report = predict(block, profile, paradigm.at_rates(r), batch=batch)
        assert (row.r, row.batch, row.target, row.device) == (r, batch, block.name, profile.name)
        for field in ("latency_s", "static_latency_s", "ratio", "macs", "macs_ratio", "latency_per_image_s"):
            assert getattr(row, field) == close(getattr(report, field)), field


@given(data=st.data(), profile=profiles, batch=batches, several=st.lists(rates, min_size=2, max_size=4))
def test_several_rates_at_once_equal_single_rates(data, profile, batch, several):
    shape = {"c_in": 16, "c_out": 24, "height": 9, "width": 7}
    kinds = (
        lambda r: latpred.Convolution(**shape, kernel=3, input_rate=r, output_rate=r),
        lambda r: latpred.PatchConvolution(**shape, S=2, r=r, indexed=True),
        lambda r: latpred.MaskerConvolution(**shape, S=2, r=r),
        lambda r: latpred.ScatterAdd(channels=8, height=9, width=7, S=3, r=r),
        lambda r: latpred.PatchGlobalPool(channels=8, height=9, width=7, S=3, r=r),
        lambda r: latpred.Gather(channels=8, height=9, width=7, S=3, r=r, pad=1),
    )
    kind = data.draw(st.sampled_from(kinds))
    cost = cost_model("published", profile)
    together = cost.cost(kind(tuple(several)), batch)
    for index, r in enumerate(several):
        single = cost.cost(kind(r), batch)
        for field in ("compute_s", "memory_s", "latency_s"):
            assert np.broadcast_to(getattr(together, field), len(several))[index] == close(getattr(single, field))


@given(data=st.data(), profile=shipped, batch=batches, block=blocks_of_the_zoo)
def test_the_break_even_rate_is_where_the_ratio_crosses_one(data, profile, batch, block):
    report = predict(block, profile, data.draw(paradigms(block, st.just(0.5))), batch=batch)
    rate = report.break_even_rate
    if rate is None:
        assert predict(block, profile, report.paradigm.at_rates(0.0), batch=batch).ratio > 1
        return
    assert predict(block, profile, report.paradigm.at_rates(rate), batch=batch).ratio <= 1 + 1e-12
    if rate < 1:
        above = min(rate + 1e-3, 1.0)
        assert predict(block, profile, report.paradigm.at_rates(above), batch=batch).ratio > 1


# --- tiles, patches


@given(st.integers(1, 3000))
def test_tile_edges_are_ascending_and_hold_the_extent_and_one(n):
    edges = tile_edges(n).tolist()
    assert edges == sorted(set(edges))
    assert edges[0] == 1
    assert n in edges or n == 1
    assert all(edge <= max(n, 2 * n) for edge in edges)


@given(height=st.integers(1, 60), width=st.integers(1, 60), S=st.integers(1, 60), r=rates)
def test_patches_cover_the_map_and_the_active_ones_are_the_rate_rounded_up(height, width, S, r):
    patches = patch_count(height, width, S)
    assert patches == len({(y // S, x // S) for y in range(height) for x in range(width)})
    active = int(active_patches(r, patches))
    assert 0 <= active <= patches
    assert active - 1 < r * patches <= active + 1e-6


def test_rounding_noise_activates_no_patch():
    assert 0.07 * 100 > 7  # 7.000000000000001
    assert active_patches(0.07, 100) == 7
    assert active_patches(0.07001, 100) == 8
