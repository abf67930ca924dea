"""What a tracer saw: calls of ATen's operators with shapes, as plain values that need no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

#: The sizes of a tensor.
Shape = tuple[int, ...]


class Ref(str):
    """The name of the call whose output is meant, among the arguments of another."""

    __slots__ = ()


class Call(NamedTuple):
    """One call: its name in the traced graph, the operator without its overload, and the arguments by their names.

    `op` is `input`, `constant`, `item` (one of several outputs), `output`, or an operator of ATen. `shapes` are those
    of its outputs. `elementwise` and `looks` say that it is one operation per element, and that its output is a view
    of its first argument; `writes` is the argument that it changes in place.
    """

    name: str
    op: str
    given: Mapping[str, Any] = {}
    shapes: Sequence[Shape | None] = ()
    module: str = ""
    elementwise: bool = False
    looks: bool = False
    writes: str | None = None

    @property
    def shape(self) -> Shape:
        """That of its output, or of the first."""
        return next((shape for shape in self.shapes if shape is not None), ())


def flat(value: Any) -> Iterator[Any]:
    """Everything in nested containers.

    >>> list(flat([1, {"two": (2, [3])}]))
    [1, 2, 3]
    """
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            yield from flat(each)
    else:
        yield value


def first_line(error: BaseException) -> str:
    """The first line of an error's text, in part where that is long."""
    line = next((line.strip() for line in str(error).splitlines() if line.strip()), "without a word")
    return line if len(line) <= 200 else f"{line[:199]}…"
