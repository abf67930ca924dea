"""What fits into a latency: against every setting one by one, at the edge of the budget, on several devices at once."""

import json
import tracemalloc
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex

import latpred
from latpred.question import ask
from latpred.show.budget_plots import draw_budgets
from latpred.studies.budget import candidates
from latpred.studies.budget import search as budget_search
from latpred.studies.budget.candidates import RATES
from tests import strategies

TX2, V100, H200 = (latpred.load_profile(name) for name in ("tx2", "v100", "h200"))
FP16 = {"model": "calibrated", "precision": "fp16"}
SMALL = latpred.Network(
    name="small",
    stem=latpred.Stem(c_out=16, kernel=3, stride=2),
    bottleneck_ratio=4,
    stages=[latpred.Stage(c_in=16, c_out=32, blocks=2), latpred.Stage(c_in=32, c_out=64, blocks=1, stride=2)],
    image_size=(24, 24),
)
#: Stages of which one cannot skip pixels or channels, the others no tokens.
MIXED = latpred.Network(
    name="mixed",
    stem=latpred.Stem(c_out=32, kernel=3, stride=2, pool=True),
    stages=[
        latpred.Stage(kind="basic", c_in=32, c_out=64, blocks=2),
        latpred.Stage(kind="inverted-residual", c_in=64, c_out=96, blocks=2, stride=2, expansion=4, kernel=3),
        latpred.Stage(kind="transformer", c_in=96, c_out=96, blocks=2, heads=3, head_dim=32, hidden=192),
    ],
    image_size=(64, 64),
)


def settings_of(network, name):
    """Every granularity of a paradigm on a network of two stages, at every hundredth."""
    stages = [network.stage(1), network.stage(2)]
    if name == "layer":
        return [latpred.Layer(r=rate) for rate in RATES]
    kind = {"spatial": latpred.Spatial, "channel": latpred.Channel}[name]
    sizes = product(*(stage.granularities(name) for stage in stages))
    return [kind(**{kind.granularity_field: size}, r=float(rate)) for size in sizes for rate in RATES]


# --- one rate for all


@pytest.mark.parametrize("name", ["spatial", "channel", "layer"])
@pytest.mark.parametrize(("profile", "how"), [(TX2, {}), (H200, FP16)], ids=["published", "calibrated"])
def test_the_rate_is_the_highest_of_all_settings_and_the_granularity_the_finest_there(name, profile, how):
    """The oracle predicts all settings one by one."""
    every = settings_of(SMALL, name)
    latency = {one: latpred.predict(SMALL, profile, one, **how).latency_s for one in every}
    for share in (0.55, 0.8, 0.95):
        limit = share * latpred.predict(SMALL, profile, **how).latency_s
        fitting = [one for one in every if latency[one] <= limit]
        (*found,) = latpred.budget(SMALL, profile, latency_s=limit, paradigms=[name], **how).options
        if not fitting:
            assert found == []
            continue
        highest = max(one.r for one in fitting)
        there = [one for one in fitting if one.r == highest]
        assert found[0].r == highest
        assert found[0].paradigm in there
        if name != "layer":
            assert np.prod(found[0].paradigm.granularity) == min(np.prod(one.granularity) for one in there)


@given(data=st.data(), profile=strategies.profiles, share=st.floats(0.05, 1.3), batch=st.sampled_from([1, 3]))
@settings(max_examples=30)
def test_every_option_fits_and_a_hundredth_more_does_not(data, profile, share, batch):
    networks = st.sampled_from([SMALL, SMALL.including("stem", "head"), MIXED])
    target = data.draw(st.one_of(strategies.blocks(), networks))
    limit = share * latpred.predict(target, profile, batch=batch).latency_s
    answer = latpred.budget(target, profile, latency_s=limit, batch=batch)
    check(answer, target, profile, limit, batch=batch)
    assert answer.static_fits == (share >= 1)
    assert {option.way for option in answer.options} <= {*target.paradigms}


@pytest.mark.parametrize("network", ["resnet50", "regnety-400mf", "vit-b"])
@pytest.mark.parametrize("profile", ["v100", "nano", "orin"])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_of_shipped_networks_too(network, profile, share):
    limit = share * latpred.predict(network, profile).latency_s
    check(latpred.budget(network, profile, latency_s=limit), network, profile, limit)


