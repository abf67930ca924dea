"""What every cost model has: equality by its numbers, and steps that run for a share of the samples, by hand."""

import numpy as np
import pytest

import latpred
from latpred.models.interface import cost_model

V100, H200 = latpred.load_profile("v100"), latpred.load_profile("h200")
CONVOLUTION = latpred.Convolution(c_in=64, c_out=64, height=14, width=14)


def test_models_are_equal_where_all_answers_are():
    kernels = {"name": "calibrated", "profile": H200}
    first = [
        cost_model("published", V100),
        cost_model("published", H200),
        cost_model("roofline", V100),
        cost_model("roofline", V100, precision="fp16"),
        cost_model(**kernels),
        cost_model(**kernels, precision="fp16"),
    ]
    second = [
        cost_model("published", V100.replace(name="other")),  # the name changes no answer
        cost_model("published", H200),
        cost_model("roofline", V100),
        cost_model("roofline", V100, precision="fp16"),
        cost_model(**kernels, library="triton"),
        cost_model(**kernels, precision="fp16"),
    ]
    for place, model in enumerate(first):
        assert [model == other for other in second] == [place == number for number in range(len(second))]
        assert hash(model) == hash(second[place])
        assert model != model.key


@pytest.mark.parametrize("model", [cost_model("published", V100), cost_model("roofline", V100)])
def test_a_share_of_the_time_where_samples_are_not_gathered(model):
    whole = model.cost(CONVOLUTION, 4)[:5]
    assert model.step(CONVOLUTION, 4, 0.3, chained=True)[:5] == pytest.approx([0.3 * part for part in whole], rel=1e-12)
    assert model.step(CONVOLUTION, 4, 1.0, chained=True)[:5] == pytest.approx(whole, rel=1e-12)


@pytest.mark.parametrize(
    ("executions", "parts"),
    [
        (1.0, {4: 1.0}),
        (0.75, {3: 1.0}),
        (0.55, {2: 0.8, 3: 0.2}),  # 2.2 of 4 samples
        (0.05, {1: 0.2}),  # in four of five batches nothing runs
        (0.0, {}),
    ],
)
def test_whole_samples_where_they_are_gathered(executions, parts):
    model = cost_model("calibrated", H200)
    expected = sum(weight * model.cost(CONVOLUTION, batch, chained=True).latency_s for batch, weight in parts.items())
    found = model.step(CONVOLUTION, 4, executions, chained=True)
    assert float(found.latency_s) == pytest.approx(float(expected), rel=1e-9, abs=1e-18)


def test_several_shares_at_once():
    """Where some run for every sample and some do not, each is what it is alone."""
    model, shares = cost_model("calibrated", H200), np.array([1.0, 0.55, 0.5, 0.0])
    found = model.step(CONVOLUTION, 4, shares, chained=False)
    for field in range(5):
        single = [float(model.step(CONVOLUTION, 4, share, chained=False)[field]) for share in shares]
        assert np.asarray(found[field]) == pytest.approx(single, rel=1e-12)


def test_a_kernel_that_follows_another_takes_a_switch_more():
    model = cost_model("calibrated", H200)
    alone, after = (model.step(CONVOLUTION, 4, 1.0, chained=chained) for chained in (False, True))
    n = model.numbers
    assert model.cost(CONVOLUTION, 4).launch_s == alone.launch_s == n["kernel_s"]
    assert after.launch_s == pytest.approx(n["kernel_s"] + n["switch_s"], rel=1e-12)


def test_the_roofline_by_hand():
    """64 · 64 multiply-adds for each of 196 pixels of 4 samples; weights once, two maps of 64 channels, in 4 bytes."""
    compute = 4 * 196 * 64 * 64 / (V100.pes * V100.fp32_lanes_per_pe * V100.clock_hz)
    memory = 4 * (64 * 64 + 4 * 2 * 64 * 196) / V100.dram_bandwidth
    found = cost_model("roofline", V100).cost(CONVOLUTION, 4)
    assert found[:5] == pytest.approx((compute, memory, 0, max(compute, memory), 0), rel=1e-12, abs=0)


@pytest.mark.parametrize(("rate", "on"), [(0.0, 4), (0.05, 4), (0.07, 8), (0.5, 32), (1.0, 64)])
def test_the_roofline_counts_whole_groups(rate, on):
    """Sixteen groups of four channels: as many as the rate asks for, rounded up, and one at least."""
    groups = CONVOLUTION.replace(channel_group=4, input_rate=rate, output_rate=0.5)
    plain = CONVOLUTION.replace(input_rate=on / 64, output_rate=0.5)
    model = cost_model("roofline", V100)
    assert model.cost(groups, 4)[:5] == pytest.approx(model.cost(plain, 4)[:5], rel=1e-12, abs=0)


def test_the_cheaper_of_two_costs_part_by_part():
    cost = type(cost_model("roofline", V100).cost(CONVOLUTION, 1))
    low, high = cost(1.0, 2.0, 3.0, 4.0, 0.5), cost(2.0, 1.0, 1.0, 5.0, 0.25)
    assert low.or_cheaper(high) == high.or_cheaper(low) == low
    assert low.then(high)[:5] == (3.0, 3.0, 4.0, 9.0, 0.75)
    tie = low._replace(compute_s=7.0)
    assert low.or_cheaper(tie) == low
    several = cost(*(np.array([a, b]) for a, b in zip(low[:5], high[:5], strict=True)))
    other = cost(*(np.array([b, a]) for a, b in zip(low[:5], high[:5], strict=True)))
    assert [part.tolist() for part in several.or_cheaper(other)[:5]] == [[part, part] for part in low[:5]]


def test_what_the_papers_do_not_heed_is_refused():
    groups = CONVOLUTION.replace(channel_group=4, input_rate=0.5)
    with pytest.raises(latpred.InputError, match="published model does not heed channel_group of Convolution"):
        cost_model("published", V100).cost(groups, 1)


def test_a_library_that_knows_no_l2_has_no_time_there():
    assert cost_model("calibrated", V100, library="tensorrt").cost(CONVOLUTION, 4).l2_s == 0
    assert cost_model("calibrated", H200).cost(CONVOLUTION, 4).l2_s > 0
