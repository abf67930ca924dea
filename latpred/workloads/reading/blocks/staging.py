"""A reduced graph as a network: stages of blocks, and what stands before, between and behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from latpred.errors import NetworkError
from latpred.workloads.layers import Conv, Layer, Map, OfGraph
from latpred.workloads.networks import PARTS, Network, Stage
from latpred.workloads.reading.blocks.found import Found
from latpred.workloads.reading.graph import Graph, Node


def network_of(graph: Graph, **about: Any) -> Network:
    """The network of a graph that was reduced; `about` are fields of the record."""
    if not any(node.operators for node in graph.nodes):
        raise NetworkError(f"{about['name']} computes nothing of its image")
    plan = _Plan(graph)
    return Network(**about, stem=plan.stem, stages=tuple(plan.stages()), head=plan.head, include=PARTS)


class _Plan:
    """Blocks in stages, and the layers before each and behind the last."""

    def __init__(self, graph: Graph) -> None:
        image = next(node for node in graph.nodes if node.kind == "input")
        #: What was placed last, and the map that the layers so far put out.
        self.last, self.at = image, Map(image.shape[1], *image.shape[2:])
        self.groups: list[tuple[tuple[Layer, ...], Map | None, list[list[Found]]]] = []
        waiting: list[Node] = []
        for node in graph.nodes:
            if node.kind == "block":
                self._place(node, self._layers(waiting))
                waiting = []
            elif node is not image:
                waiting.append(node)
        rest = self._layers(waiting)
        self.head: tuple[Layer, ...] = rest if self.groups else ()
        self.stem = self.groups[0][0] if self.groups else rest

    def _layers(self, nodes: Sequence[Node]) -> tuple[Layer, ...]:
        """Nodes as layers as far as they are a chain; what is none as the operators that it runs."""
        layers: list[Layer] = []
        for node in nodes:
            continues = node.inputs == [self.last] and node.into == self.at
            layer = None if node.kind == "linear" and isinstance(node.layer, Conv) else node.layer
            if layer is not None and continues and node.out is not None:
                layers.append(layer)
                self.at = node.out
            else:
                layers += _of_graph(node)
            self.last = node if node.inputs else self.last
        return tuple(layers)

    def _place(self, node: Node, before: tuple[Layer, ...]) -> None:
        """A block in the stage at hand, where it follows on its map; else in a new one."""
        found: Found = node.fields["found"]
        stays = bool(self.groups) and not before and node.inputs == [self.last] and self.at == found.into
        if stays and found.stride == 1 and found.out[1:] == found.into[1:]:
            runs = self.groups[-1][2]
            if _is_repeated(runs[-1][-1], found):
                runs[-1].append(found)
            else:
                runs.append([found])
        else:
            self.groups.append((before, None if self.at == found.into else found.into, [[found]]))
        self.last, self.at = node, found.out

    def stages(self) -> list[Stage]:
        """The stages."""
        stages = []
        for number, (before, into, runs) in enumerate(self.groups):
            settings = {"before": before if number else (), "map": into[1:] if into else None}
            first, last = runs[0][0], runs[-1][-1]
            if len(runs) == 1:
                stages.append(_run(runs[0], **settings))
            else:
                sizes = {"c_in": first.c_in, "c_out": last.c_out, "stride": first.stride}
                stages.append(Stage(**sizes, blocks=tuple(map(_run, runs)), **settings))
        return stages


def _of_graph(node: Node) -> Iterator[OfGraph]:
    """A node's operators, with what was folded into it behind the last; a linear layer is counted with all it does."""
    then = () if node.kind == "linear" else tuple(node.then)
    for number, (name, operator) in enumerate(node.operators, start=1):
        last = number == len(node.operators)
        yield OfGraph(name=f"{node.name} {name}".rstrip(), operator=operator, then=then if last else ())


def _is_repeated(before: Found, found: Found) -> bool:
    """Whether a block is as the one before it, which may change channels and resolution."""
    return found.c_in == found.c_out and (before.kind, before.c_out, before.settings) == (
        found.kind,
        found.c_out,
        found.settings,
    )


def _run(blocks: Sequence[Found], **settings: Any) -> Stage:
    first = blocks[0]
    sizes = {"c_in": first.c_in, "c_out": first.c_out, "blocks": len(blocks), "stride": first.stride}
    return Stage(kind=first.kind, **sizes, **first.settings, **settings)
