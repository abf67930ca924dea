"""What each fusion of a spatial block gains: masker with conv1, gather with conv2, scatter with the addition.

Fusing never costs time and never reads more. A gather or a scatter of its own copies the patches once more. The fused
masker is one dense kernel, which computes and writes the whole of conv1's map: where few patches are active that moves
more data (`memory_s` rises) than masker and patch convolution one after the other, which read the input twice but write
the active patches alone. The cost model fuses only where the kernel saved makes up for it, and counts two kernels
elsewhere (MODEL §5); so an implementation that always fuses the masker does lose time at low rates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from latpred.devices.profile import HardwareProfile
from latpred.prediction import predict
from latpred.question import Answer, Asked, Target
from latpred.report import Report
from latpred.workloads.lowering.skipping import FUSIONS
from latpred.workloads.paradigms import Spatial

#: The figures of a combination, in order.
_FIGURES = ("latency_s", "memory_s", "launch_s", "bytes", "ratio", "gain")


@dataclass(frozen=True)
class Ablation(Answer):
    """One combination of fusions; latencies are for the whole batch [s].

    `gain` is the latency saved by these fusions over none of them, as a share of the latter; `memory_s` is the time of
    data movement, `launch_s` of kernels.
    """

    asked: Asked
    fused: tuple[str, ...]
    latency_s: float
    memory_s: float
    launch_s: float
    bytes: float
    ratio: float
    gain: float

    def to_dict(self) -> dict[str, Any]:
        """All fields, the fusions as text."""
        figures = {field: getattr(self, field) for field in _FIGURES}
        return {**self.asked.to_dict(), "fused": "+".join(self.fused) or "none", **figures}


def ablate_fusion(
    target: Target | str | Path,
    profile: HardwareProfile | str | Path,
    S: int | Sequence[int],
    r: float | Sequence[float],
    *,
    batch: int | None = None,
    model: str = "published",
    precision: str = "fp32",
    library: str | None = None,
    like: HardwareProfile | str | Path | None = None,
) -> list[Ablation]:
    """The eight combinations of masker, gather and scatter fused or not, from none to all.

    Raises
    ------
    InputError
        As `latpred.predict` with `latpred.Spatial`.
    """
    how: dict[str, Any] = {"batch": batch, "model": model, "precision": precision, "library": library, "like": like}
    combined = [fused for size in range(len(FUSIONS) + 1) for fused in combinations(FUSIONS, size)]
    unfused = (tuple(name for name in FUSIONS if name not in fused) for fused in combined)
    reports = [predict(target, profile, Spatial(S=S, r=r, unfuse=unfuse), **how) for unfuse in unfused]
    return [_row(fused, report, reports[0].latency_s) for fused, report in zip(combined, reports, strict=True)]


def _row(fused: tuple[str, ...], report: Report, unfused_s: float) -> Ablation:
    return Ablation(
        asked=report.asked,
        fused=fused,
        latency_s=report.latency_s,
        memory_s=sum(row.memory_s for row in report.operators),
        launch_s=sum(row.launch_s for row in report.operators),
        bytes=sum(row.bytes for row in report.operators),
        ratio=report.ratio,
        gain=1 - report.latency_s / unfused_s,
    )
