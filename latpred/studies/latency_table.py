"""Latencies of a network's blocks as a table, for millions of look-ups per second: in a search, or in training.

A table has an entry per block, paradigm and granularity, and in each the latency over the rate. Spatial entries hold
every number of active patches, of which there are finitely many, so that a look-up is exact, staircase included; so do
channel entries of the calibrated model, whose kernels switch whole groups. Other entries hold `GRID` intervals of rates
or more, finest near 0 where a channel-dynamic kernel's latency bends most, and are interpolated linearly; the largest
error found inside the intervals is `LatencyTable.error`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields
from functools import cached_property
from math import lcm
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latpred.devices.profile import HardwareProfile
from latpred.errors import DataError, InputError
from latpred.files import whole_file
from latpred.notebook import Shown
from latpred.prediction import curve, lower
from latpred.question import Asked, ask, named_target
from latpred.records import numbers, whole_numbers
from latpred.report import kernels_in_words
from latpred.studies.parallel import answers
from latpred.studies.table_file import check_fields, read_fields
from latpred.wording import listed, quoted
from latpred.workloads.blocks import Block
from latpred.workloads.catalogue import AnyNetwork
from latpred.workloads.densities import ROUNDING_GUARD
from latpred.workloads.networks import PlacedNetwork
from latpred.workloads.operators import Share
from latpred.workloads.paradigms import Channel, Layer, Paradigm, Spatial, Static

if TYPE_CHECKING:
    import pandas

#: Intervals of an entry that is no staircase; interpolation then errs by less than 0.2 % on every shipped device.
GRID = 256
#: Intervals for each sample of a batch, where whole samples are gathered and the latency bends at every one.
GRID_PER_SAMPLE = 64
#: Most steps of a staircase, and intervals of another entry.
MOST_STEPS = 100_000
#: Places inside each interval at which the error is measured.
_PROBES = 4


class Entry(NamedTuple):
    """What one latency curve is of; the granularity is 0 where a paradigm has none."""

    block: str
    paradigm: str
    granularity: int


@dataclass(frozen=True, eq=False, repr=False)
class LatencyTable(Shown):
    """Latency curves of a network's blocks on a device, for a batch of `batch` samples.

    Each is a key of the file (`.npz`) too; with E entries and V values in all:

    Attributes
    ----------
    network, device, model : text
        What the blocks are of, the device's name, and the cost model.
    batch : int
        Samples computed together.
    precision, library, like : text
        fp32, tf32 or fp16; the library of kernels, where the model knows any; the device whose calibration was carried
        over, where one was. What there is none of is empty in a file.
    blocks : text
        (blocks,): the name of every block of the network, in order.
    block : text
        (E,): the block that the entry is of.
    paradigm : text
        (E,): static, spatial, channel or layer.
    granularity : int
        (E,): S or G; 0 for static and layer.
    offset : int
        (E,): where the entry's values begin in `latency_s`.
    count : int
        (E,): the entry's intervals; it has count + 1 values, i = 0 … count.
    stepped : bool
        (E,): value i is at r = i/count, a step before it; else at r = (i/count)², a line between.
    latency_s : float
        (V,): latency of the block for the whole batch [s].
    error : float
        Largest relative error of a look-up that was found.

    Examples
    --------
    >>> latency_table("resnet50", "tx2", S=[7]).entries[0]
    Entry(block='resnet50-stage1-first', paradigm='static', granularity=0)
    """

    network: str
    device: str
    model: str
    batch: int
    precision: str
    library: str | None
    blocks: tuple[str, ...]
    block: NDArray[np.str_]
    paradigm: NDArray[np.str_]
    granularity: NDArray[np.int64]
    offset: NDArray[np.int64]
    count: NDArray[np.int64]
    stepped: NDArray[np.bool_]
    latency_s: NDArray[np.float64]
    error: float
    like: str | None = None

    @property
    def summary(self) -> str:
        """What the table is of, and how much is in it."""
        kernels = kernels_in_words(self.precision, self.library, self.like)
        about = f"{self.network} on {self.device}, batch {self.batch}, {self.model} model, {kernels}"
        return f"{len(self.entries)} entries of {about}, {len(self.latency_s)} latencies"

    def to_frame(self) -> pandas.DataFrame:
        """A row per entry: block, paradigm, granularity, and the latencies at r = 0 and 1 for the whole batch [s]."""
        import pandas

        ends = {
            "latency_at_0_s": self.latency_s[self.offset],
            "latency_at_1_s": self.latency_s[self.offset + self.count],
        }
        names = {name: getattr(self, name) for name in ("block", "paradigm", "granularity", "count", "stepped")}
        return pandas.DataFrame(names | ends)

    def __post_init__(self) -> None:
        """Raises InputError for fields that make no table: other kinds, values outside, seconds that are not."""
        check_fields({field.name: getattr(self, field.name) for field in fields(self)})

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """What each curve is of, in order."""
        return tuple(
            Entry(str(block), str(paradigm), int(granularity))
            for block, paradigm, granularity in zip(self.block, self.paradigm, self.granularity, strict=True)
        )

    def index(self, block: str, paradigm: str, granularity: int = 0) -> int:
        """The number of an entry. Raises InputError where there is none."""
        wanted = (block, paradigm, granularity)
        if not (isinstance(block, str) and isinstance(paradigm, str) and isinstance(granularity, int)):
            raise InputError(f"an entry is of a block and a paradigm by name, and a whole number, got {quoted(wanted)}")
        if wanted not in self.entries:
            known = sorted({f"{name} {size}" if size else name for _, name, size in self.entries})
            asked = f"{paradigm} {granularity}" if granularity else paradigm
            raise InputError(
                f"the table has no {listed([asked])} of {listed([block])}; it has {listed(known)} "
                f"of {listed(dict.fromkeys(self.blocks))}"
            )
        return self.entries.index(wanted)

    def indices(self, paradigm: str, granularity: int | Sequence[int] = 0) -> NDArray[np.int64]:
        """The entries of every block of the network, shape (blocks,); a granularity for all, or one per block."""
        sizes = whole_numbers(granularity, "granularity")
        if sizes.shape not in ((), (len(self.blocks),)):
            blocks = f"one for each of {len(self.blocks)} blocks"
            raise InputError(f"granularity is one number, or {blocks}, got {quoted(granularity)}")
        sizes = np.broadcast_to(sizes, len(self.blocks))
        return np.array([self.index(name, paradigm, int(size)) for name, size in zip(self.blocks, sizes, strict=True)])

    def lookup(self, entries: ArrayLike, rates: ArrayLike, *, smooth: bool = False) -> NDArray[np.float64]:
        """Latency [s] of entries at rates; the arguments broadcast.

        Parameters
        ----------
        entries
            Numbers of entries, from `index` or `indices`.
        rates
            Activation rates in [0, 1]; a static entry heeds none.
        smooth
            Join the steps of a staircase by lines, which have a slope to follow; off by up to a step of it.
        """
        start, share, _ = self._place(entries, rates, smooth)
        low = self.latency_s[start]
        found: NDArray[np.float64] = low + share * (self.latency_s[start + 1] - low)
        return found

    def slope(self, entries: ArrayLike, rates: ArrayLike) -> NDArray[np.float64]:
        """dℓ/dr [s] of the smooth look-up."""
        start, _, interval = self._place(entries, rates, smooth=True)
        found: NDArray[np.float64] = (self.latency_s[start + 1] - self.latency_s[start]) / interval
        return found

    def _place(self, entries: ArrayLike, rates: ArrayLike, smooth: bool) -> tuple[NDArray[Any], ...]:
        """Where in `latency_s` the value below is, the share of the way to the next, and that way as a rate."""
        entries, rates = whole_numbers(entries, "entries"), numbers(rates, "rates")
        if rates.size and not (rates.min() >= 0 and rates.max() <= 1):
            raise InputError("rates must be from 0 to 1")
        if entries.size and not (entries.min() >= 0 and entries.max() < len(self.count)):
            raise InputError(f"entries are numbered from 0 to {len(self.count) - 1}")
        count, stepped = self.count[entries], self.stepped[entries]
        patches = rates * count
        if not smooth:
            patches = np.ceil(patches - ROUNDING_GUARD)
        place = np.where(stepped, patches, np.sqrt(rates) * count)
        below = np.minimum(place.astype(np.int64), count - 1)
        # Between (i/n)² and ((i+1)/n)² there are (2i + 1)/n².
        square = (rates * count**2 - below**2) / (2 * below + 1)
        share = np.where(stepped, place - below, square)
        interval = np.where(stepped, 1 / count, (2 * below + 1) / count**2)
        return self.offset[entries] + below, share, interval

    def save(self, path: Path | str) -> None:
        """Write the table to a `.npz` file, whole or not at all."""
        with whole_file(Path(path)) as temporary, temporary.open("wb") as file:
            arrays: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
            np.savez_compressed(file, **arrays | {"library": self.library or "", "like": self.like or ""})

    @classmethod
    def load(cls, path: Path | str) -> LatencyTable:
        """A table from its file, of FP32 where that has no precision. Raises DataError where that is no table."""
        content = read_fields(Path(path), [field.name for field in fields(cls)])
        try:
            return cls(**content)
        except InputError as problem:
            raise DataError(f"{path}: {problem}") from None


def latency_table(
    target: AnyNetwork | str | Path | Sequence[Block],
    profile: HardwareProfile | str | Path,
    *,
    S: Sequence[int] = (),
    G: Sequence[int] = (),
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
    executor: Executor | None = None,
) -> LatencyTable:
    """The table of blocks: static, and as far as a block can skip so: layer, spatial at each S that fits, channel.

    Parameters
    ----------
    target
        A network, or the blocks of a search space, each with a name of its own.
    executor
        Where entries are predicted, a `concurrent.futures.Executor`; None is here. The table is the same, bit for bit.

    Raises
    ------
    InputError
        A network without blocks; blocks that share a name; an S or G that fits no block.

    Examples
    --------
    >>> table = latency_table("resnet50", "tx2", S=[7])
    >>> table.lookup([table.index("resnet50-stage1", "spatial", 7)], [0.5]).round(6).tolist()
    [0.000782]
    """
    name, placed = _blocks(named_target(target) if isinstance(target, str | Path) else target)
    blocks = {block.name: block for block in placed}
    if any(blocks[block.name] != block for block in placed):
        raise InputError("different blocks of a table need different names")
    for symbol, sizes, most in (("S", S, _largest(placed, "spatial")), ("G", G, _largest(placed, "channel"))):
        if not isinstance(sizes, Sequence):
            raise InputError(f"{symbol} is a list of whole numbers, got {quoted(sizes)}")
        for size in sizes:
            if not isinstance(size, int) or not 1 <= size <= most:
                choose = f"choose from 1 to {most}" if most else "none of them can skip so"
                raise InputError(f"{symbol}={quoted(size)} fits no block of {name}; {choose}")
    asked = ask(placed[0], profile, batch=batch, model=model, precision=precision, library=library, like=like)
    arguments = [(asked.about(block), setting) for block in blocks.values() for setting in _settings(block, S, G)]
    values, stepped, errors = zip(*answers(_values, arguments, executor=executor), strict=True)
    lengths = np.array([len(latencies) for latencies in values])
    return LatencyTable(
        network=name,
        device=asked.profile.name,
        model=model,
        batch=asked.batch,
        precision=precision,
        library=asked.cost_model.library,
        like=asked.like,
        blocks=tuple(block.name for block in placed),
        block=np.array([one.target for one, _ in arguments]),
        paradigm=np.array([setting.name for _, setting in arguments]),
        granularity=np.array([setting.granularity or 0 for _, setting in arguments], dtype=np.int64),
        offset=np.cumsum(lengths) - lengths,
        count=lengths - 1,
        stepped=np.array(stepped),
        latency_s=np.concatenate(values),
        error=float(max(errors)),
    )


def _blocks(target: Any) -> tuple[str, list[Block]]:
    """The name of a table's target, and its blocks in order."""
    if isinstance(target, PlacedNetwork) and target.blocks:
        return target.name, [placed.block for placed in target.blocks]
    if isinstance(target, Block):
        return target.name, [target]
    if not isinstance(target, Sequence) or not all(isinstance(block, Block) for block in target):
        name = getattr(target, "name", None) or type(target).__name__
        raise InputError(f"{name} has no blocks to tabulate; a table is of residual networks, or of a list of blocks")
    if not target:
        raise InputError("a table needs at least one block")
    return "the search space", list(target)