def check(answer, target, profile, limit, **how):
    """Every option fits, a hundredth more does not; they are in order of what they keep, or there are none."""
    for option in answer.options:
        report = latpred.predict(target, profile, option.paradigm, **how)
        assert (report.latency_s, report.macs) == (option.latency_s, option.macs)
        assert option.latency_s <= limit
        assert option.r in RATES
        if option.r < 1:
            assert latpred.predict(target, profile, option.paradigm.at_rates(option.r + 0.01), **how).latency_s > limit
    kept = [option.macs_ratio for option in answer.options]
    assert kept == sorted(kept, reverse=True)
    assert answer.best is (answer.options[0] if answer.options else None)
    assert (answer.fastest is None) == bool(answer.options)


@pytest.mark.parametrize("paradigm", [latpred.Spatial(S=[4, 4, 2, 1], r=0.57), latpred.Channel(G=2, r=0.29)])
def test_a_budget_that_is_the_latency_of_a_setting_to_the_last_digit(paradigm):
    """Sums in another order differ in the last digit, and may not cost a hundredth."""
    limit = latpred.predict("resnet50", TX2, paradigm).latency_s
    (option,) = latpred.budget("resnet50", TX2, latency_s=limit, paradigms=[paradigm]).options
    assert (option.r, option.latency_s) == (paradigm.r, limit)
    assert latpred.budget("resnet50", TX2, latency_s=limit, paradigms=[paradigm.name]).best.r >= paradigm.r
    (less,) = latpred.budget("resnet50", TX2, latency_s=np.nextafter(limit, 0), paradigms=[paradigm]).options
    assert less.r == pytest.approx(paradigm.r - 0.01)


def test_the_highest_rate_even_where_a_lower_one_does_not_fit(monkeypatch):
    """Latencies may fall as the rate rises: of 0.2, 0.5 and 0.8 that fit the last counts."""
    table = candidates.Table(
        np.array([0.2, 0.3, 0.5, 0.6, 0.8, 0.9]),
        [np.array([1.0, 3.0, 2.0, 3.0, 2.0, 4.0]).reshape(1, 6, 1)],
        [np.ones((1, 6))],
        np.zeros(1),
        0.0,
    )
    way = candidates.Candidate(latpred.Layer(r=1.0), (), 1)
    search = budget_search.Search(way, (None,), table, np.array([2.0]), False)
    monkeypatch.setattr(budget_search.Search, "_found", lambda self, paradigm: Told(paradigm))
    assert search.at_common_rate().paradigm.r == 0.8


class Told:
    """A setting that is said to fit."""

    def __init__(self, paradigm):
        self.paradigm = paradigm

    def fits(self, sure):
        return True


# --- a rate for each stage


@pytest.mark.parametrize("name", ["spatial", "channel", "layer"])
@pytest.mark.parametrize(("profile", "how"), [(TX2, {}), (H200, FP16)], ids=["published", "calibrated"])
@pytest.mark.parametrize("share", [0.45, 0.7, 0.9])
def test_rates_per_stage_keep_as_much_as_the_best_of_all(monkeypatch, name, profile, how, share):
    """On a grid of five rates the oracle predicts every granularity and rate of both stages."""
    rates = np.array([0.2, 0.35, 0.5, 0.75, 1.0])
    monkeypatch.setattr(candidates, "RATES", rates)
    limit = share * latpred.predict(SMALL, profile, **how).latency_s
    reports = [
        latpred.predict(SMALL, profile, one.at_rates(pair), **how)
        for one in {one.at_rates(1.0) for one in settings_of(SMALL, name)}
        for pair in product(rates.tolist(), repeat=2)
    ]
    best = max((report.macs for report in reports if report.latency_s <= limit), default=None)
    answer = latpred.budget(SMALL, profile, latency_s=limit, paradigms=[name], per_stage=True, **how)
    assert (answer.best and answer.best.macs) == (best and pytest.approx(best, rel=1e-12))
    if answer.best:
        assert answer.best.latency_s <= limit


@pytest.mark.parametrize("sure", [False, True])
@pytest.mark.parametrize("share", [0.4, 0.6, 0.85])
def test_rates_per_stage_never_keep_less(share, sure):
    limit = share * latpred.predict("resnet50", H200, **FP16).latency_s
    common, own = (
        latpred.budget("resnet50", H200, latency_s=limit, sure=sure, per_stage=each, **FP16) for each in (False, True)
    )
    kept = {option.way: option.macs_ratio for option in own.options}
    for option in common.options:
        assert kept[option.way] >= option.macs_ratio
    for option in own.options:
        assert (option.report.latency_high_s if sure else option.latency_s) <= limit


