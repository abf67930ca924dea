"""A call as the functions ask for it that make a node of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from latpred.workloads.reading.graph import Graph, Node
from latpred.workloads.reading.tracing.calls import Call, Ref, Shape, flat


class Constant(NamedTuple):
    """A parameter, or what follows from parameters alone."""

    shape: Shape


#: What a call becomes: a node, a constant, several of these where it has several outputs, or nothing that is a tensor.
Value: TypeAlias = "Node | Constant | tuple[Value, ...] | None"


class Asked:
    """A call with what its tensors became, and the graph that its node is added to under a name for people."""

    def __init__(self, call: Call, values: dict[str, Value], graph: Graph, name: str) -> None:
        """`values` are what the calls before became, by their names."""
        self.call, self.values, self.graph, self.name = call, values, graph, name

    def __getitem__(self, argument: str) -> Any:
        """An argument as it was given; None where there is none of that name."""
        return self.call.given.get(argument)

    def value(self, argument: str) -> Any:
        """What a tensor among the arguments became; None where there is none."""
        given = self.call.given.get(argument)
        return self.values.get(given) if isinstance(given, Ref) else None

    def tensors(self, given: Any = None) -> list[Node | Constant]:
        """Every tensor among the arguments, or in one of them."""
        names = [each for each in flat(self.call.given if given is None else given) if isinstance(each, Ref)]
        found = [self.values.get(name) for name in names]
        return [each for each in found if isinstance(each, Node | Constant)]

    def nodes(self) -> list[Node]:
        """Those of the tensors that are computed."""
        return [each for each in self.tensors() if isinstance(each, Node)]

    @property
    def first(self) -> Any:
        """The first tensor among the arguments."""
        return next(iter(self.tensors()), None)

    def add(self, kind: str, inputs: Sequence[Value], shape: Shape | None = None, **fields: Any) -> Node:
        """A node; of its inputs those that are computed."""
        computed = [each for each in inputs if isinstance(each, Node)]
        return self.graph.add(self.name, kind, computed, self.call.shape if shape is None else shape, **fields)
