"""What the readers' tests ask of a network."""

from latpred import Static
from latpred.workloads.lowering import PLAIN


def operators(network):
    """What the static network runs, in order."""
    return [step.operator for step in network.lower(Static(), PLAIN).steps]


def macs(network):
    """Multiply-adds of the static network for one image."""
    return sum(float(operator.macs(1)) for operator in operators(network))


def able(network):
    """The kinds of the blocks that can skip anything."""
    return [placed.block.kind for placed in network.blocks if placed.block.paradigms]


def kinds(layers):
    """The kinds of some layers."""
    return [layer.kind for layer in layers]
