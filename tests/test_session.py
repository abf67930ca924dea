"""A measuring session without a GPU: what is written, resumed, left out and refused."""

import pytest

torch = pytest.importorskip("torch", reason="measuring needs torch and triton: pip install 'latpred[gpu]'")
pytest.importorskip("triton", reason="measuring needs torch and triton: pip install 'latpred[gpu]'")

import latpred  # noqa: E402
from latpred.measuring.gpu import ahead, session  # noqa: E402
from latpred.measuring.gpu.timing import Timing  # noqa: E402
from latpred.measuring.measurements import read_measurements  # noqa: E402
from latpred.measuring.suites import Point, suite  # noqa: E402

HERE = {
    "device": "NVIDIA Test",
    "driver": "1",
    "sm_clock_hz": 1e9,
    "memory_clock_hz": 1e9,
    "torch": "2",
    "triton": "3",
    "latpred": "0",
}
POINTS = [point for point in suite("quick") if point.precision == "fp32"][:6]


@pytest.fixture
def machine(monkeypatch):
    """A machine on which every step takes 1 ms."""
    monkeypatch.setattr(session, "verify", lambda precision: 19)
    monkeypatch.setattr(session, "environment", lambda: HERE)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: HERE["device"])
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    for name in ("block_job", "operator_job"):
        monkeypatch.setattr(session.runners, name, lambda *given: given)
    monkeypatch.setattr(session, "timed", lambda job, budget: Timing(1e-3, 0.9e-3, 1.1e-3, 15, 4))


def test_rows_are_what_was_asked_for(machine, tmp_path):
    said = []
    assert session.run(POINTS, tmp_path / "a.csv", report=said.append) == 6
    rows = read_measurements(tmp_path / "a.csv")
    assert [Point(row.target, row.paradigm, row.batch, row.precision) for row in rows] == POINTS
    assert {(row.seconds, row.device, row.library) for row in rows} == {(1e-3, "NVIDIA Test", "triton")}
    assert said == ["fp32: 19 numerical checks passed"]


def test_an_interrupted_file_is_resumed_without_its_torn_row(machine, tmp_path):
    path = tmp_path / "a.csv"
    session.run(POINTS[:3], path, report=lambda text: None)
    whole = path.read_text()
    path.write_text(whole[:-20])
    assert session.run(POINTS, path, resume=True, report=lambda text: None) == 4
    assert len(read_measurements(path)) == 6
    assert session.run(POINTS, path, resume=True, report=lambda text: None) == 0


def test_the_time_budget_stops_at_a_row(machine, tmp_path):
    said = []
    assert session.run(POINTS, tmp_path / "a.csv", time_budget_s=0.0, report=said.append) == 0
    assert said[-1] == "time budget spent: 6 of 6 rows left; go on with --resume"


def test_a_row_that_does_not_fit_is_left_out_and_reported(machine, tmp_path, monkeypatch):
    def full(*given):
        raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(session.runners, "block_job", full)
    said = []
    written = session.run(POINTS, tmp_path / "a.csv", report=said.append)
    blocks = sum(isinstance(point.target, latpred.Bottleneck) for point in POINTS)
    assert 0 < blocks < 6
    assert written == 6 - blocks
    assert sum(text.startswith("left out, out of GPU memory: ") for text in said) == blocks


def test_a_file_of_another_device_is_not_resumed(machine, tmp_path, monkeypatch):
    session.run(POINTS[:1], tmp_path / "a.csv", report=lambda text: None)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: "NVIDIA Other")
    with pytest.raises(latpred.DataError, match="was measured on NVIDIA Test, this is NVIDIA Other"):
        session.run(POINTS, tmp_path / "a.csv", resume=True, report=lambda text: None)


class InTurn:
    """Runs what a pool of processes would, here and now."""

    def __init__(self, jobs, context):
        self.jobs = jobs

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    map = staticmethod(map)


def test_every_kernel_is_compiled_ahead_of_the_session(machine, tmp_path, monkeypatch):
    """Each row and each numerical check once, also where a row does not fit; cuDNN's need no compiler."""
    launched, checked, said = [], [], []

    def launch(point):
        launched.append(point)
        if len(launched) == 1:
            raise torch.cuda.OutOfMemoryError

    monkeypatch.setattr(ahead, "ProcessPoolExecutor", InTurn)
    monkeypatch.setattr(ahead, "_launch", launch)
    monkeypatch.setattr(ahead.check, "error_of", lambda *given: checked.append(given))
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    static = Point(latpred.load_block("resnet50-stage1"), latpred.Static(), 1, "fp32", "cudnn")
    monkeypatch.setattr(session, "static_block", lambda *given: Timing(1e-3, 0.9e-3, 1.1e-3, 15, 4))
    assert session.run([*POINTS, static], tmp_path / "a.csv", jobs=3, report=said.append) == 7
    assert sorted(point.key for point in launched) == sorted(point.key for point in POINTS)
    assert [given[:3] for given in checked].count((*next(ahead.check.cases()), "fp32")) == 1
    assert len(checked) == len(list(ahead.check.cases()))
    assert said[0].startswith("compiled the kernels in ")
