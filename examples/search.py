"""latpred inside a search: the widths and patch edges of a network that gets the most work done within a budget.

    python examples/search.py

An evolutionary loop in thirty lines. Equal blocks are predicted once, so thousands of candidates take seconds.
"""

from __future__ import annotations

import numpy as np

import latpred

BUDGET_S = 12e-3
RATE = 0.5
WIDTHS = np.array([[128, 192, 256, 320], [256, 384, 512, 640], [512, 768, 1024, 1280], [1024, 1536, 2048, 2560]])
EDGES = [(1, 2, 4, 8), (1, 2, 4, 7), (1, 2, 7), (1,)]


def candidate(genes: np.ndarray) -> tuple[latpred.Network, latpred.Spatial]:
    """A network and its patch edges from indices into `WIDTHS` and `EDGES`."""
    widths = [int(options[gene % len(options)]) for options, gene in zip(WIDTHS, genes[:4], strict=True)]
    S = [options[gene % len(options)] for options, gene in zip(EDGES, genes[4:], strict=True)]
    stages = [
        latpred.Stage(c_in=c_in, c_out=c_out, blocks=blocks, stride=stride)
        for c_in, c_out, blocks, stride in zip([64, *widths], widths, (3, 4, 6, 3), (1, 2, 2, 2), strict=False)
    ]
    stem = latpred.Stem(c_out=64, kernel=7, stride=2, pool=True)
    return latpred.Network(name="candidate", stem=stem, bottleneck_ratio=4, stages=stages), latpred.Spatial(S=S, r=RATE)


def fitness(genes: np.ndarray, profile: latpred.HardwareProfile) -> tuple[float, latpred.Report]:
    """Static multiply-adds, a stand-in for accuracy, of what fits the budget; the overrun of what does not."""
    network, paradigm = candidate(genes)
    report = latpred.predict(network, profile, paradigm)
    over = report.latency_per_image_s / BUDGET_S - 1
    return (-over if over > 0 else report.static_macs), report


def main() -> None:
    """Search, and print the best."""
    profile, generator = latpred.load_profile("tx2"), np.random.default_rng(0)
    population = list(generator.integers(0, 4, (16, 8)))
    for _ in range(12):
        scored = sorted(population, key=lambda genes: fitness(genes, profile)[0], reverse=True)[:6]
        children = [scored[i].copy() for i in generator.integers(0, 6, 10)]
        for child in children:
            child[generator.integers(0, 8)] = generator.integers(0, 4)
        population = scored + children
    best = max(population, key=lambda genes: fitness(genes, profile)[0])
    network, paradigm = candidate(best)
    report = fitness(best, profile)[1]
    widths = "-".join(str(stage.c_out) for stage in network.stages)
    print(
        f"{widths}, {paradigm} on {profile.title}: {report.latency_per_image_s * 1e3:.2f} ms of {BUDGET_S * 1e3:g} ms"
    )
    print(f"{report.static_macs / 1e9:.2f} G static multiply-adds, rℓ = {report.ratio:.3f}")


if __name__ == "__main__":
    main()
