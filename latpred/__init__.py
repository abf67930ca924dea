"""Predict how long dynamic neural networks take on a device.

>>> import latpred
>>> block, device = latpred.load_block("resnet50-stage1"), latpred.load_profile("tx2")
>>> report = latpred.predict(block, device, latpred.Spatial(S=4, r=0.6))
>>> f"{report.latency_s * 1e3:.3f} ms, {report.ratio:.3f} of static"
'0.829 ms, 0.781 of static'
"""

from latpred.blocks import Bottleneck
from latpred.catalogue import Preset, list_networks, list_presets, load_block, load_network, load_preset
from latpred.errors import DataError, InputError, LatpredError, NetworkError, OutputError, ProfileError
from latpred.explain import Explanation, explain
from latpred.lut import LatencyTable, latency_table
from latpred.networks import Network, Stage, Stem
from latpred.operators import (
    Add,
    AveragePool,
    ChannelScale,
    Convolution,
    FullyConnected,
    Gather,
    GlobalPool,
    LayerMasker,
    MaskerConvolution,
    PatchConvolution,
    PatchGlobalPool,
    Scatter,
    ScatterAdd,
)
from latpred.paradigms import Channel, Head, Joint, Layer, Paradigm, Spatial, Static, Token
from latpred.predict import break_even_rate, predict
from latpred.profile import HardwareProfile, list_profiles, load_profile
from latpred.recommend import Recommendation, recommend_granularity
from latpred.report import OperatorRow, Report
from latpred.sweep import grid, sweep
from latpred.token_operators import ElementWise, LayerNorm, Linear, MatrixProduct, Softmax, TokenAdd, Unfold
from latpred.transformers import VisionTransformer

__version__ = "0.1.0"

__all__ = [
    "Add",
    "AveragePool",
    "Bottleneck",
    "Channel",
    "ChannelScale",
    "Convolution",
    "DataError",
    "ElementWise",
    "Explanation",
    "FullyConnected",
    "Gather",
    "GlobalPool",
    "HardwareProfile",
    "Head",
    "InputError",
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
    "OperatorRow",
    "OutputError",
    "Paradigm",
    "PatchConvolution",
    "PatchGlobalPool",
    "Preset",
    "ProfileError",
    "Recommendation",
    "Report",
    "Scatter",
    "ScatterAdd",
    "Softmax",
    "Spatial",
    "Stage",
    "Static",
    "Stem",
    "Token",
    "TokenAdd",
    "Unfold",
    "VisionTransformer",
    "break_even_rate",
    "explain",
    "grid",
    "latency_table",
    "list_networks",
    "list_presets",
    "list_profiles",
    "load_block",
    "load_network",
    "load_preset",
    "load_profile",
    "predict",
    "recommend_granularity",
    "sweep",
]
