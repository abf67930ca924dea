"""The columns of a measurement file, which are a contract, and the targets and paradigms whose fields they hold."""

from __future__ import annotations

from typing import Any, TypeAlias

from latpred.workloads import operators as op
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.paradigms import Channel, Layer, Paradigm, Spatial, Static

MeasuredTarget: TypeAlias = op.Operator | Bottleneck

#: Operators that a file may hold, by type name.
OPERATORS: dict[str, type[op.Operator]] = {
    kind.__name__: kind
    for kind in (
        op.Convolution,
        op.PatchConvolution,
        op.MaskerConvolution,
        op.Add,
        op.ScatterAdd,
        op.GlobalPool,
        op.PatchGlobalPool,
        op.ChannelScale,
        op.PatchChannelScale,
        op.FullyConnected,
        op.MaskCompaction,
        op.PlainConvolution,
        op.BatchNorm,
        op.Pool,
        op.Linear,
        op.MatrixProduct,
        op.Attention,
        op.ElementWise,
        op.TokenAdd,
        op.Softmax,
        op.LayerNorm,
        op.Copy,
    )
}
#: Blocks that a file may hold, by type name.
BLOCKS: dict[str, type[Bottleneck]] = {kind.__name__: kind for kind in (Bottleneck,)}
TARGETS: dict[str, Any] = {**OPERATORS, **BLOCKS}
#: Columns that hold the fields of targets and paradigms.
SHAPE_COLUMNS = (
    "c_in",
    "c_out",
    "channels",
    "height",
    "width",
    "kernel",
    "stride",
    "groups",
    "bottleneck_ratio",
    "se",
    "indexed",
    "input_rate",
    "output_rate",
    "channel_group",
    "items",
    "shared",
    "S",
    "G",
    "r",
)
#: Version of the columns that is written; a file without the column is of version 1, which had no other settings.
VERSION = 3
#: Since version 2: the other settings of a paradigm, empty for their defaults; several words are joined by +.
SETTING_COLUMNS = ("unfuse", "masker_layers", "scaled", "masker", "hidden", "version")
#: Since version 3: the fields of the operators of static networks, and the time that the host takes for one.
LAYER_COLUMNS = (
    "kernel_height",
    "kernel_width",
    "padding_height",
    "padding_width",
    "padding",
    "maximum",
    "tokens",
    "rows",
    "inner",
    "columns",
    "heads",
    "queries",
    "keys",
)
#: Columns that a file of an older version has not.
NEWER_COLUMNS = (*SETTING_COLUMNS, *LAYER_COLUMNS, "host_s")
#: Every column, in order.
COLUMNS = (
    "target",
    "name",
    "paradigm",
    *SHAPE_COLUMNS,
    *LAYER_COLUMNS,
    *SETTING_COLUMNS,
    "batch",
    "precision",
    "library",
    "median_s",
    "p10_s",
    "p90_s",
    "host_s",
    "repeats",
    "copies",
    "device",
    "driver",
    "sm_clock_hz",
    "memory_clock_hz",
    "torch",
    "triton",
    "latpred",
    "measured_at",
)
#: Paradigms of measured blocks by name.
PARADIGMS: dict[str, type[Paradigm]] = {kind.name: kind for kind in (Static, Spatial, Channel, Layer)}
