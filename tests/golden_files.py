"""The golden files, line by line (see golden/README.md for where they are from)."""

import gzip
import json
from pathlib import Path
from typing import Any

from latpred.devices.profile import HardwareProfile
from latpred.workloads import operators as op
from latpred.workloads.lowering.published import channel_masker, squeeze_excitation

FOLDER = Path(__file__).parent / "golden"


def lines(name: str) -> list[dict[str, Any]]:
    """Every object of a golden file."""
    with gzip.open(FOLDER / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def profile(line: dict[str, Any]) -> HardwareProfile:
    """The device of a golden operator."""
    device = line["device"]
    return HardwareProfile(
        name=device["name"],
        pes=device["n_pes"],
        fp32_lanes_per_pe=device["pe_fp32s"],
        clock_hz=device["frequency"],
        dram_bandwidth=device["mem_bandwidth"],
        l2_bandwidth_ratio=device["l2_speed_frac"],
        kernel_s=device["launch_time_s"],
        overlap=line["overlap"],
    )


def operators(line: dict[str, Any]) -> list[op.Operator]:
    """The operators that a golden line is the sum of."""
    kind, args = line["op"], dict(line["args"])
    if kind == "channel_conv":
        return [op.Convolution(input_rate=args.pop("r_in"), output_rate=args.pop("r_out"), **args)]
    if kind == "masker_conv1":
        force_fused = args.pop("force_fused")
        masker = op.MaskerConvolution(**args)
        return [masker.fused if force_fused else masker]
    if kind in {"se", "dynamic_se"}:
        squeeze = args.pop("squeeze")
        shape = {name: args.pop(name) for name in ("channels", "height", "width")}
        return [operator for _, operator in squeeze_excitation(shape, squeeze, args or None)]
    if kind == "channel_masker":
        return [step.operator for step in channel_masker(**args)]
    simple = {
        "conv": op.Convolution,
        "dynamic_conv": op.PatchConvolution,
        "scatter_add": op.ScatterAdd,
        "add": op.Add,
        "fc": op.FullyConnected,
        "avg_pool": op.AveragePool,
    }
    return [simple[kind](**args)]
