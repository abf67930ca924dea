"""What would make a prediction faster: a larger S, fusing, a larger batch, another paradigm; each one predicted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.interface import cost_model
from latpred.prediction import Target, predict
from latpred.report import Report
from latpred.studies.comparison import rate_for_macs
from latpred.studies.recommendation import MIN_RATE, recommend_granularity
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.networks import Network
from latpred.workloads.paradigms import Channel, Head, Layer, Paradigm, Spatial, Static, Token
from latpred.workloads.transformers import VisionTransformer

#: Batches are doubled this often; the smallest within `CLOSE` of the best is named.
DOUBLINGS = 7
CLOSE = 0.02
#: Channels per group of channel skipping, the papers' choice.
CHANNELS_PER_GROUP = 2


@dataclass(frozen=True)
class Remedy:
    """A change of the prediction, and what it gains: the share of the latency per image that it saves."""

    change: str
    paradigm: str
    batch: int
    latency_per_image_s: float
    gain: float


def remedies(target: Target, profile: HardwareProfile, report: Report) -> tuple[Remedy, ...]:
    """The best of each kind of change, the most gain first; a change may also lose.

    A larger S keeps the rate, another paradigm the multiply-adds.
    """

    def remedy(change: str, paradigm: Paradigm, batch: int) -> Remedy:
        found = predict(target, profile, paradigm, batch=batch, **report.model_settings).latency_per_image_s
        return Remedy(change, str(paradigm), batch, found, 1 - found / report.latency_per_image_s)

    best: dict[str, Remedy] = {}
    for change, paradigm in _other_paradigms(target, profile, report):
        try:
            tried = remedy(change, paradigm, report.batch)
        except InputError:  # What the model has no kernels for is no remedy.
            continue
        if change not in best or tried.gain > best[change].gain:
            best[change] = tried
    batches = [
        remedy("larger batch", report.paradigm, report.batch << doubling) for doubling in range(1, DOUBLINGS + 1)
    ]
    least = min(tried.latency_per_image_s for tried in batches)
    larger = next(tried for tried in batches if tried.latency_per_image_s <= least * (1 + CLOSE))
    return tuple(sorted([*best.values(), larger], key=lambda tried: -tried.gain))


def _other_paradigms(target: Target, profile: HardwareProfile, report: Report) -> Iterator[tuple[str, Paradigm]]:
    """Kinds of change, each with one or several paradigms to try."""
    paradigm, share = report.paradigm, report.macs_ratio
    if not paradigm.parts or share is None:
        return
    if report.ratio > 1:
        yield "no skipping", Static()
    if isinstance(paradigm, Spatial):
        if paradigm.unfuse:
            yield "fuse all", paradigm.replace(unfuse=())
        for S in _larger(target, profile, report):
            yield "larger S", paradigm.replace(S=S)
    macs = cost_model("roofline", profile)
    for other in _candidates(target, profile, report):
        if other.name not in {part.name for part in paradigm.parts}:
            r = rate_for_macs(target, other, share, macs, report.batch)
            if r is not None:
                yield f"{other.name} skipping", other.at_rates(r)


def _larger(target: Target, profile: HardwareProfile, report: Report) -> list[int | tuple[int, ...]]:
    """Larger S to try: of a block, all below its map; of a network, the fastest of each stage."""
    S = report.paradigm.granularity
    if isinstance(target, Bottleneck):
        return [edge for edge in _edges(target) if edge > S]
    if not isinstance(target, Network):
        return []
    now = S if isinstance(S, tuple) else (S,) * len(target.stages)
    rate = report.paradigm.rate
    if isinstance(rate, tuple) and len(rate) != len(now):
        return []
    fastest, above_zero = list(now), np.maximum(rate, MIN_RATE).tolist()
    found = recommend_granularity(target, profile, above_zero, batch=report.batch, **report.model_settings)
    for number, edge in enumerate(now):
        stage = [row for row in found.candidates if row.stage == number + 1 and (row.granularity or 0) >= edge]
        if stage:
            fastest[number] = min(stage, key=lambda row: row.latency_s).granularity or edge
    return [tuple(fastest)] if tuple(fastest) != now else []


def _edges(block: Bottleneck) -> list[int]:
    """Patch edges that divide a block's map and are smaller than it."""
    height, width = block.out_height, block.out_width
    return [S for S in range(1, min(height, width)) if height % S == 0 and width % S == 0]


def _candidates(target: Target, profile: HardwareProfile, report: Report) -> list[Paradigm]:
    """One paradigm of each kind that a target has, or several of which the best counts."""
    if isinstance(target, VisionTransformer):
        return [Token(r=1.0), Head(r=1.0), Layer(r=1.0)]
    if isinstance(target, Bottleneck):
        spatial = [Spatial(S=S, r=1.0) for S in _edges(target)]
        return [*spatial, Channel(G=CHANNELS_PER_GROUP, r=1.0), Layer(r=1.0)]
    if isinstance(target, Network):
        S = recommend_granularity(target, profile, 0.6, batch=report.batch, **report.model_settings).S
        return [Spatial(S=S, r=1.0), Channel(G=CHANNELS_PER_GROUP, r=1.0), Layer(r=1.0)]
    return []
