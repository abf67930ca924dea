"""What each fusion of a spatial block gains: masker with conv1, gather with conv2, scatter with the addition.

Fusing never costs time and never reads more. A gather or a scatter of its own copies the patches once more. The fused
masker is one dense kernel, which computes and writes the whole of conv1's map: where few patches are active that moves
more data (`memory_s` rises) than masker and patch convolution one after the other, which read the input twice but write
the active patches alone. The cost model fuses only where the kernel saved makes up for it, and counts two kernels
elsewhere (MODEL §5); so an implementation that always fuses the masker does lose time at low rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from latpred.devices.profile import HardwareProfile
from latpred.prediction import Target, predict
from latpred.report import Report
from latpred.workloads.paradigms import FUSIONS, Spatial


@dataclass(frozen=True)
class Ablation:
    """One combination of fusions; latencies are for the whole batch [s].

    `gain` is the latency saved by these fusions over none of them, as a share of the latter; `memory_s` is the time of
    data movement, `launch_s` of kernels.
    """

    target: str
    device: str
    model: str
    batch: int
    precision: str
    library: str | None
    fused: tuple[str, ...]
    latency_s: float
    memory_s: float
    launch_s: float
    bytes: float
    ratio: float
    gain: float

    def to_dict(self) -> dict[str, Any]:
        """All fields, the fusions as text."""
        return {**asdict(self), "fused": "+".join(self.fused) or "none"}


def ablate_fusion(
    target: Target,
    profile: HardwareProfile,
    S: int | Sequence[int],
    r: float | Sequence[float],
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
) -> list[Ablation]:
    """The eight combinations of masker, gather and scatter fused or not, from none to all.

    Raises
    ------
    InputError
        As `latpred.predict` with `latpred.Spatial`.
    """
    combined = [fused for size in range(len(FUSIONS) + 1) for fused in combinations(FUSIONS, size)]
    reports = []
    for fused in combined:
        unfuse = tuple(name for name in FUSIONS if name not in fused)
        paradigm = Spatial(S=S, r=r, unfuse=unfuse)
        found = predict(target, profile, paradigm, batch=batch, model=model, precision=precision, library=library)
        reports.append(found)
    return [_row(fused, report, reports[0].latency_s) for fused, report in zip(combined, reports, strict=True)]


def _row(fused: tuple[str, ...], report: Report, unfused_s: float) -> Ablation:
    return Ablation(
        target=report.target,
        device=report.device,
        model=report.model,
        batch=report.batch,
        precision=report.precision,
        library=report.library,
        fused=fused,
        latency_s=report.latency_s,
        memory_s=sum(row.memory_s for row in report.operators),
        launch_s=sum(row.launch_s for row in report.operators),
        bytes=sum(row.bytes for row in report.operators),
        ratio=report.ratio,
        gain=1 - report.latency_s / unfused_s,
    )
