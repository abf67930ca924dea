"""The measurement file: a CSV with a row per operator or block that was timed. Its columns are a contract.

Shapes and rates are the fields of the operator or block and its paradigm, empty where it has none; times are SI.
"""

from __future__ import annotations

import csv
import gzip
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeAlias, get_args

from latpred.devices.profile import HardwareProfile
from latpred.errors import DataError, InputError
from latpred.precision import PRECISIONS
from latpred.workloads import operators as op
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.paradigms import Channel, Layer, Paradigm, Spatial, Static

MeasuredTarget: TypeAlias = op.Operator | Bottleneck

#: Operators that a file may hold, by type name.
OPERATORS: dict[str, type[op.Operator]] = {
    kind.__name__: kind
    for kind in (
        op.Convolution,
        op.PatchConvolution,
        op.MaskerConvolution,
        op.Add,
        op.ScatterAdd,
        op.GlobalPool,
        op.PatchGlobalPool,
        op.ChannelScale,
        op.PatchChannelScale,
        op.FullyConnected,
        op.MaskCompaction,
    )
}
#: Columns that hold the fields of targets and paradigms.
SHAPE_COLUMNS = (
    "c_in",
    "c_out",
    "channels",
    "height",
    "width",
    "kernel",
    "stride",
    "groups",
    "bottleneck_ratio",
    "se",
    "indexed",
    "input_rate",
    "output_rate",
    "channel_group",
    "items",
    "shared",
    "S",
    "G",
    "r",
)
#: Every column, in order.
COLUMNS = (
    "target",
    "name",
    "paradigm",
    *SHAPE_COLUMNS,
    "batch",
    "precision",
    "library",
    "median_s",
    "p10_s",
    "p90_s",
    "repeats",
    "copies",
    "device",
    "driver",
    "sm_clock_hz",
    "memory_clock_hz",
    "torch",
    "triton",
    "latpred",
    "measured_at",
)
#: Paradigms of measured blocks by name.
PARADIGMS: dict[str, type[Paradigm]] = {kind.name: kind for kind in (Static, Spatial, Channel, Layer)}


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
    def kind(self) -> str:
        """The operator's class, or the block's paradigm: what errors are reported by."""
        return op.operator_class(self.target) if isinstance(self.target, op.Operator) else self.paradigm.name


def row_of(target: MeasuredTarget, paradigm: Paradigm) -> dict[str, Any]:
    """The target's and the paradigm's columns."""
    row: dict[str, Any] = {"target": type(target).__name__, "name": getattr(target, "name", ""), "paradigm": ""}
    row |= {field: value for field, value in target if field in SHAPE_COLUMNS}
    if isinstance(target, Bottleneck):
        row["paradigm"] = paradigm.name
        row |= {field: value for field, value in paradigm if field in SHAPE_COLUMNS}
    return row


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]], *, append: bool = False) -> None:
    """Rows to a plain .csv; a row appears whole, at once."""
    with path.open("a" if append else "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if not append:
            writer.writeheader()
        for row in rows:
            writer.writerow({key: "" if value is None else value for key, value in row.items()})
            file.flush()


def read_measurements(path: Path) -> list[Measurement]:
    """The rows of a .csv or .csv.gz.

    Raises
    ------
    DataError
        No such file, other columns, or a row that cannot be: the message names the first line at fault.
    """
    return [measurement for _, measurement in read_rows(path)]


def read_rows(path: Path) -> list[tuple[dict[str, str], Measurement]]:
    """The raw columns and the measurement of every row."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"{path}: not a file of `latpred measure`: {_listed(missing)} missing; see docs/measurements.md"
                )
            return list(_parsed(path, reader))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (UnicodeDecodeError, csv.Error, EOFError):
        raise DataError(f"{path}: is not a CSV file") from None


def _listed(columns: list[str]) -> str:
    return f"column {columns[0]} is" if len(columns) == 1 else f"columns {', '.join(columns[:4])}… are"


def _parsed(path: Path, reader: csv.DictReader[str]) -> Iterator[tuple[dict[str, str], Measurement]]:
    for line, row in enumerate(reader, start=2):
        try:
            yield row, parse_row(row)
        except (InputError, ValueError) as problem:
            raise DataError(f"{path}, line {line}: {problem}") from None


def parse_row(row: Mapping[str, str]) -> Measurement:
    """The measurement in a row; raises InputError or ValueError for one that cannot be."""
    seconds = float(row["median_s"])
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"median_s must be a positive number of seconds, got {row['median_s']}")
    if row["target"] not in OPERATORS and row["target"] != "Bottleneck":
        raise ValueError(f"unknown target {row['target']!r}")
    if row["precision"] not in PRECISIONS:
        raise ValueError(f"unknown precision {row['precision']!r}; choose {', '.join(PRECISIONS)}")
    paradigm: Paradigm = Static()
    if row["target"] == "Bottleneck":
        if row["paradigm"] not in PARADIGMS:
            raise ValueError(f"unknown paradigm {row['paradigm']!r}")
        paradigm = _record(PARADIGMS[row["paradigm"]], row)
    target: MeasuredTarget = _record(OPERATORS.get(row["target"], Bottleneck), row)
    batch = int(row["batch"])
    return Measurement(target, paradigm, batch, row["precision"], row["library"], seconds, row["device"])


def _record(kind: Any, row: Mapping[str, str]) -> Any:
    given = {field: row[field] for field in kind.model_fields if field in row and row[field] != ""}
    return kind(**{field: _value(kind, field, text) for field, text in given.items()})


def _value(kind: Any, field: str, text: str) -> Any:
    if field == "name":
        return text
    if text in ("True", "False"):
        return text == "True"
    whole = _is_whole(kind.model_fields[field].annotation)
    return int(text) if whole else float(text)


def _is_whole(annotation: Any) -> bool:
    """Whether a field takes whole numbers: int, or int | something."""
    return annotation is int or any(_is_whole(part) for part in get_args(annotation) if part is not float)


def check_device(measurements: Sequence[Measurement], profile: HardwareProfile, path: Path) -> None:
    """Raise DataError for no rows, or rows of another device than the profile's name or title says."""
    if not measurements:
        raise DataError(f"{path}: has no rows")
    words = [_letters(text) for text in (profile.name, profile.title) if text]
    for device in dict.fromkeys(row.device for row in measurements):
        if not any(word in _letters(device) or _letters(device) in word for word in words):
            raise DataError(f"{path}: was measured on {device!r}, which is not {profile.name}; give its own --device")


def _letters(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())


def file_hash(path: Path) -> str:
    """The first twelve digits of the SHA-256 of a file's content, unpacked."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return sha256(content).hexdigest()[:12]
