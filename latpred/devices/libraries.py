"""The fitted numbers of a calibration by library of kernels: where a fit starts, what a number can be, what it means.

The equations that use them are in `latpred.models.calibrated`.
"""

from __future__ import annotations

from typing import NamedTuple

#: A fit may move a number by this factor from its start.
REACH = 100.0
#: Beyond this exponent (computeᵖ + memoryᵖ)^(1/p) is the larger of both, below 1 more than their sum.
LARGEST_EXPONENT = 50.0


class Number(NamedTuple):
    """A fitted number: where its fit starts, what it is, and the range that it lies in."""

    start: float
    meaning: str
    low: float
    high: float


def _number(start: float, meaning: str, low: float | None = None, high: float | None = None) -> Number:
    return Number(start, meaning, low or float(f"{start / REACH:.6g}"), high or float(f"{start * REACH:.6g}"))


def _share(start: float, meaning: str) -> Number:
    """A share of a peak."""
    return _number(start, meaning, high=1.0)


def _rate(start: float, meaning: str) -> Number:
    """A share of a peak that some cards exceed, since they clock higher than their data sheet says."""
    return _number(start, meaning, high=1.5)


_OVERLAP = "exponent p of (computeᵖ + memoryᵖ)^(1/p)"

_TRITON = {
    "kernel_s": _number(1.4e-6, "constant time per kernel in a CUDA graph [s]"),
    "large_efficiency": _share(0.65, "share of the peak rate that a full device reaches with the largest tile"),
    "middle_efficiency": _share(0.43, "the same with the middle tile, where there is one"),
    "small_efficiency": _share(0.18, "the same with the smallest tile"),
    "alone_slowdown": _number(1.7, "time of a step of four warps alone on an engine, over its share of a full one"),
    "serial_s": _number(3.0e-7, "time of a step of a small kernel, which waits for memory [s]"),
    "program_s": _number(7.0e-7, "time to start and end a program of at most 32 outputs a thread [s]"),
    "switch_s": _number(4.0e-7, "constant time that a kernel adds where another kind of kernel ran before it [s]"),
    "cache_share": _number(0.4, "maps of which half are found in the L2, over its size"),
    "gather_factor": _number(1.2, "factor on a step of a full engine for each halving of its accesses", low=1.0),
    "gather_alone": _number(1.2, "the same factor for a program alone on an engine", low=1.0),
    "overlap": _number(3.0, _OVERLAP, 1.0, LARGEST_EXPONENT),
}
_TENSORRT = {
    "kernel_s": _number(1.3e-5, "constant time of an engine with one convolution [s]"),
    "efficiency": _share(0.9, "share of the peak rate that tiles of 128×128 reach"),
    "program_s": _number(3e-6, "time to start and end a program of 128×128 outputs, smaller ones in proportion [s]"),
    "depthwise_efficiency": _share(0.1, "share of the FP32 lanes' peak rate in a depthwise convolution"),
    "dram_efficiency": _share(0.8, "share of the off-chip bandwidth"),
    "overlap": _number(2.0, _OVERLAP, 1.0, LARGEST_EXPONENT),
}
_TENSORRT_FP32 = {
    **_TENSORRT,
    "tile_loss": _number(0.3, "time that a multiply-add takes longer in a tile of 32×32"),
    "wait_s": _number(4e-8, "latency of an element of the sum that other programs do not hide [s]"),
    "winograd_efficiency": _share(0.85, "share of the peak rate that the Winograd kernel reaches"),
    "winograd_program_s": _number(2e-6, "time to start and end a program of the Winograd kernel [s]"),
    "plane_s": _number(6e-8, "time that an engine takes to turn to another map of a depthwise convolution [s]"),
}
_TENSORRT_FP16 = {
    **_TENSORRT,
    "small_efficiency": _share(0.5, "share of the peak rate that tiles of 64×64 reach"),
    "lane_efficiency": _share(0.7, "share of the lanes' peak rate, two halves at a time"),
    "depthwise_s": _number(1e-5, "constant time that a depthwise convolution adds [s]"),
    "strided_reads": _number(2.0, "times that a strided depthwise convolution reads its input"),
}
_PYTORCH = {
    "kernel_s": _number(1.5e-6, "constant time of a kernel that multiplies nothing [s]"),
    "efficiency": _rate(0.75, "share of the peak rate that convolutions reach in full tiles"),
    "linear_efficiency": _rate(0.75, "the same of linear layers"),
    "program_s": _number(1e-6, "time to start and end a program of 128×128 outputs, smaller ones in proportion [s]"),
    "group_efficiency": _number(
        0.45, "the same of convolutions with groups, in tiles of 64 columns and more", high=5.0
    ),
    "depthwise_efficiency": _rate(
        0.1, "share of the FP32 lanes' peak rate in a depthwise convolution, of halves twice it"
    ),
    "attention_efficiency": _rate(0.3, "share of the peak rate of fused attention"),
    "pass_efficiency": _rate(1.0, "speed of kernels that multiply nothing, over that of an H200's engine per clock"),
    "dram_efficiency": _rate(0.95, "share of the off-chip bandwidth"),
}
_PYTORCH_FP32 = {
    **_PYTORCH,
    "winograd_efficiency": _rate(0.85, "share of the peak rate that the Winograd kernel reaches"),
    "winograd_program_s": _number(2e-6, "time to start and end a program of the Winograd kernel [s]"),
    "winograd_tiles": _number(200.0, "tiles of 4×4 outputs below which Winograd in three kernels is not taken"),
}
_PYTORCH_TF32 = {
    **_PYTORCH,
    "odd_efficiency": _rate(0.3, "share of the peak rate where channels do not fill whole accesses"),
    "uneven_efficiency": _rate(
        0.2, "share of the lanes' peak rate, of halves twice it, in groups as wide as no power of 2"
    ),
}
_PYTORCH_FP16 = {
    **_PYTORCH_TF32,
    "widened": _number(
        1.5, "bytes of norms and softmax over those in FP16: more than 1 where autocast widens them", 1.0, 8.0
    ),
}
#: Triton's FP32 kernels have two tiles only.
_TRITON_FP32 = {name: number for name, number in _TRITON.items() if name != "middle_efficiency"}

