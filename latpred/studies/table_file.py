"""The file of a latency table (`.npz`): its fields read, and checked to be those of a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latpred.errors import DataError, InputError
from latpred.precision import PRECISIONS
from latpred.wording import listed, quoted
from latpred.workloads.arrays import read_arrays

#: What a file without these keys is: one from before tables had them.
_BEFORE = {"precision": np.array("fp32"), "library": np.array(""), "like": np.array("")}
_WANTED = "make a latency table with latpred lut"
#: Fields by the letters of NumPy's kinds that they are of: one value, and one for each entry.
_SINGLE = {
    **dict.fromkeys(("network", "device", "model", "precision", "library", "like"), "U"),
    "batch": "iu",
    "error": "fiu",
}
_OF_ENTRIES = {"block": "U", "paradigm": "U", "granularity": "iu", "offset": "iu", "count": "iu", "stepped": "b"}
_KINDS = {"U": "text", "iu": "whole numbers", "fiu": "numbers", "b": "true or false"}


def read_fields(path: Path, names: Sequence[str]) -> dict[str, Any]:
    """The fields of a table; raises DataError for no whole file, for missing ones and for those of another kind."""
    content: dict[str, Any] = _BEFORE | read_arrays(path, _WANTED)
    missing = [name for name in names if name not in content]
    if missing:
        raise DataError(f"{path}: is no latency table: {listed(missing)} missing; {_WANTED}")
    for name, kind in _SINGLE.items():
        if content[name].shape or content[name].dtype.kind not in kind:
            raise DataError(f"{path}: {name}: must be one {_KINDS[kind].removesuffix('s')}; {_WANTED}")
        content[name] = content[name].item()
    if content["blocks"].ndim != 1 or content["blocks"].dtype.kind != "U":
        raise DataError(f"{path}: blocks: must be a list of names; {_WANTED}")
    content |= {name: content[name] or None for name in ("library", "like")}
    content["blocks"] = tuple(map(str, content["blocks"]))
    return {name: content[name] for name in names}


def check_fields(fields: Mapping[str, Any]) -> None:
    """Raise InputError with the first thing wrong in the fields of a table."""
    for problem in _problems(fields):
        raise InputError(problem)


def _problems(fields: Mapping[str, Any]) -> Iterator[str]:
    yield from _of_one(fields)
    latency: NDArray[Any] = np.asarray(fields["latency_s"])
    entries = len(np.atleast_1d(fields["block"]))
    for name, kind in _OF_ENTRIES.items():
        values = np.asarray(fields[name])
        if values.dtype.kind not in kind or values.shape != (entries,):
            yield f"{name}: must be {_KINDS[kind]} for each of {entries} entries, got {values.dtype} {values.shape}"
    if latency.ndim != 1 or latency.dtype.kind not in "fiu":
        yield f"latency_s: must be one row of numbers, got {latency.dtype} {latency.shape}"
    bad = np.flatnonzero(~(np.isfinite(latency) & (latency >= 0)))
    if bad.size:
        yield f"latency_s: must be seconds from 0, number {bad[0] + 1} is {latency[bad[0]]:g} ({bad.size} such)"
    count, offset = np.asarray(fields["count"]), np.asarray(fields["offset"])
    if entries == 0 or count.min() < 1:
        yield "count: needs at least one interval for each entry"
    outside = np.flatnonzero((offset < 0) | (offset >= latency.size) | (count >= latency.size - offset))
    if outside.size:
        yield f"offset, count: entry {outside[0] + 1} lies outside the {latency.size} values of latency_s"
    names = {str(name) for name in fields["block"]}
    other = sorted(names.symmetric_difference(fields["blocks"]))
    if other:
        yield f"blocks: {listed(other, 4)} must be both of the network and in the table"
    keys = list(zip(fields["block"], fields["paradigm"], fields["granularity"], strict=True))
    if len(set(keys)) < len(keys):
        yield "block, paradigm, granularity: an entry is there twice"


def _of_one(fields: Mapping[str, Any]) -> Iterator[str]:
    """Fields that have one value."""
    for name in ("network", "device", "model"):
        if not isinstance(fields[name], str):
            yield f"{name}: must be text, got {quoted(fields[name])}"
    if fields["precision"] not in PRECISIONS:
        yield f"precision: must be {', '.join(PRECISIONS)}, got {quoted(fields['precision'])}"
    batch, error = fields["batch"], fields["error"]
    if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
        yield f"batch: must be a whole number from 1, got {quoted(batch)}"
    if not isinstance(error, int | float) or not 0 <= error < float("inf"):
        yield f"error: must be a number from 0, got {quoted(error)}"
    if not isinstance(fields["blocks"], tuple):
        yield f"blocks: must be a tuple of names, got {quoted(fields['blocks'])}"