def _settings(block: Block, S: Sequence[int], G: Sequence[int]) -> Iterator[Paradigm]:
    yield Static()
    if "layer" in block.paradigms:
        yield Layer(r=1.0)
    yield from (Spatial(S=edge, r=1.0) for edge in S if edge <= _largest([block], "spatial"))
    yield from (Channel(G=size, r=1.0) for size in G if size <= _largest([block], "channel"))


def _largest(blocks: Sequence[Block], paradigm: str) -> int:
    """The largest S or G that fits any block; 0 where none can skip so."""
    return max((block.largest_granularity(paradigm) for block in blocks if paradigm in block.paradigms), default=0)


def _values(asked: Asked, setting: Paradigm) -> tuple[NDArray[np.float64], bool, float]:
    """Latencies at the entry's rates, whether they are a staircase, and the largest relative error between them."""
    if isinstance(setting, Static):
        return np.repeat(curve(asked, setting).static_latency_s, 2), False, 0.0
    gathers = asked.cost_model.form.gathers_samples
    if switched := _switched(asked, setting):
        # A strided block counts the patches of its input map too; between two steps of either nothing changes.
        steps = min(lcm(*switched), MOST_STEPS)
        exact = curve(asked, setting, np.arange(2 * steps + 1) / (2 * steps)).latency_s
        return exact[::2], True, float(np.max(np.abs(exact[2::2] / exact[1::2] - 1)))
    intervals = min(max(GRID, GRID_PER_SAMPLE * asked.batch), MOST_STEPS) if gathers else GRID
    rates = (np.arange(intervals * _PROBES + 1) / (intervals * _PROBES)) ** 2
    exact = curve(asked, setting, rates).latency_s
    kept = exact[::_PROBES]
    return kept, False, float(np.max(np.abs(np.interp(rates, rates[::_PROBES], kept) / exact - 1)))


def _switched(asked: Asked, setting: Paradigm) -> set[int]:
    """How many patches of each map, or groups of channels, are on or off; none where the latency bends only."""
    steps = lower(asked.of, setting, asked.cost_model.form).steps
    if any(isinstance(step.executions, Share) for step in steps):
        return set()
    counts = [step.operator.stairs for step in steps if any(isinstance(value, Share) for _, value in step.operator)]
    return {count for count in counts if count} if None not in counts else set()
