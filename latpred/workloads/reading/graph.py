"""A model's graph as the readers hand it on: nodes of a few kinds with shapes, whoever traced them.

Shapes are of a batch of one. A node's inputs are what is computed from the image; parameters, and what follows from
them alone, are fields of the nodes that use them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import prod
from typing import Any

from latpred.workloads.layers import Layer, Map
from latpred.workloads.operators import Operator

#: Kinds of nodes that only look at their input in another way, and take no time.
VIEWS = frozenset({"view", "expand"})


class Node:
    """One operation: its `name` in the model's graph, what kind it is, what it reads and the shape that it puts out.

    `fields` are the settings of its kind. What later passes find is added: the axis of its channels, the `grid` of
    pixels that its rows stand for, the maps that it reads and puts out, the `layer` that it is in a chain, its
    `operators` where it is in none.
    """

    def __init__(self, name: str, kind: str, inputs: Sequence[Node], shape: Sequence[int], **fields: Any) -> None:
        """Joins the users of its inputs."""
        self.name, self.kind, self.shape, self.fields = name, kind, tuple(shape), fields
        self.inputs: list[Node] = []
        self.users: list[Node] = []
        self.is_output = False
        self.axis: int | None = None
        self.grid: tuple[int, int] | None = None
        self.into: Map | None = None
        self.out: Map | None = None
        self.layer: Layer | None = None
        self.operators: tuple[tuple[str, Operator], ...] = ()
        #: What was folded into it, in order: `norm`, `bias`, `scale`, or a function.
        self.then: list[str] = []
        self.read_from(inputs)

    def __repr__(self) -> str:
        """Kind, name and shape."""
        return f"<{self.kind} {self.name} {'×'.join(map(str, self.shape))}>"

    @property
    def size(self) -> int:
        """Elements that it puts out."""
        return prod(self.shape)

    @property
    def channels(self) -> int:
        """Elements along the axis of its channels; along the last where none is known."""
        if self.axis is not None:
            return self.shape[self.axis]
        return self.shape[-1] if self.shape else 1

    @property
    def rows(self) -> int:
        """Pixels or tokens: elements of a channel."""
        return self.size // max(self.channels, 1)

    @property
    def source(self) -> Node | None:
        """Its only input; None where there are several, or none."""
        return self.inputs[0] if len(self.inputs) == 1 else None

    @property
    def is_read_once(self) -> bool:
        """Whether a single node uses it, once."""
        return len(self.users) == 1 and not self.is_output

    def read_from(self, inputs: Iterable[Node]) -> None:
        """Other inputs."""
        for node in self.inputs:
            node.users.remove(self)
        self.inputs = list(inputs)
        for node in self.inputs:
            node.users.append(self)


class Graph:
    """Nodes in an order in which they can be computed."""

    def __init__(self) -> None:
        """Empty."""
        self.nodes: list[Node] = []

    def add(self, name: str, kind: str, inputs: Sequence[Node], shape: Sequence[int], **fields: Any) -> Node:
        """A new node at the end."""
        node = Node(name, kind, inputs, shape, **fields)
        self.nodes.append(node)
        return node

    def bypass(self, node: Node) -> None:
        """Take a node out: its users read its first input instead."""
        (source,) = node.inputs[:1]
        for user in list(node.users):
            user.read_from(source if each is node else each for each in user.inputs)
        source.is_output |= node.is_output
        node.read_from(())
        self.nodes.remove(node)

    def merge(self, nodes: Sequence[Node], kind: str, inputs: Sequence[Node], **fields: Any) -> Node:
        """Make one node of several, in place of the last, which is the only one that others use."""
        *inner, last = nodes
        last.kind, last.fields = kind, fields
        last.read_from(inputs)
        last.into = last.source.out if last.source else None
        self.remove(inner)
        return last

    def remove(self, nodes: Iterable[Node]) -> None:
        """Take out nodes that no others use."""
        gone = set(map(id, nodes))
        for node in self.nodes:
            if id(node) in gone:
                node.read_from(())
        self.nodes = [node for node in self.nodes if id(node) not in gone]

    def cut_fixed(self) -> None:
        """Let no node read what the image does not lead to: that is a parameter for it, though it is computed too."""
        moving: set[int] = set()
        for node in self.nodes:
            if node.kind == "input" or any(id(each) in moving for each in node.inputs):
                moving.add(id(node))
        for node in self.nodes:
            fixed = [each for each in node.inputs if id(each) not in moving]
            if id(node) in moving and fixed:
                node.fields["constants"] = [*node.fields.get("constants", ()), *(each.shape for each in fixed)]
                node.read_from(each for each in node.inputs if id(each) in moving)
            for each in fixed if id(node) in moving else ():
                each.is_output = True
        #: First what is fixed, so that it stands between no layers.
        self.nodes.sort(key=lambda node: id(node) in moving)

    def prune(self) -> None:
        """Take out what the outputs do not need."""
        needed: set[int] = set()
        for node in reversed(self.nodes):
            if node.is_output or any(id(user) in needed for user in node.users):
                needed.add(id(node))
        self.remove([node for node in self.nodes if id(node) not in needed])


def ancestors(ends: Iterable[Node], until: Iterable[Node]) -> Iterator[Node]:
    """Nodes that lead to some, these included, without going past others."""
    seen, stop = set(), set(map(id, until))
    stack = list(ends)
    while stack:
        node = stack.pop()
        if id(node) in seen or id(node) in stop:
            continue
        seen.add(id(node))
        yield node
        stack += node.inputs
