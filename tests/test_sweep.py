"""Sweeps: rows in the order given and told apart, what does not fit left out with a note, sizes within limits."""

import itertools

import numpy as np
import pandas
import pytest

import latpred
from latpred.studies import sweep as sweeping

V100, TX2, H200 = (latpred.load_profile(name) for name in ("v100", "tx2", "h200"))
BLOCK, RESNET = latpred.load_block("resnet50-stage1"), latpred.load_network("resnet50")


def test_rows_are_in_the_order_of_the_docstring():
    """Targets, devices, batches, paradigms: nested loops over predictions, one at a time."""
    paradigms = [
        latpred.Spatial(S=2, r=0.5),
        latpred.Layer(r=0.25),
        latpred.Spatial(S=4, r=0.5),
        latpred.Spatial(S=2, r=0.25),
        latpred.Layer(r=0.75),
        latpred.Spatial(S=2, r=0.5),
    ]
    axes = [BLOCK, RESNET.stage(3)], [V100, TX2], [2, 1], paradigms
    frame = latpred.sweep(axes[0], axes[1], paradigms, batches=[2, 1])
    expected = [latpred.predict(t, d, p, batch=b).latency_s for t, d, b, p in itertools.product(*axes)]
    assert frame["latency_s"].tolist() == pytest.approx(expected, rel=1e-12)
    assert frame["r"].tolist() == [0.5, 0.25, 0.5, 0.25, 0.75, 0.5] * 8
    assert frame.attrs["notes"] == list(latpred.predict(RESNET.stage(3), V100, paradigms[2]).notes)


@pytest.mark.parametrize(
    ("target", "device", "paradigm", "how"),
    [
        ("resnet50", "tx2", latpred.Spatial(S=[4, 4, 2, 1], r=1.0), {}),
        ("resnet50", "h200", latpred.Layer(r=1.0), {"model": "calibrated", "precision": "fp16"}),
        ("resnet50", "v100", latpred.Joint(latpred.Layer(r=1.0), latpred.Channel(G=2, r=1.0)), {}),
        ("deit-s", "tx2", latpred.Token(r=1.0), {}),
    ],
    ids=["spatial", "calibrated", "joint", "token"],
)
def test_settings_with_several_rates_are_what_each_is_alone(monkeypatch, target, device, paradigm, how):
    """Rates of stages, of blocks and of all in any order, predicted two at a time: to the last digit the same."""
    monkeypatch.setattr(sweeping, "MOST_AT_ONCE", 2)
    network = latpred.load_network(target)
    widths = [len(network.blocks_per_stage), len(network.blocks), 1, len(network.blocks)] * 2
    drawn = (np.random.default_rng(0).uniform(0.1, 1, width).tolist() for width in widths)
    settings = [paradigm.at_rates(tuple(rates) if len(rates) > 1 else rates[0]) for rates in drawn]
    frame = latpred.sweep(target, device, settings, **how)
    alone = pandas.concat([latpred.sweep(target, device, one, **how) for one in settings], ignore_index=True)
    pandas.testing.assert_frame_equal(frame, alone, check_exact=True)
    for row, setting in zip(frame.itertuples(), settings, strict=True):
        report = latpred.predict(target, device, setting, **how)
        assert (row.latency_s, row.macs) == pytest.approx((report.latency_s, report.macs), rel=1e-12)
        assert row.r == np.mean(setting.rate)
        if how:
            assert row.latency_high_s == pytest.approx(report.latency_high_s, rel=1e-12)


def test_settings_are_told_apart():
    joint = latpred.Joint(latpred.Spatial(S=4, r=0.5), latpred.Channel(G=2, r=0.5))
    paradigms = [
        latpred.Spatial(S=4, r=0.5),
        latpred.Spatial(S=4, r=0.5, unfuse=["gather"]),
        latpred.Spatial(S=4, r=0.5, unfuse=["masker", "gather"]),
        latpred.Channel(G=2, r=0.5),
        latpred.Channel(G=2, r=0.5, scaled=True),
        latpred.Channel(G=2, r=0.5, masker_layers=1),
        latpred.Layer(r=0.5),
        latpred.Layer(r=0.5, masker="pooled"),
        latpred.Layer(r=0.5, masker="pooled", hidden=32),
        joint,
        joint.replace(members=(joint.members[0], latpred.Channel(G=4, r=0.5))),
        latpred.Joint(latpred.Layer(r=0.7), latpred.Channel(G=2, r=0.5)),
        latpred.Static(),
    ]
    settings = ["paradigm", "granularity", "options", "r"]
    frame = latpred.sweep([BLOCK], [V100], paradigms)
    assert len(frame[settings].drop_duplicates()) == len(paradigms)
    assert frame["granularity"].tolist() == [4, 4, 4, 2, 2, 2, None, None, None, "4+2", "4+4", 2, None]
    assert frame["options"].tolist() == [
        "",
        "unfuse=gather",
        "unfuse=masker-gather",
        "",
        "scaled=True",
        "masker_layers=1",
        "",
        "masker=pooled",
        "masker=pooled, hidden=32",
        "",
        "",
        "layer(r=0.7) + channel(r=0.5)",
        "",
    ]
    # Equal means and equal ends, and more rates than are spelled elsewhere.
    per_block = [latpred.Layer(r=[0.2, low, 1.0 - low] + [0.5] * 13) for low in (0.3, 0.300001)]
    told = latpred.sweep([RESNET], [V100], per_block)["options"]
    assert told[0] == "r=0.2-0.3-0.7" + "-0.5" * 13
    assert told[0] != told[1]


