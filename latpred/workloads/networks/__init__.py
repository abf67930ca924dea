"""Networks: stages of blocks on their maps, and what stands before, between and behind them."""

from latpred.workloads.networks.placed import MOST_BLOCKS, NetworkStage, PlacedBlock, PlacedNetwork
from latpred.workloads.networks.residual import PARTS, Network, Part
from latpred.workloads.networks.stages import ImageSize, Stage, Stem
from latpred.workloads.networks.transformers import VisionTransformer
from latpred.workloads.networks.writing import save_network

__all__ = [
    "MOST_BLOCKS",
    "PARTS",
    "ImageSize",
    "Network",
    "NetworkStage",
    "Part",
    "PlacedBlock",
    "PlacedNetwork",
    "Stage",
    "Stem",
    "VisionTransformer",
    "save_network",
]
