"""Whole networks that were timed, by whomever: a CSV with a row per network, device, library, precision and batch."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

from latpred.devices.catalogue import load_profile
from latpred.errors import DataError, InputError, ProfileError
from latpred.measuring.cells import number_in
from latpred.measuring.measurements import text_of
from latpred.precision import PRECISIONS
from latpred.wording import listed, unknown
from latpred.workloads.catalogue import load_network
from latpred.workloads.lowering import EAGER, FUSED, Step
from latpred.workloads.networks import PARTS, Network, PlacedNetwork
from latpred.workloads.paradigms import Paradigm, Static

#: Columns that a file must have; `source` says where a row is from.
COLUMNS = ("device", "library", "precision", "model", "image_size", "batch", "seconds")
#: Forms that networks are lowered in, by the library that runs them.
_FORMS = {"pytorch": EAGER, "tensorrt": FUSED}


@dataclass(frozen=True)
class NetworkRow:
    """A static network that was timed: where, with which library, and for how long (for the whole batch)."""

    device: str
    library: str
    precision: str
    model: str
    image_size: int
    batch: int
    seconds: float
    source: str = ""

    @property
    def paradigm(self) -> Paradigm:
        """Nothing is skipped."""
        return Static()

    @property
    def family(self) -> str:
        """What a network's name begins with: `resnet` of `timm:resnet50d`."""
        return re.split(r"[\d_-]", self.model.partition(":")[2] or self.model)[0]

    @property
    def shape(self) -> tuple[Any, ...]:
        """What is held out together: networks of a family, at any size and batch."""
        return (self.family,)

    @property
    def kind(self) -> str:
        """What errors are reported by."""
        return "networks"

    @cached_property
    def network(self) -> PlacedNetwork:
        """The whole network, stem and head included; raises InputError where it is not known."""
        return whole_network(self.model, self.image_size)

    @cached_property
    def steps(self) -> Mapping[Step, float]:
        """The kernels that the library runs, and how often; raises DataError for a library of dynamic networks."""
        if self.library not in _FORMS:
            raise DataError(f"{self.library} is fitted to blocks and operators: networks are those of {listed(_FORMS)}")
        lowered = self.network.lower(Static(), _FORMS[self.library])
        bare = (step._replace(name="", stage=None, block=None) for step in lowered.steps if not step.omitted)
        return {step: count * float(step.executions) for step, count in Counter(bare).items()}


@lru_cache(maxsize=512)
def whole_network(model: str, image_size: int) -> PlacedNetwork:
    """A network with everything that runs, by name."""
    network = load_network(model, (image_size, image_size))
    return network.including(*PARTS) if isinstance(network, Network) else network


def is_of_networks(path: Path) -> bool:
    """Whether a file's header is that of networks rather than of operators and blocks."""
    return "model" in next(csv.reader(text_of(path).splitlines()), [])


def read_networks(path: Path) -> list[NetworkRow]:
    """The rows of a .csv of networks.

    Raises
    ------
    DataError
        No such file, a column that is missing, or a row that cannot be: the message names the first line at fault.
    """
    reader = csv.DictReader(text_of(path).splitlines())
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        raise DataError(f"{path}: has no column {listed(missing)}; a file of networks has {', '.join(COLUMNS)}")
    columns = list(reader.fieldnames or ())
    for number, column in enumerate(columns):
        if column in columns[:number]:
            raise DataError(f"{path}, line 1: the column {column} is there twice")
    rows = []
    for row in reader:
        try:
            rows.append(_parsed(row))
        except (InputError, ValueError) as problem:
            raise DataError(f"{path}, line {reader.line_num}: {problem}") from None
    if not rows:
        raise DataError(f"{path}: has no rows")
    return rows


def _parsed(row: Mapping[str, str]) -> NetworkRow:
    """One row; raises ValueError or InputError for one that cannot be."""
    if None in row.values() or None in row:
        raise ValueError(f"has not as many cells as the header, {len(row)}")
    if row["precision"] not in PRECISIONS:
        raise ValueError(unknown("precision", row["precision"], PRECISIONS))
    seconds = number_in("seconds", row["seconds"], float)
    sizes = {name: number_in(name, row[name], int) for name in ("image_size", "batch")}
    if not 0 < seconds < float("inf") or min(sizes.values()) < 1:
        raise ValueError("image_size, batch and seconds must be positive")
    return NetworkRow(
        row["device"],
        row["library"],
        row["precision"],
        row["model"],
        **sizes,
        seconds=seconds,
        source=row.get("source", ""),
    )


def check_models(
    rows: Sequence[NetworkRow], path: Path, progress: Callable[[int, int], None] = lambda done, total: None
) -> None:
    """Raise DataError for a device or a model that is not known or cannot be read."""
    models = dict.fromkeys((row.model, row.image_size) for row in rows)
    try:
        for device in dict.fromkeys(row.device for row in rows):
            load_profile(device)
        for number, (model, size) in enumerate(models):
            progress(number, len(models))
            whole_network(model, size)
    except (InputError, ProfileError) as problem:
        raise DataError(f"{path}: {problem}") from None
    progress(len(models), len(models))
