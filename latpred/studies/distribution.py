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
from latpred.question import ask, checked_paradigm
from latpred.records import numbers, whole_number
from latpred.units import duration, si
from latpred.workloads.networks import PlacedNetwork
from latpred.workloads.paradigms import Joint, Paradigm, Spatial
from latpred.workloads.rates import check_width, checked_rates

DEFAULT_DRAWS = 10_000
#: More draws say no more, and fill the memory.
MOST_DRAWS = 1_000_000
#: Samples, and rates of batches, that are drawn at most: some seconds.
MOST_DRAWN = 50_000_000
#: Time to draw a sample and add its rates, on one core [s].
_SAMPLE_S = 1e-7
#: Samples drawn at a time.
_PIECE = 1 << 16
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
    network: PlacedNetwork | str | Path,
    profile: HardwareProfile | str | Path,
    paradigm: Paradigm,
    rates: NDArray[np.float64],
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
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
        A network without residual blocks, several paradigms at once, no or too many draws, another kind of object.
    DataError
        Rates outside [0, 1] or NaN, or of another width.
    """
    asked = ask(network, profile, batch=batch, model=model, precision=precision, library=library, like=like)
    if not isinstance(asked.of, PlacedNetwork):
        raise InputError(f"{asked.target} has no residual blocks with rates of their own; give a residual network")
    if isinstance(checked_paradigm(paradigm), Joint) or paradigm == STATIC:
        raise InputError(f"rates per sample are those of one paradigm, not of {paradigm.label}")
    draws, seed = checked_draws(draws), whole_number(seed, "seed", 0, 10**18)
    per_block = _per_block(checked_rates(np.atleast_2d(numbers(rates, "rates")), "rates"), asked.of)
    drawn = per_block if asked.batch == 1 else _batches(per_block, asked.batch, draws, np.random.default_rng(seed))
    if not isinstance(paradigm, Spatial):
        drawn = np.round(drawn / _RATE_STEP) * _RATE_STEP
    found = latencies(asked, paradigm, drawn)
    median, p95, p99 = (float(value) for value in np.percentile(found, (50, 95, 99)))
    return Distribution(
        batch=asked.batch,
        samples=len(per_block),
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
    return whole_number(draws, "draws", 1, MOST_DRAWS)


def _batches(
    per_block: NDArray[np.float64], batch: int, draws: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """The mean rates of batches drawn from the samples, shape (draws, blocks); raises InputError for too many."""
    drawn = batch * draws
    if drawn > MOST_DRAWN:
        raise InputError(
            f"{draws:,} draws of a batch of {batch:,} are {drawn:.2g} samples, about {duration(drawn * _SAMPLE_S)}; at "
            f"most {MOST_DRAWN:,} are drawn: give fewer draws or a smaller batch"
        )
    if per_block.shape[1] * draws > MOST_DRAWN:
        size = si(8.0 * per_block.shape[1] * draws, "B")
        raise InputError(f"{draws:,} draws of the rates of {per_block.shape[1]:,} blocks are {size}; give fewer draws")
    return np.stack([_mean_of_batch(per_block, batch, generator) for _ in range(draws)])


def _mean_of_batch(per_block: NDArray[np.float64], batch: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """The mean rates of one batch; a large one is drawn in pieces, for its rows would fill the memory."""
    sizes = (min(_PIECE, batch - start) for start in range(0, batch, _PIECE))
    sums = (per_block[generator.integers(len(per_block), size=size)].sum(axis=0) for size in sizes)
    mean: NDArray[np.float64] = sum(sums, np.zeros(per_block.shape[1])) / batch
    return mean


def _per_block(rates: NDArray[np.float64], network: PlacedNetwork) -> NDArray[np.float64]:
    """One column per block; columns of stages are repeated."""
    counts = network.blocks_per_stage
    check_width(rates, counts, "rates")
    return rates if rates.shape[1] == sum(counts) else np.repeat(rates, counts, axis=1)
