"""Rates from masks: which share of patches holds an active pixel, for every patch edge at once.

A coarser patch catches more pixels, so its rate is higher; masks of your own data say by how much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from latpred.errors import DataError, InputError
from latpred.workloads.arrays import archive_of, read_header
from latpred.workloads.granularity import dividing_edges, powers_of_two
from latpred.workloads.networks import PlacedNetwork

#: Bytes of mask that are read at a time.
_CHUNK_BYTES = 4 << 20
#: Pixels of a map: at least one whole mask is in memory.
MOST_PIXELS = 1 << 24


@dataclass(frozen=True)
class MaskRates:
    """r(S) of every stage, from pixel masks of `samples` samples; `maps` are the masks' heights and widths.

    `layer_rates` are the shares of samples that have any active pixel in a stage.
    """

    samples: int
    maps: tuple[tuple[int, int], ...]
    rates: tuple[dict[int, float], ...]
    layer_rates: tuple[float, ...]

    def rate(self, stage: int, S: int) -> float:
        """r(S) of a stage, counted from 1. Raises InputError for an S that was not counted."""
        known = self.rates[stage - 1]
        if S not in known:
            raise InputError(f"the masks were not counted at S={S}; counted are {', '.join(map(str, known))}")
        return known[S]

    def for_granularity(self, S: int | Sequence[int]) -> tuple[float, ...]:
        """r per stage for one S, or one per stage. Raises InputError for another number of stages."""
        edges = (S,) * len(self.rates) if isinstance(S, int) else tuple(S)
        if len(edges) != len(self.rates):
            raise InputError(f"S has {len(edges)} values; the masks have {len(self.rates)} stages")
        return tuple(self.rate(stage, edge) for stage, edge in enumerate(edges, start=1))

    def check(self, network: PlacedNetwork) -> None:
        """Raise InputError where the masks are not those of a network's maps."""
        if self.maps != network.maps:
            ours = ", ".join(f"{height}×{width}" for height, width in self.maps)
            theirs = ", ".join(f"{height}×{width}" for height, width in network.maps)
            raise InputError(f"the masks are of maps {ours}; {network.name} has {theirs}")

    def to_dict(self) -> dict[str, Any]:
        """A list of stages, each with its map and r(S)."""
        stages = [
            {
                "stage": number,
                "height": height,
                "width": width,
                "rates": {str(S): rate for S, rate in rates.items()},
                "layer_rate": layer_rate,
            }
            for number, ((height, width), rates, layer_rate) in enumerate(
                zip(self.maps, self.rates, self.layer_rates, strict=True), start=1
            )
        ]
        return {"samples": self.samples, "stages": stages}


def rates_from_masks(path: Path | str, S: Sequence[int] = ()) -> MaskRates:
    """r(S) of every stage from a `.npz` file with one boolean array (samples, height, width) per stage, in order.

    Counts patches that contain an active pixel, those that stick out of the map included. The file is read in pieces,
    so its size does not matter.

    Parameters
    ----------
    S
        Further patch edges, counted in every stage whose map they fit in; counted in any case are all divisors of a map
        and all powers of two up to it.

    Raises
    ------
    DataError
        No such file, or arrays of another rank or type, without samples, or with other samples than the first.
    InputError
        An S below 1.
    """
    path = Path(path)
    _check_edges(S)
    maps, rates, layer_rates, samples = [], [], [], {}
    wanted = "save masks, one array per stage, with numpy.savez(file, stage1=…, stage2=…)"
    with archive_of(path, wanted) as (archive, names):
        for name in names:
            with archive.open(name) as file:
                stage_name = name.removesuffix(".npy")
                samples[stage_name], size, stage, layer_rate = _count(file, f"{path}: {stage_name}", S)
            maps.append(size)
            rates.append(stage)
            layer_rates.append(layer_rate)
    if len(set(samples.values())) > 1:
        counts = ", ".join(f"{count} in {name}" for name, count in samples.items())
        raise DataError(f"{path}: every stage needs masks of the same samples, got {counts}")
    return MaskRates(next(iter(samples.values())), tuple(maps), tuple(rates), tuple(layer_rates))


def _check_edges(S: Sequence[int]) -> None:
    for edge in S:
        if edge < 1:
            raise InputError(f"S must be at least 1, got {edge}")


def _count(file: IO[bytes], where: str, S: Sequence[int]) -> tuple[int, tuple[int, int], dict[int, float], float]:
    """Samples, map, r(S) and the share of samples with any active pixel, of one stage."""
    (samples, height, width), chunks = _stream(file, where)
    most = min(height, width)
    edges = sorted({*dividing_edges(height, width), *powers_of_two(most), *(edge for edge in S if edge <= most)})
    active, any_active = dict.fromkeys(edges, 0), 0
    for masks in chunks:
        any_active += int(masks.any(axis=(1, 2)).sum())
        for edge in edges:
            rows = np.logical_or.reduceat(masks, np.arange(0, height, edge), axis=1)
            active[edge] += int(np.logical_or.reduceat(rows, np.arange(0, width, edge), axis=2).sum())
    patches = {edge: samples * -(-height // edge) * -(-width // edge) for edge in edges}
    rates = {edge: active[edge] / patches[edge] for edge in edges}
    return samples, (height, width), rates, any_active / samples


def _stream(file: IO[bytes], where: str) -> tuple[tuple[int, int, int], Iterator[NDArray[np.bool_]]]:
    """The shape of an array in NumPy's format, and the array in pieces of some samples each."""
    shape, column_major, dtype = read_header(file, where)
    if len(shape) != 3 or dtype != np.bool_ or column_major or 0 in shape:
        order = ", in column-major order" if column_major else ""
        raise DataError(
            f"{where}: expected boolean masks of shape (samples, height, width), got {dtype} {shape}{order}"
        )
    samples, height, width = shape
    if height * width > MOST_PIXELS:
        raise DataError(f"{where}: maps of {height}×{width} pixels are too large; {MOST_PIXELS:,} pixels are the most")
    return (samples, height, width), _pieces(file, (samples, height, width), where)


def _pieces(file: IO[bytes], shape: tuple[int, int, int], where: str) -> Iterator[NDArray[np.bool_]]:
    samples, height, width = shape
    at_once = max(_CHUNK_BYTES // (height * width), 1)
    for start in range(0, samples, at_once):
        count = min(at_once, samples - start)
        data = file.read(count * height * width)
        if len(data) < count * height * width:
            raise DataError(f"{where}: ends early")
        yield np.frombuffer(data, dtype=np.bool_).reshape(count, height, width)