def test_what_does_not_fit_is_left_out_with_one_note():
    """ResNet-50's last maps are 7×7 at 224 and 4×4 at 100; conv1 of the first block of stage 1 reads 64 channels."""
    small = latpred.load_network("resnet50", (100, 100)).replace(name="small")
    frame = latpred.sweep([RESNET, small], [V100, TX2], latpred.grid(latpred.Spatial, granularity=[4, 8, 7], r=[0.5]))
    rows = list(zip(frame["target"], frame["device"], frame["granularity"], strict=True))
    assert rows == [
        ("resnet50", "v100", 4),
        ("resnet50", "v100", 7),
        ("resnet50", "tx2", 4),
        ("resnet50", "tx2", 7),
        ("small", "v100", 4),
        ("small", "tx2", 4),
    ]
    first, *others = frame.attrs["notes"]
    assert first == "left out, as they do not fit: spatial(S=8) of resnet50; spatial(S=8), spatial(S=7) of small"
    assert not any("left out" in note for note in others)
    groups = latpred.sweep([RESNET], [V100], latpred.grid(latpred.Channel, granularity=[64, 128], r=[0.5, 0.6]))
    assert groups["granularity"].tolist() == [64, 64]
    assert groups.attrs["notes"][0] == "left out, as they do not fit: channel(G=128) of resnet50"


def test_a_sweep_of_which_nothing_fits_or_that_is_wrong_ends():
    with pytest.raises(latpred.InputError, match="S=8 is larger than the 7×7 map of resnet50-stage4"):
        latpred.sweep([RESNET], [V100], [latpred.Spatial(S=8, r=0.5)])
    with pytest.raises(latpred.InputError, match="S has 2 values; give one, or 4"):
        latpred.sweep([RESNET], [V100], [latpred.Spatial(S=4, r=0.5), latpred.Spatial(S=[4, 4], r=0.5)])
    for rates in ([0.5, 0.6], []):
        with pytest.raises(latpred.InputError, match=f"r has {len(rates)} values; give one, 4"):
            latpred.sweep([RESNET], [V100], [latpred.Layer(r=rates)])


def test_the_band_is_that_of_each_prediction():
    """One curve over common rates, one setting with a rate per block; none of a model that has no errors."""
    paradigms = [
        latpred.Spatial(S=1, r=0.3),
        latpred.Channel(G=32, r=0.9),
        latpred.Spatial(S=1, r=0.8),
        latpred.Layer(r=[0.1, 0.9] * 8),
        latpred.Static(),
    ]
    how = {"model": "calibrated", "precision": "fp16"}
    for target in (RESNET, RESNET.stage(2), BLOCK):
        settings = paradigms if target is RESNET else [*paradigms[:3], latpred.Layer(r=0.4)]
        frame = latpred.sweep([target], [H200], settings, batches=[1, 32], **how)
        reports = [latpred.predict(target, H200, p, batch=b, **how) for b in (1, 32) for p in settings]
        for end in ("latency_low_s", "latency_high_s"):
            assert frame[end].tolist() == pytest.approx([getattr(report, end) for report in reports], rel=1e-12)
    assert latpred.sweep([BLOCK], [H200], paradigms[:2])[["latency_low_s", "latency_high_s"]].isna().all(axis=None)


