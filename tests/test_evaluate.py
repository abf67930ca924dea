"""Many settings of the rates at once: each latency equals that of one prediction, for every model and paradigm."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import latpred
from latpred.models.interface import cost_model
from latpred.models.published import COSTS, candidates, convolutions
from latpred.models.published.densities import DensityTable, fullest_density
from latpred.models.published.machine import Machine
from latpred.models.tiling import tile_edges
from latpred.workloads import operators as op
from latpred.workloads.operators import Share
from tests import strategies

RESNET = latpred.load_network("resnet50")
MODELS = {
    "published": ("v100", {}),
    "published, one image": ("tx2", {"batch": 1}),
    "roofline": ("v100", {"model": "roofline"}),
    "calibrated": ("h200", {"model": "calibrated", "precision": "fp16", "batch": 8}),
    "calibrated, one image": ("h200", {"model": "calibrated", "precision": "fp32", "batch": 1}),
}
PARADIGMS = [
    latpred.Spatial(S=[4, 4, 2, 1], r=1.0),
    latpred.Channel(G=[1, 2, 4, 8], r=1.0),
    latpred.Layer(r=1.0),
    latpred.Joint(latpred.Layer(r=1.0), latpred.Channel(G=2, r=1.0)),
]
#: The calibrated model has no kernels for these.
OTHER_FORMS = [
    latpred.Spatial(S=[8, 4, 7, 7], r=1.0, unfuse=("gather", "scatter", "masker")),
    latpred.Channel(G=2, r=1.0, masker_layers=1, scaled=True),
    latpred.Layer(r=1.0, masker="pooled"),
    latpred.Joint(latpred.Spatial(S=7, r=1.0), latpred.Channel(G=4, r=1.0)),
]


def settings_of(blocks, count, seed=0):
    """Rates at random; none, all, hardly any, nearly all, the same twice; on the edges of stairs and beside them."""
    generator = np.random.default_rng(seed)
    rates = generator.random((count, blocks))
    rates[0], rates[1], rates[2], rates[3] = 0.0, 1.0, 1e-12, 1 - 1e-12
    rates[4] = rates[5]
    steps = generator.choice([196, 49, 64, 32, 16, 8, 7], (3, blocks))
    rates[6:9] = generator.integers(0, steps + 1) / steps
    rates[7] = np.clip(rates[7] + 1e-8, 0, 1)
    rates[8] = np.clip(rates[8] - 1e-8, 0, 1)
    return rates


def one_by_one(target, device, paradigm, rates, **kernels):
    return [
        latpred.predict(target, device, paradigm.at_rates(tuple(row)), **kernels).latency_s for row in rates.tolist()
    ]


@pytest.mark.parametrize("paradigm", [*PARADIGMS, *OTHER_FORMS], ids=lambda paradigm: paradigm.text(rates=False))
@pytest.mark.parametrize("model", MODELS)
def test_every_setting_equals_its_prediction(model, paradigm):
    device, kernels = MODELS[model]
    rates = settings_of(16, 10)
    if paradigm in OTHER_FORMS and model.startswith("calibrated"):
        with pytest.raises(latpred.InputError) as refused:
            one_by_one(RESNET, device, paradigm, rates, **kernels)
        with pytest.raises(latpred.InputError, match=re.escape(str(refused.value))):
            latpred.evaluate(RESNET, device, paradigm, rates, **kernels)
        return
    found = latpred.evaluate(RESNET, device, paradigm, rates, **kernels)
    assert found == pytest.approx(one_by_one(RESNET, device, paradigm, rates, **kernels), rel=1e-9, abs=0)


@pytest.mark.parametrize("name", ["regnety-400mf", "regnety-800mf"])
@pytest.mark.parametrize("paradigm", [latpred.Spatial(S=[4, 4, 2, 1], r=1.0), latpred.Channel(r=1.0)], ids=str)
def test_networks_with_groups_and_squeeze_and_excitation(name, paradigm):
    network = latpred.load_network(name).including("stem", "head")
    rates = settings_of(sum(network.blocks_per_stage), 10)
    found = latpred.evaluate(network, "rtx3060", paradigm, rates)
    assert found == pytest.approx(one_by_one(network, "rtx3060", paradigm, rates), rel=1e-9, abs=0)


@given(strategies.profiles, strategies.blocks(), strategies.batches, st.data())
def test_blocks_on_drawn_devices(profile, block, batch, data):
    paradigm = data.draw(strategies.paradigms(block, st.just(1.0)))
    rates = settings_of(1, 10, data.draw(st.integers(0, 99)))
    found = latpred.evaluate(block, profile, paradigm, rates, batch=batch)
    each = [latpred.predict(block, profile, paradigm.at_rates(r), batch=batch).latency_s for (r,) in rates.tolist()]
    assert found == pytest.approx(each, rel=1e-9, abs=0)


@pytest.mark.parametrize("paradigm", [latpred.Channel(r=1.0), OTHER_FORMS[-1]], ids=str)
def test_a_column_per_stage_and_chunks_of_settings(monkeypatch, paradigm):
    per_stage = settings_of(4, 20)
    whole = latpred.evaluate(RESNET, "tx2", paradigm, np.repeat(per_stage, [3, 4, 6, 3], axis=1))
    monkeypatch.setattr("latpred.curves._CHUNK", 7)
    monkeypatch.setattr("latpred.models.published._SEARCHED", 2)
    monkeypatch.setattr("latpred.models.published.candidates._TOGETHER", 3)
    assert latpred.evaluate(RESNET, "tx2", paradigm, per_stage) == pytest.approx(whole, rel=1e-12, abs=0)
    assert latpred.evaluate(RESNET, "tx2", paradigm, np.empty((0, 16))).shape == (0,)


REFUSED = {
    "tokens of a transformer": (
        ("deit-s", "v100", latpred.Token(r=1.0), [[1.0] * 12]),
        "the rates of token skipping shape its operators; ask latpred.predict",
    ),
    "an operator": (
        (op.Convolution(c_in=4, c_out=4, height=4, width=4), "v100", latpred.Layer(r=1.0), [[1.0]]),
        "no residual blocks with rates of their own",
    ),
    "nothing is skipped": (("resnet50", "v100", latpred.Static(), [[1.0] * 16]), "a static network has no rates"),
    "a row alone": (("resnet50", "v100", PARADIGMS[0], [1.0] * 16), r"shape \(16,\); give a row per setting and 16"),
    "15 columns": (("resnet50", "v100", PARADIGMS[0], [[1.0] * 15]), r"16 columns \(blocks\) or 4 \(stages\)"),
    "percents": (("resnet50", "v100", PARADIGMS[0], [[60.0] * 16]), "rates must be from 0 to 1"),
    "not a number": (("resnet50", "v100", PARADIGMS[0], [[float("nan")] * 16]), "rates must be from 0 to 1"),
    "words": (("resnet50", "v100", PARADIGMS[0], [["high"] * 16]), "rates must be a number, or a list"),
    "rows of unequal length": (
        ("resnet50", "v100", PARADIGMS[0], [[1.0], [1.0, 1.0]]),
        "rates must be a number, or a list",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_such_rates_is_refused(case):
    given, message = REFUSED[case]
    with pytest.raises(latpred.InputError, match=message):
        latpred.evaluate(*given)


def test_a_library_of_single_convolutions_is_refused_as_by_predict():
    kernels = {"model": "calibrated", "precision": "fp16", "library": "tensorrt"}
    with pytest.raises(latpred.InputError, match="calibrated \\(tensorrt\\) model has no equation") as refused:
        latpred.predict(RESNET, "v100", latpred.Channel(r=0.5), **kernels)
    with pytest.raises(latpred.InputError, match=re.escape(str(refused.value))):
        latpred.evaluate(RESNET, "v100", latpred.Channel(r=1.0), [[0.5] * 16], **kernels)


@pytest.mark.parametrize("c_out", [1, 2, 3, 7, 64, 65, 440, 1024, 2048])
def test_the_table_of_densities_by_the_sum_itself(c_out):
    c_t = tile_edges(c_out).astype(float)
    n, generator = np.ceil(c_out / c_t), np.random.default_rng(c_out)
    table = DensityTable.joined([DensityTable.of(np.array([5.0]), np.array([3.0])), DensityTable.of(n, c_t)])
    steep = 10 ** generator.uniform(-9, 0, 300)
    p = np.concatenate([[0.0, 1.0], generator.random(300), steep, 1 - steep])
    found = table.at(1 + np.arange(len(c_t))[:, np.newaxis], p)
    assert found == pytest.approx(fullest_density(n[:, np.newaxis], c_t[:, np.newaxis], p), rel=0, abs=1e-12)
    # No channel takes no time, and none below: a time of -9e-18 s would be printed.
    assert np.all(found[:, 0] == 0)
    assert np.all(found >= p)


@st.composite
def convolutions_with_rates(draw):
    """A convolution, and the sides whose channels are switched."""
    groups, stride = draw(st.sampled_from([1, 1, 1, 4, 24])), draw(st.sampled_from([1, 2]))
    count, edge = st.integers(1, 80) if groups < 24 else st.just(1), st.integers(2, 60)
    o = op.Convolution(
        c_in=groups * draw(count),
        c_out=groups * draw(count),
        height=draw(edge),
        width=draw(edge),
        kernel=draw(st.sampled_from([1, 3])),
        stride=stride,
        groups=groups,
    )
    both = ("input_rate", "output_rate")
    return o, both if o.is_depthwise else draw(st.sampled_from([("input_rate",), ("output_rate",), both]))


@given(strategies.profiles, convolutions_with_rates(), strategies.batches, st.integers(0, 999))
def test_the_candidates_hold_the_cheapest_tile_of_all(profile, drawn, batch, seed):
    """Against the search of every tile at each rate; candidates within 1e-9 of the least count as equal."""
    o, sides = drawn
    M, rates = Machine.of(profile), settings_of(1, 30, seed)
    stack = op.stack([o])
    found = candidates.convolutions(
        op.unchecked(op.Convolution, {**stack.__dict__, **dict.fromkeys(sides, rates)}), M, batch
    )
    for place, rate in enumerate(rates[:, 0].tolist()):
        every = convolutions.convolution(replace(o, **dict.fromkeys(sides, rate)), M, batch)
        assert found.latency_s[place, 0] == pytest.approx(every.latency_s, rel=1e-9, abs=0)
        parts = M.join(found.compute_s[place, 0], found.memory_s[place, 0]) + M.t0
        assert parts == pytest.approx(every.latency_s, rel=1e-9, abs=0)


MAP = {"height": 14, "width": 14}
PATCHES = {"S": 4, "r": Share("spatial"), **MAP}
STACKED = [
    op.PatchConvolution(c_in=8, c_out=8, kernel=3, indexed=True, **PATCHES),
    op.MaskerConvolution(c_in=8, c_out=8, **PATCHES),
    op.ScatterAdd(channels=8, **PATCHES),
    op.Gather(channels=8, **PATCHES, pad=1),
    op.Scatter(channels=8, **PATCHES),
    op.PatchGlobalPool(channels=8, **PATCHES),
]


@pytest.mark.parametrize("operator", STACKED, ids=lambda operator: type(operator).__name__)
def test_patches_are_asked_once_for_all_operators_and_rates(operator, monkeypatch):
    """A call for each takes as long as predicting one by one; a single rate of a single operator is remembered."""
    calls, cost = [], COSTS[type(operator)]
    monkeypatch.setitem(COSTS, type(operator), lambda *asked: calls.append(asked) or cost(*asked))
    model, wide = cost_model("published", latpred.load_profile("v100")), operator.replace(height=28)
    asked = (([operator], 300), ([operator, wide], 1), ([operator, wide], 300), ([operator], 1))
    for place, (operators, settings) in enumerate(asked):
        rates = np.linspace(0.1 + place / 100, 0.9 + place / 100, settings * len(operators)).reshape(settings, -1)
        calls.clear()
        found = model.cost(op.with_rates(op.stack(operators), {"spatial": rates}), 2)
        assert len(calls) == 1
        assert found.tiling is None
        alone = [
            [model.cost(each.replace(r=rate), 2).latency_s for each, rate in zip(operators, row, strict=True)]
            for row in rates.tolist()
        ]
        assert np.broadcast_to(found.latency_s, rates.shape) == pytest.approx(np.array(alone), rel=1e-12)
    calls.clear()
    model.cost(op.with_rates(op.stack([operator]), {"spatial": rates}), 2)
    assert calls == []
    for _ in range(2):
        model.cost(op.stack([operator.replace(r=0.37)]), 2)
    assert len(calls) == 1


def test_more_channels_than_are_tabulated_are_searched_at_each_rate(monkeypatch):
    """A table of 100,000 channels would take minutes and gigabytes."""
    block, rates = latpred.load_block("r50-stage1"), settings_of(1, 10)
    tabulated = latpred.evaluate(block, "tx2", latpred.Channel(r=1.0), rates)
    monkeypatch.setattr(candidates, "MOST_CHANNELS", 63)
    monkeypatch.setattr(candidates, "convolutions", None)
    found = latpred.evaluate(block, "tx2", latpred.Channel(r=1.0), rates)
    assert found == pytest.approx(tabulated, rel=1e-9, abs=0)


def test_rates_that_differ_on_both_sides_are_searched_at_each():
    """More of them than are searched together; every part of the cost is as for one."""
    model, o = cost_model("published", latpred.load_profile("v100")), op.Convolution(c_in=16, c_out=16, **MAP, kernel=3)
    rates = {"input_rate": np.linspace(0.1, 0.9, 300), "output_rate": np.linspace(0.8, 0.2, 300)}
    found = model.cost(op.unchecked(type(o), {**o.__dict__, **rates}), 2)
    assert found.tiling is None
    for place in (0, 100, 255, 256, 299):
        alone = model.cost(o.replace(**{name: float(rate[place]) for name, rate in rates.items()}), 2)
        assert [np.broadcast_to(part, 300)[place] for part in found[:5]] == pytest.approx(alone[:5], rel=1e-12, abs=0)


def test_few_tiles_are_candidates():
    """Of 16 × 17 × 17 that there are, with channels switched on both sides; tables of as many as may be."""
    o = op.Convolution(c_in=64, c_out=64, height=56, width=56, kernel=3)
    machine = Machine.of(latpred.load_profile("v100"))
    *_, many = candidates._of_shape(o, ("input_rate", "output_rate"), machine, 128)
    assert many.min() >= 1
    assert many.mean() < 16
    wide, rates = o.replace(c_out=candidates.MOST_CHANNELS), np.full((1, 1), 0.5)
    for width, sides in ((wide, ("output_rate",)), (wide.replace(c_out=wide.c_out + 1), ())):
        stack = op.stack([width])
        assert candidates.switched_sides(op.unchecked(type(o), {**stack.__dict__, "output_rate": rates})) == sides
