"""Layers: what a residual body is a chain of, and what stands between the blocks of a network."""

from latpred.workloads.layers.chains import KINDS, Layer, Map, Placed, chain, layers_of
from latpred.workloads.layers.kinds import SE, Activation, Conv, Dense, Join, Norm, OfGraph, Pool

__all__ = [
    "KINDS",
    "SE",
    "Activation",
    "Conv",
    "Dense",
    "Join",
    "Layer",
    "Map",
    "Norm",
    "OfGraph",
    "Placed",
    "Pool",
    "chain",
    "layers_of",
]
