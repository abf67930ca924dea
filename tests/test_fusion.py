"""Operator fusion: its separate kernels by MODEL §5's formulas, and what fusing can and cannot cost."""

import json
from itertools import product

import pytest

import latpred
from latpred import Spatial, predict
from latpred.models.interface import cost_model
from latpred.studies.ablation import ablate_fusion
from latpred.workloads import operators as op
from latpred.workloads.lowering import PUBLISHED

PROFILES = [latpred.load_profile(name) for name in latpred.list_profiles()]
V100 = latpred.load_profile("v100")
ALL = ("masker", "gather", "scatter")


def coalescing(n, gap, q=8):
    gap = max(gap, 0)
    return n / (-(-n // q) * q) if n > q else n / q if n + gap > q else n / (n + gap)


@pytest.mark.parametrize("batch", [1, 128])
@pytest.mark.parametrize(("name", "in_edge"), [("resnet50-stage2", 4), ("resnet50-stage2-first", 8)])
def test_separate_kernels_by_hand(name, in_edge, batch):
    """S = 4 and r = 0.6: 30 of 49 patches of the 28×28 output; a strided block gathers input patches of twice the edge.

    Gather and scatter, MODEL §5: N·((c·h·w + E)/β + E/(β₂·c(p, w−p)) + E/β₂) + t₀ with E = c·a·p².
    """
    block = latpred.load_block(name)
    beta, beta2 = V100.dram_bandwidth / 4, V100.dram_bandwidth

    def copied(channels, width, p):
        E = channels * 30 * p**2
        seconds = (channels * width**2 + E) / beta + E / (beta2 * coalescing(p, width - p)) + E / beta2
        return batch * seconds + V100.kernel_s

    rows = {row.name: row for row in predict(block, V100, Spatial(S=4, r=0.6, unfuse=ALL), batch=batch).operators}
    assert rows["gather"].latency_s == pytest.approx(copied(128, block.width, in_edge + 2), rel=1e-12)
    assert rows["scatter"].latency_s == pytest.approx(copied(512, 28, 4), rel=1e-12)
    cost = cost_model("published", V100)
    masker = op.Convolution(c_in=block.c_in, c_out=2, height=block.height, width=block.width)
    assert rows["masker"].latency_s == cost.cost(masker, batch).latency_s
    assert rows["add"].latency_s == cost.cost(op.Add(channels=512, height=28, width=28), batch).latency_s
    shape = {"c_in": 128, "c_out": 128, "height": block.height, "width": block.width, "stride": block.stride}
    conv2 = op.PatchConvolution(**shape, kernel=3, S=4, r=0.6, indexed=False)
    assert rows["conv2"].latency_s == cost.cost(conv2, batch).latency_s


def test_eight_rows_from_none_to_all():
    block = latpred.load_block("r50-stage1")
    rows = ablate_fusion(block, V100, 4, 0.6)
    assert [row.fused for row in rows] == [
        *((), ("masker",), ("gather",), ("scatter",)),
        *(("masker", "gather"), ("masker", "scatter"), ("gather", "scatter"), ALL),
    ]
    assert rows[0].gain == 0
    for row in rows:
        unfuse = tuple(name for name in ALL if name not in row.fused)
        report = predict(block, V100, Spatial(S=4, r=0.6, unfuse=unfuse))
        assert row.latency_s == report.latency_s
        assert row.gain == 1 - row.latency_s / rows[0].latency_s
    assert rows[-1].latency_s == predict(block, V100, Spatial(S=4, r=0.6)).latency_s


def test_rows_in_another_precision_are_predictions():
    """The roofline; the calibrated model has no separate kernels to undo the fusions with."""
    block, h200 = latpred.load_block("r50-stage1"), latpred.load_profile("h200")
    rows = {p: ablate_fusion(block, h200, 4, 0.6, model="roofline", precision=p) for p in ("fp32", "fp16")}
    for single, half in zip(*rows.values(), strict=True):
        assert (half.model, half.precision, half.library) == ("roofline", "fp16", None)
        assert half.bytes == single.bytes / 2
        assert half.latency_s < single.latency_s
    whole = predict(block, h200, Spatial(S=4, r=0.6), model="roofline", precision="fp16")
    assert rows["fp16"][-1].latency_s == whole.latency_s


BLOCKS = [
    *(latpred.load_block(f"{network}-stage{stage}-first") for network in ("r50", "regnety-800mf") for stage in (2, 4)),
    latpred.load_block("resnet50-stage1"),
    latpred.load_block("regnety-400mf-stage3"),
    # Many more channels out than in: the fused masker writes a map that two kernels would leave mostly unwritten.
    latpred.Bottleneck(name="wide", c_in=16, c_out=512, bottleneck_ratio=1, height=14, width=14),
]


def fusing_one_more(block, profile, S, r, batch):
    """Pairs of combinations of which the second fuses one operation more."""
    rows = {row.fused: row for row in ablate_fusion(block, profile, S, r, batch=batch)}
    for fused, row in rows.items():
        for name in set(ALL) - set(fused):
            yield row, rows[tuple(other for other in ALL if other in fused or other == name)]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_fusing_never_moves_more_bytes_and_never_costs_time(block):
    for profile, S, r, batch in product(PROFILES, (1, 2, 4), (0.0, 0.1, 0.6, 1.0), (1, 128)):
        if block.out_height >= S:
            for without, fused in fusing_one_more(block, profile, S, r, batch):
                assert fused.bytes <= without.bytes, (profile.name, S, r, batch, fused.fused)
                assert fused.latency_s <= without.latency_s * (1 + 1e-12), (profile.name, S, r, batch, fused.fused)


def test_data_movement_of_the_fused_masker_may_take_longer():
    """One dense kernel writes all of conv1's map; it is fused because the kernel saved makes up for it."""
    block, profile = latpred.load_block("resnet50-stage1"), latpred.load_profile("rtx3090")
    rows = {row.fused: row for row in ablate_fusion(block, profile, 1, 0.0, batch=1)}
    apart, fused = rows[()], rows[("masker",)]
    assert fused.memory_s > apart.memory_s * 1.08
    assert fused.bytes < apart.bytes
    assert fused.launch_s == pytest.approx(apart.launch_s - profile.kernel_s)
    assert fused.latency_s < apart.latency_s
    # Whoever always fuses, pays: at r = 0 and batch 128 the dense kernel alone is slower than the two.
    masker = op.MaskerConvolution(c_in=256, c_out=64, height=56, width=56, S=1, r=0.0)
    cost = cost_model("published", profile)
    always, cheaper = cost.cost(masker.fused, 128).latency_s, cost.cost(masker, 128).latency_s
    assert cheaper < always


def test_order_and_repetition_of_what_is_not_fused_do_not_matter(run):
    found = []
    for names in ("masker,scatter", "scatter,masker,scatter"):
        code, out, _ = run(f"predict --device v100 --block r50-stage1 --S 4 --r 0.6 --unfuse {names} --format json")
        assert code == 0
        found.append(json.loads(out))
        assert sorted(found[-1]["paradigm"]["unfuse"]) == ["masker", "scatter"]
    assert found[0]["operators"] == found[1]["operators"]


def test_a_gather_counts_the_patches_of_the_output_map_also_where_the_stride_does_not_divide_the_input():
    # 57×57 at stride 2 is a 29×29 map: 8×8 patches of 4×4, each 8×8 with a border of one in the input.
    block = latpred.Bottleneck(c_in=64, c_out=64, height=57, width=57, stride=2)
    steps = {step.name: step.operator for step in block.lower(Spatial(S=4, r=0.6, unfuse=["gather"]), PUBLISHED).steps}
    assert steps["gather"].patches == steps["conv2"].patches == 64
    assert steps["gather"].patch_edge == 10
