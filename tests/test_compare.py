"""Paradigms side by side at equal MACs: the MACs are equal, and what cannot reach them says so."""

import json

import numpy as np
import pytest

import latpred
from latpred.question import ask
from latpred.studies.comparison import candidates, compare, curves

V100, TX2, H200 = (latpred.load_profile(name) for name in ("v100", "tx2", "h200"))
RESNET, T2T = latpred.load_network("resnet50"), latpred.load_network("t2t-vit-19")


@pytest.mark.parametrize(("network", "profile"), [(RESNET, V100), (T2T, TX2)], ids=["resnet50", "t2t"])
def test_macs_equal_the_target_within_one_step(network, profile):
    """One step is a patch of every block, or a token, a head; a rate 1e-6 higher is over the target."""
    paradigms = candidates(ask(network, profile))
    for row in compare(network, profile, 0.5, paradigms):
        report = latpred.predict(network, profile, paradigms[row.name].at_rates(row.r))
        assert report.macs_ratio == pytest.approx(row.macs_ratio, rel=1e-9)
        assert report.latency_s == pytest.approx(row.latency_s, rel=1e-12)
        assert row.ratio == pytest.approx(report.ratio, rel=1e-12)
        assert row.macs_ratio <= 0.5
        more = latpred.predict(network, profile, paradigms[row.name].at_rates(min(row.r + 1e-6, 1.0)))
        assert more.macs_ratio > 0.5
        # A head is a seventh of most of a block; patches and tokens are finer.
        assert row.macs_ratio > (0.35 if "head" in row.name else 0.47), row.name


@pytest.mark.parametrize(("model", "library"), [("calibrated", "triton"), ("roofline", None)])
def test_precisions(model, library):
    paradigms = {"spatial": latpred.Spatial(S=2, r=1.0), "layer": latpred.Layer(r=1.0)}
    kernels = {"batch": 32, "model": model, "precision": "fp16"}
    for row in compare(RESNET, H200, 0.5, paradigms, **kernels):
        report = latpred.predict(RESNET, H200, paradigms[row.name].at_rates(row.r), **kernels)
        assert (row.model, row.precision, row.library) == (model, "fp16", library)
        found = (row.latency_s, row.static_latency_s, row.break_even_rate)
        assert found == pytest.approx((report.latency_s, report.static_latency_s, report.break_even_rate), rel=1e-9)
    lines = curves(ask(RESNET, H200, **kernels), paradigms, [0.5])
    assert lines["static"][1] == [pytest.approx(report.static_latency_s / 32)]


def test_candidates_of_a_network_are_its_paradigms_and_presets():
    names = ", ".join(candidates(ask(RESNET, V100)))
    for method in ("spatial", "channel", "layer", "skipnet", "convaig", "bas", "dynconv", "lasnet", "laudnet", "lcnet"):
        assert method in names
    assert set(", ".join(candidates(ask(T2T, V100))).split(", ")) >= {
        "token",
        "head",
        "layer",
    }


def test_equal_macs_but_different_milliseconds():
    """The papers' picture: at half the MACs, layer skipping is fastest, pixels (DynConv) slower than patches."""
    rows = {row.name: row.latency_s for row in compare(RESNET, V100, 0.5)}
    spatial = next(value for name, value in rows.items() if name.startswith("spatial"))
    layer = next(value for name, value in rows.items() if name.startswith("layer"))
    assert layer < spatial < rows["dynconv"]


def test_targets_that_cannot_be_reached():
    """Maskers and shortcuts alone need more than 1e-5 of the MACs; a head is a seventh of the attention."""
    for row in compare(RESNET, V100, 1e-5):
        assert (row.r, row.macs_ratio, row.latency_s, row.ratio) == (None, None, None, None)
        assert row.static_latency_s > 0
    row = next(row for row in compare(T2T, V100, 0.1, {"head": latpred.Head(r=1.0)}))
    assert row.r is None


def test_what_does_not_fit_is_left_out_with_a_note():
    """An image of 20×20 has a map of 3×3 in stage 2, where LASNet's patches have an edge of 4."""
    network = latpred.load_network("resnet50", (20, 20))
    rows = {row.name: row for row in compare(network, TX2, 0.5)}
    left = rows.pop("lasnet, laudnet-spatial")
    assert left.note == "S=4 is larger than the 3×3 map of resnet50-stage2-first; choose S from 1 to 3"
    assert (left.r, left.macs_ratio, left.latency_s, left.ratio, left.break_even_rate) == (None,) * 5
    assert left.static_latency_s == pytest.approx(latpred.predict(network, TX2).static_latency_s, rel=1e-12)
    assert len(rows) == 8
    assert all(row.r and row.note is None for row in rows.values())


