"""ONNX files: loaded without their weights, checked, and with the shape of every tensor for a batch of one."""

from __future__ import annotations

import os.path
import warnings
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import helper, numpy_helper, shape_inference
from onnx.reference import ReferenceEvaluator

from latpred.errors import DataError
from latpred.wording import listed, quoted
from latpred.workloads.reading.tracing.calls import Shape, first_line

#: Larger constants are weights, whose numbers are not needed.
_MOST_NUMBERS = 4096
#: Larger graphs, and larger files without their weights, are none that a network has.
_MOST_NODES, _MOST_BYTES = 200_000, 2**31
#: Rounds of shapes, constants that follow from them, and shapes that follow from those.
_MOST_ROUNDS = 60
#: Operators of quantised models, by what they begin or end with.
_QUANTISED = ("QuantizeLinear", "DequantizeLinear", "QLinear", "Integer", "QGemm", "QAttention")
#: Names of the domain of the standard's own operators.
STANDARD = ("", "ai.onnx")
#: Operators that run one graph or another.
_DECIDING = ("If", "Loop", "Scan", "SequenceMap")


class Model(NamedTuple):
    """The nodes of a graph, its tensors' shapes, its small constants and the names of all, its image and its outputs.

    `weights` are the constants that the file has, `constants` with those that were computed.
    """

    nodes: list[Any]
    shapes: dict[str, Shape]
    values: dict[str, np.ndarray[Any, Any]]
    weights: set[str]
    constants: set[str]
    image: str
    outputs: list[str]


def load(path: Path, image_size: tuple[int, int] | None) -> Model:
    """The graph in a file; a dynamic batch axis becomes one image, dynamic edges are those of `image_size`.

    Raises
    ------
    DataError
        The file is no ONNX model, or one that cannot be read: quantised, with control flow, with other inputs than an
        image, of an unknown version, or with shapes that do not follow.
    """
    model = _parsed(path)
    _check(model, path)
    if model.functions:
        from onnx import inliner

        model = inliner.inline_local_functions(model)
    graph = model.graph
    _drop_weights(graph)
    image = _image(graph, path, image_size)
    _forget_shapes(graph)
    weights = {each.name for each in graph.initializer}
    for node in graph.node:
        weights |= {*node.output} if node.op_type == "Identity" and node.input[0] in weights else set()
    values = {each.name: numbers for each in graph.initializer if (numbers := _numbers(each, path.parent)) is not None}
    shapes = _settled(model, values, path)
    _check_maps(graph, shapes, image, path)
    return Model(
        list(graph.node), shapes, values, weights, weights | set(values), image, [each.name for each in graph.output]
    )


def refused(path: Path, why: str) -> DataError:
    """The error about a file, whose names may hold anything, in one line."""
    return DataError(f"{path}: {' '.join(why.split())}")


def _parsed(path: Path) -> Any:
    """The protocol buffer in a file."""
    if path.exists() and not path.is_file():
        raise refused(path, "is no file")
    try:
        size = path.stat().st_size
        if size > _MOST_BYTES:
            raise refused(path, f"is larger than {_MOST_BYTES / 2**30:g} GiB, which no ONNX file is")
        return onnx.load(path, load_external_data=False)
    except OSError as error:
        raise refused(path, f"cannot be read: {error.strerror or error}") from None
    except DataError:
        raise
    except Exception:
        raise refused(path, "is no ONNX model") from None


def _check(model: Any, path: Path) -> None:
    """Raise DataError for a model that cannot be read."""
    if not model.graph.node or not model.graph.output:
        raise refused(path, "is no ONNX model: it has no graph")
    if len(model.graph.node) > _MOST_NODES:
        raise refused(path, f"has {len(model.graph.node):,} nodes; {_MOST_NODES:,} are the most")
    known = onnx.defs.onnx_opset_version()
    version = max((each.version for each in model.opset_import if each.domain in STANDARD), default=0)
    if not 1 <= version <= known:
        raise refused(path, f"has opset {version}; the installed onnx {onnx.__version__} knows 1 to {known}")
    kinds = {node.op_type for node in model.graph.node}
    quantised = sorted(kind for kind in kinds if kind.startswith(_QUANTISED) or kind.endswith(_QUANTISED))
    if quantised:
        raise refused(path, f"is quantised ({listed(quantised)}); read the model that it was made of")
    deciding = sorted(kinds & set(_DECIDING))
    if deciding:
        raise refused(path, f"has control flow ({listed(deciding)}); no one graph says what it runs")


