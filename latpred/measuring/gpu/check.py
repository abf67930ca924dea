"""The numerical check that runs before anything is timed: every kernel, in blocks of odd shapes, against PyTorch."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from latpred.errors import DataError
from latpred.measuring.gpu import blocks, reference
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.paradigms import Channel, Layer, Paradigm, Spatial, Static

#: Largest ‖out − ref‖/‖ref‖ by precision: rounding of the sums in FP32, of the products in TF32, of the maps in FP16.
TOLERANCE = {"fp32": 1e-5, "tf32": 2e-3, "fp16": 4e-3}

SHAPES = (
    Bottleneck(name="even", c_in=64, c_out=64, height=12, width=12),
    Bottleneck(name="odd, strided", c_in=40, c_out=72, bottleneck_ratio=2, height=14, width=10, stride=2),
    Bottleneck(
        name="grouped, SE", c_in=32, c_out=48, bottleneck_ratio=1, height=14, width=14, stride=2, groups=6, se=True
    ),
)


def cases(shapes: tuple[Bottleneck, ...] = SHAPES) -> Iterator[tuple[Bottleneck, Paradigm]]:
    """Every block under every paradigm that its kernels compute."""
    for shape in shapes:
        yield shape, Static()
        yield from ((shape, Spatial(S=S, r=0.4)) for S in (1, 2, 4))
        yield shape, Layer(r=0.5)
        if shape.groups == 1 and not shape.se:
            yield from ((shape, Channel(G=G, r=0.5)) for G in (1, 4))


def error_of(shape: Bottleneck, paradigm: Paradigm, precision: str, device: str, batch: int = 3) -> float:
    """‖out − ref‖/‖ref‖ of a block on fresh random numbers; NaN or infinity where the output has one."""
    x = blocks.random_input(shape, precision, batch, device)
    weights = blocks.random_weights(shape, paradigm, precision, device)
    limits = blocks.thresholds(shape, paradigm, batch, device)
    found = blocks.run(shape, paradigm, x, weights, limits, precision).double()
    expected = reference.block(shape, paradigm, x, weights, limits)
    return float(torch.linalg.vector_norm(found - expected) / torch.linalg.vector_norm(expected))


def verify(precision: str, device: str = "cuda") -> int:
    """Check every case; returns how many there were. Raises DataError where a kernel is wrong."""
    count = 0
    for shape, paradigm in cases():
        error = error_of(shape, paradigm, precision, device)
        if not error <= TOLERANCE[precision]:
            raise DataError(
                f"the {precision} kernels of {paradigm} are wrong by {error:.1e} here (block {shape.name!r}); "
                "nothing was timed"
            )
        count += 1
    return count
