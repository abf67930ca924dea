"""How fast large images and large files of masks are: `python benchmarks/image_sizes.py`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.speed import forget, seconds
from latpred import Spatial, load_network, load_profile, predict
from latpred.workloads.masks import rates_from_masks

PROFILE = load_profile("v100")
MASKS = 50_000


def network(size: tuple[int, int], include: tuple[str, ...] = ()) -> None:
    """ResNet-50 with caches cleared and warm; warm is from the name on, as a second prediction of a session."""

    def run() -> None:
        backbone = load_network("resnet50", size).including(*include)
        _ = predict(backbone, PROFILE, Spatial(S=[4, 4, 2, 1], r=0.5)).latency_s

    cold = seconds(run, 5, forget)
    warm = seconds(run, 20)
    print(f"resnet50 at {size[0]}×{size[1]}: caches cleared {cold * 1e3:.1f} ms, warm {warm * 1e3:.1f} ms (≤ 50 ms)")


def masks() -> None:
    """50,000 masks of 56×56 pixels, read in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "masks.npz"
        np.savez_compressed(path, stage1=np.random.default_rng(0).random((MASKS, 56, 56), dtype=np.float32) < 0.1)
        done = subprocess.run([sys.executable, __file__, str(path)], capture_output=True, text=True, check=True)
        print(done.stdout, end="")


def read(path: Path) -> None:
    """Read masks, and print the time and the peak memory of this process (Linux)."""
    start = time.perf_counter()
    found = rates_from_masks(path)
    spent = time.perf_counter() - start
    # Not getrusage: its maximum is inherited from the parent that made the masks.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    print(f"{found.samples:,} masks of 56×56, {len(found.rates[0])} S: {spent:.1f} s, {peak:.0f} MB at most (≤ 500 MB)")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        read(Path(sys.argv[1]))
    else:
        network((224, 224))
        network((800, 1333))
        network((1024, 1024), ("stem", "head"))
        masks()
