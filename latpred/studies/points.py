"""Trained settings with their accuracies: read from a file or a table, and checked row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from itertools import islice
from math import isfinite, isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from latpred.errors import DataError, InputError, LatpredError
from latpred.files import read_text
from latpred.question import Target, named_target
from latpred.records import joined
from latpred.wording import did_you_mean, quoted, unknown
from latpred.workloads.catalogue import list_presets, load_preset
from latpred.workloads.paradigms import SINGLE, Joint, Paradigm, Static

if TYPE_CHECKING:
    import pandas

#: What every point has; further columns are kept as they are.
COLUMNS = ("name", "network", "paradigm", "granularity", "r", "accuracy")
#: More points are none that a person trained.
MOST_POINTS = 100_000


class Point(NamedTuple):
    """A trained setting: its target, what is skipped, and its accuracy; `row` is what the table says of it."""

    target: Target
    paradigm: Paradigm
    accuracy: float
    row: dict[str, Any]


class _Cell(Exception):
    """A column, and what is wrong in it."""


def read_points(points: Path | str | pandas.DataFrame | Iterable[Mapping[str, Any]]) -> list[Point]:
    """The points of a CSV file, a frame or rows, with the columns `COLUMNS`.

    `paradigm` is static, spatial, channel and so on, several joined with +, or a published method of the network, which
    has its own granularity. Granularity and r are a number, or several joined by - (a list in a row), one per stage or
    block; several paradigms have their granularities joined with +.

    Raises
    ------
    DataError
        Every problem, with row and column, rows counted from 1 below the header.
    """
    import pandas

    where: str = ""
    rows: list[Any]
    if isinstance(points, Path | str):
        where, rows = f"{points}: ", _rows(Path(points))
    elif isinstance(points, pandas.DataFrame):
        rows = points.to_dict("records")
    else:
        rows = list(islice(points, MOST_POINTS + 1)) if isinstance(points, Iterable) else [points]
        if not all(isinstance(row, Mapping) for row in rows):
            raise InputError(f"points are a CSV file, a data frame or rows by name, got {quoted(points)}")
    if not rows:
        raise DataError(f"{where}has no points; give a row for each, with the columns {', '.join(COLUMNS)}")
    if len(rows) > MOST_POINTS:
        raise DataError(f"{where}has more than {MOST_POINTS:,} points")
    missing = [name for name in COLUMNS if name not in rows[0]]
    if missing:
        others = [str(name) for name in rows[0] if name not in COLUMNS]
        hints = "".join(did_you_mean(name, others).replace("did you mean", "is that") for name in missing[:1])
        raise DataError(f"{where}column {missing[0]} is missing{hints}; the columns are {', '.join(COLUMNS)}")
    found, problems, targets = list[Point](), [], dict[str, Target]()
    for number, row in enumerate(rows, start=1):
        try:
            found.append(_point({str(name): _plain(value) for name, value in row.items()}, targets))
        except _Cell as problem:
            problems.append(f"row {number}, {problem}")
    if problems:
        raise DataError(f"{where}{joined(problems)}")
    return found


def _rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a CSV file by the names in its first line."""
    lines = csv.DictReader(read_text(path).splitlines(), restkey="", strict=True)
    try:
        rows = list(lines)
    except csv.Error as error:
        raise DataError(f"{path}: is no CSV: {error}") from None
    names = lines.fieldnames or []
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path}: column {quoted(twice)} is there twice")
    for number, row in enumerate(rows, start=1):
        if "" in row:
            raise DataError(f"{path}: row {number} has more cells than the header's {len(names)}")
    return rows


def _plain(value: Any) -> Any:
    """A cell without NumPy's types, None where it is empty."""
    value = value.item() if hasattr(value, "item") else value.strip() if isinstance(value, str) else value
    empty = value == "" or (isinstance(value, float) and isnan(value))
    return None if empty else tuple(value) if isinstance(value, list) else value


