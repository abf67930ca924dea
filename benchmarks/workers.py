"""What one core does in a second, and what a second worker gains: `python benchmarks/workers.py [--workers N]`.

Sweeps as they are typed, from a cold start to the written file. CPU time does not count what else runs on the machine;
the ratio of wall-clock times does, and means something only where so many cores are free.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DEVICES = "a100,h100,h200,nano,orin,rtx3060,rtx3090,rtx4090,t4,tx2,v100"
EDGES = "1-1-1-1,2-2-1-1,2-2-2-1,4-2-1-1,4-2-2-1,4-4-2-1,8-4-2-1,8-4-7-1,28-14-7-1"
#: What is swept, with the options.
SWEEPS = {
    "a block, 1,000 curves of 100 rates": (
        "--device v100 --block r50-stage1 --S 1,2,3,4,5,6,7,8,14,28 --r 0.01:1:0.01 --batch 1:100"
    ),
    "resnet50, 1,001 curves of 100 rates": (
        f"--device {DEVICES} --network resnet50 --S 4-4-2-1 --r 0.01:1:0.01 --batch 1:91"
    ),
    "resnet50, 9,999 curves of 10 rates": (
        f"--device {DEVICES} --network resnet50 --S {EDGES} --r 0.1:1:0.1 --batch 1:101"
    ),
    "resnet50, channels, 1,001 curves of 100 rates": (
        f"--device {DEVICES} --network resnet50 --G 2 --r 0.01:1:0.01 --batch 1:91"
    ),
    "resnet50 on h200, calibrated, 1,000 curves of 100 rates": (
        f"--device h200 --network resnet50 --S {EDGES},1-2-1-1 --r 0.01:1:0.01 --batch 1:100 "
        "--model calibrated --precision fp16"
    ),
}


def run(options: str, output: Path, *more: str) -> tuple[float, float]:
    """Wall-clock and CPU time [s] of a sweep, its workers included."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "latpred", "sweep", *options.split(), "--output", str(output), *more]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    workers = parser.parse_args().workers
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        alone, shared = Path(folder) / "alone.csv", Path(folder) / "shared.csv"
        for name, options in SWEEPS.items():
            wall, cpu = run(options, alone)
            wall_shared, cpu_shared = run(options, shared, "--workers", str(workers))
            same = "same bytes" if filecmp.cmp(alone, shared, shallow=False) else "OTHER BYTES"
            rows = sum(1 for _ in alone.open(encoding="utf-8")) - 1
            one = f"one worker {cpu:.1f} s of CPU, {rows / cpu:,.0f} rows per second, {wall:.1f} s"
            several = f"{workers} workers {cpu_shared:.1f} s of CPU, {wall_shared:.1f} s"
            print(
                f"{name}: {rows:,} rows; {one}; {several}: {wall / wall_shared:.2f} times as fast, {same}", flush=True
            )


if __name__ == "__main__":
    main()
