"""Rates as they are: files, Beta distributions, and the distribution of latency against a slow loop of predictions."""

import json

import numpy as np
import pytest

import latpred
from latpred.studies.distribution import predict_samples
from latpred.workloads.rates import beta_rates, read_rates

NETWORK = latpred.load_network("resnet50")
TX2 = latpred.load_profile("tx2")
SPATIAL = latpred.Spatial(S=[4, 4, 2, 1], r=1.0)
RATES = np.random.default_rng(0).random((6, 16))


def latency(rates, batch, paradigm=SPATIAL):
    """One prediction, the slow way."""
    return latpred.predict(NETWORK, TX2, paradigm.replace(r=tuple(map(float, rates))), batch=batch).latency_s


def test_every_format_holds_the_same_rates(tmp_path):
    np.save(tmp_path / "r.npy", RATES)
    (tmp_path / "r.json").write_text(json.dumps(RATES.tolist()))
    text = "\n".join(",".join(map(repr, row)) for row in RATES.tolist())
    (tmp_path / "r.csv").write_text(text)
    (tmp_path / "header.csv").write_text(", ".join(f"block{k}" for k in range(16)) + "\n" + text + "\n\n")
    (tmp_path / "mark.csv").write_text(text, encoding="utf-8-sig")
    for path in tmp_path.iterdir():
        assert np.array_equal(read_rates(path), RATES), path


@pytest.mark.parametrize("text", ["0.1,0.2,0.3,1\n", "0.1\n0.2\n0.3\n1\n", "r\n0.1\n0.2\n0.3\n1\n"])
def test_one_line_or_one_column_is_one_rate_per_block(tmp_path, text):
    (tmp_path / "r.csv").write_text(text)
    assert read_rates(tmp_path / "r.csv").tolist() == [0.1, 0.2, 0.3, 1.0]


BAD_TEXT = {
    "typo.csv": ("0.1,0.2x\n0.3,0.4", "is no table of numbers"),
    "ragged.csv": ("0.1,0.2\n0.3", "is no table of numbers"),
    "header.csv": ("a,b\n", "expected shape (blocks,) or (samples, blocks), got (0,)"),
    "empty.csv": ("", "got (0,)"),
    "nan.csv": ("0.1,0.2\n0.3,nan", "row and column 2, 2 is nan (1 such)"),
    "high.csv": ("0.1,1.2", "rates must be from 0 to 1; number 2 is 1.2"),
    "low.json": ("[0.1, -0.5]", "number 2 is -0.5"),
    "deep.json": ("[" * 100_000, "is no table of numbers"),
    "ragged.json": ("[[0.1], [0.1, 0.2]]", "is no table of numbers"),
    "mapping.json": ('{"a": 1}', "is no table of numbers"),
    "null.json": ("[0.1, null]", "is no table of numbers"),
    "text.json": ('["0.1"]', "is no table of numbers"),
    "truth.json": ("[true, false]", "is no table of numbers"),
    "number.json": ("0.5", "got ()"),
    "text.npy": ("hello", "text.npy: is no NumPy array"),
    "empty.npy": ("", "is no NumPy array"),
    "line.csv": ("a,b\n0.1,0.2\n\n0.3,x", "line.csv, line 4, 'x': is no table of numbers"),
    "cells.csv": ("0.1,0.2\n0.3", "line 2 has 1 cells and the first 2: is no table of numbers"),
    "long.csv": ("0.1," + "9" * 10**7 + "x", "(10,000,001 characters): is no table"),
    "nul.csv": ("0.1,0.2\n0.3,\0", "line 2, '\\x00': is no table"),
    "digits.json": ("[" + "9" * 5000 + "]", "is no table of numbers"),
    "whole.json": ("[1" + "0" * 4000 + "]", "is no table of numbers"),
    "nan.json": ("[0.1, NaN]", "number 2 is nan"),
}


@pytest.mark.parametrize("name", BAD_TEXT)
def test_files_that_hold_no_rates(tmp_path, name):
    (tmp_path / name).write_text(BAD_TEXT[name][0])
    with pytest.raises(latpred.DataError) as error:
        read_rates(tmp_path / name)
    assert name in str(error.value)
    assert BAD_TEXT[name][1] in str(error.value)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones((2, 3, 4)), "got (2, 3, 4)"),
        (np.ones((0, 16)), "got (0, 16)"),
        (np.ones(16) + 1j, "is no table"),
        (np.array([None, 0.5]), "holds Python objects, which are not read"),
        (np.array(["0.5"]), "is no table"),
        (np.full((2, 16), np.inf), "row and column 1, 1 is inf (32 such)"),
    ],
)
def test_arrays_that_hold_no_rates(tmp_path, array, message):
    np.save(tmp_path / "r.npy", array)
    with pytest.raises(latpred.DataError) as error:
        read_rates(tmp_path / "r.npy")
    assert message in str(error.value)


