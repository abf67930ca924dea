"""A small part of benchmarks/robustness.py: bad inputs end in a line, and what is found is found."""

import os
from pathlib import Path

import pytest

import latpred
from benchmarks import robustness
from benchmarks.bad_inputs import KINDS, Attempt

EACH = 12


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "API"])
def test_bad_inputs_end_in_a_line(kind, monkeypatch):
    monkeypatch.setattr(robustness, "MOST_SECONDS", 60.0)  # the benchmark judges the time, on a machine of its own
    found = [robustness.judged(kind, number, seed=2) for number in range(EACH)]
    assert [outcome for outcome in found if outcome.verdict in robustness.FAULTS] == []
    assert any(outcome.verdict == "refused" for outcome in found)


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
