"""Predict how long dynamic neural networks take on a device.

>>> import latpred
>>> block, device = latpred.load_block("resnet50-stage1"), latpred.load_profile("tx2")
>>> report = latpred.predict(block, device, latpred.Spatial(S=4, r=0.6))
>>> f"{report.latency_s * 1e3:.3f} ms, {report.ratio:.3f} of static"
'0.829 ms, 0.781 of static'
"""

from latpred.blocks import Bottleneck
from latpred.errors import DataError, InputError, LatpredError, NetworkError, OutputError, ProfileError
from latpred.networks import Network, Stage, list_networks, load_block, load_network
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
from latpred.paradigms import Channel, Layer, Spatial, Static
from latpred.predict import break_even_rate, predict
from latpred.profile import HardwareProfile, list_profiles, load_profile
from latpred.recommend import Recommendation, recommend_granularity
from latpred.report import OperatorRow, Report
from latpred.sweep import grid, sweep

__version__ = "0.1.0"

__all__ = [
    "Add",
    "AveragePool",
    "Bottleneck",
    "Channel",
    "ChannelScale",
    "Convolution",
    "DataError",
    "FullyConnected",
    "Gather",
    "GlobalPool",
    "HardwareProfile",
    "InputError",
    "LatpredError",
    "Layer",
    "LayerMasker",
    "MaskerConvolution",
    "Network",
    "NetworkError",
    "OperatorRow",
    "OutputError",
    "PatchConvolution",
    "PatchGlobalPool",
    "ProfileError",
    "Recommendation",
    "Report",
    "Scatter",
    "ScatterAdd",
    "Spatial",
    "Stage",
    "Static",
    "break_even_rate",
    "grid",
    "list_networks",
    "list_profiles",
    "load_block",
    "load_network",
    "load_profile",
    "predict",
    "recommend_granularity",
    "sweep",
]