@pytest.mark.parametrize("name", ["spatial", "channel", "layer"])
def test_rates_per_stage_are_the_highest_that_take_as_long(name):
    """With room for everything all of it runs, and what cannot skip, as stages 1 and 7, runs whole."""
    answer = latpred.budget("mobilenetv2", TX2, latency_s=1.0, paradigms=[name], per_stage=True)
    assert answer.best.r == (1.0,) * 7


def test_rates_per_stage_fit_into_memory(monkeypatch):
    """What channels keep over their time bends the other way, so that mixtures promise more than any choice has."""
    monkeypatch.setattr(candidates, "RATES", np.arange(1, 26) / 25)
    limits = {"latency_s": 0.005, "paradigms": ["channel"], "model": "roofline"}
    latpred.budget("convnext-small", TX2, **limits)
    tracemalloc.start()
    assert latpred.budget("convnext-small", TX2, per_stage=True, **limits).best
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500e6


@pytest.mark.parametrize("target", ["r50-stage1", "vit-b"])
def test_rates_per_stage_need_stages(target):
    with pytest.raises(latpred.InputError, match="has no stages with rates of their own; give a residual network"):
        latpred.budget(target, TX2, latency_s=1.0, per_stage=True)


# --- bands, devices, batches


@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
@pytest.mark.parametrize("precision", ["fp16", "tf32"])
def test_what_is_sure_fits_to_the_upper_end_of_the_band(share, precision):
    how = FP16 | {"precision": precision}
    limit = share * latpred.predict("resnet50", H200, **how).latency_s
    answer = latpred.budget("resnet50", H200, latency_s=limit, sure=True, **how)
    for option in answer.options:
        assert option.report.latency_high_s <= limit
        if option.r < 1:
            more = option.paradigm.at_rates(option.r + 0.01)
            assert latpred.predict("resnet50", H200, more, **how).latency_high_s > limit


def test_predictions_that_are_too_long_in_the_middle_may_go_beyond_the_limit():
    """Layers in TF32 take between 0.930 and 1.058 of what is predicted: 0.992 in the middle, whatever the width."""
    asked = ask("resnet50", H200, model="calibrated", precision="tf32")
    (error,) = (one for one in asked.cost_model.calibration.errors if one.name == "layer")
    (way,) = candidates.candidates_of(asked.of, ["layer"])[0]
    search = budget_search.Search(way, (asked,), candidates.table((asked,), way), np.array([0.01]), True)
    assert search.most_s == pytest.approx([0.01 / np.sqrt(error.low * error.high)], rel=1e-12)
    assert search.most_s > 0.01008


def test_what_is_sure_is_tried_at_higher_rates_with_its_own_band(monkeypatch):
    """Where the search, which narrows by the bands of others, passes the best rate over, it is found all the same."""
    paradigm, limit = latpred.Spatial(S=[4, 4, 2, 1], r=1.0), 0.6 * latpred.predict("resnet50", H200, **FP16).latency_s
    (best,) = latpred.budget("resnet50", H200, latency_s=limit, sure=True, paradigms=[paradigm], **FP16).options
    passed, choice = [], budget_search.Search._choice

    def pass_over(self, times, worths, setting):
        found = choice(self, times, worths, setting)
        if found and len(passed) < 3:
            passed.append(found)
            return None
        return found

    monkeypatch.setattr(budget_search.Search, "_choice", pass_over)
    (again,) = latpred.budget("resnet50", H200, latency_s=limit, sure=True, paradigms=[paradigm], **FP16).options
    assert (len(passed), again.r) == (3, best.r)


def test_nothing_is_sure_without_a_band():
    with pytest.raises(
        latpred.InputError, match="no band is known of resnet50 on tx2 with the published model: nothing"
    ):
        latpred.budget("resnet50", TX2, latency_s=0.01, sure=True)


def test_where_kernels_were_never_timed_it_is_not_the_model_that_lacks_a_band():
    with pytest.raises(latpred.InputError, match=r"nothing is sure; nobody has timed the kernels of all 8 blocks of"):
        latpred.budget("resnet18", H200, latency_s=0.01, sure=True, **FP16)


