"""Where the time of a prediction goes, how full the engines are, and what would help; contains no equation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from latpred.devices.profile import HardwareProfile
from latpred.models.interface import CostModel, Fill, cost_model, fill_model
from latpred.notebook import Shown
from latpred.prediction import STATIC, Target, checked_batch, lower, predict
from latpred.report import Report
from latpred.studies.remedies import Remedy, remedies
from latpred.workloads.blocks import Step
from latpred.workloads.operators import Operator
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
    """A prediction's operators, the ridge of its device's roofline in its precision, and remedies, the best first."""

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
            "target": report.target,
            "device": report.device,
            "model": report.model,
            "paradigm": report.paradigm.to_dict(),
            "batch": report.batch,
            "precision": report.precision,
            "library": report.library,
            **report.totals(),
            "ridge_macs_per_byte": self.ridge_macs_per_byte,
            "operators": [share.to_dict() for share in self.shares],
            "remedies": [asdict(remedy) for remedy in self.remedies],
        }


def explain(
    target: Target,
    profile: HardwareProfile,
    paradigm: Paradigm = STATIC,
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
) -> Explanation:
    """Where the time of a prediction goes, and what a larger S, fusing, a larger batch or another paradigm would gain.

    Other paradigms are taken at the rate that needs the same multiply-adds, a larger S at the same rate.

    Raises
    ------
    InputError
        As `latpred.predict`.
    """
    cost = cost_model(model, profile, precision=precision, library=library)
    roofline = cost_model("roofline", profile, precision=precision)
    batch = checked_batch(batch, profile)
    report = predict(target, profile, paradigm, batch=batch, model=model, precision=precision, library=library)
    groups: dict[tuple[int | None, str], list[Step]] = {}
    workload = lower(target, paradigm, kernels=cost.kernels)
    for step in workload.steps:
        groups.setdefault((step.stage, step.name), []).append(step)
    chained = len(workload.steps) > 1
    fill = fill_model(model, profile)
    shares = tuple(_share(steps, cost, roofline, fill, batch, chained=chained) for steps in groups.values())
    ridge = profile.peak_macs(precision) / profile.copy_bandwidth
    return Explanation(report, profile.overlap, ridge, shares, remedies(target, profile, report))


def _share(
    steps: list[Step],
    cost: CostModel,
    roofline: CostModel,
    fill: Callable[[Operator, int], Fill | None],
    batch: int,
    *,
    chained: bool,
) -> Share:
    executed = [(float(step.executions), step.operator) for step in steps]
    answers = [(share, operator, cost.step(operator, batch, share, chained=chained)) for share, operator in executed]

    def total(field: str) -> float:
        return sum(float(getattr(answer, field)) for _, _, answer in answers)

    # The tile and how full it is are those of the kernel that takes longest.
    _, longest, _ = max(answers, key=lambda entry: float(entry[2].latency_s))
    answer = cost(longest, batch)
    full = None if answer.tile is None else fill(longest, batch)
    macs = sum(share * float(operator.macs(batch)) for share, operator, _ in answers)
    moved = sum(share * float(cost.bytes(operator, batch)) for share, operator, _ in answers)
    bound = sum(share * float(roofline(operator, batch).latency_s) for share, operator, _ in answers)
    latency = total("latency_s")
    return Share(
        name=steps[0].name,
        stage=steps[0].stage,
        kernels=len(steps),
        compute_s=total("compute_s"),
        off_chip_s=total("memory_s") - total("l2_s"),
        l2_s=total("l2_s"),
        launch_s=total("launch_s"),
        latency_s=latency,
        tile=None if answer.tile is None else tuple(int(edge) for edge in answer.tile),
        fill=full,
        macs_per_byte=macs / moved if moved else 0.0,
        of_roofline=bound / latency if latency else 0.0,
    )
