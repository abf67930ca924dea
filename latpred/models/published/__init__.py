"""The published cost model (MODEL §2–§8), with its oddities (MODEL §10): it reproduces the papers.

One function per operator: its equation over a grid of tiles, and the search for the cheapest. Names follow the page:
P, F, f, κ (kappa), q, β (beta), β₂ (beta2), ρ (rho); `c_t, h_t, w_t` a tile's edges, `x` a number of active patches,
`m` of patches processed together, N the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import ceil, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latpred.devices.profile import HardwareProfile
from latpred.errors import InputError
from latpred.models.interface import Cost, CostModel, Fill, check_known, refuse_library, unsupported
from latpred.models.published import candidates, convolutions, maps, tokens
from latpred.models.published.machine import Machine, efficiency
from latpred.models.published.stacks import end_to_end, in_a_row
from latpred.models.tiling import Numbers
from latpred.workloads import operators as op
from latpred.workloads.lowering import PUBLISHED

COSTS: dict[type[op.Operator], Callable[..., Cost]] = {
    op.Convolution: convolutions.convolution,
    op.LayerMasker: convolutions.layer_masker,
    op.PlainConvolution: convolutions.plain_convolution,
    op.PatchConvolution: convolutions.patch_convolution,
    op.HaloConvolution: convolutions.patch_convolution,
    op.MaskerConvolution: convolutions.masker_convolution,
    op.Add: maps.add,
    op.ScatterAdd: maps.scatter_add,
    op.Gather: maps.gather,
    op.Scatter: maps.gather,
    op.AveragePool: maps.average_pool,
    op.GlobalPool: maps.global_pool,
    op.PatchGlobalPool: maps.patch_global_pool,
    op.PatchElementWise: maps.patch_element_wise,
    op.ChannelScale: maps.channel_scale,
    op.FullyConnected: maps.fully_connected,
    op.Linear: tokens.linear,
    op.MatrixProduct: tokens.matrix_product,
    op.ElementWise: tokens.element_wise,
    op.Softmax: tokens.softmax,
    op.LayerNorm: tokens.layer_norm,
    op.TokenAdd: tokens.token_add,
    op.Unfold: tokens.unfold,
}
#: Operators whose tiles do not follow the patches' rate: a stack of them is one call.
STACKED = (
    op.PatchConvolution,
    op.HaloConvolution,
    op.MaskerConvolution,
    op.ScatterAdd,
    op.Gather,
    op.Scatter,
    op.PatchGlobalPool,
    op.PatchElementWise,
)
#: Rates of an operator at a time, where each has a search of its own.
_SEARCHED = 256
#: What the model does not heed.
UNHEEDED = {"channel_group": "its channels are on one by one (MODEL §10, oddity 3); leave it out, or use the roofline"}


class Published(CostModel):
    """The papers' model of a device: FP32, one constant per kernel, tiles searched operator by operator."""

    name = "published"
    form = PUBLISHED

    def __init__(self, profile: HardwareProfile, precision: str, library: str | None) -> None:
        """Raises InputError for another precision than FP32, and for any library."""
        super().__init__(profile, precision, library)
        if precision != "fp32":
            raise InputError(
                f"the published model knows FP32 only, not {precision}; use the roofline, or the calibrated model "
                f"({profile.name}: {profile.calibrated_in_words})"
            )
        refuse_library(self.name, library)
        self.machine = Machine.of(profile)
        self.profile = profile

    @property
    def key(self) -> tuple[Any, ...]:
        """The device's parameters."""
        return (*super().key, self.machine)

    @property
    def about(self) -> str:
        """Its error where blocks were measured; elsewhere that it is not known."""
        name, known = self.profile.name, f"its error on {self.profile.name} was not measured"
        for found in self.profile.calibrations:
            if found.published_error is not None:
                known = f"on {name} it was off by {found.published_error:.0%} on average over measured blocks"
        return f"published model: it reproduces the papers; {known}"

    def cost(self, operator: op.Operator, batch: Numbers, *, chained: bool = False) -> Cost:
        """MODEL §3–§7, whatever runs before; a stack whose tiles differ with the rates is asked one by one."""
        kind, shapes = type(operator), op.members(operator)
        if kind not in COSTS:
            raise unsupported(self.name, operator, "the papers' operators only; use the calibrated or roofline model")
        check_known(self.name, operator, UNHEEDED)
        if not shapes:
            return _single(operator, self.machine, batch)
        several = len(shapes) > 1 or _settings(operator) > 1
        if several and kind in STACKED and not _has_channel_rates(operator):
            return COSTS[kind](operator, self.machine, batch)
        if kind is op.Convolution and candidates.switched_sides(operator):  # type: ignore[arg-type]
            return candidates.convolutions(operator, self.machine, batch)  # type: ignore[arg-type]
        return in_a_row([_single(each, self.machine, batch) for each in _members(operator)])

    def fill(self, cost: Cost) -> Fill | None:
        """Shares of the tiles inside the operator, of the waves' engines, and of an engine's lanes in use."""
        found, M = cost.tiling, self.machine
        if found is None or found.extents is None:
            return None
        counts = [ceil(extent / edge) for extent, edge in zip(found.extents, found.edges, strict=True)]
        covered = prod(count * edge for count, edge in zip(counts, found.edges, strict=True))
        return Fill(
            tile=prod(found.extents) / covered * float(found.used),
            wave=float(efficiency(prod(counts), M.P)),
            lane=float(efficiency(found.parallel, M.F * M.kappa)),
        )


def _single(operator: op.Operator, machine: Machine, batch: Numbers) -> Cost:
    """Equal questions are answered once; arrays of rates have no hash, and are not asked for twice."""
    arrays = {name: value for name, value in operator.__dict__.items() if isinstance(value, np.ndarray)}
    if not arrays:
        return _cached(operator, machine, batch)
    costs = []
    for start in range(0, len(next(iter(arrays.values()))), _SEARCHED):
        part = {name: values[start : start + _SEARCHED] for name, values in arrays.items()}
        asked = op.unchecked(type(operator), {**operator.__dict__, **part})
        costs.append(COSTS[type(operator)](asked, machine, batch))
    return end_to_end(costs)


@lru_cache(maxsize=8192)
def _cached(operator: op.Operator, machine: Machine, batch: int) -> Cost:
    return COSTS[type(operator)](operator, machine, batch)


def _has_channel_rates(operator: Any) -> bool:
    rates = (getattr(operator, name, 1.0) for name in ("input_rate", "output_rate"))
    return any(np.ndim(rate) or rate != 1 for rate in rates)


def _arrays(operator: op.Operator) -> dict[str, NDArray[np.float64]]:
    """The rates of a stack that are known, of shape (settings, operators)."""
    rates = {name: getattr(operator, name) for name in op.rate_fields(type(operator))}
    return {name: rate for name, rate in rates.items() if isinstance(rate, np.ndarray)}


def _settings(operator: op.Operator) -> int:
    """At how many settings of its rates a stack is asked."""
    return max((len(rate) for rate in _arrays(operator).values()), default=1)


def _members(operator: op.Operator) -> list[op.Operator]:
    """The operators of a stack, each with its own column of the rates: a number where it is one, which has a hash."""
    columns = {name: rate[0].tolist() if len(rate) == 1 else list(rate.T) for name, rate in _arrays(operator).items()}
    return [
        op.unchecked(type(each), {**each.__dict__, **{name: column[place] for name, column in columns.items()}})
        for place, each in enumerate(op.members(operator))
    ]