def test_one_setting_fits_on_all_devices_and_a_hundredth_more_not_on_one():
    names = ("tx2", "nano", "orin")
    answer = latpred.budget("resnet50", names, latency_s=0.030)
    on = (answer, *answer.elsewhere)
    assert tuple(one.device for one in on) == names
    alone = {name: latpred.budget("resnet50", name, latency_s=0.030) for name in names}
    for number, option in enumerate(answer.options):
        more = option.paradigm.at_rates(option.r + 0.01)
        assert any(latpred.predict("resnet50", name, more).latency_s > 0.030 for name in names)
        for name, one in zip(names, on, strict=True):
            assert one.options[number].paradigm == option.paradigm
            assert (
                one.options[number].latency_s == latpred.predict("resnet50", name, option.paradigm).latency_s <= 0.030
            )
            assert option.r <= next(each.r for each in alone[name].options if each.way == option.way)
    assert [one.static_fits for one in on] == [True, False, True]


def test_a_network_of_one_stage():
    """Its granularities are those of the stage; what stands around it counts."""
    stage = latpred.Stage(kind="basic", c_in=16, c_out=16, blocks=2)
    alone = latpred.Network(
        name="alone", stem=latpred.Stem(c_out=16, kernel=3, stride=2), stages=[stage], image_size=(24, 24)
    ).including("stem", "head")
    limit = 0.8 * latpred.predict(alone, V100).latency_s
    answer = latpred.budget(alone, V100, latency_s=limit)
    check(answer, alone, V100, limit)
    assert {option.way for option in answer.options} <= {"spatial", "channel", "layer"}
    assert {one.paradigm for one in answer.tried} == {"spatial", "channel", "layer"}


def test_of_one_device_in_a_list_the_same():
    one, listed = (latpred.budget("resnet50", profile, latency_s=0.012) for profile in (TX2, [TX2]))
    assert one.to_dict() == listed.to_dict()
    with pytest.raises(latpred.InputError, match="rates per stage are found for one device, not for 2 at once"):
        latpred.budget("resnet50", [TX2, V100], latency_s=0.012, per_stage=True)


def test_images_per_second_are_a_latency_for_the_batch():
    """500 a second of a batch of 8 leave 16 ms."""
    by_throughput = latpred.budget("resnet50", "orin", images_per_second=500, batch=8)
    by_latency = latpred.budget("resnet50", "orin", latency_s=0.016, batch=8)
    assert [one.paradigm for one in by_throughput.options] == [one.paradigm for one in by_latency.options]
    assert all(option.images_per_second >= 500 for option in by_throughput.options)
    both = latpred.budget("resnet50", "orin", latency_s=0.012, images_per_second=500, batch=8)
    assert both.limit_s == 0.012


def test_of_several_batches_the_one_with_the_highest_rate_then_the_most_images_per_second():
    """Against a budget at each batch; the static network at the batch that serves most images within the latency."""
    batches, limit = range(1, 7), 0.006
    answer = latpred.budget("resnet50", V100, latency_s=limit, images_per_second=900, batch=batches)
    each = [latpred.budget("resnet50", V100, latency_s=limit, images_per_second=900, batch=one) for one in batches]
    for option in answer.options:
        alone = [one for found in each for one in found.options if one.way == option.way]
        assert (option.r, option.images_per_second) == max((one.r, one.images_per_second) for one in alone)
    wide = latpred.budget("resnet50", V100, latency_s=limit, batch=batches, paradigms=["layer"])
    static = {one: latpred.predict("resnet50", V100, batch=one).latency_s for one in batches}
    assert wide.static.batch == max((one for one in batches if static[one] <= limit), key=lambda one: one / static[one])


def test_a_batch_is_only_left_out_where_it_promises_no_more():
    """The first promises most and keeps less, the second keeps what it promised, the third cannot beat that."""
    found = [SimpleNamespace(rate=0.49, images_per_second=99), SimpleNamespace(rate=0.5, images_per_second=90)]
    promised = [(0.5, 100), (0.5, 90), (0.5, 80)]
    asked = []

    def search(number):
        def at_common_rate():
            asked.append(number)
            return found[number]

        return SimpleNamespace(bound=promised[number], at_common_rate=at_common_rate)

    searches = [search(number) for number in range(3)]
    assert budget_search.best_of(searches[::-1], False) == (searches[1], found[1])
    assert asked == [0, 1]


# --- widths


