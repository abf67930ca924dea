"""The five measurements that a device profile needs: copy and L2 bandwidth, FMA and tensor peaks, kernel floors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from latpred.devices.profile import HardwareProfile
from latpred.measuring.gpu import peak_kernels
from latpred.measuring.gpu.session import environment
from latpred.measuring.gpu.timing import Job, cache_bytes, timed

#: The compute capability of the first devices with TF32, those called Ampere.
TF32_SINCE = (8, 0)


def copy_bandwidth(elements: int = 2**29) -> float:
    """Bytes read and written per second by a copy far larger than the cache."""
    source = torch.randn(elements, device="cuda")
    target = torch.empty_like(source)
    return 2 * 4 * elements / timed(Job(lambda _: torch.mul(source, 1.0, out=target))).median_s


def l2_bandwidth(passes: int = 64) -> float:
    """Bytes read per second from a buffer of a quarter of the cache, by all engines."""
    block = 4096
    elements = cache_bytes() // 4 // 4 // block * block
    programs = 4 * engines()
    source = torch.randn(elements, device="cuda")
    out = torch.empty(programs * block, device="cuda")

    def step(_: int) -> None:
        peak_kernels.copy_kernel[(programs,)](source, out, elements, passes, BLOCK=block, num_warps=8)

    read = passes * (elements // block) // programs * programs * block * 4
    return read / timed(Job(step)).median_s


def fma_peak(steps: int = 4096) -> float:
    """FP32 multiply-adds per second out of registers."""
    block, programs = 1024, 8 * engines()
    source = torch.rand(programs * block, device="cuda") * 0.5
    out = torch.empty_like(source)

    def step(_: int) -> None:
        peak_kernels.multiply_add_kernel[(programs,)](source, out, steps, BLOCK=block, num_warps=8)

    return 8 * steps * block * programs / timed(Job(step)).median_s


def tensor_peak(precision: str, edge: int = 8192) -> float:
    """Multiply-adds per second of a large matrix product in FP16, or in TF32: 0 where the device has none."""
    if precision == "tf32" and torch.cuda.get_device_capability() < TF32_SINCE:
        return 0.0
    dtype = torch.float16 if precision == "fp16" else torch.float32
    a, b = (torch.randn(edge, edge, device="cuda", dtype=dtype) for _ in range(2))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        return edge**3 / timed(Job(lambda _: torch.mm(a, b))).median_s
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def kernel_floors() -> tuple[float, float]:
    """Seconds per small kernel, one after another: in a CUDA graph, and launched into a stream."""
    x = torch.zeros(1024, device="cuda")
    in_graph = timed(Job(lambda _: x.add_(1.0))).median_s
    return in_graph, _stream_floor(lambda: x.add_(1.0))


def _stream_floor(launch: Callable[[], Any], launches: int = 2000) -> float:
    for _ in range(100):
        launch()
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    for _ in range(launches):
        launch()
    end.record()
    torch.cuda.synchronize()
    return float(start.elapsed_time(end)) * 1e-3 / launches


def profile(name: str) -> HardwareProfile:
    """This machine's GPU: its parameters, with what was measured as `peaks`."""
    here = environment()
    copy, l2, (graph, stream) = copy_bandwidth(), l2_bandwidth(), kernel_floors()
    clock = float(here["sm_clock_hz"] or 1e9)
    peaks = {"fp32_macs": fma_peak(), "tf32_macs": tensor_peak("tf32"), "fp16_macs": tensor_peak("fp16")}
    measured = f"latpred measure --profile-only on {here['device']}, driver {here['driver']}, torch {here['torch']}"
    lanes = max(round(peaks["fp32_macs"] / clock / engines() / 64) * 64, 64)
    fields: dict[str, Any] = {
        "name": name,
        "title": here["device"],
        "pes": engines(),
        "fp32_lanes_per_pe": lanes,
        "clock_hz": clock,
        "dram_bandwidth": _four_digits(copy),
        "l2_bandwidth_ratio": max(round(l2 / copy, 2), 1.0),
        "kernel_s": _four_digits(graph),
        "default_batch": 1,
        "validated": False,
        "sources": {
            "pes": "device properties",
            "fp32_lanes_per_pe": "measured multiply-adds per clock and engine, in whole 64s",
            "clock_hz": "nvidia-smi, clocks.max.sm",
            "dram_bandwidth": measured,
            "l2_bandwidth_ratio": measured,
            "kernel_s": measured,
        },
        "peaks": {
            "copy_bandwidth": _four_digits(copy),
            "l2_bandwidth": _four_digits(l2),
            "l2_bytes": float(cache_bytes()),
            **{peak: _four_digits(value) for peak, value in peaks.items()},
            "kernel_graph_s": _four_digits(graph),
            "kernel_stream_s": _four_digits(stream),
            "source": measured,
        },
    }
    return HardwareProfile(**fields)


def _four_digits(value: float) -> float:
    return float(f"{value:.4g}")


def engines() -> int:
    """Streaming multiprocessors of the device."""
    return int(torch.cuda.get_device_properties(0).multi_processor_count)
