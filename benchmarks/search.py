"""How long a search takes: `python benchmarks/search.py [--networks N] [--jobs J]`.

Random networks of 16 blocks: a width and a patch edge per stage, a rate per block. They are predicted by `predict`, one
at a time, and from a `LatencyTable` of the search space.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
from numpy.typing import NDArray

import latpred

DEVICE = latpred.load_profile("tx2")
BLOCKS, STRIDES, MAPS = (3, 4, 6, 3), (1, 2, 2, 2), (56, 28, 14, 7)
WIDTHS = ((128, 192, 256, 320), (256, 384, 512, 640), (512, 768, 1024, 1280), (1024, 1536, 2048, 2560))
EDGES = ((1, 2, 4, 8), (1, 2, 4, 7), (1, 2, 4, 7), (1, 2, 4, 7))
STEM = latpred.Stem(c_out=64, kernel=7, stride=2, pool=True)
STAGE_OF = np.repeat(range(4), BLOCKS)
#: Networks that are looked up together.
CHUNK = 20_000


def genes(count: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Choices of width and edge per stage, both (count, 4), and rates per block, (count, 16)."""
    generator = np.random.default_rng(seed)
    return generator.integers(0, 4, (count, 4)), generator.integers(0, 4, (count, 4)), generator.random((count, 16))


def one_by_one(count: int, seed: int) -> NDArray[np.float64]:
    """Latencies [s] by `predict`."""
    found = np.zeros(count)
    for number, (widths, edges, rates) in enumerate(zip(*genes(count, seed), strict=True)):
        c_out = [WIDTHS[stage][choice] for stage, choice in enumerate(widths)]
        stages = [
            latpred.Stage(c_in=c_in, c_out=c, blocks=blocks, stride=stride)
            for c_in, c, blocks, stride in zip([64, *c_out], c_out, BLOCKS, STRIDES, strict=False)
        ]
        network = latpred.Network(name="candidate", stem=STEM, bottleneck_ratio=4, stages=stages)
        S = [EDGES[stage][edge] for stage, edge in enumerate(edges)]
        found[number] = latpred.predict(network, DEVICE, latpred.Spatial(S=S, r=rates)).latency_s
    return found


def space() -> tuple[latpred.LatencyTable, NDArray[np.int64]]:
    """The table of every block there can be, and its entries by (stage, first or not, width before, width, edge)."""
    blocks = {}
    for stage in range(4):
        for after, c_out in enumerate(WIDTHS[stage]):
            for before, c_in in enumerate(WIDTHS[stage - 1] if stage else (64,) * 4):
                stride = STRIDES[stage]
                edge = MAPS[stage] * stride
                blocks[stage, 1, before, after] = latpred.Bottleneck(
                    name=f"{stage}-{c_in}-{c_out}", c_in=c_in, c_out=c_out, height=edge, width=edge, stride=stride
                )
                blocks[stage, 0, before, after] = latpred.Bottleneck(
                    name=f"{stage}-{c_out}", c_in=c_out, c_out=c_out, height=MAPS[stage], width=MAPS[stage]
                )
    table = latpred.latency_table(list(blocks.values()), DEVICE, S=[1, 2, 4, 7, 8])
    numbers = {entry: number for number, entry in enumerate(table.entries)}
    entries = np.zeros((4, 2, 4, 4, 4), dtype=np.int64)
    for key, block in blocks.items():
        entries[key] = [numbers[block.name, "spatial", S] for S in EDGES[key[0]]]
    return table, entries


def from_table(count: int, seed: int, table: latpred.LatencyTable, entries: NDArray[np.int64]) -> NDArray[np.float64]:
    """Latencies [s] by look-up."""
    widths, edges, rates = genes(count, seed)
    first = np.diff(STAGE_OF, prepend=-1)
    before = np.maximum(STAGE_OF - 1, 0)
    asked = entries[STAGE_OF, first, widths[:, before], widths[:, STAGE_OF], edges[:, STAGE_OF]]
    return table.lookup(asked, rates).sum(axis=1)


def timed(predict: Callable[[int, int], NDArray[np.float64]], count: int, chunk: int, jobs: int) -> float:
    """Seconds for `count` networks, in chunks, in as many processes as asked for."""
    seeds = range(-(-count // chunk))
    start = time.perf_counter()
    if jobs == 1:
        total = sum(float(predict(chunk, seed).sum()) for seed in seeds)
    else:
        with ProcessPoolExecutor(jobs) as pool:
            total = sum(float(part.sum()) for part in pool.map(partial(predict, chunk), seeds))
    assert total > 0
    return time.perf_counter() - start


def main() -> None:
    """Print a line per way and number of jobs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--networks", type=int, default=10**6, help="that are looked up")
    parser.add_argument("--predictions", type=int, default=1000, help="networks predicted one by one")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    arguments = parser.parse_args()
    start = time.perf_counter()
    table, entries = space()
    print(f"table of the search space: {len(table.entries)} entries in {time.perf_counter() - start:.1f} s")
    plain = one_by_one(20, 0)
    assert np.allclose(from_table(20, 0, table, entries), plain, rtol=1e-9), "both ways agree"
    ways = (
        ("predict", one_by_one, arguments.predictions, 100),
        ("look-up", partial(from_table, table=table, entries=entries), arguments.networks, CHUNK),
    )
    for name, predict, count, chunk in ways:
        seconds = timed(predict, count, min(chunk, count), arguments.jobs)
        print(f"{name}: {count:,} networks of 16 blocks in {seconds:.2f} s, {count / seconds:,.0f} per second")


if __name__ == "__main__":
    main()
