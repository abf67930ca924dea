"""Predict how long dynamic neural networks take on a device.

>>> import latpred
>>> block, device = latpred.load_block("resnet50-stage1"), latpred.load_profile("tx2")
>>> report = latpred.predict(block, device, latpred.Spatial(S=4, r=0.6))
>>> f"{report.latency_s * 1e3:.3f} ms, {report.ratio:.3f} of static"
'0.829 ms, 0.781 of static'
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from latpred.curves import evaluate
from latpred.devices.catalogue import list_profiles, load_profile
from latpred.devices.profile import HardwareProfile
from latpred.errors import DataError, InputError, LatpredError, NetworkError, OutputError, ProfileError
from latpred.prediction import break_even_rate, predict
from latpred.report import OperatorRow, Report
from latpred.workloads.blocks import (
    BasicBlock,
    Bottleneck,
    ConvNeXtBlock,
    InvertedResidual,
    ResidualBlock,
    TransformerBlock,
)
from latpred.workloads.catalogue import Preset, list_networks, list_presets, load_block, load_network, load_preset
from latpred.workloads.layers import SE, Activation, Conv, Dense, Join, Norm, Pool
from latpred.workloads.networks import Network, Stage, Stem, VisionTransformer, save_network
from latpred.workloads.operators import (
    Add,
    AveragePool,
    ChannelScale,
    Convolution,
    ElementWise,
    FullyConnected,
    Gather,
    GlobalPool,
    LayerMasker,
    LayerNorm,
    Linear,
    MaskerConvolution,
    MatrixProduct,
    PatchConvolution,
    PatchGlobalPool,
    Scatter,
    ScatterAdd,
    Softmax,
    TokenAdd,
    Unfold,
)
from latpred.workloads.paradigms import Channel, Head, Joint, Layer, Paradigm, Spatial, Static, Token, Width
from latpred.workloads.reading import from_onnx, from_torch

if TYPE_CHECKING:
    from latpred.studies.budget import budget
    from latpred.studies.budget.answer import Budget, Option
    from latpred.studies.explanation import Explanation, explain
    from latpred.studies.granularity_choice import Recommendation
    from latpred.studies.latency_table import LatencyTable, latency_table
    from latpred.studies.pareto import pareto
    from latpred.studies.recommendation import recommend_granularity
    from latpred.studies.sweep import grid, sweep

__version__ = "0.1.0"

#: Questions asked of many predictions, and their modules, loaded when first asked: one prediction needs none.
_STUDIES = {
    "Budget": "budget.answer",
    "Option": "budget.answer",
    "budget": "budget",
    "Explanation": "explanation",
    "explain": "explanation",
    "LatencyTable": "latency_table",
    "latency_table": "latency_table",
    "pareto": "pareto",
    "Recommendation": "granularity_choice",
    "recommend_granularity": "recommendation",
    "grid": "sweep",
    "sweep": "sweep",
}

__all__ = [
    "SE",
    "Activation",
    "Add",
    "AveragePool",
    "BasicBlock",
    "Bottleneck",
    "Budget",
    "Channel",
    "ChannelScale",
    "Conv",
    "ConvNeXtBlock",
    "Convolution",
    "DataError",
    "Dense",
    "ElementWise",
    "Explanation",
    "FullyConnected",
    "Gather",
    "GlobalPool",
    "HardwareProfile",
    "Head",
    "InputError",
    "InvertedResidual",
    "Join",
    "Joint",
    "LatencyTable",
    "LatpredError",
    "Layer",
    "LayerMasker",
    "LayerNorm",
    "Linear",
    "MaskerConvolution",
    "MatrixProduct",
    "Network",
    "NetworkError",
    "Norm",
    "OperatorRow",
    "Option",
    "OutputError",
    "Paradigm",
    "PatchConvolution",
    "PatchGlobalPool",
    "Pool",
    "Preset",
    "ProfileError",
    "Recommendation",
    "Report",
    "ResidualBlock",
    "Scatter",
    "ScatterAdd",
    "Softmax",
    "Spatial",
    "Stage",
    "Static",
    "Stem",
    "Token",
    "TokenAdd",
    "TransformerBlock",
    "Unfold",
    "VisionTransformer",
    "Width",
    "break_even_rate",
    "budget",
    "evaluate",
    "explain",
    "from_onnx",
    "from_torch",
    "grid",
    "latency_table",
    "list_networks",
    "list_presets",
    "list_profiles",
    "load_block",
    "load_network",
    "load_preset",
    "load_profile",
    "pareto",
    "predict",
    "recommend_granularity",
    "save_network",
    "sweep",
]


def __getattr__(name: str) -> Any:
    """What was not loaded with the package."""
    if name not in _STUDIES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"latpred.studies.{_STUDIES[name]}"), name)


def __dir__() -> list[str]:
    """All names, loaded or not."""
    return sorted({*globals(), *__all__})
