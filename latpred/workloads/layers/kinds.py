"""The kinds of layers: of residual bodies, and of what stands around the blocks of a network."""

from __future__ import annotations

from typing import Any, ClassVar

from latpred.errors import InputError
from latpred.wording import quoted, unknown
from latpred.workloads import operators as op
from latpred.workloads.layers.chains import Layer, Map, chain, layers_of, sequence_of
from latpred.workloads.operators.base import Border, Count, Groups, windows


class Conv(Layer):
    """A convolution, with what can be folded into it.

    Parameters
    ----------
    c_out
        Channels that it puts out.
    kernel, stride
        Edge of the filters and step between them [pixels].
    groups
        Groups of channels that do not mix, or `depthwise`: one per input channel.
    norm, bias, scale
        Whether it is normalised (with fixed statistics), has a bias, is multiplied by a number per channel.
    activation
        The function that follows, `relu`; None for none.
    kernel_width, dilation
        Of filters that are not square (None: `kernel`), or spread out [pixels]; no patches are computed with these.
    padding, padding_width
        Border [pixels]; None for what keeps the map, "same". The second is the first unless given.

    Examples
    --------
    >>> Conv(c_out=64, kernel=3, stride=2).out(Map(32, 56, 56))
    Map(channels=64, height=28, width=28)
    """

    kind: ClassVar[str] = "conv"
    is_counted: ClassVar[bool] = True
    c_out: Count
    kernel: Count = 1
    stride: Count = 1
    groups: Groups = 1
    norm: bool = False
    bias: bool = False
    scale: bool = False
    activation: str | None = None
    kernel_width: Count | None = None
    dilation: Count = 1
    padding: Border | None = None
    padding_width: Border | None = None

    def groups_of(self, c_in: int) -> int:
        """Groups, where the input has `c_in` channels."""
        return c_in if self.groups == "depthwise" else int(self.groups)

    def is_depthwise(self, c_in: int) -> bool:
        """Whether every channel has a filter of its own."""
        return 1 < c_in == self.c_out == self.groups_of(c_in)

    @property
    def is_square_and_same(self) -> bool:
        """Whether a patch of its output needs the same patch of its input and a border."""
        extra = (self.kernel_width, self.padding, self.padding_width)
        return extra == (None, None, None) and self.dilation == 1

    @property
    def is_pointwise(self) -> bool:
        """Whether it is a dense 1×1 convolution of every pixel."""
        return (self.kernel, self.stride, self.groups) == (1, 1, 1) and self.is_square_and_same

    @property
    def cuts_patches(self) -> bool:
        """Whether its filters stand side by side, so that it is a linear layer on patches that do not overlap."""
        alone = self.kernel_width is None and self.dilation == 1 and self.groups == 1
        return alone and self.kernel == self.stride > 1 and self.padding == 0

    def window(self) -> tuple[tuple[int, int | None], tuple[int, int | None]]:
        """Edge and border of the filters, down and across."""
        across = self.padding if self.padding_width is None else self.padding_width
        return (self.kernel, self.padding), (self.kernel_width or self.kernel, across)

    def out(self, into: Map) -> Map:
        """Its channels, on a map that "same" padding rounds up."""
        groups = self.groups_of(into.channels)
        if into.channels % groups or self.c_out % groups:
            raise InputError(f"{into.channels} → {self.c_out} channels cannot be split into {groups} groups")
        edges = [
            _edge(extent, (kernel - 1) * self.dilation + 1, self.stride, border)
            for extent, (kernel, border) in zip(into[1:], self.window(), strict=True)
        ]
        return Map(self.c_out, *edges)