def header(shape, descr="<f8", order=False):
    """The beginning of a NumPy file that says so."""
    text = f"{{'descr': {descr!r}, 'fortran_order': {order}, 'shape': {shape!r}}}"
    return b"\x93NUMPY\x01\x00" + (len(text) + 1).to_bytes(2, "little") + text.encode() + b"\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header((10**12, 16)), "says that it has 122,070,312 MiB; 400 are the most"),
        (header((10**6, 16)), "ends early"),
        (header((-4, 4)), "is no NumPy array"),
        (header((4,), "[" * 3000), "is no NumPy array"),
        (header((4,), "nonsense"), "is no NumPy array"),
        (header((4,), "|O") + bytes(64), "holds Python objects"),
        # A code point beyond the last, 0x10FFFF, and half of a pair, in either byte order.
        (header((1,), "<U1") + bytes([0x34, 0x00, 0x1F, 0x00]), "holds text that is none"),
        (header((1,), ">U1") + bytes([0x00, 0x00, 0xD8, 0x00]), "holds text that is none"),
        (header((1,), ">U1") + bytes([0x00, 0x10, 0xFF, 0xFF]), "is no table of numbers"),
        (header((4,))[:40], "is no NumPy array"),
        (b"\x93NUMPY\x01\x00\x0b\x00{'descr': (\n", "is no NumPy array"),
        (b"\x93NUMPY\x09\x00" + bytes(100), "is no NumPy array"),
    ],
)
def test_headers_are_not_believed(tmp_path, content, message):
    """One that declared 10¹² rows asked for 128 TB."""
    (tmp_path / "r.npy").write_bytes(content)
    with pytest.raises(latpred.DataError, match="r.npy: " + message):
        read_rates(tmp_path / "r.npy")


def test_columns_may_come_first(tmp_path):
    np.save(tmp_path / "r.npy", np.asfortranarray(RATES))
    assert np.array_equal(read_rates(tmp_path / "r.npy"), RATES)


def test_a_text_of_many_megabytes_is_refused_before_it_is_read(tmp_path):
    with (tmp_path / "r.csv").open("wb") as file:
        file.truncate(10**12)
    with pytest.raises(latpred.DataError, match=r"more than 16 MiB of text; save the rates as .npy"):
        read_rates(tmp_path / "r.csv")


def test_other_suffixes_and_absent_files(tmp_path):
    with pytest.raises(latpred.InputError, match=r"rates come as \.npy, \.json, \.csv, not '\.txt'"):
        read_rates(tmp_path / "r.txt")
    with pytest.raises(latpred.DataError, match="cannot be read"):
        read_rates(tmp_path / "absent.csv")


@pytest.mark.parametrize(("mean", "std"), [(0.5, 0.2), (0.1, 0.05), (0.9, 0.25)])
def test_moments_of_beta_rates(mean, std):
    """Of 200,000 draws; the tolerance is five standard errors of the mean."""
    rates = beta_rates(mean, std, 20_000, 10, np.random.default_rng(1))
    assert rates.shape == (20_000, 10)
    assert rates.min() >= 0
    assert rates.max() <= 1
    assert rates.mean() == pytest.approx(mean, abs=5 * std / 200_000**0.5)
    assert rates.std() == pytest.approx(std, rel=0.01)


@pytest.mark.parametrize(("mean", "std"), [(0, 0.1), (1, 0.1), (0.5, 0), (0.5, 0.5), (0.5, float("nan"))])
def test_moments_that_no_beta_distribution_has(mean, std):
    with pytest.raises(latpred.InputError):
        beta_rates(mean, std, 1, 1, np.random.default_rng(0))


def test_batch_one_is_every_sample_once():
    found = predict_samples(NETWORK, TX2, SPATIAL, RATES, batch=1)
    slow = np.array([latency(row, 1) for row in RATES])
    assert (found.samples, found.draws, found.seed) == (6, 6, None)
    assert found.mean_s == pytest.approx(slow.mean(), rel=1e-12)
    assert found.worst_s == pytest.approx(slow.max(), rel=1e-12)
    for value, percent in ((found.median_s, 50), (found.p95_s, 95), (found.p99_s, 99)):
        assert value == pytest.approx(np.percentile(slow, percent), rel=1e-12)
    assert found.at_mean_rate_s == pytest.approx(latency(RATES.mean(axis=0), 1), rel=1e-12)
    assert found.gap == pytest.approx(found.at_mean_rate_s / slow.mean() - 1, rel=1e-12)
    assert found.static_latency_s == latpred.predict(NETWORK, TX2, batch=1).static_latency_s


