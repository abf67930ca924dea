"""A small part of benchmarks/robustness.py: bad inputs end in a line, and what is found is found."""

import os
from pathlib import Path

import numpy as np
import pytest

import latpred
from benchmarks import robustness
from benchmarks.bad_inputs import KINDS, Attempt
from latpred.models.interface import cost_model
from latpred.studies import distribution
from latpred.studies.comparison import compare
from latpred.studies.distribution import predict_samples

EACH = dict.fromkeys(KINDS, 12) | {"API": 250}
V100 = latpred.load_profile("v100")
ONE = latpred.load_network("resnet50")
LONG = ONE.replace(stages=[ONE.stages[0].replace(blocks=1000)])


@pytest.mark.parametrize("kind", KINDS)
def test_bad_inputs_end_in_a_line(kind, monkeypatch):
    monkeypatch.setattr(robustness, "MOST_SECONDS", 60.0)  # the benchmark judges the time, on a machine of its own
    found = [robustness.judged(kind, number, seed=2) for number in range(EACH[kind])]
    assert [outcome for outcome in found if outcome.verdict in robustness.FAULTS] == []
    assert any(outcome.verdict == "refused" for outcome in found)


SPATIAL = latpred.Spatial(S=4, r=0.5)
HALF = np.full((3, 16), 0.5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: cost_model("published", V100, precision=["fp32"]),
            "unknown precision ['fp32']; ",
        ),
        (lambda: cost_model(np.ones(2), V100), "unknown cost model array([1., 1.]); choose published, roofline"),
        (
            lambda: latpred.recommend_granularity("resnet50", V100, "0.5"),
            "r must be a number, or a list of numbers",
        ),
        (lambda: latpred.recommend_granularity("resnet50", V100, [[0.5] * 4]), "r is one number or one per stage, not"),
        (
            lambda: latpred.recommend_granularity("resnet50", V100, True),
            "r must be a number, or a list of numbers",
        ),
        (lambda: latpred.recommend_granularity("resnet50", V100, 0.5, tolerance="1"), "tolerance must be a number"),
        (lambda: latpred.recommend_granularity("resnet50", V100, 0.5, tolerance=[1]), "tolerance must be one number"),
        (
            lambda: latpred.recommend_granularity("resnet50", V100, 0.5, paradigm=["spatial"]),
            "paradigm ['spatial'] ",
        ),
        (lambda: latpred.evaluate("resnet50", V100, SPATIAL, "half"), "rates must be a number, or a list of numbers"),
        (lambda: compare("resnet50", V100, "half"), "target-macs must be a number"),
        (lambda: compare("resnet50", V100, 0.5, [SPATIAL]), "paradigms come by name, as in"),
        (lambda: compare("resnet50", V100, 0.5, {"fine": 4}), "a paradigm is one of latpred.Spatial(S=4, r=0.5)"),
        (lambda: predict_samples("resnet50", V100, SPATIAL, object()), "rates must be a number, or a list of numbers"),
        (lambda: predict_samples("resnet50", V100, SPATIAL, HALF, draws=2.5), "draws must be a whole number from 1 to"),
        (lambda: predict_samples("resnet50", V100, SPATIAL, HALF, seed=-1), "seed must be a whole number from 0 to"),
        (lambda: predict_samples("resnet50", V100, [4], HALF), "a paradigm is one of latpred.Spatial(S=4, r=0.5)"),
        (
            lambda: predict_samples("resnet50", V100, SPATIAL, HALF, batch=10**9),
            "10,000 draws of a batch of 1,000,000,000 are 1e+13 samples, about 278 hours; at most 50,000,000 are drawn",
        ),
        (
            lambda: predict_samples(LONG, V100, latpred.Layer(r=0.5), [[0.5]], batch=2, draws=10**6),
            "1,000,000 draws of the rates of 1,000 blocks are 8.00 GB; give fewer draws",
        ),
    ],
)
def test_other_objects_and_too_much_are_refused(call, message):
    with pytest.raises(latpred.InputError) as error:
        call()
    assert str(error.value).startswith(message)


def test_a_large_batch_is_drawn_in_pieces():
    """Its mean rates are those of all samples, within 5 standard errors of so many draws."""
    rates = np.random.default_rng(1).random((5, 16))
    drawn = distribution._mean_of_batch(rates, 3 * distribution._PIECE + 1, np.random.default_rng(0))
    error = rates.std(axis=0) / np.sqrt(3 * distribution._PIECE + 1)
    assert np.all(np.abs(drawn - rates.mean(axis=0)) < 5 * error)


def raises(error):
    def call():
        raise error

    return Attempt(call=call, file="mine.yaml")


@pytest.mark.parametrize(
    ("attempt", "verdict"),
    [
        (raises(KeyError("x")), "traceback"),
        (raises(MemoryError()), "memory"),
        (raises(latpred.DataError("mine.yaml: has no rows")), "refused"),
        (raises(latpred.DataError("the file has no rows at all")), "message"),
        (raises(latpred.DataError("mine.yaml: one\ntwo\nthree\nfour")), "message"),
        (raises(latpred.DataError("mine.yaml: " + "x" * 5_000)), "message"),
        (raises(SystemExit(3)), "exit code"),
        (Attempt(["devices", "show", "v10"]), "refused"),
        (Attempt(["devices", "list"]), "accepted"),
    ],
)
def test_what_is_a_fault(attempt, verdict):
    assert robustness._tried(attempt)[0] == verdict


def test_a_worker_that_dies_is_counted_and_replaced():
    """The next input is judged by a new process."""
    worker = robustness._Worker()
    os.kill(worker.process.pid, 9)
    worker.process.join()
    assert worker.judge("options", 0, 0).verdict == "death"
    assert worker.judge("options", 1, 0).verdict in ("accepted", "refused")
    worker.stop()


@pytest.mark.parametrize(("text", "whole"), [("a,b\n" + "1,2\n" * 2703, True), ("a,b\n" + "1,2\n" * 9, False)])
def test_half_a_file_is_found(text, whole, tmp_path):
    path = Path(tmp_path / "mine.csv")
    path.write_text(text)
    assert robustness._is_whole(path) == whole