def test_the_widest_that_fits():
    """Of all hundredths of the width the oracle predicts each; a slimmable network has no stages of other widths."""
    preset, network = latpred.load_preset("usnet-mobilenetv2")
    latency = {rate: latpred.predict(network, TX2, preset.paradigm.at_rates(rate)).latency_s for rate in RATES.tolist()}
    limit = 0.6 * latpred.predict(network, TX2).latency_s
    for per_stage in (False, True):
        (option,) = latpred.budget(
            network, TX2, latency_s=limit, paradigms=[preset.paradigm], per_stage=per_stage
        ).options
        assert option.r == max(rate for rate, taken in latency.items() if taken <= limit)
        assert option.latency_s == latency[option.r]
    whole = network.including("stem", "head")
    (option,) = latpred.budget(whole, TX2, latency_s=limit, paradigms=["width"]).options
    assert option.latency_s == latpred.predict(whole, TX2, option.paradigm).latency_s <= limit
    assert [*latpred.budget(whole, TX2, latency_s=limit, paradigms=["width"]).table["r"]] == RATES.tolist()


def test_what_cannot_be_narrowed_is_left_out():
    limits = {"latency_s": 0.02, "paradigms": ["layer", "width"]}
    assert [one.way for one in latpred.budget("vit-b", TX2, **limits).options] == ["layer"]
    (note,) = (note for note in latpred.budget("vit-b", TX2, **limits).notes if note.startswith("width left out"))
    assert "cannot run at a share of its width" in note


# --- what is left out


def test_where_nothing_fits_the_fastest_is_named():
    """Below what the maskers take: r = 0.01 everywhere is too slow."""
    answer = latpred.budget("resnet50", TX2, latency_s=1e-3)
    assert (answer.options, answer.best, answer.static_fits) == ((), None, False)
    lowest = [latpred.predict("resnet50", TX2, latpred.Layer(r=0.01)).latency_s]
    lowest += [latpred.predict("resnet50", TX2, latpred.Spatial(S=S, r=0.01)).latency_s for S in (1, 2, 4, 7)]
    assert answer.fastest.latency_s == min(lowest)
    assert answer.to_dict()["fastest"]["paradigm"]["name"] == "layer"


def test_where_only_some_fit_the_others_are_noted():
    answer = latpred.budget("vit-b", TX2, latency_s=0.020)
    assert [option.way for option in answer.options] == ["layer"]
    assert [note.partition(" takes")[0] for note in answer.notes] == [
        "token fits at no rate: token(r=0.01)",
        "head fits at no rate: head(r=0.09)",
    ]


def test_paradigms_that_a_target_has_not_or_the_model_not_are_left_out_with_a_note():
    answer = latpred.budget("resnet50", TX2, latency_s=0.012, paradigms=["token", "layer", "layer"])
    assert [option.way for option in answer.options] == ["layer"]
    assert answer.notes[0] == "token left out: resnet50 has no token skipping"
    pooled = latpred.Layer(r=1.0, masker="pooled", hidden=10)
    answer = latpred.budget("deit-s", TX2, latency_s=1.0, paradigms=["layer", pooled])
    assert answer.notes[0].startswith(
        "layer(masker=pooled, hidden=10) left out: deit-s-stage1 decides with a policy of its own"
    )
    with pytest.raises(latpred.InputError, match="token left out: resnet50 has no token skipping; choose spatial, "):
        latpred.budget("resnet50", TX2, latency_s=0.012, paradigms=["token"])


def test_an_operator_only_fits_or_not():
    answer = latpred.budget(latpred.Convolution(c_in=64, c_out=64, height=56, width=56, kernel=3), TX2, latency_s=1.0)
    assert (answer.options, answer.static_fits, answer.fastest.paradigm) == ((), True, latpred.Static())


