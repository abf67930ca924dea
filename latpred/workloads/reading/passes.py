"""From the graph that was traced to the network that it is: the readers' passes, one after the other."""

from __future__ import annotations

from typing import Any

from latpred.workloads.networks import Network
from latpred.workloads.reading.blocks.attention import find_attention, find_bodies
from latpred.workloads.reading.blocks.finding import find_blocks
from latpred.workloads.reading.blocks.obstacles import static_bodies
from latpred.workloads.reading.blocks.reducing import reduce
from latpred.workloads.reading.blocks.staging import network_of
from latpred.workloads.reading.graph import Graph
from latpred.workloads.reading.layers.counting import count_all
from latpred.workloads.reading.layers.folding import find_gates, fold
from latpred.workloads.reading.layers.layering import lay
from latpred.workloads.reading.layers.layouts import settle
from latpred.workloads.reading.layers.pointwise import fuse


def understood(
    graph: Graph, *, folded: bool = False, whole: bool = False, remarks: tuple[str, ...] = (), **about: Any
) -> Network:
    """The network that a graph is; `remarks` and `about` are fields of the record.

    In a graph that is `folded`, normalisations are weights of the convolutions before them; of one that is `whole`
    everything counts, whether an output needs it or not.
    """
    for node in graph.nodes:
        node.is_output |= whole and not node.users
    graph.prune()
    graph.cut_fixed()
    settle(graph)
    fuse(graph)
    lay(graph)
    fold(graph)
    find_gates(graph)
    find_attention(graph)
    count_all(graph)
    find_bodies(graph)
    reduce(graph)
    find_blocks(graph, folded=folded)
    unread = tuple(dict.fromkeys(_unread(node) for node in graph.nodes if node.kind == "unknown"))
    return network_of(graph, unread=unread, remarks=(*remarks, *static_bodies(graph)), **about)


def _unread(node: Any) -> str:
    """An operation that is not known, by the graph's own name."""
    fields = node.fields
    where = f" in {fields['module']}" if fields["module"] else ""
    return f"{fields['graph_name']} ({fields['op']}{where})"