def _forget_shapes(graph: Any) -> None:
    """Forget what the file says of its tensors, which may be of another batch; but not of what only it knows."""
    own = {name for node in graph.node if node.domain not in STANDARD for name in node.output}
    said = [each for each in graph.value_info if each.name in own]
    del graph.value_info[:]
    graph.value_info.extend(said)
    for output in graph.output:
        if output.name not in own:
            output.type.tensor_type.ClearField("shape")
    for each in (*graph.value_info, *graph.output):
        batch = each.type.tensor_type.shape.dim[:1]
        for axis in batch if each.name in own else ():
            axis.dim_value = axis.dim_value or 1


def _check_maps(graph: Any, shapes: dict[str, Shape], image: str, path: Path) -> None:
    """Raise DataError for an image that is too small for the windows of a layer."""
    for node in graph.node:
        if node.op_type in ("Conv", "ConvTranspose", "MaxPool", "AveragePool") and 0 in shapes[node.output[0]]:
            edges = "×".join(map(str, shapes[image][2:]))
            raise refused(path, f"an image of {edges} is too small: {node.name or node.output[0]} puts out nothing")


def _drop_weights(graph: Any) -> None:
    """Forget the numbers of large constants: shapes follow without them."""
    for each in graph.initializer:
        if prod(each.dims) > _MOST_NUMBERS:
            for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
                each.ClearField(field)


def _numbers(tensor: Any, folder: Path) -> np.ndarray[Any, Any] | None:
    """The numbers of a small constant; None where they are elsewhere, or none."""
    if prod(tensor.dims) > _MOST_NUMBERS:
        return None
    try:
        return numpy_helper.to_array(tensor, base_dir=str(folder))
    except Exception:
        return None


def _image(graph: Any, path: Path, image_size: tuple[int, int] | None) -> str:
    """The name of the input that is an image, whose axes are numbers from now on."""
    weights = {each.name for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in weights]
    if len(inputs) != 1:
        raise refused(path, f"takes {listed(each.name for each in inputs) or 'nothing'}; one image is wanted")
    (given,) = inputs
    axes = given.type.tensor_type.shape.dim
    edges = [axis.dim_value if axis.HasField("dim_value") else 0 for axis in axes]
    if len(edges) != 4 or edges[1] != 3:
        shape = "×".join(str(edge) if edge > 0 else "?" for edge in edges) or "unknown"
        raise refused(path, f"the input {quoted(given.name)} is {shape}, not a batch of images of 3 channels")
    if edges[0] > 1:
        raise refused(path, f"is for batches of {edges[0]}; export it for one image, or with a dynamic batch axis")
    for axis, edge in zip(axes, (1, 3, *_edges(path, edges[2:], image_size)), strict=True):
        axis.dim_value = edge
    return str(given.name)


def _edges(path: Path, own: list[int], image_size: tuple[int, int] | None) -> tuple[int, int]:
    """Height and width of the image: its own where the file says them."""
    wanted = image_size or tuple(edge or 224 for edge in own)
    if any(edge > 0 and edge != size for edge, size in zip(own, wanted, strict=True)):
        fixed, asked = ("×".join(str(edge or "any") for edge in size) for size in (own, wanted))
        raise refused(path, f"is for images of {fixed}, not of {asked}; export the model again at another size")
    return wanted[0], wanted[1]


