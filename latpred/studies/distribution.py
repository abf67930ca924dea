"""Latency over samples that differ: quantiles, batches of mixed samples, and the error of using the mean rate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.interface import CostModel, cost_model
from latpred.prediction import STATIC, checked_batch, curve, lower
from latpred.workloads.blocks import Bottleneck, Step
from latpred.workloads.densities import active_patches, patch_count
from latpred.workloads.networks import Network
from latpred.workloads.paradigms import Joint, Paradigm, Spatial
from latpred.workloads.rates import check_width, checked_rates

DEFAULT_DRAWS = 10_000
#: More draws say no more, and fill the memory.
MOST_DRAWS = 1_000_000
#: Rates that are not counts of patches are rounded to this fraction, so that equal ones are predicted once.
_RATE_STEP = 1 / 1024


@dataclass(frozen=True)
class Distribution:
    """Latency of a batch [s] over `draws` of it; at batch 1 each sample is drawn once.

    `at_mean_rate_s` is ℓ(mean r), what a prediction from the mean rates alone says; `mean_s` is mean ℓ(r).
    """

    batch: int
    samples: int
    draws: int
    seed: int | None
    mean_s: float
    median_s: float
    p95_s: float
    p99_s: float
    worst_s: float
    at_mean_rate_s: float
    static_latency_s: float

    @property
    def gap(self) -> float:
        """ℓ(mean r) over mean ℓ(r), minus 1: the error of predicting from mean rates."""
        return self.at_mean_rate_s / self.mean_s - 1

    def to_dict(self) -> dict[str, Any]:
        """Fields and `gap`."""
        return {**asdict(self), "gap": self.gap}


def predict_samples(
    network: Network,
    profile: HardwareProfile,
    paradigm: Paradigm,
    rates: NDArray[np.float64],
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    draws: int = DEFAULT_DRAWS,
    seed: int = 0,
) -> Distribution:
    """Latency over samples with their own rates.

    A batch of several samples computes what each asks for: its cost in a block is that of the samples' mean rate.
    Spatial rates are counted in whole patches; others are rounded to 1/1024.

    Parameters
    ----------
    rates
        Shape (samples, blocks), or (samples, stages).
    draws, seed
        Batches drawn with replacement when the batch is larger than 1, and the generator's seed.

    Raises
    ------
    InputError
        A network without residual blocks, several paradigms at once, or fewer draws than one.
    DataError
        Rates outside [0, 1] or NaN, or of another width.
    """
    if not isinstance(network, Network):
        name = getattr(network, "name", None) or type(network).__name__
        raise InputError(f"{name} has no residual blocks with rates of their own; give a residual network")
    if isinstance(paradigm, Joint) or paradigm == STATIC:
        raise InputError(f"rates per sample are those of one paradigm, not of {paradigm.label}")
    checked_draws(draws)
    cost = cost_model(model, profile, precision=precision, library=library)
    batch = checked_batch(batch, profile)
    per_block = _per_block(checked_rates(np.atleast_2d(rates), "rates"), network)
    samples = len(per_block)
    mean_rate = per_block.mean(axis=0, keepdims=True)
    if batch > 1:
        generator = np.random.default_rng(seed)
        drawn = np.stack([per_block[generator.integers(samples, size=batch)].mean(axis=0) for _ in range(draws)])
    else:
        drawn = per_block
    latencies = _latencies(network, paradigm, drawn, cost, batch)
    median, p95, p99 = (float(value) for value in np.percentile(latencies, (50, 95, 99)))
    return Distribution(
        batch=batch,
        samples=samples,
        draws=len(drawn),
        seed=seed if batch > 1 else None,
        mean_s=float(latencies.mean()),
        median_s=median,
        p95_s=p95,
        p99_s=p99,
        worst_s=float(latencies.max()),
        at_mean_rate_s=float(_latencies(network, paradigm, mean_rate, cost, batch)[0]),
        static_latency_s=_sum(lower(network, STATIC, kernels=cost.kernels).steps, cost, batch),
    )


def checked_draws(draws: int) -> int:
    """The number itself; raises InputError below 1 and for too many."""
    if not 1 <= draws <= MOST_DRAWS:
        raise InputError(f"draws must be from 1 to {MOST_DRAWS:,}, got {draws}")
    return draws


def _per_block(rates: NDArray[np.float64], network: Network) -> NDArray[np.float64]:
    """One column per block; columns of stages are repeated."""
    counts = network.blocks_per_stage
    check_width(rates, counts, "rates")
    return rates if rates.shape[1] == sum(counts) else np.repeat(rates, counts, axis=1)


def _latencies(
    network: Network, paradigm: Paradigm, rates: NDArray[np.float64], cost: CostModel, batch: int
) -> NDArray[np.float64]:
    """One latency per row of `rates`; equal blocks at equal rates are predicted once."""
    outside = [step for step in lower(network, paradigm.at_rates(1.0)).steps if step.block is None]
    total = np.full(len(rates), _sum(outside, cost, batch))
    counts = network.blocks_per_stage
    for placed in network.blocks:
        setting = paradigm.at_rates(1.0).for_block(placed.stage, placed.number, counts)
        asked, place = _distinct(rates[:, placed.number], setting, placed.block)
        total += curve(placed.block, cost, setting, asked, batch).latency_s[place]
    return total


def _sum(steps: Iterable[Step], cost: CostModel, batch: int) -> float:
    """Latency [s] of steps that run for every sample."""
    return sum((float(cost.step(step.operator, batch, 1.0).latency_s) for step in steps), 0.0)


def _distinct(
    rates: NDArray[np.float64], paradigm: Paradigm, block: Bottleneck
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The rates that need a prediction of their own, and which of them each sample has."""
    if not isinstance(paradigm, Spatial):
        return np.unique(np.round(rates / _RATE_STEP) * _RATE_STEP, return_inverse=True)
    S = cast(int, paradigm.S)
    # The first convolution of a strided block counts patches of the larger input map.
    maps = ((block.height, block.width), (block.out_height, block.out_width))
    counts = np.stack([active_patches(rates, patch_count(*size, S)) for size in maps])
    _, first, place = np.unique(counts, axis=1, return_index=True, return_inverse=True)
    return rates[first], place.ravel()
