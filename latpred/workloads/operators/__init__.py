"""The operators: shapes and rates of what a kernel computes, with its multiply-adds and least bytes.

An operator knows no device. Rates may be tuples or arrays: every figure is then an array.
"""

from latpred.workloads.operators.base import (
    Operator,
    Share,
    field_names,
    is_open,
    is_whole,
    members,
    rate_fields,
    stack,
    unchecked,
    with_rates,
)
from latpred.workloads.operators.convolutions import Convolution, FullyConnected, LayerMasker
from latpred.workloads.operators.layers import Attention, BatchNorm, Copy, PlainConvolution, Pool, plain
from latpred.workloads.operators.maps import (
    Add,
    AveragePool,
    ChannelScale,
    Gather,
    GlobalPool,
    MaskCompaction,
    PatchChannelScale,
    PatchElementWise,
    PatchGlobalPool,
    Scatter,
    ScatterAdd,
)
from latpred.workloads.operators.patches import ActivePatches, HaloConvolution, MaskerConvolution, PatchConvolution
from latpred.workloads.operators.tokens import (
    ElementWise,
    LayerNorm,
    Linear,
    MatrixProduct,
    Softmax,
    TokenAdd,
    Unfold,
)

__all__ = [
    "ActivePatches",
    "Add",
    "Attention",
    "AveragePool",
    "BatchNorm",
    "ChannelScale",
    "Convolution",
    "Copy",
    "ElementWise",
    "FullyConnected",
    "Gather",
    "GlobalPool",
    "HaloConvolution",
    "LayerMasker",
    "LayerNorm",
    "Linear",
    "MaskCompaction",
    "MaskerConvolution",
    "MatrixProduct",
    "Operator",
    "PatchChannelScale",
    "PatchConvolution",
    "PatchElementWise",
    "PatchGlobalPool",
    "PlainConvolution",
    "Pool",
    "Scatter",
    "ScatterAdd",
    "Share",
    "Softmax",
    "TokenAdd",
    "Unfold",
    "field_names",
    "is_open",
    "is_whole",
    "members",
    "operator_class",
    "plain",
    "rate_fields",
    "stack",
    "unchecked",
    "with_rates",
]


def operator_class(operator: Operator) -> str:
    """The class that errors are reported by: the type, and for convolutions what makes them differ in kind."""
    name = type(operator).__name__
    if isinstance(operator, Convolution):
        if operator.channel_group:
            return "channel " + name
        return ("grouped " if operator.groups > 1 else "") + name
    if isinstance(operator, PlainConvolution) and operator.groups > 1:
        return ("depthwise " if operator.is_depthwise else "grouped ") + name
    return name
