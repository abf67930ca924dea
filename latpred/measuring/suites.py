"""What `latpred measure` times: the shipped suites, or a workload file of any blocks, rates, batches and precisions."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from itertools import product
from os.path import isfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, cast

from pydantic import Field, model_validator

from latpred.errors import DataError, InputError
from latpred.files import parse, read_yaml
from latpred.measuring.cells import record_of
from latpred.measuring.columns import OPERATORS, MeasuredTarget
from latpred.measuring.measurements import row_of
from latpred.precision import PRECISIONS, Precision
from latpred.records import Count, Plain, Record
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.catalogue import load_block
from latpred.workloads.lowering import KERNELS
from latpred.workloads.paradigms import Channel, Layer, Paradigm, Spatial, Static

#: What skips everything has nothing to time.
Fraction = Annotated[float, Field(gt=0, le=1, strict=True)]
#: Operators of 40 networks of torchvision and timm, per sample; the script that gathered them is in `benchmarks`.
LAYERS = Path(__file__).parent / "layers.csv"
#: Batches of operators; each is timed at some of them.
LAYER_BATCHES = (1, 4, 16, 64, 128, 256)
#: At thirty rows a second, an hour.
MOST_ROWS = 100_000


class Point(NamedTuple):
    """One row to be: a target under a paradigm at a batch, in a precision, from a library of kernels."""

    target: MeasuredTarget
    paradigm: Paradigm
    batch: int
    precision: str
    library: str = "triton"

    @property
    def key(self) -> tuple[str, ...]:
        """What tells it from every other row of a file."""
        row = {"batch": self.batch, "precision": self.precision, "library": self.library}
        row |= row_of(self.target, self.paradigm)
        return tuple(f"{name}={value}" for name, value in sorted(row.items()) if value not in ("", None))


class Suite(Record):
    """What a workload file says: blocks × paradigms × settings × batch × precision, and their operators if wanted.

    Parameters
    ----------
    blocks
        Names of blocks, e.g. resnet50-stage1, or mappings of a block's fields.
    paradigms
        Of static, spatial, channel and layer.
    S, G, r
        Patch edges [pixels] (those that fit each map; empty: those worth a try), channels per group, rates.
    batch, precision
        Samples at once; fp32, tf32 or fp16.
    operators
        Also every operator of the blocks on its own.
    library
        `triton`, and `cudnn` for the static blocks.
    """

    error: ClassVar[type[InputError]] = InputError

    blocks: Annotated[tuple[Any, ...], Plain, Field(min_length=1)]
    paradigms: Annotated[tuple[Literal["static", "spatial", "channel", "layer"], ...], Plain] = (
        "static",
        "spatial",
        "channel",
        "layer",
    )
    S: Annotated[tuple[Count, ...], Plain] = ()
    G: Annotated[tuple[Count, ...], Plain] = (1, 8)
    r: Annotated[tuple[Fraction, ...], Plain] = (0.25, 0.5, 0.75)
    batch: Annotated[tuple[Count, ...], Plain] = (1, 8, 32, 128)
    precision: Annotated[tuple[Precision, ...], Plain] = ("fp32", "tf32", "fp16")
    operators: bool = False
    library: Annotated[tuple[Literal["triton", "cudnn"], ...], Plain] = ("triton",)

    def targets(self) -> list[Bottleneck]:
        """The blocks, by name or as given; raises InputError for a kind that there are no kernels to time for."""
        blocks = [Bottleneck(**given) if isinstance(given, dict) else load_block(given) for given in self.blocks]
        for block in blocks:
            if not isinstance(block, Bottleneck):
                raise InputError(f"{block.name} is no bottleneck, which is the only kind that is measured whole")
        # What is timed has its shortcut.
        return [block.replace(projects="always") for block in cast(list[Bottleneck], blocks)]

    @model_validator(mode="after")
    def _few_enough(self) -> Suite:
        settings = (max(len(self.S), 1) + len(self.G)) * len(self.r) + len(self.r) + 2
        rows = len(self.blocks) * len(self.precision) * len(self.batch) * settings
        if rows > MOST_ROWS:
            raise ValueError(f"about {rows:,} rows are too many to measure; {MOST_ROWS:,} are the most")
        return self

    def points(self) -> Iterator[Point]:
        """Every row, those that the kernels do not compute left out."""
        for block, precision, batch in product(self.targets(), self.precision, self.batch):
            for paradigm in self.settings(block, batch):
                if "triton" in self.library:
                    yield Point(block, paradigm, batch, precision)
                    if self.operators:
                        steps = block.lower(paradigm, KERNELS).at(paradigm.rates((1,)))
                        yield from (Point(step.operator, Static(), batch, precision) for step in steps)
            if "cudnn" in self.library:
                yield Point(block, Static(), batch, precision, "cudnn")

    def settings(self, block: Bottleneck, batch: int) -> Iterator[Paradigm]:
        """The paradigms that fit a block; layer skipping wherever the rate is a whole number of samples."""
        if "static" in self.paradigms:
            yield Static()
        if "spatial" in self.paradigms:
            edges = self.S or block.granularities("spatial")
            most = block.largest_granularity("spatial")
            yield from (Spatial(S=S, r=r) for S, r in product(edges, self.r) if most > S)
        if "channel" in self.paradigms and block.groups == 1 and not block.se:
            yield from (Channel(G=G, r=r) for G, r in product(self.G, self.r) if block.inner % G == 0)
        if "layer" in self.paradigms:
            yield from (Layer(r=r) for r in dict.fromkeys((*self.r, 1.0)) if (float(r) * batch) % 1 == 0)


def load_suite(path: Path) -> list[Point]:
    """The rows of a workload file. Raises DataError with every problem, those of a block in it too."""
    if not isfile(path):
        raise InputError(f"there is no workload file {str(path)!r}")
    suite = parse(Suite, read_yaml(path), path)
    try:
        points = shuffled(suite.points())
    except (InputError, TypeError) as problem:
        raise DataError(f"{path}: {problem}") from None
    if not points:
        raise DataError(f"{path}: no setting of the workload fits its blocks")
    return points


_RESNET = tuple(f"resnet50-stage{stage}{which}" for stage in (1, 2, 3, 4) for which in ("", "-first"))
_REGNET = (*(f"regnety-400mf-stage{stage}" for stage in (1, 2, 3, 4)), "regnety-800mf-stage2", "regnety-800mf-stage4")
#: Shapes between those of the networks, so that a fit does not learn powers of two only.
_OTHERS = (
    {"name": "mid-96", "c_in": 96, "c_out": 384, "height": 40, "width": 40},
    {"name": "mid-160", "c_in": 320, "c_out": 320, "bottleneck_ratio": 2, "height": 24, "width": 24},
    {"name": "wide-128", "c_in": 128, "c_out": 128, "bottleneck_ratio": 1, "height": 28, "width": 28},
    {"name": "small-768", "c_in": 768, "c_out": 768, "height": 12, "width": 12, "stride": 2},
    {"name": "large-32", "c_in": 32, "c_out": 128, "height": 80, "width": 80},
)


def suite(name: str, library: str = "triton") -> list[Point]:
    """The rows of a shipped suite, `quick` (minutes) or `full`; in a fixed random order, so that a part is a sample.

    With `triton` blocks under every paradigm, and static ones with cuDNN; with `pytorch` the operators of networks.
    """
    if library == "pytorch":
        return layers(name)
    if name == "quick":
        quick = Suite(blocks=("resnet50-stage1", "resnet50-stage3", "regnety-400mf-stage3"), S=(1, 2, 4), G=(8,))
        return shuffled(quick.replace(r=(0.5,), batch=(1, 128), operators=True).points())
    blocks = (*_RESNET, *_REGNET, *_OTHERS)
    ends = Suite(blocks=blocks, batch=(1, 128))
    middle = Suite(blocks=blocks, batch=(8, 32), r=(0.5,))
    operators = Suite(blocks=blocks, batch=(1, 8, 128), r=(0.25, 0.75), S=(1, 4, 7), G=(8,), operators=True)
    single = [point for point in operators.points() if not isinstance(point.target, Bottleneck)]
    sample = random.Random(0).sample(list(dict.fromkeys(single)), k=len(set(single)) // 5)
    static = Suite(blocks=_RESNET, paradigms=("static",), batch=(1, 128), library=("cudnn",))
    return shuffled([*ends.points(), *middle.points(), *sample, *static.points()])


def layers(name: str) -> list[Point]:
    """The rows of eager PyTorch: every operator of `LAYERS` in every precision at two batches, or a tenth of that."""
    with LAYERS.open(encoding="utf-8", newline="") as file:
        operators = [record_of(OPERATORS[row["target"]], row) for row in csv.DictReader(file)]
    draw = random.Random(0)
    points = [
        Point(operator, Static(), batch, precision, "pytorch")
        for operator, precision in product(operators, PRECISIONS)
        for batch in draw.sample(LAYER_BATCHES, 2)
    ]
    return shuffled(points)[:: 10 if name == "quick" else 1]


def shuffled(points: Any) -> list[Point]:
    """Each row once, in an order that is the same every time."""
    once = list({point.key: point for point in points}.values())
    random.Random(0).shuffle(once)
    return once
