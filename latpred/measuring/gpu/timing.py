"""Time by CUDA-graph replay: many copies of a step in one graph, with weights of their own, so that none are warm."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

#: Replays whose spread is reported.
LEAST_REPLAYS, MOST_REPLAYS = 15, 100
#: A graph runs at least this long, so that its launch does not show [s].
LEAST_GRAPH_S = 1e-3
#: Most copies of a step in one graph.
MOST_COPIES = 256
#: The weights of all copies exceed the cache by this factor.
CACHE_MARGIN = 1.25


@dataclass(frozen=True)
class Job:
    """Something to time: `step(i)` launches it with copy `i` of its weights, of which there are `copies`."""

    step: Callable[[int], Any]
    copies: int = 1


@dataclass(frozen=True)
class Timing:
    """Seconds of one step over `repeats` replays: the median and the 10th and 90th percentile."""

    median_s: float
    p10_s: float
    p90_s: float
    repeats: int
    copies: int


def copies_beyond_cache(weight_bytes: int, map_bytes: int, cache_bytes: int) -> int:
    """Copies of the weights that, with the maps, exceed the cache; a real network does not find them there either.

    >>> copies_beyond_cache(weight_bytes=10_000_000, map_bytes=5_000_000, cache_bytes=50_000_000)
    6
    """
    wanted = math.ceil((CACHE_MARGIN * cache_bytes - map_bytes) / max(weight_bytes, 1))
    return min(max(wanted, 1), MOST_COPIES)


def cache_bytes() -> int:
    """Bytes of the device's L2."""
    return int(torch.cuda.get_device_properties(0).L2_cache_size)


def timed(job: Job, budget_s: float = 0.06) -> Timing:
    """Capture, warm up and replay `job` for about `budget_s` seconds."""
    once = _event_seconds(lambda: job.step(0), warm_up=2)
    count = max(job.copies, min(math.ceil(LEAST_GRAPH_S / max(once, 2e-6)), MOST_COPIES))
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for number in range(count):
            job.step(number % job.copies)
    estimate = _event_seconds(graph.replay, warm_up=2)
    repeats = min(max(int(budget_s / estimate), LEAST_REPLAYS), MOST_REPLAYS)
    marks = [(torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)) for _ in range(repeats)]
    for start, end in marks:
        start.record()
        graph.replay()
        end.record()
    torch.cuda.synchronize()
    seconds = torch.tensor([start.elapsed_time(end) * 1e-3 / count for start, end in marks], dtype=torch.float64)
    p10, median, p90 = torch.quantile(seconds, torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64)).tolist()
    return Timing(median, p10, p90, repeats, count)


def _event_seconds(launch: Callable[[], Any], warm_up: int) -> float:
    for _ in range(warm_up):
        launch()
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    launch()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) * 1e-3