def test_a_sweep_notes_what_predictions_note_once():
    """S = 3 and 5 do not divide 56; batches beyond those measured; a joint paradigm was never measured."""
    paradigms = [latpred.Spatial(S=S, r=r) for S in (3, 4, 5) for r in (0.2, 0.5)]
    batches = [1, 256, 512, 128]
    found = latpred.sweep([BLOCK], [H200, TX2], paradigms, batches=batches).attrs["notes"]
    assert [note.partition(" does not divide")[0] for note in found] == ["resnet50-stage1: S=3", "resnet50-stage1: S=5"]
    joint = latpred.Joint(latpred.Layer(r=0.5), latpred.Spatial(S=4, r=0.5))
    found = latpred.sweep([BLOCK], [H200], [*paradigms, joint], batches=batches, model="calibrated").attrs["notes"]
    extrapolated = "extrapolated: h200 was calibrated with batches 1 to 128, not 256, 512"
    assert found[1] == extrapolated
    assert len(found) == len(set(found)) == 4
    of_one = latpred.predict(BLOCK, H200, joint, batch=256, model="calibrated").notes
    assert of_one[0] == found[-1]
    assert of_one[1].startswith("extrapolated: h200")
    unknown = latpred.sweep([BLOCK], ["a100"], paradigms[2:4]).attrs["notes"]
    assert unknown == list(latpred.predict(BLOCK, "a100", paradigms[2]).notes)


def test_the_command_prints_the_first_notes(run):
    asked = "--device a100 --block r50-stage1 --r 0.5 --format csv --S"
    code, out, err = run(f"sweep {asked} 3,4")
    assert (code, out.count("\n")) == (0, 3)
    assert [line.partition(":")[0] for line in err.splitlines()] == ["note", "note"]
    err = run(f"sweep {asked} " + ",".join(map(str, range(30, 56))))[2]
    assert len(err.splitlines()) == 9
    assert err.splitlines()[-1] == "note: and 19 more such notes"


def test_ablations_say_the_same_notes(run):
    out = run("ablate-fusion --device a100 --block r50-stage1 --S 3 --r 0.5")[1]
    noted = latpred.predict(BLOCK, "a100", latpred.Spatial(S=3, r=0.5)).notes
    assert len(noted) == 2
    assert [line for line in out.splitlines() if line.startswith("note: ")] == [f"note: {note}" for note in noted]


def test_grids():
    assert [str(p) for p in latpred.grid(latpred.Token, r=[0.5])] == ["token(r=0.5)"]
    assert [str(p) for p in latpred.grid(latpred.Head, r=iter([0.5, 1.0]))] == ["head(r=0.5)", "head(r=1)"]
    assert latpred.grid(latpred.Channel, r=[0.5]) == [latpred.Channel(G=1, r=0.5)]
    with pytest.raises(latpred.InputError, match="layer skipping has no granularity; leave it out"):
        latpred.grid(latpred.Layer, granularity=[2], r=[0.5])
    with pytest.raises(latpred.InputError, match="spatial skipping needs a granularity, S"):
        latpred.grid(latpred.Spatial, r=[0.5])
    for kind in (latpred.Static, latpred.Joint, latpred.Bottleneck, "spatial"):
        with pytest.raises(latpred.InputError, match="a grid is over Spatial, Channel, Layer, Token or Head skipping"):
            latpred.grid(kind, r=[0.5])


def test_one_alone_is_a_list_of_it():
    settings = latpred.grid(latpred.Spatial, granularity=4, r=0.5)
    assert settings == [latpred.Spatial(4, 0.5)]
    listed = latpred.sweep(["r50-stage1"], ["tx2"], settings, batches=[2])
    for target, profile in (("r50-stage1", "tx2"), (BLOCK, TX2)):
        assert latpred.sweep(target, profile, settings[0], batches=2).equals(listed)
    convolution = latpred.Convolution(c_in=64, c_out=64, height=8, width=8)
    assert list(latpred.sweep(convolution, TX2, latpred.Static()).target) == ["Convolution"]


def test_one_prediction_is_called_so(run):
    command = "sweep --device tx2 --block r50-stage1 --S 4 --r"
    assert run(f"{command} 0.5")[1].startswith("1 prediction, published model, fp32\n")
    assert run(f"{command} 0.5,0.6")[1].startswith("2 predictions, published model, fp32\n")


def test_sweeps_that_are_too_large_are_refused_before_any_work():
    with pytest.raises(latpred.InputError, match="more than 1,000,000 rates are given"):
        latpred.grid(latpred.Layer, r=itertools.repeat(0.5))
    with pytest.raises(latpred.InputError, match=r"1,000 granularities × 1,001 rates are 1,001,000 predictions, about"):
        latpred.grid(latpred.Spatial, granularity=range(1, 1001), r=[0.5] * 1001)
    with pytest.raises(latpred.InputError, match="10,000 batches × 10,000 settings are 100,000,000 predictions, about"):
        latpred.sweep([BLOCK], [V100], [latpred.Layer(r=0.5)] * 10_000, batches=range(1, 10_001))
