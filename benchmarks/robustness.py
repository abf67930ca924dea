"""Bad inputs by the ten thousand: `python benchmarks/robustness.py --inputs 20000 --seed 0`.

Each must end in at most three lines that name what is wrong, within 5 s of processor time and 1 GB: never in a
traceback, never in a dead interpreter. Then commands that write files are killed (-9) at random times: the old file or
the new one must be there, never half. An input is made again from its kind and number: `--only "table NPZ:65"`.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.bad_inputs import KINDS, Attempt, rows_of_one_kind
from latpred.measuring.measurements import read_measurements

MOST_SECONDS, MOST_BYTES, MOST_LINES, MOST_LETTERS = 5.0, 1 << 30, 3, 2_100
#: Wall-clock time after which a worker is given up [s]: machines are shared.
PATIENCE = 60.0
FAULTS = ("traceback", "death", "hang", "slow", "memory", "message", "exit code", "output")


class Outcome(NamedTuple):
    """What came of an input: `accepted`, `refused`, or a fault."""

    kind: str
    number: int
    verdict: str
    what: str
    text: str = ""
    seconds: float = 0.0


def attempt_of(kind: str, number: int, seed: int, folder: Path) -> Attempt:
    """The input of that kind and number; its files are written into the folder."""
    return KINDS[kind][0](random.Random(f"{seed} {kind} {number}"), folder)


def judged(kind: str, number: int, seed: int) -> Outcome:
    """Make an input in an empty folder and try it there."""
    with tempfile.TemporaryDirectory(prefix="latpred-robustness-") as folder, contextlib.chdir(folder):
        attempt = attempt_of(kind, number, seed, Path(folder))
        started = time.process_time()
        verdict, text = _tried(attempt)
        seconds = time.process_time() - started
    if verdict in ("accepted", "refused") and seconds > MOST_SECONDS:
        verdict, text = "slow", f"{seconds:.1f} s; {text}"
    return Outcome(kind, number, verdict, attempt.what or " ".join(attempt.arguments)[:400], text, seconds)


def _tried(attempt: Attempt) -> tuple[str, str]:
    from latpred.cli import main
    from latpred.errors import LatpredError

    out, err = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if attempt.call:
                attempt.call()
                return "accepted", ""
            main(attempt.arguments)
    except SystemExit as exit:
        return _of_command(attempt, exit.code, out.getvalue(), err.getvalue())
    except LatpredError as error:
        return _of_message(attempt, str(error))
    except MemoryError:
        return "memory", traceback.format_exc(limit=-6)
    except Exception:
        return "traceback", traceback.format_exc(limit=-6)
    return "accepted", ""


def _of_command(attempt: Attempt, code: Any, out: str, err: str) -> tuple[str, str]:
    if not code:
        return "accepted", ""
    if code not in (1, 2):
        return "exit code", f"{code}: {err[-300:]}"
    if out and not all(": ok: " in line for line in out.splitlines()):  # good files, of several that are judged
        return "output", f"{out[:200]!r} before {err[-200:]}"
    if not err.startswith("latpred: ") and "\nlatpred: " not in err:
        return "message", err[:400]
    return _of_message(attempt, err.strip())


def _of_message(attempt: Attempt, message: str) -> tuple[str, str]:
    try:
        message.encode("utf-8", "surrogatepass").decode("utf-8", "surrogatepass")
    except UnicodeError:
        return "message", f"no text: {message[:200].encode('utf-8', 'surrogatepass')!a}"
    lines = message.splitlines()
    named = not attempt.file or attempt.file in message
    if not 1 <= len(lines) <= MOST_LINES or max(map(len, lines)) > MOST_LETTERS or len(message) < 8 or not named:
        return "message", f"{'' if named else 'file not named: '}{message[:600]}"
    return "refused", message[:300]


# --- workers


def _serve(connection: Connection) -> None:
    """A worker: tries what it is sent, in at most a gigabyte beyond what its interpreter takes."""
    _tried(Attempt(["predict", "--device", "tx2", "--block", "r50-stage1", "--S", "4", "--r", "0.6"]))
    import pandas  # noqa: F401
    import rich.table  # noqa: F401
    import scipy.optimize  # noqa: F401

    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    if pages:
        most = pages * resource.getpagesize() + MOST_BYTES
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
    connection.send(None)
    while (job := connection.recv()) is not None:
        connection.send(judged(*job))


class _Worker:
    """A process that stays alive; one that dies or hangs is replaced."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.connection.recv()

    def judge(self, kind: str, number: int, seed: int) -> Outcome:
        fault = "hang"
        try:
            self.connection.send((kind, number, seed))
            if self.connection.poll(PATIENCE):
                outcome: Outcome = self.connection.recv()
                return outcome
        except (EOFError, OSError):
            fault = "death"
        self.process.kill()
        self.process.join()
        code = self.process.exitcode
        self._start()
        with tempfile.TemporaryDirectory() as folder:
            attempt = attempt_of(kind, number, seed, Path(folder))
        return Outcome(kind, number, fault, attempt.what or " ".join(attempt.arguments)[:400], f"exit code {code}")

    def stop(self) -> None:
        self.connection.send(None)
        self.process.join()


def jobs(inputs: int) -> list[tuple[str, int]]:
    """Kinds and numbers, in proportion to the kinds' shares."""
    total = sum(share for _, share in KINDS.values())
    return [(kind, number) for kind, (_, share) in KINDS.items() for number in range(round(inputs * share / total))]