_ENGINE = {
    "kernel_s": _number(1e-5, "constant time of a kernel in an engine [s]"),
    "efficiency": _share(0.8, "share of the peak rate that tiles of 128×128 reach"),
    "program_s": _number(2e-6, "time to start and end a program of 128×128 outputs, smaller ones in proportion [s]"),
    "wait_s": _number(1e-8, "latency of an element of the sum that other programs do not hide [s]"),
    "depthwise_efficiency": _share(0.1, "share of the lanes' peak rate in a depthwise convolution"),
    "plane_s": _number(5e-8, "time that an engine takes to turn to another map of a depthwise convolution [s]"),
    "group_efficiency": _share(0.03, "share of the lanes' peak rate of a convolution in groups as one kernel"),
    "group_s": _number(6e-6, "time between the kernels of two groups of a convolution [s]"),
    "dram_efficiency": _share(0.8, "share of the off-chip bandwidth"),
}
_ENGINE_FP32 = {
    **_ENGINE,
    "winograd_efficiency": _share(0.85, "share of the peak rate that the Winograd kernel reaches"),
    "winograd_program_s": _number(2e-6, "time to start and end a program of the Winograd kernel [s]"),
}
#: Of whole networks as engines: precision → the numbers by name.
ENGINES: dict[str, dict[str, Number]] = {"fp32": _ENGINE_FP32, "tf32": _ENGINE, "fp16": _ENGINE}

#: Library → precision → the numbers by name, never more than twelve.
NUMBERS: dict[str, dict[str, dict[str, Number]]] = {
    "triton": {"fp32": _TRITON_FP32, "tf32": _TRITON, "fp16": _TRITON},
    "pytorch": {"fp32": _PYTORCH_FP32, "tf32": _PYTORCH_TF32, "fp16": _PYTORCH_FP16},
    "tensorrt": {"fp32": _TENSORRT_FP32, "tf32": _TENSORRT_FP32, "fp16": _TENSORRT_FP16},
}


def numbers_of(library: str, precision: str, of: str = "operators") -> dict[str, Number]:
    """The numbers of a library's operators one by one, or of whole `networks`."""
    return ENGINES[precision] if (library, of) == ("tensorrt", "networks") else NUMBERS[library][precision]
