"""The measurement file: a CSV with a row per operator or block that was timed; its columns are in `columns`.

Shapes, rates and settings are the fields of the operator or block and its paradigm, empty where it has none; times are
SI. Files from before `NEWER_COLUMNS` read on: what is missing is the default.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, TextIO

from latpred.devices.profile import HardwareProfile
from latpred.errors import DataError, InputError
from latpred.files import whole_file
from latpred.measuring.cells import number_in, record_of
from latpred.measuring.columns import (
    BLOCKS,
    COLUMNS,
    LAYER_COLUMNS,
    NEWER_COLUMNS,
    PARADIGMS,
    SETTING_COLUMNS,
    SHAPE_COLUMNS,
    TARGETS,
    VERSION,
    MeasuredTarget,
)
from latpred.precision import known_precision
from latpred.wording import did_you_mean, quoted, unknown
from latpred.workloads import operators as op
from latpred.workloads.lowering import KERNELS, Step
from latpred.workloads.paradigms import Paradigm, Static

#: Bytes of a file, unpacked: more than any GPU measures in a month.
MOST_BYTES = 16 << 20
#: A larger batch is a slip of the pen.
MOST_SAMPLES = 10**9
#: Letters of a device's name that are enough to be found in a profile's title.
_LEAST_LETTERS = 3


@dataclass(frozen=True)
class Measurement:
    """One row: what was timed, how, and for how long (for the whole batch)."""

    target: MeasuredTarget
    paradigm: Paradigm
    batch: int
    precision: str
    library: str
    seconds: float
    device: str
    #: What the host takes to call the operator once, in eager PyTorch [s].
    host_s: float | None = None

    @cached_property
    def shape(self) -> tuple[Any, ...]:
        """What is held out together: a target's dimensions, whatever its rate, granularity, batch or precision."""
        if not isinstance(self.target, op.Operator):
            return self.target.shape
        dropped = {"S", "r", "input_rate", "output_rate", "channel_group", "indexed", "items"}
        return tuple(value for field, value in self.target if field not in dropped)

    @property
    def is_block(self) -> bool:
        """Whether the kernels of a block were timed together, rather than an operator on its own."""
        return not isinstance(self.target, op.Operator)

    @property
    def steps(self) -> tuple[Step, ...]:
        """The kernels that were timed together, at their rates."""
        if isinstance(self.target, op.Operator):
            return (Step(type(self.target).__name__, self.target),)
        return self.target.lower(self.paradigm, KERNELS).at(self.paradigm.rates((1,)))

    @property
    def kind(self) -> str:
        """The operator's class, or the block's paradigm: what errors are reported by."""
        return op.operator_class(self.target) if isinstance(self.target, op.Operator) else self.paradigm.name


def row_of(target: MeasuredTarget, paradigm: Paradigm) -> dict[str, Any]:
    """The target's and the paradigm's columns; raises InputError for a paradigm that no row holds."""
    row: dict[str, Any] = {"target": type(target).__name__, "name": getattr(target, "name", ""), "paradigm": ""}
    row |= {field: value for field, value in target if field in (*SHAPE_COLUMNS, *LAYER_COLUMNS)}
    if type(target).__name__ in BLOCKS:
        if paradigm.name not in PARADIGMS:
            raise InputError(f"blocks are measured with {', '.join(PARADIGMS)} skipping, not with {paradigm.label}")
        defaults = {name: field.default for name, field in type(paradigm).model_fields.items()}
        row["paradigm"] = paradigm.name
        row |= {field: value for field, value in paradigm if field in SHAPE_COLUMNS}
        settings = {field: value for field, value in paradigm if field in SETTING_COLUMNS and value != defaults[field]}
        row |= {field: "+".join(value) if isinstance(value, tuple) else value for field, value in settings.items()}
    return row


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], *, append: bool = False) -> None:
    """Rows to a plain .csv: a new file appears whole, at once, and so does a row that one is gone on with.

    A file that is gone on with keeps its columns.

    Raises
    ------
    DataError
        A row has a field or setting that a file of an older version has no column for.
    """
    if append:
        with path.open("a", encoding="utf-8", newline="") as file:
            _write(file, rows, _columns_of(path))
    else:
        with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, lineterminator="\n").writerow(COLUMNS)
            _write(file, rows, COLUMNS)


def _write(file: TextIO, rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
    for row in rows:
        lost = [name for name in NEWER_COLUMNS if name not in columns and row.get(name) not in (None, "")]
        if lost:
            raise DataError(f"{file.name}: has no column {lost[0]}; write rows that have it to another file")
        filled = {"version": VERSION, **row}
        writer.writerow({key: "" if value is None else value for key, value in filled.items()})
        file.flush()


def _columns_of(path: Path) -> Sequence[str]:
    with path.open(encoding="utf-8", newline="") as file:
        return next(csv.reader(file), COLUMNS)


def read_measurements(path: Path, report: Callable[[str], None] = lambda text: None) -> list[Measurement]:
    """The rows of a .csv or .csv.gz; `report` is told where the last line was cut off in writing and is left out.

    Raises
    ------
    DataError
        No such file, other columns, or a row that cannot be: the message names the first line at fault.
    """
    return [measurement for _, measurement in read_rows(path, report)]


def read_rows(
    path: Path, report: Callable[[str], None] = lambda text: None
) -> list[tuple[dict[str, str], Measurement]]:
    """The raw columns and the measurement of every row; `report` and errors as `read_measurements`."""
    text = text_of(path)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[dict[str, str], Measurement]] = []
    try:
        columns = next(reader, [])
        _check_columns(columns, path)
        for cells in reader:
            line = reader.line_num
            try:
                if cells:
                    rows.append(_parsed(columns, cells))
            except (InputError, ValueError) as problem:
                if line < text.count("\n") + 1 or text.endswith("\n"):
                    raise DataError(f"{path}, line {line}: {problem}") from None
                report(f"{path}, line {line}: was cut off in writing and is left out")
    except csv.Error as problem:
        raise DataError(f"{path}, line {reader.line_num}: is not CSV: {problem}") from None
    return rows


