"""A recommended granularity: the choice for every stage, the candidates it was made of, and choices nearby."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from latpred.errors import InputError
from latpred.notebook import Shown
from latpred.question import Answer, Asked
from latpred.report import Rival, kernels_in_words
from latpred.workloads.paradigms import spelled

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Candidate:
    """One granularity of one stage; latencies are for the whole batch [s].

    `margin` is its latency over the stage's best, minus 1. `granularity` is None for layer skipping, the alternative.
    """

    stage: int
    paradigm: str
    granularity: int | None
    rate: float
    latency_s: float
    static_latency_s: float
    ratio: float
    margin: float
    break_even_rate: float | None
    chosen: bool


@dataclass(frozen=True)
class Neighbour:
    """The choice at `rates`, per stage: those asked for, shifted within (0, 1]."""

    shift: float
    rates: tuple[float, ...]
    choice: tuple[int, ...]


@dataclass(frozen=True, repr=False)
class Recommendation(Answer, Shown):
    """The chosen granularity of every stage; made by `latpred.recommend_granularity`.

    Attributes
    ----------
    asked
        The network, the device, the cost model and the batch.
    paradigm
        spatial or channel.
    tolerance
        Latency over the best, minus 1, that counts as costing nothing.
    rates
        Activation rate of each stage.
    choice
        S [pixels] or G [channels] of each stage.
    candidates
        Every granularity that was tried, with its latency [s] for the whole batch.
    neighbours
        The choice at rates a little lower and higher.
    regret_p95
        Measured latency at an S chosen so over the least, minus 1: 95th percentile on shapes left out of the fit; None
        where that is not known.
    rival
        The same stages of the static network of the library that it is compared with; None where none was asked for.

    Examples
    --------
    >>> from latpred import recommend_granularity
    >>> recommend_granularity("resnet50", "v100", 0.6).text
    '8-4-7-1'
    """

    asked: Asked
    paradigm: str
    tolerance: float
    rates: tuple[float, ...]
    choice: tuple[int, ...]
    candidates: tuple[Candidate, ...]
    neighbours: tuple[Neighbour, ...]
    regret_p95: float | None = None
    rival: Rival | None = None

    @property
    def latency_s(self) -> float:
        """Of all stages at the granularity chosen [s]."""
        return sum(candidate.latency_s for candidate in self.candidates if candidate.chosen)

    @property
    def S(self) -> list[int]:
        """Patch edge per stage [pixels]; raises InputError for a channel recommendation."""
        return self._choice_of("spatial")

    @property
    def G(self) -> list[int]:
        """Channels per group, per stage; raises InputError for a spatial recommendation."""
        return self._choice_of("channel")

    def _choice_of(self, paradigm: str) -> list[int]:
        if self.paradigm != paradigm:
            raise InputError(f"this is a {self.paradigm} recommendation; it chooses no {paradigm} granularity")
        return list(self.choice)

    @property
    def static_is_faster(self) -> list[int]:
        """Stages, counted from 1, in which even the chosen granularity is slower than the static network."""
        return [candidate.stage for candidate in self.candidates if candidate.chosen and candidate.ratio > 1]

    @property
    def without_choice(self) -> list[int]:
        """Stages, counted from 1, in which no block can skip so; their 1 in the choice says nothing."""
        return sorted({*range(1, len(self.choice) + 1)} - {candidate.stage for candidate in self.candidates})

    @property
    def symbol(self) -> str:
        """S or G."""
        return "S" if self.paradigm == "spatial" else "G"

    @property
    def text(self) -> str:
        """As the papers write it, `8-4-7-1`."""
        return spelled(self.choice, whole=True)

    @property
    def table(self) -> pandas.DataFrame:
        """Every candidate, a row each."""
        import pandas

        frame = pandas.DataFrame([asdict(candidate) for candidate in self.candidates])
        return cast("pandas.DataFrame", frame.astype({"granularity": "Int64"}))

    @property
    def summary(self) -> str:
        """The choice, and for what it was made."""
        kernels = kernels_in_words(self.precision, self.library, self.like)
        about = f"{self.target} on {self.device}, batch {self.batch}, {self.model} model, {kernels}"
        return f"{self.symbol} = {self.text} for {about}"

    def to_frame(self) -> pandas.DataFrame:
        """Every candidate, a row each, as `table`."""
        return self.table

    def to_dict(self) -> dict[str, Any]:
        """Everything, in plain types: what `--format json` prints."""
        return {
            **self.asked.to_dict(),
            "paradigm": self.paradigm,
            self.symbol: list(self.choice),
            "text": self.text,
            "r": list(self.rates),
            "tolerance": self.tolerance,
            "static_is_faster": self.static_is_faster,
            "without_choice": self.without_choice,
            "regret_p95": self.regret_p95,
            **({"against": self.rival.to_dict(self.latency_s)} if self.rival else {}),
            "neighbours": [
                {
                    "shift": near.shift,
                    "r": list(near.rates),
                    self.symbol: list(near.choice),
                    "text": spelled(near.choice, whole=True),
                }
                for near in self.neighbours
            ],
            "candidates": [asdict(candidate) for candidate in self.candidates],
        }