def test_what_the_kernels_do_not_have_is_left_out_with_a_note():
    left = [row for row in compare(RESNET, H200, 0.5, model="calibrated") if row.note]
    assert [row.name for row in left] == ["convaig", "lcnet", "skipnet"]
    assert all("two-level masks and linear layer maskers only" in row.note for row in left)
    # Nothing of the network itself can be predicted, or nothing can skip: that is no matter of one method.
    for precision, message in (("fp16", "no equation for Add"), ("fp32", "tensorrt has no kernels of dynamic")):
        how = {"model": "calibrated", "precision": precision, "library": "tensorrt"}
        with pytest.raises(latpred.InputError, match=message):
            compare(RESNET, V100, 0.5, {"layer": latpred.Layer(r=1.0)}, **how)


def test_a_target_of_all_macs_is_the_highest_rate_that_fits():
    for row in compare(RESNET, V100, 1.0):
        assert row.r == pytest.approx(1.0, abs=0.03)
        assert row.macs_ratio <= 1.0


@pytest.mark.parametrize("target", [0, -0.5, 1.01, float("nan"), float("inf")])
def test_bad_targets(target):
    with pytest.raises(latpred.InputError, match="target-macs must be greater than 0 and at most 1"):
        compare(RESNET, V100, target)


def test_lines_of_the_plot_are_predictions():
    lines = curves(ask(RESNET, TX2), {"layer": latpred.Layer(r=1.0)}, [0.25, 0.75])
    macs, latencies = lines["layer"]
    for rate, share, latency in zip((0.25, 0.75), macs, latencies, strict=True):
        report = latpred.predict(RESNET, TX2, latpred.Layer(r=rate))
        assert (share, latency) == pytest.approx((report.macs_ratio, report.latency_per_image_s), rel=1e-12)
    assert lines["static"][0] == [1.0]
    # A transformer's line begins at the lowest rate that keeps a head.
    assert len(curves(ask(T2T, TX2), {"head": latpred.Head(r=1.0)}, np.array([0.05, 0.1, 0.2, 1.0]))["head"][0]) == 2


def test_the_command_goes_on_without_what_does_not_fit(run, tmp_path):
    command = "compare --network resnet50 --device tx2 --image-size 20"
    code, out, err = run(f"{command} --plot picture.svg")
    assert (code, err) == (0, "wrote picture.svg\n")
    *_, last = (line for line in out.splitlines() if line.startswith("  "))
    assert last.split() == ["lasnet,", "laudnet-spatial", "spatial(S=4-4-2-1)", "left", "out"]
    reason = "S=4 is larger than the 3×3 map of resnet50-stage2-first; choose S from 1 to 3"
    assert f"note: lasnet, laudnet-spatial left out: {reason}" in out
    # LASNet has no line, and no entry in the legend, of which text is drawn as paths with a comment.
    assert "lasnet" not in (tmp_path / "picture.svg").read_text(encoding="utf-8")
    assert {row["note"] for row in json.loads(run(f"{command} --format json")[1])} == {None, reason}
    assert sum(reason in line for line in run(f"{command} --format csv")[1].splitlines()) == 1
    code, _, err = run(f"{command} --preset lasnet-resnet50 --plot none.svg")
    assert (code, err) == (2, f"latpred: nothing is left to compare: lasnet-resnet50 on resnet50 on tx2: {reason}\n")


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_plot_is_written_and_the_table_is_in_order_of_latency(run, tmp_path, suffix):
    command = "compare --network resnet50 --device tx2 --target-macs 0.5"
    code, out, err = run(f"{command} --plot picture.{suffix}")
    assert (code, err) == (0, f"wrote picture.{suffix}\n")
    assert (tmp_path / f"picture.{suffix}").stat().st_size > 10_000
    rows = compare(RESNET, TX2, 0.5)
    assert {f"{row.r:.3f}" for row in rows} <= set(out.split())
    assert "…" not in out
    shown = [line.split(" ms ")[0].split()[-1] for line in out.splitlines() if line.count(" ms ") == 2]
    assert shown == [f"{row.latency_s * 1e3:#.3g}" for row in sorted(rows, key=lambda row: row.latency_s)]
