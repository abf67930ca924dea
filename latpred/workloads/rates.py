"""Activation rates as they are: per block from a file, per sample from an array or a Beta distribution."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latpred.errors import DataError, InputError
from latpred.wording import quoted
from latpred.workloads.arrays import read_array

#: Bytes of a text of rates; a larger table is read faster, and in less memory, as `.npy`.
MOST_TEXT = 16 << 20


def read_rates(path: Path) -> NDArray[np.float64]:
    """Rates in a file: one per stage or block, shape (blocks,), or one per sample and block, shape (samples, blocks).

    `.npy` holds an array, `.json` a list (or a list of lists), `.csv` numbers separated by commas with an optional
    header line; one line or one column of a `.csv` is one rate per block.

    Raises
    ------
    DataError
        Not such a file, or rates that are not numbers from 0 to 1.
    """
    readers = {".npy": _read_npy, ".json": _read_json, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise InputError(f"{path}: rates come as {', '.join(readers)}, not {path.suffix or 'a file without suffix'!r}")
    try:
        if path.suffix.lower() != ".npy" and path.stat().st_size > MOST_TEXT:
            raise DataError(f"{path}: has more than {MOST_TEXT >> 20} MiB of text; save the rates as .npy")
        rates = np.asarray(readers[path.suffix.lower()](path))
        if rates.dtype.kind not in "fiu":
            raise TypeError("numbers are wanted")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except _Cell as problem:
        raise DataError(f"{path}, {problem}: is no table of numbers, one row per sample or one per block") from None
    except (ValueError, TypeError, EOFError, RecursionError, OverflowError, MemoryError):
        raise DataError(f"{path}: is no table of numbers, one row per sample or one number per block") from None
    rates = rates.astype(float, copy=False)
    if rates.ndim == 2 and 1 in rates.shape:
        rates = rates.ravel()
    return checked_rates(rates, str(path))


def _read_npy(path: Path) -> Any:
    with path.open("rb") as file:
        return read_array(file, str(path))


def _read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


class _Cell(Exception):
    """What is wrong in a line of a CSV file."""


def _read_csv(path: Path) -> Any:
    # A spreadsheet may begin with a byte order mark.
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [number for number, line in enumerate(lines) if line.strip()]
    if rows and all(_is_text(cell) for cell in lines[rows[0]].split(",")):
        rows = rows[1:]
    width = len(lines[rows[0]].split(",")) if rows else 0
    rates = np.empty((len(rows), width))
    for row, number in enumerate(rows):
        cells = lines[number].split(",")
        if len(cells) != width:
            raise _Cell(f"line {number + 1} has {len(cells)} cells and the first {width}")
        try:
            rates[row] = cells
        except ValueError:
            wrong = next((cell for cell in cells if _is_text(cell)), lines[number])
            raise _Cell(f"line {number + 1}, {quoted(wrong)}") from None
    return rates if rows else []


def _is_text(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return True
    return False


def checked_rates(rates: NDArray[np.float64], where: str) -> NDArray[np.float64]:
    """The rates themselves; raises DataError for an empty array, another rank, NaN, or values outside [0, 1]."""
    if rates.ndim not in (1, 2) or not rates.size:
        raise DataError(f"{where}: expected shape (blocks,) or (samples, blocks), got {rates.shape}")
    bad = np.argwhere(~((rates >= 0) & (rates <= 1)))
    if len(bad):
        place = ", ".join(str(int(index) + 1) for index in bad[0])
        what = "row and column" if rates.ndim == 2 else "number"
        value = rates[tuple(bad[0])]
        raise DataError(f"{where}: rates must be from 0 to 1; {what} {place} is {value:g} ({len(bad)} such)")
    return rates


def check_width(rates: NDArray[np.float64], blocks_per_stage: Sequence[int], where: str) -> None:
    """Raise DataError unless the last axis has one rate per block or one per stage."""
    stages, blocks, width = len(blocks_per_stage), sum(blocks_per_stage), rates.shape[-1]
    if width not in (stages, blocks):
        raise DataError(
            f"{where}: holds {width} rates per sample; the network needs {blocks} (blocks) or {stages} (stages)"
        )


def beta_rates(
    mean: float, std: float, samples: int, blocks: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Independent rates from the Beta distribution of a mean and a standard deviation, shape (samples, blocks).

    With ν = mean·(1 − mean)/std² − 1, the distribution is Beta(mean·ν, (1 − mean)·ν).

    Raises
    ------
    InputError
        A mean outside (0, 1), or a standard deviation that no distribution on [0, 1] with this mean has.
    """
    if not 0 < mean < 1:
        raise InputError(f"the mean rate of a Beta distribution must be between 0 and 1, got {mean:g}")
    most = (mean * (1 - mean)) ** 0.5
    if not 0 < std < most:
        raise InputError(f"with mean {mean:g} the standard deviation must be between 0 and {most:.3g}, got {std:g}")
    nu = mean * (1 - mean) / std**2 - 1
    return generator.beta(mean * nu, (1 - mean) * nu, size=(samples, blocks))