def _point(row: dict[str, Any], targets: dict[str, Target]) -> Point:
    name, accuracy = row["network"], row["accuracy"]
    if row["name"] is None:
        raise _Cell("name: missing")
    if name is None:
        raise _Cell("network: missing")
    try:
        target = targets[name] if name in targets else targets.setdefault(name, named_target(name))
    except (LatpredError, TypeError) as error:
        raise _Cell(f"network: {error}") from None
    if accuracy is None:
        raise _Cell("accuracy: missing")
    found = _numbers("accuracy", accuracy)
    if len(found) != 1 or not isfinite(found[0]):
        raise _Cell(f"accuracy: must be a finite number, got {quoted(accuracy)}")
    return Point(target, _paradigm(row, target), found[0], row)


def _paradigm(row: dict[str, Any], target: Target) -> Paradigm:
    name = Static.name if row["paradigm"] is None else str(row["paradigm"])
    if name == Static.name:
        for column in ("granularity", "r"):
            if row[column] is not None:
                raise _Cell(f"{column}: a static network has none; leave it empty")
        return Static()
    paradigm = _unrated(name, row["granularity"], target)
    if row["r"] is None:
        raise _Cell(f"r: missing; give the activation rate of {name} skipping")
    rates = _numbers("r", row["r"])
    for rate in rates:
        if not 0 <= rate <= 1:
            raise _Cell(f"r: must be from 0 to 1, got {rate:g}")
    return paradigm.at_rates(rates[0] if len(rates) == 1 else rates)


def _unrated(name: str, granularity: Any, target: Target) -> Paradigm:
    """What a name and a granularity mean, at rate 1."""
    parts, on = name.split("+"), f"-{getattr(target, 'name', '')}"
    methods = [preset.removesuffix(on) for preset in list_presets() if preset.endswith(on)]
    if name in methods:
        if granularity is not None:
            raise _Cell(f"granularity: {name} has its own; leave it empty")
        return load_preset(f"{name}{on}").preset.paradigm
    if not set(parts) <= set(SINGLE):
        wrong = next(part for part in parts if part not in SINGLE)
        known = (Static.name, *SINGLE, *methods)
        raise _Cell(f"paradigm: {unknown('paradigm', wrong, known, 'several joined with +')}")
    kinds = [SINGLE[part] for part in parts]
    fields = [kind.granularity_field for kind in kinds if kind.granularity_field]
    texts = granularity.split("+") if isinstance(granularity, str) else [granularity]
    if len(texts) != max(len(fields), 1) or (not fields and granularity is not None):
        raise _Cell(f"granularity: {name} takes {' + '.join(fields) or 'none'}, got {quoted(granularity)}")
    if granularity is None and "S" in fields:
        raise _Cell("granularity: missing; give the patch edge S of spatial skipping")
    sizes = {field: _sizes(text) for field, text in zip(fields, texts, strict=False) if text is not None}
    made = [
        kind(r=1.0, **{field: sizes[field] for field in (kind.granularity_field,) if field in sizes}) for kind in kinds
    ]
    try:
        return made[0] if len(made) == 1 else Joint(*made)
    except InputError as error:
        raise _Cell(f"paradigm: {error}") from None


def _sizes(cell: Any) -> int | tuple[int, ...]:
    sizes = _numbers("granularity", cell)
    for size in sizes:
        if not (size.is_integer() and size >= 1):
            raise _Cell(f"granularity: must be whole numbers from 1, got {quoted(cell)}")
    return int(sizes[0]) if len(sizes) == 1 else tuple(map(int, sizes))


def _numbers(column: str, cell: Any) -> tuple[float, ...]:
    """A number, or several joined by - or in a list."""
    try:
        return (float(cell),)
    except (TypeError, ValueError):
        pass
    parts = cell.split("-") if isinstance(cell, str) else cell
    try:
        return tuple(float(part) for part in parts)
    except (TypeError, ValueError):
        raise _Cell(f"{column}: must be a number, or several joined by -, got {quoted(cell)}") from None
