"""NumPy's files, looked at before they are read: what a header says is believed only as far as the bytes are there."""

from __future__ import annotations

import lzma
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import prod
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from latpred.errors import DataError, LatpredError
from latpred.wording import quoted

#: An array that is read as a whole may have this many bytes: fifty million rates.
MOST_BYTES = 400 << 20
#: Arrays of a file.
MOST_ARRAYS = 1_000
#: What the library raises for files that are broken, besides OSError.
_BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, OverflowError)
_UNREADABLE = (NotImplementedError, RuntimeError, MemoryError)
_NO_HEADER = (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, OverflowError, KeyError, TokenError)


@contextmanager
def archive_of(path: Path, wanted: str) -> Iterator[tuple[zipfile.ZipFile, list[str]]]:
    """An opened `.npz` file and the names of its arrays, `stage2` before `stage10`.

    Raises DataError for a file that is none, saying what is `wanted`, also while the arrays are read.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist(), key=lambda name: re.sub(r"\d+", lambda digits: digits[0].zfill(9), name))
            twice = [name for name, other in pairwise(names) if name == other]
            if twice:
                raise DataError(f"{path}: holds {quoted(twice[0].removesuffix('.npy'))} twice")
            if not 1 <= len(names) <= MOST_ARRAYS:
                raise DataError(f"{path}: holds {len(names) or 'no'} arrays; {wanted}")
            yield archive, names
    except LatpredError:
        raise
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    except _BROKEN:
        raise DataError(f"{path}: is no whole .npz file; {wanted}") from None
    except _UNREADABLE:
        raise DataError(f"{path}: is packed or encrypted in a way that cannot be read; use numpy.savez") from None


def read_header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and type of an array; raises DataError where there is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            version = npy_format.read_magic(file)
            of_version = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            shape, column_major, dtype = of_version(file)
        if any(isinstance(length, bool) or length < 0 for length in shape):
            raise ValueError(shape)
    except _NO_HEADER:
        raise DataError(f"{where}: is no NumPy array") from None
    return shape, column_major, dtype


def read_array(file: IO[bytes], where: str) -> NDArray[Any]:
    """One array; raises DataError for none, for Python objects, for more than 400 MiB, or where it ends early."""
    shape, column_major, dtype = read_header(file, where)
    size = prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise DataError(f"{where}: holds Python objects, which are not read; save numbers")
    if size > MOST_BYTES:
        raise DataError(f"{where}: says that it has {size / 2**20:,.0f} MiB; {MOST_BYTES >> 20} are the most")
    data = file.read(size)
    if len(data) < size:
        raise DataError(f"{where}: ends early")
    try:
        flat = np.frombuffer(data, dtype) if size else np.empty(0, dtype)
        if dtype.kind == "U" and not _is_text(flat):
            raise DataError(f"{where}: holds text that is none")
        return flat.reshape(shape, order="F" if column_major else "C")
    except ValueError:
        raise DataError(f"{where}: is no NumPy array") from None


def _is_text(flat: NDArray[Any]) -> bool:
    """Whether an array of text has characters only: NumPy takes any numbers for text, and Python then fails on it."""
    codes = np.frombuffer(flat.tobytes(), np.dtype("u4").newbyteorder(flat.dtype.byteorder))
    return bool(np.all((codes <= 0x10FFFF) & ~((codes >= 0xD800) & (codes <= 0xDFFF))))


def read_arrays(path: Path, wanted: str) -> dict[str, NDArray[Any]]:
    """Every array of a `.npz` file, 400 MiB in all. Raises DataError for a file that is none, or broken."""
    with archive_of(path, wanted) as (archive, names):
        if sum(archive.getinfo(name).file_size for name in names) > MOST_BYTES:
            raise DataError(f"{path}: unpacks to more than {MOST_BYTES >> 20} MiB; {wanted}")
        arrays = {}
        for name in names:
            with archive.open(name) as file:
                key = name.removesuffix(".npy")
                arrays[key] = read_array(file, f"{path}: {key}")
        return arrays
