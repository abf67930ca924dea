"""Blocks: what of a network can skip; most are a body, which is a chain of layers, beside a shortcut."""

from latpred.workloads.blocks.base import Block
from latpred.workloads.blocks.residual import ConvolutionalBlock, ResidualBlock
from latpred.workloads.blocks.shorthands import BasicBlock, Bottleneck, ConvNeXtBlock, InvertedResidual
from latpred.workloads.blocks.transformer import TransformerBlock

#: Blocks by the kind that a stage of a network names.
KINDS: dict[str, type[Block]] = {
    kind.kind: kind
    for kind in (Bottleneck, BasicBlock, InvertedResidual, ConvNeXtBlock, ResidualBlock, TransformerBlock)
}

__all__ = [
    "KINDS",
    "BasicBlock",
    "Block",
    "Bottleneck",
    "ConvNeXtBlock",
    "ConvolutionalBlock",
    "InvertedResidual",
    "ResidualBlock",
    "TransformerBlock",
]
