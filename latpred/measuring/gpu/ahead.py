"""Compile the kernels that a session will launch, in several processes at once; a compiler uses one core only."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import chain
from multiprocessing import get_context
from typing import Any, TypeAlias

import torch

from latpred.errors import InputError
from latpred.measuring.gpu import check, runners
from latpred.measuring.suites import Point

#: Pieces of work per process, so that all of them end at about the same time.
PIECES = 8
Task: TypeAlias = tuple[Callable[..., Any], tuple[Any, ...]]


def compile_ahead(points: list[Point], jobs: int, progress: Callable[[int, int], None]) -> None:
    """Run every point and numerical check once, in `jobs` processes; Triton keeps what they compile on the disk."""
    precisions = dict.fromkeys(point.precision for point in points)
    checks: list[Task] = [
        (check.error_of, (*case, precision, runners.DEVICE)) for precision in precisions for case in check.cases()
    ]
    launches: list[Task] = [(_launch, (point,)) for point in points if point.library == "triton"]
    count = PIECES * jobs
    pieces = [[*chain(checks[start::count], launches[start::count])] for start in range(count)]
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for done, _ in enumerate(pool.map(_work, pieces), start=1):
            progress(done, count)


def _work(tasks: list[Task]) -> None:
    for run, given in tasks:
        # What cannot run is reported when its turn comes to be timed.
        try:
            run(*given)
        except (torch.cuda.OutOfMemoryError, InputError):
            torch.cuda.empty_cache()
    torch.cuda.synchronize()


def _launch(point: Point) -> None:
    runners.job(point).step(0)
