"""The answer to what fits into a latency: the options, the static target beside them, and what was tried."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from latpred.notebook import Shown
from latpred.question import Answer, Asked
from latpred.report import Report, kernels_in_words
from latpred.studies.budget.candidates import Floats
from latpred.studies.budget.search import counted_s
from latpred.units import seconds
from latpred.workloads.paradigms import Paradigm, spelled

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Option:
    """A setting, with what it takes and what it keeps.

    Attributes
    ----------
    way
        The paradigm by name; with its granularity where that was not to choose.
    report
        Its prediction.
    limit_s
        What its batch may take [s].

    Examples
    --------
    >>> from latpred import budget
    >>> best = budget("resnet50", "tx2", latency_s=0.010).best
    >>> best.r, best.batch, round(best.images_per_second)
    (0.5, 1, 101)
    """

    way: str
    report: Report
    limit_s: float

    @property
    def paradigm(self) -> Paradigm:
        """What is skipped, how finely, and at which rate."""
        return self.report.paradigm

    @property
    def r(self) -> float | tuple[float, ...] | None:
        """The rate, or one of each stage; None of the static target."""
        rate: float | tuple[float, ...] | None = self.paradigm.rate
        return rate

    @property
    def batch(self) -> int:
        """Samples computed together."""
        return self.report.batch

    @property
    def latency_s(self) -> float:
        """ℓ_dyn: the whole batch [s]."""
        return self.report.latency_s

    @property
    def images_per_second(self) -> float:
        """Samples that are computed in a second."""
        return self.batch / self.latency_s

    @property
    def macs(self) -> float:
        """Multiply-adds of the whole batch, as counted on paper."""
        return self.report.macs

    @property
    def macs_ratio(self) -> float | None:
        """Multiply-adds kept, over those of the static target; None for a target without any."""
        return self.report.macs_ratio

    def to_dict(self) -> dict[str, Any]:
        """The setting and its figures, in plain types."""
        return {
            "paradigm": self.paradigm.to_dict(),
            "r": list(self.r) if isinstance(self.r, tuple) else self.r,
            "model": self.report.model,
            "batch": self.batch,
            "latency_budget_s": self.limit_s,
            "latency_s": self.latency_s,
            "latency_low_s": self.report.latency_low_s,
            "latency_high_s": self.report.latency_high_s,
            "latency_per_image_s": self.report.latency_per_image_s,
            "images_per_second": self.images_per_second,
            "ratio": self.report.ratio,
            "macs": self.macs,
            "macs_ratio": self.macs_ratio,
        }


class Tried(NamedTuple):
    """A paradigm at every rate, with the fastest granularity there; latencies of a batch [s]."""

    paradigm: str
    batch: int
    r: Floats
    granularity: list[str]
    latency_s: Floats
    macs: Floats
    macs_ratio: Floats


@dataclass(frozen=True, repr=False)
class Budget(Answer, Shown):
    """What fits into a latency on a device; made by `latpred.budget`.

    Attributes
    ----------
    asked
        The target, the device, the cost model, and the batch of the static target.
    latency_budget_s, images_per_second_budget
        What a batch may take [s], and how many images must be computed in a second; None where it was not asked for.
    sure
        Whether the upper end of the 80 % band must fit.
    options
        Of each paradigm the setting that fits, in order of the multiply-adds they keep; none where nothing fits.
    static
        The target without skipping.
    fastest
        The fastest setting, where there are no options; else None.
    notes
        What was left out, and what the predictions note.
    tried
        Every paradigm at every rate.
    elsewhere
        The same options on the other devices that were asked for.

    Examples
    --------
    >>> from latpred import budget
    >>> answer = budget("resnet50", "tx2", latency_s=0.010)
    >>> [str(option.paradigm) for option in answer.options], answer.static_fits
    (['layer(r=0.5)', 'channel(G=1-1-2-2, r=0.56)', 'spatial(S=2-2-1-1, r=0.34)'], False)
    """

    asked: Asked
    latency_budget_s: float | None
    images_per_second_budget: float | None
    sure: bool
    options: tuple[Option, ...]
    static: Option
    fastest: Option | None
    notes: tuple[str, ...]
    tried: tuple[Tried, ...]
    elsewhere: tuple[Budget, ...] = ()

    @property
    def best(self) -> Option | None:
        """The option that keeps most multiply-adds; None where nothing fits."""
        return self.options[0] if self.options else None

    @property
    def limit_s(self) -> float:
        """What a batch of the static target may take [s]."""
        return self.static.limit_s

    @property
    def static_fits(self) -> bool:
        """Whether the target fits without skipping."""
        return counted_s(self.static.report, self.sure) <= self.limit_s

    @property
    def table(self) -> pandas.DataFrame:
        """Every paradigm at every rate, with the fastest granularity there; latencies of a batch [s]."""
        import pandas

        frames = [pandas.DataFrame(one._asdict()) for one in self.tried]
        return pandas.concat(frames, ignore_index=True) if frames else pandas.DataFrame(columns=Tried._fields)

    @property
    def summary(self) -> str:
        """What was asked, and the best option."""
        kernels = kernels_in_words(self.precision, self.library, self.like)
        best = f"{self.best.paradigm}, {seconds(self.best.latency_s)}" if self.best else "nothing fits"
        about = f"{self.target} on {self.device}, batch {self.batch}, {self.model} model, {kernels}"
        return f"{about}, within {seconds(self.limit_s)}: {best}"

    def to_frame(self) -> pandas.DataFrame:
        """A row per option, as in `rows`."""
        import pandas

        return pandas.DataFrame(self.rows())

    def rows(self) -> list[dict[str, Any]]:
        """The question and an option each, in plain types, the paradigm and several rates in words."""
        words = [
            {"paradigm": option.paradigm.text(rates=False), "r": spelled(option.r, whole=True)}
            for option in self.options
        ]
        return [
            {**self.asked.to_dict(), **option.to_dict(), **say} for option, say in zip(self.options, words, strict=True)
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the tables, in plain types: what `--format json` prints."""
        return {
            **self.asked.to_dict(),
            "latency_budget_s": self.limit_s,
            "images_per_second_budget": self.images_per_second_budget,
            "sure": self.sure,
            "static_latency_s": self.static.latency_s,
            "static_macs": self.static.macs,
            "static_fits": self.static_fits,
            "best": self.best.to_dict() if self.best else None,
            "options": [option.to_dict() for option in self.options],
            "fastest": self.fastest.to_dict() if self.fastest else None,
            "notes": list(self.notes),
        }
