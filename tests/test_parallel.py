"""Work in parts: the same answers in the same order on any executor, whatever happens to a worker."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pandas
import pytest

import latpred
from latpred.cli import workers as cli_workers
from latpred.studies import parallel
from latpred.studies.parallel import Workers, answers

SWEEP = "sweep --device tx2,v100,nano --network resnet50 --S 4-4-2-1 --r 0.1:1:0.1 --batch 1:12 --format csv"
COMMAND = [sys.executable, "-m", "latpred"]


def square(number):
    return number * number


def square_or_die(number, mark):
    """Dies at 30, once, where there is no file yet."""
    if number == 30 and not Path(mark).exists():
        Path(mark).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def square_or_die_in_a_worker(number, parent):
    if number == 30 and os.getpid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


def refuse(number):
    if number % 7 == 3:
        raise latpred.InputError(f"not {number}")
    return number


def sleep(seconds):
    time.sleep(seconds)


HUNDRED = [(number,) for number in range(100)]
SQUARES = [number * number for number in range(100)]


@pytest.fixture(scope="module")
def workers():
    with Workers(2) as workers:
        yield workers


@pytest.fixture(scope="module")
def threads():
    with ThreadPoolExecutor(3) as threads:
        yield threads


@pytest.fixture(params=[None, "threads", "workers"])
def executor(request):
    return request.param and request.getfixturevalue(request.param)


@pytest.mark.parametrize("count", [0, 1, 100, 1000])
def test_answers_are_in_the_order_of_the_arguments(executor, count):
    told = []
    arguments = [(number,) for number in range(count)]
    found = answers(square, arguments, executor=executor, progress=lambda *done: told.append(done))
    assert found == [number * number for number in range(count)]
    assert told[0] == (0, count)
    assert told[-1] == (count, count)
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_the_first_error_in_order_is_raised(executor):
    with pytest.raises(latpred.InputError, match="not 3"):
        answers(refuse, HUNDRED, executor=executor)


def test_neighbours_go_together(monkeypatch):
    monkeypatch.setattr(parallel, "MOST_PARTS", 4)
    sizes = []

    class Counting(ThreadPoolExecutor):
        def submit(self, function, /, *given):
            sizes.append(len(given[-1]))
            return super().submit(function, *given)

    with Counting(1) as executor:
        assert answers(square, HUNDRED, executor=executor) == SQUARES
    assert sizes == [25] * 4


def pool(count):
    return ProcessPoolExecutor(count, get_context("spawn"))


@pytest.mark.parametrize("kind", [Workers, pool])
def test_what_a_lost_worker_was_asked_is_asked_again(tmp_path, caplog, kind):
    """A pool of the standard library takes nothing any more when a worker is lost: the rest is done here."""
    arguments = [(number, tmp_path / "died") for number in range(100)]
    with kind(2) as executor:
        assert answers(square_or_die, arguments, executor=executor) == SQUARES
    assert (tmp_path / "died").exists()
    assert caplog.messages == ["a worker was lost: what it was asked is asked again"]


def test_a_part_that_kills_every_worker_is_done_here(caplog):
    with Workers(2) as executor:
        arguments = [(number, os.getpid()) for number in range(100)]
        assert answers(square_or_die_in_a_worker, arguments, executor=executor) == SQUARES
    assert len(caplog.messages) == 1


def test_workers_answer_on_after_one_of_them_died(tmp_path):
    with Workers(1) as executor:
        with pytest.raises(parallel.BrokenExecutor):
            executor.submit(square_or_die, 30, tmp_path / "died").result()
        assert executor.submit(square, 3).result() == 9


def test_workers_are_stopped_at_once_by_an_error():
    start = time.monotonic()
    executor = Workers(2)
    asked = [executor.submit(sleep, 60) for _ in range(4)]
    time.sleep(0.1)
    executor.__exit__(KeyError, KeyError(), None)
    assert time.monotonic() - start < 20
    assert all(future.done() for future in asked)
    with pytest.raises(RuntimeError, match="stopped"):
        executor.submit(square, 1)


def test_an_error_in_a_worker_tells_where_and_what_cannot_be_sent_is_told(workers):
    with pytest.raises(TypeError) as error:
        workers.submit(square, "a").result()
    assert "return number * number" in str(error.value.__cause__)
    with pytest.raises(Exception, match="pickle"):
        workers.submit(lambda: 1).result()
    assert workers.submit(square, 2).result() == 4


@pytest.mark.parametrize("wrong", [2, "workers", ThreadPoolExecutor])
def test_executors_that_are_none(wrong):
    with pytest.raises(latpred.InputError, match=r"an executor is a concurrent\.futures\.Executor, not"):
        latpred.sweep(["r50-stage1"], ["tx2"], [latpred.Static()], executor=wrong)


@pytest.mark.parametrize("count", [0, -1, 10**6, 1.5, None])
def test_numbers_of_workers_that_are_none(count):
    with pytest.raises(latpred.InputError, match="workers must be a whole number from 1 to"):
        Workers(count)


# --- every study


def test_a_question_travels_as_it_was_asked():
    import pickle

    from latpred.question import ask

    for how in ({}, {"model": "calibrated", "precision": "fp16", "batch": 7}, {"model": "roofline"}):
        asked = ask("resnet50", "h200", **how)
        assert pickle.loads(pickle.dumps(asked)) == asked


H200 = {"model": "calibrated", "precision": "fp16"}
POINTS = Path(__file__).parents[1] / "examples" / "paper_points.csv"
STUDIES = {
    "sweep": lambda **more: latpred.sweep(
        ["resnet50", "r50-stage4"],
        ["h200"],
        [*latpred.grid(latpred.Spatial, granularity=[1, 4, 8], r=[0.3, 0.7]), latpred.Layer(r=0.5)],
        batches=[1, 64],
        **H200,
        **more,
    ),
    "lut": lambda **more: latpred.latency_table("resnet50", "tx2", S=[4, 7], G=[2], **more),
    "recommend": lambda **more: latpred.recommend_granularity("resnet50", "v100", 0.6, **more),
    "budget": lambda **more: latpred.budget("resnet50", ["tx2", "nano"], latency_s=0.03, batch=[1, 2], **more),
    "pareto": lambda **more: latpred.pareto(POINTS, ["tx2", "v100"], **more),
}


def told(result):
    """A result in plain types, with every digit."""
    if isinstance(result, pandas.DataFrame):
        return result.to_csv(index=False), result.attrs
    if isinstance(result, latpred.LatencyTable):
        return {name: getattr(result, name) for name in ("block", "offset", "error")}, result.latency_s.tobytes()
    if isinstance(result, latpred.Budget):
        return result.to_dict(), [one.to_dict() for one in result.elsewhere], result.table.to_csv()
    return result.to_dict()


@pytest.mark.parametrize("kind", ["threads", "workers"])
@pytest.mark.parametrize("study", STUDIES)
def test_a_study_is_the_same_on_an_executor_to_the_last_digit(request, kind, study):
    executor = request.getfixturevalue(kind)

    class Asked(Executor):
        count = 0

        def submit(self, function, /, *given):
            type(self).count += 1
            return executor.submit(function, *given)

    here, there = STUDIES[study](), STUDIES[study](executor=Asked())
    assert repr(told(here)) == repr(told(there))
    assert Asked.count > 1


def test_the_rows_of_a_sweep_are_the_same_with_workers(run):
    assert run(f"{SWEEP} --workers 2") == run(SWEEP)


@pytest.mark.parametrize(
    "command",
    [
        SWEEP,
        "lut --network resnet50 --device tx2 --S 4 --output a.npz",
        "recommend-granularity --device tx2 --network resnet50 --r 0.6 --format json",
        "budget --device tx2 --network resnet50 --latency 10ms --batch 1:2 --format json",
        f"pareto --points {POINTS} --device tx2 --format json",
    ],
    ids=lambda command: command.split()[0],
)
def test_every_such_command_asks_its_workers(run, monkeypatch, command):
    asked = []

    class Told(ThreadPoolExecutor):
        def submit(self, function, /, *given):
            asked.append(self._max_workers)
            return super().submit(function, *given)

    monkeypatch.setattr(cli_workers, "Workers", Told)
    alone = run(command)
    assert asked == []
    assert run(f"{command} --workers 3") == alone
    assert set(asked) == {3}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--workers 0", "Invalid value for '--workers': 0 is not in the range x>=1."),
        ("--workers two", "Invalid value for '--workers': 'two' is not a valid integer range."),
        ("--workers 2 --dask localhost:1", "--workers are processes on this machine, --dask those of a cluster; keep"),
    ],
)
def test_mistakes(run, options, message):
    code, _, err = run(f"{SWEEP} {options}")
    assert (code, err.startswith(f"latpred: {message}")) == (2, True), err


# --- signals


LONG = "sweep --device tx2,v100,nano,orin,t4,a100 --network resnet101 --S 4-4-2-1 --r 0.01:1:0.01 --batch 1:90"


def processes_of(session):
    """What is alive of a session."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found.append(int(folder.name))
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
@pytest.mark.parametrize(
    ("number", "code", "message"),
    [
        (signal.SIGINT, 130, "\nlatpred: interrupted; no file is left half written\n"),
        (signal.SIGTERM, 143, "latpred: terminated; no file is left half written\n"),
        (signal.SIGKILL, -9, ""),
    ],
)
def test_an_end_leaves_no_file_and_no_process(tmp_path, number, code, message):
    """Ctrl-C is heard by all processes of a terminal, the others by the first alone."""
    process = subprocess.Popen(
        [*COMMAND, *LONG.split(), "--workers", "2", "--output", "rows.csv"],
        cwd=tmp_path,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(processes_of(process.pid)) < 3:
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.05)
    time.sleep(1)
    (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (code, message)
    until = time.monotonic() + 30
    while processes_of(process.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert processes_of(process.pid) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_a_command_survives_the_loss_of_a_worker(tmp_path):
    process = subprocess.Popen(
        [*COMMAND, *SWEEP.split(), "--workers", "2"],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while len(processes_of(process.pid)) < 4:  # the command, what tracks its resources, and two workers
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.01)
    os.kill(max(processes_of(process.pid)), signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    alone = subprocess.run([*COMMAND, *SWEEP.split()], capture_output=True, text=True, check=True)
    assert (process.returncode, out) == (0, alone.stdout)
    assert err.startswith("a worker was lost: what it was asked is asked again\n")


# --- a cluster


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster


@pytest.mark.filterwarnings("ignore")
def test_the_rows_are_the_same_on_a_cluster(cluster):
    address = cluster.scheduler_address
    alone, on_cluster = (
        subprocess.run([*COMMAND, *SWEEP.split(), *more], capture_output=True, text=True, check=True)
        for more in ([], ["--dask", address])
    )
    assert (on_cluster.stdout, on_cluster.stderr) == (alone.stdout, alone.stderr)
    worker = next(iter(cluster.workers.values())).worker_address
    refused = subprocess.run([*COMMAND, *SWEEP.split(), "--dask", worker], capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert refused.stderr == f"latpred: {worker} is a Dask worker; give the address of the scheduler\n"


@pytest.mark.filterwarnings("ignore")
def test_a_study_is_the_same_on_a_cluster(cluster):
    from distributed import Client

    with Client(cluster, set_as_default=False) as client:
        found = STUDIES["budget"](executor=client.get_executor(pure=False))
    assert repr(told(found)) == repr(told(STUDIES["budget"]()))


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nonsense", "tcp://127.0.0.1:port", "foo://x:1", ""])
def test_an_address_that_does_not_answer_is_one_line_within_ten_seconds(address):
    pytest.importorskip("distributed")
    start = time.monotonic()
    command = [*COMMAND, *SWEEP.split(), "--dask", address]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert time.monotonic() - start < 10
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith(f"latpred: no Dask scheduler answers at {address!r}: ")
    assert found.stderr.count("\n") == 1