def test_a_stem_is_counted_and_skips_nothing():
    whole = SMALL.including("stem", "head")
    limit = 0.8 * latpred.predict(whole, TX2).latency_s
    (option,) = latpred.budget(whole, TX2, latency_s=limit, paradigms=["layer"]).options
    assert option.latency_s == latpred.predict(whole, TX2, option.paradigm).latency_s
    frame = latpred.budget(whole, TX2, latency_s=limit, paradigms=["layer"]).table
    at = frame[frame["r"] == option.r].iloc[0]
    assert (at["latency_s"], at["macs"]) == pytest.approx((option.latency_s, option.macs), rel=1e-12)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "say what must fit: latency_s, images_per_second, or both"),
        ({"latency_s": 0}, "latency_s must be a number above 0, got 0"),
        ({"latency_s": float("nan")}, "latency_s must be a number above 0, got nan"),
        ({"images_per_second": -1}, "images_per_second must be a number above 0, got -1"),
        ({"latency_s": "10ms"}, "latency_s must be a number"),
        ({"latency_s": 1, "paradigms": ["pixels"]}, "unknown paradigm 'pixels'; choose spatial"),
        ({"latency_s": 1, "paradigms": "layer"}, "paradigms come in a list"),
        ({"latency_s": 1, "paradigms": []}, "give a paradigm at least"),
        ({"latency_s": 1, "paradigms": [latpred.Static()]}, "a paradigm is a name, or latpred.Spatial"),
        ({"latency_s": 1, "batch": []}, "give a device and a batch at least"),
        ({"latency_s": 1, "batch": range(2000)}, "at most 1,024 batches and 100 devices are tried"),
        ({"latency_s": 1, "batch": 0}, "batch must be a whole number from 1"),
        ({"latency_s": 1, "executor": 2}, "an executor is a concurrent.futures.Executor, not 2"),
        ({"latency_s": 1, "progress": 2}, "progress is a function of how many are done"),
    ],
)
def test_questions_that_are_none(given, message):
    with pytest.raises(latpred.InputError) as error:
        latpred.budget("resnet50", TX2, **given)
    assert str(error.value).startswith(message)


# --- as it is shown


def test_the_table_is_the_fastest_granularity_at_every_rate():
    frame = latpred.budget("resnet50", TX2, latency_s=0.010).table
    assert list(frame.groupby("paradigm", sort=False).size()) == [100, 100, 100]
    row = frame[(frame["paradigm"] == "spatial") & (frame["r"] == 0.5)].iloc[0]
    sizes = [int(size) for size in row["granularity"].split("-")]
    report = latpred.predict("resnet50", TX2, latpred.Spatial(S=sizes, r=0.5))
    figures = (report.latency_s, report.macs, report.macs_ratio)
    assert (row["latency_s"], row["macs"], row["macs_ratio"]) == pytest.approx(figures, rel=1e-12)
    stages = [latpred.load_network("resnet50").stage(number) for number in (1, 2, 3, 4)]
    for stage, size in zip(stages, sizes, strict=True):
        times = {
            S: latpred.predict(stage, TX2, latpred.Spatial(S=S, r=0.5)).latency_s
            for S in stage.granularities("spatial")
        }
        assert times[size] == min(times.values())


def test_the_picture_has_a_curve_for_each_paradigm_what_fits_and_the_budget():
    answer = latpred.budget("resnet50", ["tx2", "nano"], latency_s=0.030)
    figure = draw_budgets([answer])
    assert [axes.get_title().partition("\n")[0] for axes in figure.axes] == ["resnet50 on tx2", "resnet50 on nano"]
    for axes, one in zip(figure.axes, (answer, *answer.elsewhere), strict=True):
        named = {line.get_label(): line for line in axes.get_lines()}
        assert set(named) >= {"spatial", "channel", "layer", "static", "budget"}
        assert list(named["budget"].get_xdata()) == [30.0, 30.0]
        for tried in one.tried:
            assert named[tried.paradigm].get_xdata() == pytest.approx(tried.latency_s * 1e3)
            assert named[tried.paradigm].get_ydata() == pytest.approx(tried.macs_ratio)
        points = {(*line.get_xdata(), *line.get_ydata()): to_hex(line.get_color()) for line in axes.get_lines()}
        for option in one.options:
            colour = points[option.latency_s * 1e3, option.macs_ratio]
            assert colour == to_hex(named[option.way].get_color())


