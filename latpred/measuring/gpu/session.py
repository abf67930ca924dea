"""A measuring session: check the kernels, then time point after point, each row written when it is complete."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from latpred import __version__
from latpred.errors import DataError, InputError
from latpred.files import whole_file
from latpred.measuring.gpu import eager, runners
from latpred.measuring.gpu.ahead import compile_ahead
from latpred.measuring.gpu.check import verify
from latpred.measuring.gpu.cudnn import static_block
from latpred.measuring.gpu.timing import Timing, timed
from latpred.measuring.measurements import read_rows, row_of, write_rows
from latpred.measuring.suites import Point
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.operators import Operator

#: What one replayed row may take [s], the setting up not counted.
ROW_BUDGET_S = 0.03


def run(
    points: list[Point],
    path: Path,
    *,
    resume: bool = False,
    time_budget_s: float | None = None,
    jobs: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
    report: Callable[[str], None] = print,
) -> int:
    """Measure `points` into the CSV `path`; returns the rows written.

    With several `jobs`, that many processes compile the kernels first. A point that does not fit the GPU's memory is
    reported and left out. Raises DataError where the kernels are wrong on this device, or where the file to resume is
    of another device.
    """
    started = time.monotonic()
    done = _done(path) if resume and path.exists() else set()
    if not (resume and path.exists()):
        write_rows(path, ())
    left = [point for point in points if point.key not in done]
    if jobs > 1 and left:
        compile_ahead(left, jobs, progress)
        report(f"compiled the kernels in {time.monotonic() - started:.0f} s")
    for precision in dict.fromkeys(point.precision for point in points if point.library != "pytorch"):
        report(f"{precision}: {verify(precision)} numerical checks passed")
    written = 0
    for number, point in enumerate(left):
        progress(number, len(left))
        if time_budget_s is not None and time.monotonic() - started > time_budget_s:
            report(f"time budget spent: {len(left) - number} of {len(left)} rows left; go on with --resume")
            break
        timing = _timing(point, report)
        if timing:
            write_rows(path, [_row(point, *timing)], append=True)
            written += 1
    progress(len(left), len(left))
    return written


def _timing(point: Point, report: Callable[[str], None]) -> tuple[Timing, float | None] | None:
    """The device's time, and for a single sample of an operator in eager PyTorch the host's [s]."""
    try:
        if point.library == "pytorch" and isinstance(point.target, Operator):
            job = eager.operator_job(point.target, point.batch, point.precision)
            return timed(job, ROW_BUDGET_S), eager.host_seconds(job) if point.batch == 1 else None
        if point.library == "cudnn" and isinstance(point.target, Bottleneck):
            return static_block(point.target, point.batch, point.precision), None
        return timed(runners.job(point), ROW_BUDGET_S), None
    except torch.cuda.OutOfMemoryError:
        torch.cuda.empty_cache()
        report(f"left out, out of GPU memory: {' '.join(point.key)}")
    except InputError as reason:
        report(f"left out: {reason}")
    return None


def _row(point: Point, timing: Timing, host_s: float | None) -> dict[str, Any]:
    return {
        **row_of(point.target, point.paradigm),
        "batch": point.batch,
        "precision": point.precision,
        "library": point.library,
        "median_s": f"{timing.median_s:.6g}",
        "p10_s": f"{timing.p10_s:.6g}",
        "p90_s": f"{timing.p90_s:.6g}",
        "host_s": host_s and f"{host_s:.6g}",
        "repeats": timing.repeats,
        "copies": timing.copies,
        **environment(),
        "measured_at": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


@cache
def environment() -> dict[str, Any]:
    """Device, driver, the clocks it may reach and the versions: the same for every row of a session."""
    query = "driver_version,clocks.max.sm,clocks.max.mem"
    try:
        output = subprocess.run(
            ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits", "-i", "0"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        driver, sm, memory = (part.strip() for part in output.splitlines()[0].split(","))
        clocks: tuple[float | str, float | str] = (float(sm) * 1e6, float(memory) * 1e6)
    except (OSError, subprocess.CalledProcessError, ValueError, IndexError):
        driver, clocks = "", ("", "")
    return {
        "device": torch.cuda.get_device_name(0),
        "driver": driver,
        "sm_clock_hz": clocks[0],
        "memory_clock_hz": clocks[1],
        "torch": torch.__version__,
        "triton": version("triton"),
        "latpred": __version__,
    }


def _done(path: Path) -> set[tuple[str, ...]]:
    """Keys of the complete rows of a file to go on with; a last row cut off in writing is dropped."""
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        with whole_file(path) as temporary:
            temporary.write_text(text[: text.rfind("\n") + 1], encoding="utf-8")
    return {_key(measurement, path) for _, measurement in read_rows(path)}


def _key(measurement: Any, path: Path) -> tuple[str, ...]:
    here = torch.cuda.get_device_name(0)
    if measurement.device != here:
        raise DataError(f"{path}: was measured on {measurement.device}, this is {here}; write to another file")
    fields = (measurement.target, measurement.paradigm, measurement.batch, measurement.precision, measurement.library)
    return Point(*fields).key