def _edge(extent: int, kernel: int, stride: int, border: int | None) -> int:
    """Places of a window along an edge; raises InputError where there is none."""
    places = -(-extent // stride) if border is None else windows(extent, kernel, stride, border)
    if places < 1:
        raise InputError(f"a map of {extent} pixels is too small for a window of {kernel}")
    return places


class SE(Layer):
    """Squeeze-and-excitation: a global average, two linear layers, a product per channel.

    Parameters
    ----------
    squeezed
        Channels between the two linear layers.

    Examples
    --------
    >>> SE(squeezed=16).out(Map(64, 56, 56))
    Map(channels=64, height=56, width=56)
    """

    kind: ClassVar[str] = "se"
    squeezed: Count


class Norm(Layer):
    """A normalisation that no convolution before it takes in: one pass over the map.

    Parameters
    ----------
    over
        `batch`, `layer`, or `group`: over what it normalises; over groups of channels, with figures of the whole map.
    activation
        The function that follows in the same pass.

    Examples
    --------
    >>> Norm(over="layer").to_dict()
    {'layer': 'norm', 'over': 'layer'}
    """

    kind: ClassVar[str] = "norm"
    over: str = "batch"
    activation: str | None = None

    def _check(self) -> None:
        if self.over not in (known := ("batch", "layer", "group")):
            raise InputError(unknown("normalisation", self.over, known))


class Activation(Layer):
    """A function of every element that no layer before it takes in: one pass over the map.

    Parameters
    ----------
    function
        Its name.

    Examples
    --------
    >>> Activation(function="gelu").function
    'gelu'
    """

    kind: ClassVar[str] = "activation"
    function: str = "relu"


class Pool(Layer):
    """The largest number of each window, or the average: one pass; of the whole map where no window is given.

    Parameters
    ----------
    kernel, stride, padding
        Edge of the window, step (None: `kernel`) and border (None: "same") [pixels].
    maximum
        The largest number, else the average.
    edge
        Edge of the output map where no window is given [pixels].

    Examples
    --------
    >>> Pool(kernel=3, stride=2, maximum=True).out(Map(64, 112, 112)), Pool().out(Map(2048, 7, 7))
    (Map(channels=64, height=56, width=56), Map(channels=2048, height=1, width=1))
    """

    kind: ClassVar[str] = "pool"
    kernel: Count | None = None
    stride: Count | None = None
    padding: Border | None = None
    maximum: bool = False
    edge: Count = 1

    def _check(self) -> None:
        if self.kernel is None and (self.stride, self.padding) != (None, None):
            raise InputError("stride and padding are those of a window; give kernel, its edge")
        if self.kernel and self.edge != 1:
            raise InputError("give the kernel of a window, or the edge of the output map, not both")

    def out(self, into: Map) -> Map:
        """The same channels."""
        if self.kernel is None:
            return Map(into.channels, self.edge, self.edge)
        edges = [_edge(extent, self.kernel, self.stride or self.kernel, self.padding) for extent in into[1:]]
        return Map(into.channels, *edges)


class Dense(Layer):
    """A linear layer on all numbers of a map, as a classifier has it.

    Parameters
    ----------
    c_out
        Numbers that it puts out.
    bias
        Whether it has one.
    activation
        The function that follows.

    Examples
    --------
    >>> Dense(c_out=1000).out(Map(2048, 1, 1))
    Map(channels=1000, height=1, width=1)
    """

    kind: ClassVar[str] = "dense"
    c_out: Count
    bias: bool = True
    activation: str | None = None

    def out(self, into: Map) -> Map:
        """One pixel."""
        return Map(self.c_out, 1, 1)


class Join(Layer):
    """Branches from one input whose outputs are added, or laid side by side: one pass.

    Parameters
    ----------
    branches
        Chains of layers; an empty one hands the input on.
    add
        Whether they are added, else their channels are laid side by side.
    activation
        The function that follows in the same pass.

    Examples
    --------
    >>> Join(branches=[[], [Conv(c_out=32, kernel=3)]]).out(Map(64, 56, 56))
    Map(channels=96, height=56, width=56)
    """

    kind: ClassVar[str] = "join"
    branches: Any
    add: bool = False
    activation: str | None = None

    def _check(self) -> None:
        object.__setattr__(self, "branches", tuple(layers_of(branch) for branch in sequence_of(self.branches)))

    def out(self, into: Map) -> Map:
        """Of one map, their channels added up or the same."""
        ends = [placed[-1].out if (placed := chain(branch, into)) else into for branch in self.branches]
        channels = [end.channels for end in ends]
        if not ends or len({end[1:] for end in ends}) > 1 or (self.add and len(set(channels)) > 1):
            raise InputError(f"branches put out {', '.join(map(str, ends)) or 'nothing'}")
        return ends[0] if self.add else Map(sum(channels), *ends[0][1:])

    def to_dict(self) -> dict[str, Any]:
        """With the branches' layers."""
        return {**super().to_dict(), "branches": [[layer.to_dict() for layer in branch] for branch in self.branches]}


class OfGraph(Layer):
    """An operator of a model that was read, with sizes of its own: what is no chain of layers.

    Parameters
    ----------
    name
        Its name in the model's graph.
    operator
        `latpred.Convolution` and its like.
    then
        What follows and can be folded into it: `norm`, `bias`, `scale`, or the name of an activation.

    Examples
    --------
    >>> from latpred.workloads.operators import Add
    >>> layer = OfGraph(name="sum", operator=Add(channels=64, height=8, width=8))
    >>> layer.to_dict()
    {'layer': 'operator', 'name': 'sum', 'type': 'Add', 'channels': 64, 'height': 8, 'width': 8}
    >>> layers_of([layer.to_dict()]) == (layer,)
    True
    """

    kind: ClassVar[str] = "operator"
    name: str
    operator: Any
    then: Any = ()

    @property
    def own_name(self) -> str:
        """That of the graph."""
        return self.name

    def _check(self) -> None:
        if not isinstance(self.operator, op.Operator):
            raise InputError(f"operator: must be one of latpred's operators, got {quoted(self.operator)}")
        if not isinstance(self.then, tuple) or not all(isinstance(name, str) for name in self.then):
            raise InputError(f"then: must be a list of names, got {quoted(self.then)}")

    @classmethod
    def of(cls, fields: dict[str, Any]) -> OfGraph:
        """From a mapping with the operator's type and fields."""
        kind = fields.pop("type", None)
        known = {each: getattr(op, each) for each in op.__all__ if each[0].isupper() and each != "Operator"}
        if not isinstance(kind, str) or kind not in known:
            raise InputError(unknown("type of operator", kind, known))
        own = {"name": fields.pop("name", kind), "then": fields.pop("then", ())}
        return cls(**own, operator=known[kind](**fields))

    def to_dict(self) -> dict[str, Any]:
        """With the operator's type, and its fields that are not the default ones."""
        defaults = {name: field.default for name, field in type(self.operator).__dataclass_fields__.items()}
        fields = {name: value for name, value in self.operator if value != defaults[name]}
        then = {"then": list(self.then)} if self.then else {}
        return {"layer": self.kind, "name": self.name, "type": type(self.operator).__name__, **fields, **then}