def text_of(path: Path) -> str:
    """The whole file, unpacked."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise DataError(f"{path}: has more than {MOST_BYTES >> 20} MiB; split it")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = content.count(b"\n", 0, problem.start) + 1
        raise DataError(f"{path}, line {line}: is not a CSV file in UTF-8") from None
    except (EOFError, zlib.error):
        raise DataError(f"{path}: is not a whole .gz file; copy it again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def _check_columns(columns: Sequence[str], path: Path) -> None:
    missing = [column for column in COLUMNS if column not in (*columns, *NEWER_COLUMNS)]
    if missing:
        raise DataError(
            f"{path}: not a file of `latpred measure`: {_listed(missing)} missing; see docs/measurements.md"
        )
    for number, column in enumerate(columns):
        if column not in COLUMNS:
            hint = did_you_mean(column, COLUMNS)
            raise DataError(f"{path}, line 1: unknown column {quoted(column)}{hint}; see docs/measurements.md")
        if column in columns[:number]:
            raise DataError(f"{path}, line 1: the column {column} is there twice")


def _listed(columns: list[str]) -> str:
    return f"column {columns[0]} is" if len(columns) == 1 else f"columns {', '.join(columns[:4])}… are"


def _parsed(columns: Sequence[str], cells: Sequence[str]) -> tuple[dict[str, str], Measurement]:
    if len(cells) != len(columns):
        raise ValueError(f"has {len(cells)} cells, and the header {len(columns)}")
    row = dict(zip(columns, cells, strict=True))
    return row, parse_row(row)


def parse_row(row: Mapping[str, str]) -> Measurement:
    """The measurement in a row; raises InputError or ValueError for one that cannot be."""
    version = number_in("version", row.get("version") or "1", int)
    if not 1 <= version <= VERSION:
        raise ValueError(f"version {version} is not one of 1 to {VERSION}; use the latpred that wrote it")
    seconds = _seconds("median_s", row["median_s"])
    host_s = _seconds("host_s", row["host_s"]) if row.get("host_s") else None
    if row["target"] not in TARGETS:
        raise ValueError(unknown("target", row["target"], TARGETS))
    known_precision(row["precision"])
    if not _letters(row["device"]):
        raise ValueError(f"device must be the name of a GPU, got {quoted(row['device'])}")
    paradigm: Paradigm = Static()
    if row["target"] in BLOCKS:
        if row["paradigm"] not in PARADIGMS:
            raise ValueError(unknown("paradigm", row["paradigm"], PARADIGMS))
        paradigm = record_of(PARADIGMS[row["paradigm"]], row)
    target: MeasuredTarget = record_of(TARGETS[row["target"]], row)
    if not isinstance(target, op.Operator) and paradigm.granularity:
        most = target.largest_granularity(paradigm.name)
        if paradigm.granularity > most:
            asked = f"{paradigm.granularity_field}={paradigm.granularity}"
            raise ValueError(f"{asked} does not fit the block; choose from 1 to {most}")
    batch = number_in("batch", row["batch"], int)
    if not 1 <= batch <= MOST_SAMPLES:
        raise ValueError(f"batch must be a whole number from 1 to {MOST_SAMPLES:,}, got {quoted(row['batch'])}")
    return Measurement(target, paradigm, batch, row["precision"], row["library"], seconds, row["device"], host_s)


def _seconds(column: str, text: str) -> float:
    seconds = number_in(column, text, float)
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"{column} must be a positive number of seconds, got {quoted(text)}")
    return float(seconds)


@contextmanager
def errors_of(path: Path) -> Iterator[None]:
    """Name the file in what is found wrong with its rows together."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def check_device(measurements: Sequence[Measurement], profile: HardwareProfile, path: Path) -> None:
    """Raise DataError for no rows, or rows of another device than the profile's name or title says."""
    if not measurements:
        raise DataError(f"{path}: has no rows")
    words = [_letters(text) for text in (profile.name, profile.title) if text]
    for device in dict.fromkeys(row.device for row in measurements):
        found = _letters(device)
        within = len(found) >= _LEAST_LETTERS
        if not any(word in found or (within and found in word) for word in words):
            raise DataError(
                f"{path}: was measured on {quoted(device)}, which is not {profile.name}; give its own --device"
            )


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def file_hash(path: Path) -> str:
    """The first twelve digits of the SHA-256 of a file's content, unpacked."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return sha256(content).hexdigest()[:12]
