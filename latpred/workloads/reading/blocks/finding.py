"""Blocks wherever residual bodies make any, and wherever layers without a shortcut are as such a body."""

from __future__ import annotations

from latpred.workloads.reading.blocks.convolutional import narrowing, residual, without_shortcut
from latpred.workloads.reading.blocks.transformers import transformer, with_windows
from latpred.workloads.reading.graph import Graph


def find_blocks(graph: Graph, *, folded: bool) -> None:
    """Make blocks of residual bodies, as far as they multiply and add as much as their layers did.

    In a graph that is `folded`, normalisations are weights of the convolutions before; blocks are named all the same.
    """
    for node in list(graph.nodes):
        if node.kind != "residual":
            continue
        (user,) = node.users if node.is_read_once else (None,)
        if user is not None and user.kind == "residual" and (found := transformer(node, user)):
            way = with_windows(node, user, found)
            graph.merge(way, "block", way[0].inputs, found=found)
        elif found := residual(node, folded=folded):
            node.kind, node.fields = "block", {"found": found}
        else:
            node.kind = "static residual"
    for node in list(graph.nodes):
        way = narrowing(node)
        if way and (found := without_shortcut(way, folded=folded)):
            graph.merge(way, "block", way[0].inputs, found=found)
