"""Latency over samples that differ: quantiles, batches of mixed samples, and the error of using the mean rate."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latpred.curves import latencies
from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.prediction import STATIC, static_rows
from latpred.question import ask
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
    network: Network | str | Path,
    profile: HardwareProfile | str | Path,
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
    asked = ask(network, profile, batch=batch, model=model, precision=precision, library=library)
    if not isinstance(asked.of, Network):
        raise InputError(f"{asked.target} has no residual blocks with rates of their own; give a residual network")
    if isinstance(paradigm, Joint) or paradigm == STATIC:
        raise InputError(f"rates per sample are those of one paradigm, not of {paradigm.label}")
    checked_draws(draws)
    per_block = _per_block(checked_rates(np.atleast_2d(rates), "rates"), asked.of)
    samples = len(per_block)
    if asked.batch > 1:
        generator = np.random.default_rng(seed)
        size = asked.batch
        drawn = np.stack([per_block[generator.integers(samples, size=size)].mean(axis=0) for _ in range(draws)])
    else:
        drawn = per_block
    if not isinstance(paradigm, Spatial):
        drawn = np.round(drawn / _RATE_STEP) * _RATE_STEP
    found = latencies(asked, paradigm, drawn)
    median, p95, p99 = (float(value) for value in np.percentile(found, (50, 95, 99)))
    return Distribution(
        batch=asked.batch,
        samples=samples,
        draws=len(drawn),
        seed=seed if asked.batch > 1 else None,
        mean_s=float(found.mean()),
        median_s=median,
        p95_s=p95,
        p99_s=p99,
        worst_s=float(found.max()),
        at_mean_rate_s=float(latencies(asked, paradigm, per_block.mean(axis=0, keepdims=True))[0]),
        static_latency_s=sum(row.latency_s for row in static_rows(asked)),
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
