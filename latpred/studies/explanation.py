"""Where the time of a prediction goes, how full the engines are, and what would help; contains no equation."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from latpred.devices.profile import HardwareProfile
from latpred.evaluation import Figures
from latpred.models.interface import CostModel, Fill, cost_model
from latpred.notebook import Shown
from latpred.prediction import STATIC, planned, predict
from latpred.question import Asked, Target
from latpred.report import Report, collected
from latpred.studies.remedies import Remedy, remedies
from latpred.workloads.lowering import Step
from latpred.workloads.paradigms import Paradigm

if TYPE_CHECKING:
    import pandas


@dataclass(frozen=True)
class Share:
    """Equal operators of a stage: their time [s] by what it is spent on, and how well it is spent.

    `tile` is the tile that was chosen and `fill` how full it keeps the engines, None where there is no one tile;
    `macs_per_byte` is the arithmetic intensity, `of_roofline` the share of the roofline's rate that is reached.
    """

    name: str
    stage: int | None
    kernels: int
    compute_s: float
    off_chip_s: float
    l2_s: float
    launch_s: float
    latency_s: float
    tile: tuple[int, ...] | None
    fill: Fill | None
    macs_per_byte: float
    of_roofline: float

    def to_dict(self) -> dict[str, Any]:
        """All fields, the tile and how full it is as `tile` and `fill_…`."""
        fields = asdict(self)
        fill = fields.pop("fill")
        shares = {f"fill_{name}": None if fill is None else getattr(fill, name) for name in Fill._fields}
        return {**fields, "tile": None if self.tile is None else list(self.tile), **shares}


@dataclass(frozen=True, repr=False)
class Explanation(Shown):
    """Where the time of a prediction goes, and what would help; made by `latpred.explain`.

    Attributes
    ----------
    report
        The prediction.
    overlap
        How arithmetic and data movement combine on the device, `add` or `max`.
    ridge_macs_per_byte
        Where the device's roofline bends in the precision [multiply-adds per byte].
    shares
        Equal operators of a stage, with their times [s].
    remedies
        What would help, the best first, each with its gain: a share of the latency.

    Examples
    --------
    >>> from latpred import Spatial
    >>> explain("r50-stage1", "v100", Spatial(S=4, r=0.6)).report.target
    'resnet50-stage1'
    """

    report: Report
    overlap: str
    ridge_macs_per_byte: float
    shares: tuple[Share, ...]
    remedies: tuple[Remedy, ...]

    @property
    def summary(self) -> str:
        """The prediction that is explained, and what would help most."""
        best = f"; {self.remedies[0].change} would save {self.remedies[0].gain:.1%}" if self.remedies else ""
        return f"{self.report.summary}{best}"

    def to_frame(self) -> pandas.DataFrame:
        """A row per kind of operator: the fields of its share; times in seconds, for the whole batch."""
        import pandas

        return pandas.DataFrame([share.to_dict() for share in self.shares])

    def to_dict(self) -> dict[str, Any]:
        """Everything, in plain types."""
        report = self.report
        return {
            **report.asked.to_dict(),
            "paradigm": report.paradigm.to_dict(),
            **report.totals(),
            "ridge_macs_per_byte": self.ridge_macs_per_byte,
            "operators": [share.to_dict() for share in self.shares],
            "remedies": [asdict(remedy) for remedy in self.remedies],
        }


def explain(
    target: Target | str | Path,
    profile: HardwareProfile | str | Path,
    paradigm: Paradigm = STATIC,
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
) -> Explanation:
    """Where the time of a prediction goes, and what a larger S, fusing, a larger batch or another paradigm would gain.

    Other paradigms are taken at the rate that needs the same multiply-adds, a larger S at the same rate.

    Raises
    ------
    InputError
        As `latpred.predict`.

    Examples
    --------
    >>> from latpred import Spatial
    >>> found = explain("r50-stage1", "v100", Spatial(S=4, r=0.6))
    >>> found.shares[0].name, found.remedies[0].change
    ('masker+conv1', 'layer skipping')
    """
    how: dict[str, Any] = {"batch": batch, "model": model, "precision": precision, "library": library, "like": like}
    report = predict(target, profile, paradigm, **how)
    asked = report.asked
    lowered, rates = planned(asked, report.paradigm)
    figures = lowered.figures(asked.cost_model, asked.batch, rates)
    groups: dict[tuple[int | None, str], list[int]] = {}
    outside = iter(collected([step.name for step in lowered.steps if step.stage is None]))
    for number, step in enumerate(lowered.steps):
        name = next(outside) if step.stage is None else step.name
        if not step.omitted:
            groups.setdefault((step.stage, name), []).append(number)
    roofline = cost_model("roofline", asked.profile, precision=precision)
    own = {part: values[0].tolist() for part, values in rates.items()}
    shares = []
    for (_, name), numbers in groups.items():
        places = lowered.places[numbers]
        steps = [lowered.steps[number].at(own) for number in numbers]
        found = Figures(*(values[0][places] for values in figures))
        shares.append(_share(name, steps, found, asked, roofline))
    ridge = asked.profile.peak_macs(precision) / asked.profile.copy_bandwidth
    return Explanation(report, asked.profile.overlap, ridge, tuple(shares), remedies(report))


def _share(name: str, steps: list[Step], found: Figures, asked: Asked, roofline: CostModel) -> Share:
    """Equal operators of a stage together; the tile and how full it is are those of the kernel that takes longest."""
    longest = steps[int(np.argmax(found.latency_s))].operator
    cost = asked.cost_model.cost(longest, asked.batch)
    bound = sum(step.executions * float(roofline.cost(step.operator, asked.batch).latency_s) for step in steps)
    latency, moved, l2 = (float(values.sum()) for values in (found.latency_s, found.bytes, found.l2_s))
    return Share(
        name=name,
        stage=steps[0].stage,
        kernels=len(steps),
        compute_s=float(found.compute_s.sum()),
        off_chip_s=float(found.memory_s.sum()) - l2,
        l2_s=l2,
        launch_s=float(found.launch_s.sum()),
        latency_s=latency,
        tile=None if cost.tiling is None else tuple(int(edge) for edge in cost.tiling.tile),
        fill=asked.cost_model.fill(cost),
        macs_per_byte=float(found.macs.sum()) / moved if moved else 0.0,
        of_roofline=bound / latency if latency else 0.0,
    )