def test_larger_batches_are_mixed_samples():
    """The slow loop draws from a generator of the same seed, one batch after another."""
    found = predict_samples(NETWORK, TX2, SPATIAL, RATES, batch=3, draws=8, seed=5)
    generator = np.random.default_rng(5)
    slow = [latency(RATES[generator.integers(6, size=3)].mean(axis=0), 3) for _ in range(8)]
    assert (found.draws, found.seed) == (8, 5)
    assert found.mean_s == pytest.approx(np.mean(slow), rel=1e-12)
    assert found.worst_s == pytest.approx(max(slow), rel=1e-12)
    assert predict_samples(NETWORK, TX2, SPATIAL, RATES, batch=3, draws=8, seed=5) == found
    assert predict_samples(NETWORK, TX2, SPATIAL, RATES, batch=3, draws=8, seed=6) != found


@pytest.mark.parametrize("paradigm", [latpred.Channel(G=2, r=1.0), latpred.Layer(r=1.0)])
def test_rates_that_are_no_patches_are_rounded_to_1024ths(paradigm):
    found = predict_samples(NETWORK, TX2, paradigm, RATES, batch=1)
    rounded = np.round(RATES * 1024) / 1024
    assert found.mean_s == pytest.approx(np.mean([latency(row, 1, paradigm) for row in rounded]), rel=1e-12)


def test_stage_columns_stand_for_all_their_blocks():
    per_stage = np.random.default_rng(2).random((3, 4))
    per_block = np.repeat(per_stage, [3, 4, 6, 3], axis=1)
    found = predict_samples(NETWORK, TX2, SPATIAL, per_stage, batch=1)
    assert found == predict_samples(NETWORK, TX2, SPATIAL, per_block, batch=1)


def test_stem_and_head_are_counted_once():
    whole = predict_samples(NETWORK.including("stem", "head"), TX2, SPATIAL, RATES, batch=1)
    blocks = predict_samples(NETWORK, TX2, SPATIAL, RATES, batch=1)
    assert whole.mean_s - blocks.mean_s == pytest.approx(whole.static_latency_s - blocks.static_latency_s, rel=1e-9)


@pytest.mark.parametrize("paradigm", [SPATIAL, latpred.Layer(r=1.0)])
def test_samples_of_the_calibrated_model_are_its_kernels(paradigm):
    """The static form and the parts outside the blocks were those of the published lowering."""
    network, h200 = NETWORK.including("head"), latpred.load_profile("h200")
    kernels = {"batch": 2, "model": "calibrated", "precision": "fp16"}
    found = predict_samples(network, h200, paradigm, np.full((3, 16), 0.5), draws=2, **kernels)
    report = latpred.predict(network, h200, paradigm.at_rates(0.5), **kernels)
    expected = (report.latency_s, report.static_latency_s)
    assert (found.worst_s, found.static_latency_s) == pytest.approx(expected, rel=1e-12)


def test_equal_samples_leave_no_gap():
    found = predict_samples(NETWORK, TX2, SPATIAL, np.full((5, 16), 0.5), batch=4, draws=10)
    assert found.gap == pytest.approx(0, abs=1e-12)
    assert found.worst_s == pytest.approx(latency([0.5] * 16, 4), rel=1e-12)


def test_the_gap_of_a_hand_made_pair():
    """A layer is linear in r, so there is no gap; patches are counted whole, so one per map is on for every r > 0."""
    pair = np.array([[0.0] * 16, [1.0] * 16])
    assert predict_samples(NETWORK, TX2, latpred.Layer(r=1.0), pair, batch=1).gap == pytest.approx(0, abs=1e-12)
    whole_maps = latpred.Spatial(S=[56, 28, 14, 7], r=1.0)
    found = predict_samples(NETWORK, TX2, whole_maps, pair, batch=1)
    on, half, off = (latency([rate] * 16, 1, whole_maps) for rate in (1.0, 0.5, 0.0))
    assert found.gap == pytest.approx(half / ((on + off) / 2) - 1)
    assert found.gap > 0.4


def test_what_has_no_rates_per_sample():
    joint = latpred.Joint(latpred.Layer(r=1.0), latpred.Channel(r=1.0))
    for paradigm in (latpred.Static(), joint):
        with pytest.raises(latpred.InputError, match="rates per sample are those of one paradigm"):
            predict_samples(NETWORK, TX2, paradigm, RATES)
    with pytest.raises(latpred.DataError, match="rates: holds 5 rates per sample; the network needs 16"):
        predict_samples(NETWORK, TX2, SPATIAL, RATES[:, :5])
    with pytest.raises(latpred.DataError, match="is nan"):
        predict_samples(NETWORK, TX2, SPATIAL, RATES * np.nan)
    for draws in (0, 10**9):
        with pytest.raises(latpred.InputError, match="draws must be a whole number from 1 to 1,000,000"):
            predict_samples(NETWORK, TX2, SPATIAL, RATES, draws=draws)
