"""Many predictions as one tidy table: targets × devices × batches × paradigms."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import Executor
from itertools import islice, product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latpred.devices.profile import HardwareProfile
from latpred.errors import GranularityError, InputError
from latpred.prediction import band_of_curve, curve, notes_of, rival_of
from latpred.question import Asked, Target, ask
from latpred.records import Record
from latpred.studies.parallel import Progress, answers
from latpred.wording import listed, quoted
from latpred.workloads.operators import Operator
from latpred.workloads.paradigms import RATES, Joint, Paradigm, Static, spelled

if TYPE_CHECKING:
    import pandas

#: What is predicted of a setting.
FIGURES = (
    "latency_s",
    "latency_low_s",
    "latency_high_s",
    "latency_per_image_s",
    "static_latency_s",
    "ratio",
    "macs",
    "macs_ratio",
)
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
    "like",
    *FIGURES,
)
#: Further columns of a sweep that is compared with another library's static network.
AGAINST_COLUMNS = ("against", "against_latency_s", "against_ratio")
#: More rows at once are a slip of the pen.
MOST_ROWS = 1_000_000
#: Most settings with several rates each that are predicted together, which takes memory for each of their blocks.
MOST_AT_ONCE = 500
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
    like: HardwareProfile | str | Path | None = None,
    against: str | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
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
    against
        As of `latpred.predict`.
    progress
        Called with (curves done, curves in all).
    executor
        Where curves are predicted, a `concurrent.futures.Executor` of processes or a cluster; None is here. Rows are
        the same, bit for bit, and in the same order.

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
        ask(target, profile, batch=batch, model=model, precision=precision, library=library, like=like, against=against)
        for target, profile, batch in product(targets, profiles, sizes)
    ]
    points = list(product(questions, lines))
    if not points:
        raise InputError("the sweep is empty: give at least one target, device, paradigm, rate and batch")
    batches_of: dict[str, dict[int, None]] = {}
    for asked in questions:
        batches_of.setdefault(asked.profile.name, {})[asked.batch] = None
    arguments = [(asked, line, tuple(batches_of[asked.profile.name])) for asked, line in points]
    parts, left_out, notes = [], _LeftOut(), dict[str, None]()
    for number, found in enumerate(answers(_predicted, arguments, executor=executor, progress=progress)):
        asked, line = points[number]
        if isinstance(found, GranularityError):
            left_out.add(line.paradigm, asked.target, found)
            continue
        columns, said = found
        notes.update(dict.fromkeys(said))
        parts.append(columns | {"place": number // len(lines) * len(settings) + np.array(line.places)})
    left = left_out.notes(nothing_left=not parts)
    order = np.argsort(_column(parts, "place"), kind="stable")
    names = (*COLUMNS, *AGAINST_COLUMNS) if against else COLUMNS
    frame: pandas.DataFrame = pandas.DataFrame({name: _column(parts, name)[order] for name in names})
    frame.attrs["notes"] = [*left, *notes]
    return frame


class _Line(NamedTuple):
    """Paradigms that differ only in their rates, with these, one each or a row, and places in the order given.

    A paradigm without a rate, or with several parts that differ in theirs, stands alone, its rates are None.
    """

    paradigm: Paradigm
    rates: NDArray[np.float64] | None
    places: list[int]


def _predicted(
    asked: Asked, line: _Line, batches: tuple[int, ...]
) -> tuple[dict[str, Any], tuple[str, ...]] | GranularityError:
    """The columns of a line and its notes, for all batches on the device; or why it does not fit the target."""
    try:
        found = curve(asked, line.paradigm, line.rates)
    except GranularityError as problem:
        return problem
    band, rival = band_of_curve(asked, line.paradigm, line.rates), rival_of(asked)
    columns = {
        **asked.to_dict(),
        "paradigm": line.paradigm.label,
        "granularity": _granularity(line.paradigm),
        "options": _options_of(line),
        "r": _rates_of(line),
        "latency_s": found.latency_s,
        "latency_low_s": found.latency_s * band.low if band else np.nan,
        "latency_high_s": found.latency_s * band.high if band else np.nan,
        "latency_per_image_s": found.latency_s / asked.batch,
        "static_latency_s": found.static_latency_s,
        "ratio": found.latency_s / found.static_latency_s,
        "macs": found.macs,
        "macs_ratio": found.macs / found.static_macs,
    }
    if rival:
        ratio = found.latency_s / rival.latency_s
        columns |= dict(zip(AGAINST_COLUMNS, (rival.library, rival.latency_s, ratio), strict=True))
    return columns, notes_of(asked, line.paradigm, batches)


def _lines(paradigms: Collection[Paradigm]) -> list[_Line]:
    lines: dict[Any, list[tuple[int, Paradigm]]] = {}
    for place, paradigm in enumerate(paradigms):
        if not isinstance(paradigm, Paradigm):
            raise InputError(f"a paradigm is one of latpred.Spatial(S=4, r=0.5) and its like, not {quoted(paradigm)}")
        rate = paradigm.rate
        key = paradigm if rate is None else (paradigm.at_rates(1.0), np.size(rate) if isinstance(rate, tuple) else 0)
        lines.setdefault(key, []).append((place, paradigm))
    found = []
    for entries in lines.values():
        places, alike = zip(*entries, strict=True)
        paradigm, rate = alike[0], alike[0].rate
        if rate is None:
            found += [_Line(paradigm, None, [place]) for place in places]
            continue
        size = MOST_AT_ONCE if isinstance(rate, tuple) else len(alike)
        for start in range(0, len(alike), size):
            rates = np.array([one.rate for one in alike[start : start + size]], dtype=float)
            found.append(_Line(paradigm.at_rates(1.0), rates, list(places[start : start + size])))
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


def _options_of(line: _Line) -> Any:
    """What the column options says; where the rates are several, they are among what it says."""
    if line.rates is None or line.rates.ndim == 1:
        return _options(line.paradigm, common_rate=line.rates is not None)
    return [_options(line.paradigm.at_rates(tuple(row)), common_rate=False) for row in line.rates.tolist()]


def _rates_of(line: _Line) -> NDArray[np.float64]:
    """What the column r says: the rate, of several over stages or blocks their mean, or NaN where there is none."""
    if line.rates is None:
        return np.array([np.nan])
    return line.rates if line.rates.ndim == 1 else np.array([np.mean(row) for row in line.rates])


def _column(parts: list[dict[str, Any]], column: str) -> NDArray[Any]:
    """One column over all curves, single values repeated for each rate of their curve."""
    return np.concatenate([np.full(len(part["r"]), part[column]) for part in parts])