def test_what_programs_read(run):
    command = "budget --device tx2 --network resnet50 --latency 10ms --format"
    found = json.loads(run(f"{command} json")[1])
    answer = latpred.budget("resnet50", TX2, latency_s=0.010)
    assert found == answer.to_dict()
    assert {"target", "device", "batch", "latency_budget_s", "static_latency_s", "static_macs", "best"} < set(found)
    assert found["best"] == found["options"][0]
    assert found["options"][1]["paradigm"] | {"name": "channel", "G": [1, 1, 2, 2]} == found["options"][1]["paradigm"]
    lines = run(f"{command} csv")[1].splitlines()
    assert lines[0].startswith("target,device,model,batch,precision,library,like,paradigm,r,")
    assert len(lines) == 1 + len(answer.options)
    several = json.loads(run("budget --device tx2,nano --network resnet50 --latency 30ms --format json")[1])
    assert [one["device"] for one in several] == ["tx2", "nano"]
    none = json.loads(run("budget --device tx2 --network resnet50 --latency 1ms --format json")[1])
    assert (none["options"], none["best"], none["fastest"]["r"]) == ([], None, 0.01)


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ("--latency 10ms", {"latency_s": 0.01}),
        ("--latency 9850us", {"latency_s": 0.00985}),
        ("--latency 0.01", {"latency_s": 0.01}),
        ("--throughput 100/s --batch 1:3", {"images_per_second": 100.0, "batch": [1, 2, 3]}),
        ("--latency 10ms --per-stage --paradigm layer", {"latency_s": 0.01, "per_stage": True, "paradigms": ["layer"]}),
        ("--latency 10ms --paradigm layer,spatial", {"latency_s": 0.01, "paradigms": ["layer", "spatial"]}),
    ],
)
def test_options_are_the_arguments(run, options, same):
    found = json.loads(run(f"budget --device tx2 --network resnet50 --format json {options}")[1])
    assert found == latpred.budget("resnet50", TX2, **same).to_dict()


def test_a_preset_is_tried_as_it_was_published(run):
    found = json.loads(run("budget --device tx2 --preset lcnet-resnet50 --latency 14ms --format json")[1])
    preset, network = latpred.load_preset("lcnet-resnet50")
    assert found == latpred.budget(network, TX2, latency_s=0.014, paradigms=[preset.paradigm]).to_dict()
    assert found["best"]["paradigm"]["name"] == "layer+channel"


def test_rows_that_are_none_are_said(run):
    code, out, err = run("budget --device tx2 --network resnet50 --latency 1ms --format csv")
    assert (code, out) == (0, "")
    assert err == "Nothing fits: the fastest setting, layer(r=0.01), takes 2.14 ms on tx2.\n"


def test_images_per_second_in_place_of_latencies(run):
    _, out, _ = run("budget --device tx2 --network resnet50 --latency 10ms --images-per-second")
    assert "images/s" in out
    assert f"{latpred.budget('resnet50', TX2, latency_s=0.01).best.images_per_second:.4g}" in out


def test_a_picture_is_written(run, tmp_path):
    code, _, err = run("budget --device tx2 --block r50-stage1 --latency 850us --plot b.png")
    assert (code, err) == (0, "wrote b.png\n")
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "say what must fit: --latency 10ms, --throughput 500/s, or both"),
        (
            "--latency ten",
            "Invalid value for '--latency': 'ten' is no latency; write 10ms, 850us, or seconds as in 0.01",
        ),
        ("--latency 10min", "Invalid value for '--latency': '10min' is no latency; write 10ms"),
        ("--latency 0", "Invalid value for '--latency': must be above 0, got '0'"),
        ("--latency -5ms", "Invalid value for '--latency': must be above 0, got '-5ms'"),
        ("--latency inf", "Invalid value for '--latency': 'inf' is no latency; write 10ms"),
        ("--latency nan", "Invalid value for '--latency': 'nan' is no latency; write 10ms"),
        (
            "--throughput fast",
            "Invalid value for '--throughput': 'fast' is no throughput; write images per second, as in 500/s",
        ),
        ("--throughput 0/s", "Invalid value for '--throughput': must be above 0, got '0/s'"),
        ("--latency 1ms --paradigm pixel", "unknown paradigm 'pixel'"),
        ("--latency 1ms --sure", "no band is known of resnet50 on tx2 with the published model"),
        ("--latency 1ms --batch 4:1", "Invalid value for '--batch': '4:1' is no range"),
        ("--latency 1ms --batch 0:2", "batch must be a whole number from 1"),
        ("--latency 1ms --plot b.bmp", "b.bmp: cannot write a plot as '.bmp'"),
    ],
)
def test_mistakes(run, options, message):
    code, _, err = run(f"budget --device tx2 --network resnet50 {options}")
    assert (code, err.startswith(f"latpred: {message}")) == (2, True), err


def test_ten_apples(run):
    code, _, err = run("budget --device tx2 --network resnet50 --latency", "ten apples")
    assert code == 2
    no_latency = "'ten apples' is no latency; write 10ms, 850us, or seconds as in 0.01"
    assert err == f"latpred: Invalid value for '--latency': {no_latency}\n"