def run(inputs: int, seed: int, workers: int, progress: bool = True) -> list[Outcome]:
    """Try that many inputs in worker processes."""
    todo, found, lock = jobs(inputs), [], threading.Lock()
    random.Random(seed).shuffle(todo)
    queue = iter(todo)

    def drive() -> None:
        worker = _Worker()
        while True:
            with lock:
                job = next(queue, None)
            if job is None:
                break
            outcome = worker.judge(*job, seed)
            with lock:
                found.append(outcome)
                if progress and outcome.verdict in FAULTS:
                    print(
                        f"{outcome.verdict}: {outcome.kind}:{outcome.number}: {outcome.what}\n  {outcome.text}",
                        flush=True,
                    )
        worker.stop()

    threads = [threading.Thread(target=drive) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def table(outcomes: list[Outcome]) -> str:
    """How many of each kind, and what came of them."""
    columns = ("accepted", "refused", *FAULTS)
    lines = ["| kind | tried | " + " | ".join(columns) + " | slowest |", "|---" * (len(columns) + 3) + "|"]
    for kind in (*KINDS, "all"):
        of_kind = [outcome for outcome in outcomes if kind in (outcome.kind, "all")]
        counts = Counter(outcome.verdict for outcome in of_kind)
        slowest = max((outcome.seconds for outcome in of_kind), default=0.0)
        cells = [str(counts[name]) for name in columns]
        lines.append(f"| {kind} | {len(of_kind)} | {' | '.join(cells)} | {slowest:.1f} s |")
    return "\n".join(lines)


# --- kill -9

SWEEP = "sweep --device tx2 --block r50-stage1 --S 1,2,4 --r {} --output mine.csv"
CALIBRATE = "calibrate {}.csv --device h200 -o mine.yaml"
LUT = "lut --network resnet50 --device {} --S 7,14 --output mine.npz"
DRAWN = "sweep --device tx2 --block r50-stage1 --S 4 --r {} --plot mine.svg"
#: Commands that write a file, in two ways that tell the old from the new.
WRITERS = {
    "mine.csv": (SWEEP.format("0.1:1.0:0.001"), SWEEP.format("0.2:1.0:0.001")),
    "mine.npz": (LUT.format("tx2"), LUT.format("v100")),
    "mine.svg": (DRAWN.format("0.1:1.0:0.1"), DRAWN.format("0.2:1.0:0.1")),
    "mine.yaml": (CALIBRATE.format("first"), CALIBRATE.format("second")),
    # What `latpred measure` does for each row, without the GPU that it measures.
    "rows.csv": ("--measure first.csv",),
}
#: Writes a file in turns for ever; killed from outside.
_LOOP = """
import sys, contextlib, io
from pathlib import Path
from latpred.cli import main
from latpred.measuring.measurements import read_rows, write_rows
if sys.argv[1].startswith("--measure"):
    rows = [row for row, _ in read_rows(Path("first.csv"))]
    print("ready", flush=True)
    while True:
        write_rows(Path("rows.csv"), ())
        for row in rows:
            write_rows(Path("rows.csv"), [row], append=True)
print("ready", flush=True)
while True:
    for line in sys.argv[1:]:
        quiet = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
        with contextlib.suppress(SystemExit), quiet[0], quiet[1]:
            main(line.split())
"""


def killed(kills: int, seed: int) -> Counter[str]:
    """Kill writers at random times; counts of `whole`, `half` and `left over` (temporary files)."""
    rng, found = random.Random(seed), Counter[str]()
    root = str(Path(__file__).parents[1])
    for number in range(kills):
        name, lines = list(WRITERS.items())[number % len(WRITERS)]
        with tempfile.TemporaryDirectory() as folder:
            for file in ("first.csv", "second.csv"):
                (Path(folder) / file).write_bytes(rows_of_one_kind(rng))
            before = len(list(Path(folder).iterdir()))
            command = [sys.executable, "-c", _LOOP, *lines]
            with subprocess.Popen(
                command, cwd=folder, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": root}
            ) as writer:
                assert writer.stdout
                writer.stdout.readline()
                path = Path(folder) / name
                while not path.exists():
                    time.sleep(0.01)
                time.sleep(rng.random() * 0.5)
                writer.kill()
            found["whole" if _is_whole(path) else "half"] += 1
            if not lines[0].startswith("--"):
                last = [sys.executable, "-m", "latpred", *lines[0].split()]
                subprocess.run(last, cwd=folder, check=True, capture_output=True, env=os.environ | {"PYTHONPATH": root})
            found["left over"] += len(list(Path(folder).iterdir())) - before - 1
    return found


def _is_whole(path: Path) -> bool:
    if path.suffix == ".svg":
        return path.read_text().rstrip().endswith("</svg>")
    if path.suffix == ".npz":
        import latpred

        return bool(latpred.LatencyTable.load(path).entries)
    if path.suffix == ".yaml":
        import latpred

        return len(latpred.load_profile(path).calibrations) == len(latpred.load_profile("h200").calibrations)
    if path.name == "rows.csv":
        return path.read_text().startswith("target,") and read_measurements(path) is not None
    rows = path.read_text().splitlines()
    return len(rows) - 1 in (3 * 901, 3 * 801) and len({line.count(",") for line in rows}) == 1


def main() -> int:
    """Run, print the table; the exit code says whether anything was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--only", metavar="KIND:NUMBER", help="Try one input, in this process.")
    asked = parser.parse_args()
    if asked.only:
        kind, _, number = asked.only.rpartition(":")
        print(*judged(kind, int(number), asked.seed), sep="\n")
        return 0
    outcomes = run(asked.inputs, asked.seed, asked.workers)
    kills = killed(asked.kills, asked.seed)
    print(table(outcomes))
    print(f"\nkilled {asked.kills} times while a file was written: {dict(kills)}")
    return int(any(outcome.verdict in FAULTS for outcome in outcomes) or kills["half"] + kills["left over"] > 0)


if __name__ == "__main__":
    sys.exit(main())
