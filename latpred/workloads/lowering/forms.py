"""What a block is lowered to, and the rules by which: a form is what a cost model says its operators are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from latpred.workloads import operators as op

if TYPE_CHECKING:
    from latpred.workloads.blocks import ConvolutionalBlock, TransformerBlock
    from latpred.workloads.layers import Placed
    from latpred.workloads.lowering.skipping import Skipping


class Step(NamedTuple):
    """An operator, its name in the workload, and how often it runs per sample: a rate, maybe one that is not known yet.

    `stage` and `block` count from 1 and are None outside a network. Multiply-adds are counted on paper, the same in
    every form: those of `on_paper` where that is given. A step that is `omitted` is on paper alone: the form leaves it
    out, and it takes no time.
    """

    name: str
    operator: op.Operator
    executions: Any = 1.0
    stage: int | None = None
    block: int | None = None
    on_paper: op.Operator | None = None
    omitted: bool = False

    def macs(self, batch: int) -> Any:
        """Multiply-adds on paper for `batch` samples that all run it."""
        return (self.on_paper or self.operator).macs(batch)

    def at(self, rates: Mapping[str, Any]) -> Step:
        """The step at the rates of each part: one for all blocks, or one per block."""
        own = {part: float(rate[self.block - 1 if self.block and len(rate) > 1 else 0]) for part, rate in rates.items()}
        executions = self.executions.at(own) if isinstance(self.executions, op.Share) else self.executions
        return self._replace(operator=op.with_rates(self.operator, own), executions=float(executions))


class Lowered(NamedTuple):
    """The operators of a target under a paradigm, and what a reader of the result must know."""

    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()

    def at(self, rates: Mapping[str, Any]) -> tuple[Step, ...]:
        """The steps that the form does not omit, at the rates of each part: one for all blocks, or one per block."""
        return tuple(step.at(rates) for step in self.steps if not step.omitted)


@dataclass(frozen=True)
class Form:
    """Rules by which a block becomes operators.

    Parameters
    ----------
    name
        What it is called.
    steps
        The lowering of one block.
    transformer
        That of a transformer's.
    layer
        The operators of a layer outside the blocks, with their names.
    is_static
        There are no kernels of any form of skipping.
    omits_projections
        The shortcut of the papers' networks is left out where only the channels change (MODEL §10, oddity 5).
    scatters_channels
        The addition after channel skipping is a scatter-add of one pixel each (oddity 4).
    masks_input_channels
        The channel masker of the papers' block decides on groups of its input channels, not on those it switches.
    gathers_samples
        Only the samples that run a body are computed, in whole numbers; else its time counts with the share that runs.
    was_timed
        Whether kernels of such a block were timed, so that what is known of errors is known of it.
    """

    name: str
    steps: Callable[[ConvolutionalBlock, Skipping, Form], Iterable[Step]]
    transformer: Callable[[TransformerBlock, Skipping], Iterable[Step]]
    layer: Callable[[Placed], Iterable[tuple[str, op.Operator]]]
    is_static: bool = False
    omits_projections: bool = False
    scatters_channels: bool = False
    masks_input_channels: bool = False
    gathers_samples: bool = False
    was_timed: Callable[[ConvolutionalBlock], bool] | None = None
