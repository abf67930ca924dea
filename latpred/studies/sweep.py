"""Many predictions as one tidy table: targets × devices × batches × paradigms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import islice, product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latpred.devices.profile import HardwareProfile
from latpred.errors import GranularityError, InputError
from latpred.prediction import band_of_curve, curve, notes_of
from latpred.question import Target, ask
from latpred.records import Record
from latpred.wording import listed, quoted
from latpred.workloads.operators import Operator
from latpred.workloads.paradigms import RATES, Joint, Paradigm, Static, spelled

if TYPE_CHECKING:
    import pandas

#: Columns of a sweep, in order; `granularity` is spelled as in `4-4-2-1` where it differs per stage, and as in `4+2`
#: where several paradigms have one; `options` are the settings that have no column of their own.
COLUMNS = (
    "target",
    "device",
    "model",
    "paradigm",
    "granularity",
    "options",
    "r",
    "batch",
    "precision",
    "library",
    "latency_s",
    "latency_low_s",
    "latency_high_s",
    "latency_per_image_s",
    "static_latency_s",
    "ratio",
    "macs",
    "macs_ratio",
)
#: More rows at once are a slip of the pen.
MOST_ROWS = 1_000_000
#: Memory of a row while a sweep is made, measured at a million rows.
_ROW_BYTES = 1_500


def grid(
    paradigm: type[Paradigm], *, r: float | Iterable[float], granularity: int | Iterable[int | Sequence[int]] = ()
) -> list[Paradigm]:
    """Every combination of granularity and rate of one paradigm.

    >>> from latpred import Layer, Spatial
    >>> [str(setting) for setting in grid(Spatial, granularity=[1, 4], r=[0.5])]
    ['spatial(S=1, r=0.5)', 'spatial(S=4, r=0.5)']
    >>> [str(setting) for setting in grid(Layer, r=[0.5, 1.0])]
    ['layer(r=0.5)', 'layer(r=1)']

    Raises
    ------
    InputError
        A paradigm without a rate of its own; a granularity for one that has none, or none for one that needs it; a
        setting that is none; more than `MOST_ROWS` of them.
    """
    if not isinstance(paradigm, type) or not issubclass(paradigm, Paradigm) or issubclass(paradigm, Joint | Static):
        name = getattr(paradigm, "__name__", quoted(paradigm))
        raise InputError(f"a grid is over Spatial, Channel, Layer, Token or Head skipping, not {name}")
    field = paradigm.granularity_field
    rates, sizes = _all(r, "rates"), _all(granularity, "granularities")
    if sizes and not field:
        raise InputError(f"{paradigm.name} skipping has no granularity; leave it out")
    if not sizes and field and paradigm.model_fields[field].is_required():
        raise InputError(f"{paradigm.name} skipping needs a granularity, {field}")
    check_size(granularities=len(sizes) or 1, rates=len(rates))
    settings = [{field: size} for size in sizes] if field and sizes else [{}]
    return [paradigm(**{**setting, "r": rate}) for setting, rate in product(settings, rates)]


def check_size(**counts: int) -> None:
    """Raise InputError where the product of counts, by what they are of, is more rows than a sweep has at most."""
    rows = prod(counts.values())
    if rows > MOST_ROWS:
        of = " × ".join(f"{count:,} {name}" for name, count in counts.items() if count > 1)
        size = f"{rows * _ROW_BYTES / 1e9:,.0f} GB"
        raise InputError(f"{of} are {rows:,} predictions, about {size}; at most {MOST_ROWS:,} at once")


#: What stands for itself alone, although some of it can be iterated over.
_ALONE = (str, Path, Record, Operator, int, float)


def _all(given: Any, what: str) -> list[Any]:
    """What an iterable gives, however long it is, or one thing alone; raises InputError for anything else."""
    if isinstance(given, _ALONE):
        return [given]
    if not isinstance(given, Iterable):
        raise InputError(f"{what} come in a list, got {quoted(given)}")
    found = list(islice(given, MOST_ROWS + 1))
    if len(found) > MOST_ROWS:
        raise InputError(f"more than {MOST_ROWS:,} {what} are given; make it several sweeps")
    return found


def sweep(
    targets: Target | str | Path | Iterable[Target | str | Path],
    profiles: HardwareProfile | str | Path | Iterable[HardwareProfile | str | Path],
    paradigms: Paradigm | Iterable[Paradigm],
    *,
    batches: int | Iterable[int | None] = (None,),
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> pandas.DataFrame:
    """One prediction per target, device, batch and paradigm, in that order; paradigms in the order given.

    Paradigms that differ only in a single rate are predicted together, so a sweep over r costs one search. Where a
    paradigm has a rate per stage or block, the column r holds their mean, and `options` the rates. What does not fit a
    target's maps or channels is left out.

    Parameters
    ----------
    targets, profiles
        Records, names or paths; one alone needs no list.
    paradigms
        Settings to predict, e.g. from `grid`, or one.
    batches
        Batch sizes; None is the device's default.
    progress
        Called with (curves done, curves in all).

    Returns
    -------
    A frame with the columns `COLUMNS`; times in seconds, for the whole batch unless `per_image`. `latency_low_s` and
    `latency_high_s` are the 80 % band, NaN where it is not known. `attrs["notes"]` of the frame is a list of sentences:
    what was left out, and what `latpred.predict` notes, each once.

    Raises
    ------
    InputError
        An empty sweep, one of more than `MOST_ROWS` rows, one in which nothing fits, or any error of `latpred.predict`.

    Examples
    --------
    >>> from latpred import Spatial
    >>> frame = sweep(["r50-stage1"], ["v100", "tx2"], grid(Spatial, granularity=[1, 4], r=[0.5]))
    >>> frame[["device", "granularity", "ratio"]].round(3).values.tolist()
    [['v100', 1, 1.674], ['v100', 4, 0.846], ['tx2', 1, 0.73], ['tx2', 4, 0.699]]
    """
    import pandas

    targets, profiles = _all(targets, "targets"), _all(profiles, "devices")
    sizes, settings = _all(batches, "batches"), _all(paradigms, "paradigms")
    check_size(targets=len(targets), devices=len(profiles), batches=len(sizes), settings=len(settings))
    lines = _lines(settings)
    questions = [
        ask(target, profile, batch=batch, model=model, precision=precision, library=library)
        for target, profile, batch in product(targets, profiles, sizes)
    ]
    points = list(product(questions, lines))
    if not points:
        raise InputError("the sweep is empty: give at least one target, device, paradigm, rate and batch")
    parts, left_out, notes = [], _LeftOut(), dict[str, None]()
    batches_of: dict[str, dict[int, None]] = {}
    for asked in questions:
        batches_of.setdefault(asked.profile.name, {})[asked.batch] = None
    for done, (asked, line) in enumerate(points):
        if progress:
            progress(done, len(points))
        try:
            found = curve(asked, line.paradigm, line.rates)
        except GranularityError as problem:
            left_out.add(line.paradigm, asked.target, problem)
            continue
        band = band_of_curve(asked, line.paradigm, line.rates)
        notes.update(dict.fromkeys(notes_of(asked, line.paradigm, tuple(batches_of[asked.profile.name]))))
        parts.append(
            {
                **asked.to_dict(),
                "paradigm": line.paradigm.label,
                "granularity": _granularity(line.paradigm),
                "options": _options(line.paradigm, common_rate=line.rates is not None),
                "r": _rates_of(line.paradigm) if line.rates is None else line.rates,
                "latency_s": found.latency_s,
                "latency_low_s": found.latency_s * band.low if band else np.nan,
                "latency_high_s": found.latency_s * band.high if band else np.nan,
                "latency_per_image_s": found.latency_s / asked.batch,
                "static_latency_s": found.static_latency_s,
                "ratio": found.latency_s / found.static_latency_s,
                "macs": found.macs,
                "macs_ratio": found.macs / found.static_macs,
                "place": done // len(lines) * len(settings) + np.array(line.places),
            }
        )
    if progress:
        progress(len(points), len(points))
    said = [*left_out.notes(nothing_left=not parts), *notes]
    order = np.argsort(_column(parts, "place"), kind="stable")
    frame: pandas.DataFrame = pandas.DataFrame({column: _column(parts, column)[order] for column in COLUMNS})
    frame.attrs["notes"] = said
    return frame


class _Line(NamedTuple):
    """Paradigms that differ only in a single rate, with their `rates` and places in the order given; or one, None."""

    paradigm: Paradigm
    rates: NDArray[np.float64] | None
    places: list[int]


def _lines(paradigms: Collection[Paradigm]) -> list[_Line]:
    lines: dict[Paradigm, list[tuple[int, float | None]]] = {}
    for place, paradigm in enumerate(paradigms):
        if not isinstance(paradigm, Paradigm):
            raise InputError(f"a paradigm is one of latpred.Spatial(S=4, r=0.5) and its like, not {quoted(paradigm)}")
        single = isinstance(paradigm.rate, float | int)
        key = paradigm.at_rates(1.0) if single else paradigm
        lines.setdefault(key, []).append((place, float(paradigm.rate) if single else None))
    found = []
    for paradigm, entries in lines.items():
        places, rates = zip(*entries, strict=True)
        if rates[0] is None:
            found += [_Line(paradigm, None, [place]) for place in places]
        else:
            found.append(_Line(paradigm, np.array(rates), list(places)))
    return found


class _LeftOut:
    """Settings that do not fit a target."""

    def __init__(self) -> None:
        self.problem: GranularityError | None = None
        self.settings: dict[str, dict[str, None]] = {}

    def add(self, paradigm: Paradigm, target: str, problem: GranularityError) -> None:
        """One that does not fit, and what was said of it."""
        self.problem = self.problem or problem
        self.settings.setdefault(target, {})[paradigm.text(rates=False)] = None

    def notes(self, *, nothing_left: bool) -> list[str]:
        """One sentence, where there is anything to say; where nothing else is left, the problem is raised."""
        if self.problem and nothing_left:
            raise self.problem
        what = [f"{listed(settings)} of {target}" for target, settings in self.settings.items()]
        return [f"left out, as they do not fit: {'; '.join(what)}"] if what else []


def _granularity(paradigm: Paradigm) -> Any:
    """A number, text as in `4-4-2-1` or `4+2`, or None."""
    sizes = [part.granularity for part in paradigm.parts if part.granularity is not None]
    if len(sizes) == 1 and not isinstance(sizes[0], tuple):
        return sizes[0]
    return "+".join(spelled(size, whole=True) for size in sizes) or None


def _options(paradigm: Paradigm, *, common_rate: bool) -> str:
    """The settings that the columns granularity and r do not say."""
    texts = []
    for part in paradigm.parts:
        known = {part.granularity_field or "", *(RATES if common_rate else ())}
        text = part.settings_text(leave_out=known, whole=True)
        if text:
            texts.append(f"{part.name}({text})" if len(paradigm.parts) > 1 else text)
    return " + ".join(texts)


def _rates_of(paradigm: Paradigm) -> NDArray[np.float64]:
    """What the column r says of a paradigm with several rates: their mean over stages or blocks, or NaN."""
    rate = paradigm.rate
    return np.array([np.nan if rate is None else np.mean(rate)])


def _column(parts: list[dict[str, Any]], column: str) -> NDArray[Any]:
    """One column over all curves, single values repeated for each rate of their curve."""
    return np.concatenate([np.full(len(part["r"]), part[column]) for part in parts])
