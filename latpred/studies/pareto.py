"""Accuracy against latency of trained settings: which of them no other beats on a device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latpred.devices.catalogue import load_profile
from latpred.devices.profile import HardwareProfile
from latpred.errors import DataError, InputError
from latpred.prediction import planned
from latpred.question import Target, ask, each_device
from latpred.records import joined
from latpred.studies.parallel import Progress
from latpred.studies.points import Point, read_points
from latpred.studies.sweep import FIGURES, sweep

if TYPE_CHECKING:
    import pandas

#: More devices are a slip of the pen.
MOST_DEVICES = 1000
#: What a device adds to a point, in order.
ADDED = ("device", "model", "batch", "precision", "library", "like", *FIGURES, "on_front")


def pareto(
    points: Path | str | pandas.DataFrame | Iterable[Mapping[str, Any]],
    profile: HardwareProfile | str | Path | Iterable[HardwareProfile | str | Path],
    *,
    batch: int | None = None,
    executor: Executor | None = None,
    progress: Progress | None = None,
    **how: Any,
) -> pandas.DataFrame:
    """Trained settings with their latencies on one or several devices, and whether they are on the front there.

    Parameters
    ----------
    points
        A CSV file, a data frame, or rows by name, with the columns name, network, paradigm, granularity, r, accuracy:
        the paradigm static, spatial, …, or a published method of the network; granularity and r a number, or several
        joined by `-`, one per stage or block; the more accuracy the better. Further columns are kept.
    profile
        The device; several give the points on each, one device after the other.
    batch
        Samples computed together; None takes each profile's default.
    executor
        Where latencies are predicted, a `concurrent.futures.Executor`; None is here.
    progress
        Called with (points done, points in all).
    how
        `model`, `precision` and what else `latpred.predict` takes to choose a model.

    Returns
    -------
    The points' columns and `ADDED`; times in seconds, for the whole batch unless `per_image`. A point is `on_front`
    where no other on the device is as accurate in less time, or more accurate in no more. `attrs["notes"]` of the frame
    is what `latpred.predict` notes, each sentence once.

    Raises
    ------
    DataError
        Every problem of the points, with row and column.
    InputError
        No device, or any error of `latpred.predict`.

    Examples
    --------
    >>> trained = {"network": "resnet50", "paradigm": "spatial", "granularity": "4-4-2-1"}
    >>> points = [trained | {"name": f"r = {r}", "r": r, "accuracy": 70 + 10 * r} for r in (0.3, 0.5)]
    >>> pareto(points, "tx2")[["name", "latency_s", "on_front"]].round(4).values.tolist()
    [['r = 0.3', 0.0094, True], ['r = 0.5', 0.012, True]]
    """
    import pandas

    read = read_points(points)
    given = each_device(profile, MOST_DEVICES)
    if not given:
        raise InputError("give a device at least: a profile, a name or a path, or several in a list")
    if len(given) > MOST_DEVICES:
        raise InputError(f"at most {MOST_DEVICES:,} devices are compared")
    profiles = [load_profile(one) for one in given]
    groups: dict[Target, list[int]] = {}
    for place, point in enumerate(read):
        groups.setdefault(point.target, []).append(place)
    _check(read, "" if not isinstance(points, Path | str) else f"{points}: ", profiles[0], batch, how)
    frames, notes, done = [], dict[str, None](), 0
    for target, places in groups.items():
        say = _shifted(progress, done * len(profiles), len(places) * len(profiles), len(read) * len(profiles))
        settings = [read[place].paradigm for place in places]
        found = sweep([target], profiles, settings, batches=[batch], executor=executor, progress=say, **how)
        notes.update(dict.fromkeys(found.attrs["notes"]))
        frames.append(
            found.assign(place=np.tile(places, len(profiles)), turn=np.repeat(range(len(profiles)), len(places)))
        )
        done += len(places)
    figures = pandas.concat(frames).sort_values(["turn", "place"], kind="stable", ignore_index=True)
    rows = pandas.DataFrame([point.row | {"accuracy": point.accuracy} for point in read] * len(profiles))
    fronts = figures.groupby("turn", sort=False)["latency_s"]
    accuracy = np.array([point.accuracy for point in read])
    figures["on_front"] = np.concatenate([on_front(latency, accuracy) for _, latency in fronts])
    frame = pandas.concat([rows.drop(columns=list(ADDED), errors="ignore"), figures[list(ADDED)]], axis=1)
    frame.attrs["notes"] = list(notes)
    return frame


def on_front(latency_s: ArrayLike, accuracy: ArrayLike) -> NDArray[np.bool_]:
    """Whether no other point is as accurate in less time, or more accurate in no more.

    >>> on_front([1.0, 2.0, 2.0, 3.0], [70.0, 75.0, 74.0, 75.0]).tolist()
    [True, True, False, False]
    """
    latencies, place = np.unique(np.asarray(latency_s, float), return_inverse=True)
    accuracies = np.asarray(accuracy, float)
    best = np.full(len(latencies), -np.inf)
    np.maximum.at(best, place, accuracies)
    faster = np.append(-np.inf, np.maximum.accumulate(best)[:-1])
    return np.asarray((accuracies == best[place]) & (accuracies > faster[place]))


def _check(read: list[Point], where: str, profile: Any, batch: int | None, how: dict[str, Any]) -> None:
    """Raise DataError for settings that do not fit their network, with the rows."""
    problems = []
    for number, point in enumerate(read, start=1):
        try:
            planned(ask(point.target, profile, batch=batch, **how), point.paradigm)
        except InputError as problem:
            problems.append(f"row {number}, {problem}")
    if problems:
        raise DataError(f"{where}{joined(problems)}")


def _shifted(progress: Progress | None, before: int, of_these: int, whole: int) -> Progress | None:
    """Progress of a part as that of the whole."""
    if progress is None:
        return None
    say = progress
    return lambda done, total: say(before + done * of_these // max(total, 1), whole)