def _settled(model: Any, values: dict[str, np.ndarray[Any, Any]], path: Path) -> dict[str, Shape]:
    """The shape of every tensor; constants that follow from shapes are computed until no more do.

    Raises DataError where shapes contradict one another.
    """
    graph, before = model.graph, -1
    for _ in range(_MOST_ROUNDS):
        try:
            inferred = shape_inference.infer_shapes(model, strict_mode=False, data_prop=True).graph
        except Exception as error:
            raise refused(path, f"its shapes do not fit: {first_line(error)}") from None
        found = {each.name: _shape(each) for each in (*inferred.value_info, *inferred.output, *inferred.input)}
        shapes = {name: shape for name, shape in found.items() if shape is not None}
        shapes |= {each.name: tuple(each.dims) for each in graph.initializer}
        shapes |= {name: tuple(value.shape) for name, value in values.items()}
        if len(values) == before:
            break
        before = len(values)
        _compute(
            graph, shapes, values, max((each.version for each in model.opset_import if not each.domain), default=17)
        )
    missing = [name for node in graph.node for name in node.output if name and name not in shapes]
    if missing:
        raise refused(path, f"the shapes of {listed(missing, most=5)} do not follow from the file")
    return shapes


def _shape(info: Any) -> Shape | None:
    """The shape of a tensor, if all of its axes are known."""
    kind = info.type.tensor_type
    if not kind.HasField("shape"):
        return None
    edges = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim]
    return tuple(edges) if all(edge >= 0 for edge in edges) else None


def _compute(graph: Any, shapes: dict[str, Shape], values: dict[str, np.ndarray[Any, Any]], version: int) -> None:
    """Compute small constants, and let the graph have them as such."""
    for node in graph.node:
        # What is cast like another tensor has its own numbers.
        inputs = [name for name in node.input if name][: 1 if node.op_type == "CastLike" else None]
        if all(name in values for name in node.output) or node.op_type.startswith("Random"):
            continue
        shape = shapes.get(inputs[0]) if inputs and node.op_type in ("Shape", "Size") else None
        if shape is None and not (_is_small(node, shapes) and all(name in values for name in inputs)):
            continue
        try:
            if shape is not None:
                found = _of_shape(node, shape)
            else:
                feeds = {name: values[name] for name in inputs}
                found = _regrouped(node, feeds, shapes) or _run(node, feeds, version)
        except Exception:
            continue
        for name, value in zip(node.output, found, strict=False):
            if isinstance(value, np.ndarray | np.generic) and np.size(value) <= _MOST_NUMBERS and name:
                values[name] = np.asarray(value)
                graph.initializer.append(numpy_helper.from_array(values[name], name))
    nodes = [node for node in graph.node if not all(name in values for name in node.output)]
    del graph.node[:]
    graph.node.extend(nodes)


def _is_small(node: Any, shapes: dict[str, Shape]) -> bool:
    """Whether what a node puts out has few numbers; of those that it selects there are no more than come in."""
    known = [shapes.get(name) for name in node.output if name]
    selects = node.op_type in ("NonZero", "Compress", "Unique")
    return all(selects if shape is None else prod(shape) <= _MOST_NUMBERS for shape in known)


def _of_shape(node: Any, shape: Shape) -> list[Any]:
    """A shape, some of its edges, or how many elements it has."""
    if node.op_type == "Size":
        return [np.array(prod(shape), dtype=np.int64)]
    settings = {each.name: each.i for each in node.attribute}
    return [np.array(shape[settings.get("start") : settings.get("end")], dtype=np.int64)]


def _regrouped(node: Any, feeds: dict[str, np.ndarray[Any, Any]], shapes: dict[str, Shape]) -> list[Any]:
    """What only has another shape, which needs no reference; nothing for other nodes."""
    if node.op_type not in ("Unsqueeze", "Squeeze", "Reshape", "Identity", "CastLike") or node.output[0] not in shapes:
        return []
    return [feeds[node.input[0]].reshape(shapes[node.output[0]])]


def _run(node: Any, feeds: dict[str, np.ndarray[Any, Any]], version: int) -> list[Any]:
    """The outputs of one node, by the reference implementation of its version."""
    inputs = [helper.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None) for name in feeds]
    outputs = [helper.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None) for name in node.output if name]
    graph = helper.make_graph([node], "constant", inputs, outputs)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found: list[Any] = ReferenceEvaluator(model).run(None, feeds)
    return found


def name_of(path: Path) -> str:
    """What a file's network is called."""
    return os.path.basename(path).rpartition(".")[0] or path.name
