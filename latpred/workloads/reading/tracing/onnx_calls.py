"""Nodes of an ONNX model as calls of the ATen operators that do the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any, TypeAlias

from onnx import helper

from latpred.workloads.reading.tracing.calls import Call, Ref, Shape
from latpred.workloads.reading.tracing.onnx_files import STANDARD, Model

#: What is one operation per element and is called otherwise than in ATen in small letters.
_FUNCTIONS = {
    "LeakyRelu": "leaky_relu",
    "Swish": "silu",
    "Clip": "clamp",
    "Max": "maximum",
    "Min": "minimum",
    "Sum": "add",
    "Mean": "add",
    "Trilu": "tril",
}
_PLAIN = """
    Relu Sigmoid Tanh Erf Exp Log HardSwish HardSigmoid Gelu Elu Selu Celu Softplus Softsign Mish PRelu Shrink Abs Neg
    ThresholdedRelu Sqrt Reciprocal Floor Ceil Round Sign Not Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Add
    Sub Mul Div Pow Equal Greater GreaterOrEqual Less LessOrEqual Where And Or Xor Mod BitShift BitwiseAnd BitwiseOr
    BitwiseNot IsNaN IsInf"""
_ELEMENTWISE = frozenset({*_PLAIN.split(), *_FUNCTIONS})
#: What is called otherwise, and needs no other settings than its tensors.
_RENAMED = {
    "Reshape": "view",
    "Flatten": "view",
    "Squeeze": "view",
    "Unsqueeze": "view",
    "Identity": "alias",
    "Dropout": "alias",
    "Cast": "alias",
    "CastLike": "alias",
    "Expand": "expand",
    "Tile": "repeat",
    "Resize": "upsample_nearest2d",
    "Upsample": "upsample_nearest2d",
    "DepthToSpace": "pixel_shuffle",
    "SpaceToDepth": "pixel_unshuffle",
    "GatherElements": "gather",
    "GatherND": "index",
    "ScatterElements": "index_put",
    "ScatterND": "index_put",
    "Scatter": "index_put",
    "Col2Im": "col2im",
    "InstanceNormalization": "instance_norm",
    "GroupNormalization": "group_norm",
    **dict.fromkeys(("Shape", "Size", "ConstantOfShape", "Range", "EyeLike", "Bernoulli"), "zeros_like"),
    **dict.fromkeys(("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike"), "zeros_like"),
}
_REDUCTIONS = {
    "ReduceMean": "mean",
    "ReduceSum": "sum",
    "ReduceMax": "amax",
    "ReduceMin": "amin",
    "ReduceProd": "prod",
    "ReduceL1": "linalg_vector_norm",
    "ReduceL2": "linalg_vector_norm",
    "ReduceLogSumExp": "logsumexp",
    "ReduceSumSquare": "sum",
    "ReduceLogSum": "sum",
    "ArgMax": "argmax",
    "ArgMin": "argmin",
}


def calls_of(model: Model) -> Iterator[Call]:
    """The calls of a model: constants, the image, then a call per node, named as the tensor that it puts out."""
    for name in sorted(model.constants):
        yield Call(name, "constant", {}, (model.shapes.get(name, ()),))
    yield Call(model.image, "input", {}, (model.shapes[model.image],))
    for proto in model.nodes:
        yield from _calls(_Node(proto, model))
    yield Call("", "output", {"outputs": [Ref(name) for name in model.outputs]})


class _Node:
    """A node: its inputs by their places, its settings, and the shapes of its outputs."""

    def __init__(self, proto: Any, model: Model) -> None:
        """Reads the settings."""
        self.proto, self.model, self.op = proto, model, str(proto.op_type)
        self.inputs = [Ref(name) if name else None for name in proto.input]
        self.outputs = [str(name) for name in proto.output]
        self.settings = {each.name: helper.get_attribute_value(each) for each in proto.attribute}
        self.shapes = tuple(model.shapes.get(name) for name in self.outputs)

    def __getitem__(self, place: int) -> Ref | None:
        """An input; None where there is none."""
        return self.inputs[place] if place < len(self.inputs) else None

    def shape(self, place: int) -> Shape:
        """That of an input."""
        return self.model.shapes[str(self[place])]

    def numbers(self, place: int) -> list[Any] | None:
        """The numbers of an input that is a small constant."""
        value = self.model.values.get(str(self[place]))
        return None if value is None else value.reshape(-1).tolist()

    def setting(self, name: str, place: int | None = None) -> Any:
        """A setting, which newer versions have as an input; None where it is left out."""
        if name in self.settings:
            return self.settings[name]
        return None if place is None else self.numbers(place)

    def call(self, op: str, /, *, elementwise: bool = False, **given: Any) -> Iterator[Call]:
        """A call; of several outputs each as its item."""
        module = " ".join((self.proto.name or self.outputs[0]).split())
        if len(self.outputs) == 1:
            yield Call(self.outputs[0], op, given, self.shapes, module, elementwise)
            return
        whole = Ref(f"{module} as a whole")
        yield Call(whole, op, given, self.shapes, module, elementwise)
        for place, name in enumerate(self.outputs):
            if name:
                yield Call(name, "item", {"self": whole, "index": place}, self.shapes[place : place + 1], module)


def _calls(node: _Node) -> Iterator[Call]:
    if node.proto.domain not in STANDARD:
        yield from node.call(f"{node.proto.domain}.{node.op}", inputs=node.inputs)
    elif node.op in _WRITTEN:
        yield from _WRITTEN[node.op](node)
    elif node.op in _ELEMENTWISE:
        yield from _elementwise(node)
    elif node.op in _REDUCTIONS:
        axes = node.setting("axis") if node.op.startswith("Arg") else node.setting("axes", 1)
        yield from node.call(_REDUCTIONS[node.op], self=node[0], dim=axes)
    else:
        first = node.op in _RENAMED
        inputs = {"self": node[0]} if first else {"inputs": node.inputs}
        yield from node.call(_RENAMED.get(node.op, node.op), **inputs)


def _elementwise(node: _Node) -> Iterator[Call]:
    """Its tensors; limits and slopes that are constants are settings."""
    op = _FUNCTIONS.get(node.op, node.op.lower())
    if node.op == "Clip":
        low, high = ((node.setting(name, place) or [None]) for place, name in ((1, "min"), (2, "max")))
        limits = [each[0] if isinstance(each, list) else each for each in (low, high)]
        yield from node.call(op, elementwise=True, self=node[0], min=limits[0], max=limits[1])
    elif node.op == "PRelu":
        yield from node.call(op, elementwise=True, self=node[0])
    else:
        yield from node.call(op, elementwise=True, inputs=node.inputs)


def _convolution(node: _Node) -> Iterator[Call]:
    kernel = node.shape(1)[2:]
    given: dict[str, Any] = {"input": node[0], "weight": node[1], "stride": _steps(node, "strides", kernel)}
    given |= {"dilation": _steps(node, "dilations", kernel), "groups": node.settings.get("group", 1)}
    given |= {"bias": node[2]} if _has_bias(node) else {}
    padding = _borders(node, node.shape(0)[2:], kernel)
    yield from node.call("convolution", **given, padding=padding, transposed=node.op == "ConvTranspose")


def _has_bias(node: _Node) -> bool:
    """Whether a bias is given; one of zeros that are computed stands for none."""
    return node[2] is not None and (node[2] in node.model.weights or any(node.numbers(2) or [1.0]))


def _steps(node: _Node, setting: str, kernel: Shape) -> list[int]:
    return list(node.settings.get(setting, len(kernel) * [1]))


def _borders(node: _Node, edges: Shape, kernel: Shape) -> list[tuple[int, int]]:
    """Before and behind, along each axis."""
    axes, mode = len(kernel), node.settings.get("auto_pad", b"NOTSET").decode()
    if not mode.startswith("SAME"):
        pads = list(node.settings.get("pads", ())) if mode == "NOTSET" else []
        pads = pads or 2 * axes * [0]
        return list(zip(pads[:axes], pads[axes:], strict=True))
    found = []
    steps, spreads = _steps(node, "strides", kernel), _steps(node, "dilations", kernel)
    for edge, size, step, spread in zip(edges, kernel, steps, spreads, strict=True):
        total = max((-(-edge // step) - 1) * step + (size - 1) * spread + 1 - edge, 0)
        smaller, larger = total // 2, total - total // 2
        found.append((smaller, larger) if mode == "SAME_UPPER" else (larger, smaller))
    return found


def _gemm(node: _Node) -> Iterator[Call]:
    if node.settings.get("transA"):
        yield from node.call(node.op, inputs=node.inputs)
    elif node.settings.get("transB"):
        yield from node.call("linear", input=node[0], weight=node[1], bias=node[2])
    else:
        yield from node.call("addmm", self=node[2], mat1=node[0], mat2=node[1])


def _attention(node: _Node) -> Iterator[Call]:
    """Queries, keys and values; where heads lie side by side in the last axis, turned to have an axis of their own."""
    names: dict[str, Any] = dict(zip(("query", "key", "value", "attn_mask"), node.inputs, strict=False))
    for place, (name, setting) in enumerate(
        {"query": "q_num_heads", "key": "kv_num_heads", "value": "kv_num_heads"}.items()
    ):
        shape, heads = node.shape(place), node.settings.get(setting)
        if len(shape) == 3 and heads:
            inner = shape[2] // heads
            apart, turned = (Ref(f"{node.outputs[0]} {name} {step}") for step in ("apart", "turned"))
            yield Call(apart, "view", {"self": names[name]}, ((shape[0], shape[1], heads, inner),))
            yield Call(turned, "permute", {"self": apart, "dims": [0, 2, 1, 3]}, ((shape[0], heads, shape[1], inner),))
            names[name] = turned
    yield from node.call("scaled_dot_product_attention", **names)


def _batch_norm(node: _Node) -> Iterator[Call]:
    training = bool(node.settings.get("training_mode"))
    yield from node.call("batch_norm", input=node[0], running_mean=node[3], training=training)


def _layer_norm(node: _Node) -> Iterator[Call]:
    axis = node.settings.get("axis", -1)
    yield from node.call("layer_norm", input=node[0], normalized_shape=list(node.shape(0)[axis:]))


def _pool(node: _Node) -> Iterator[Call]:
    kernel = tuple(node.settings["kernel_shape"])
    given: dict[str, Any] = {"stride": _steps(node, "strides", kernel), "dilation": _steps(node, "dilations", kernel)}
    given |= {"padding": _borders(node, node.shape(0)[2:], kernel), "ceil_mode": node.settings.get("ceil_mode")}
    kind = "max" if node.op == "MaxPool" else "avg"
    yield from node.call(f"{kind}_pool{len(kernel)}d", self=node[0], kernel_size=list(kernel), **given)


def _global_pool(node: _Node) -> Iterator[Call]:
    kind = "max" if "Max" in node.op else "avg"
    yield from node.call(f"adaptive_{kind}_pool{len(node.shape(0)) - 2}d", self=node[0])


def _softmax(node: _Node) -> Iterator[Call]:
    yield from node.call("softmax", self=node[0], dim=node.settings.get("axis", -1))


def _transpose(node: _Node) -> Iterator[Call]:
    order = node.settings.get("perm", range(len(node.shape(0)) - 1, -1, -1))
    yield from node.call("permute", self=node[0], dims=list(order))


def _slice(node: _Node) -> Iterator[Call]:
    axes = node.setting("axes", 3) or []
    yield from node.call("slice", self=node[0], dim=axes[0] if len(axes) == 1 else None)


def _gather(node: _Node) -> Iterator[Call]:
    """What one constant selects, all elements in order, or what several numbers index."""
    x, axis, indices = node.shape(0), node.settings.get("axis", 0), node.numbers(1)
    out = node.shapes[0] or ()
    if indices == list(range(prod(x))) and x[axis] == prod(out):
        yield from node.call("view", self=node[0])
    elif indices is not None and len(out) < len(x):
        yield from node.call("select", self=node[0], dim=axis)
    else:
        yield from node.call("index", inputs=node.inputs)


def _split(node: _Node) -> Iterator[Call]:
    yield from node.call("split", self=node[0], dim=node.settings.get("axis", 0))


def _concatenation(node: _Node) -> Iterator[Call]:
    yield from node.call("cat", tensors=node.inputs, dim=node.settings["axis"])


def _pad(node: _Node) -> Iterator[Call]:
    pads = node.setting("pads", 1) or [0, 0]
    half = len(pads) // 2
    pairs = list(zip(pads[:half], pads[half:], strict=True))[::-1]
    yield from node.call("pad", self=node[0], pad=[edge for pair in pairs for edge in pair])


_Writer: TypeAlias = Callable[[_Node], Iterator[Call]]
_WRITTEN: dict[str, _Writer] = {
    "Conv": _convolution,
    "ConvTranspose": _convolution,
    "Gemm": _gemm,
    "MatMul": lambda node: node.call("matmul", self=node[0], other=node[1]),
    "Einsum": lambda node: node.call("einsum", equation=node.settings["equation"].decode(), tensors=node.inputs),
    "Attention": _attention,
    "BatchNormalization": _batch_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _layer_norm,
    "SimplifiedLayerNormalization": _layer_norm,
    "MaxPool": _pool,
    "AveragePool": _pool,
    "LpPool": _pool,
    "GlobalAveragePool": _global_pool,
    "GlobalMaxPool": _global_pool,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
    "Transpose": _transpose,
    "Slice": _slice,
    "Gather": _gather,
    "Split": _split,
    "Concat": _concatenation,
    "Pad": _pad,
}
