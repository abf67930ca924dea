"""Reading of networks from models: PyTorch modules, ONNX files, and those of torchvision and timm by name.

A model is traced to calls or nodes (`tracing`, `onnx_files`), these become one graph (`aten`, `onnx_nodes`), and what
follows is the same for both (`passes`): layouts, functions of several steps, layers, what is folded into them,
attention, branches that meet again, blocks, and at last stages.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from latpred.errors import LatpredError, NetworkError
from latpred.wording import listed, quoted
from latpred.workloads.networks import Network

#: What a model of a library is named with, before a colon.
LIBRARIES = ("timm", "torchvision")


def is_source(name: str) -> bool:
    """Whether a name is that of a model to read.

    >>> is_source("timm:resnet50"), is_source("resnet50")
    (True, False)
    """
    library, colon, _ = name.partition(":")
    return (colon == ":" and library.lower() in LIBRARIES) or name.lower().endswith(".onnx")


def from_torch(
    module: Any, image_size: tuple[int, int] = (224, 224), name: str | None = None, *, strict: bool = False
) -> Network:
    """The network that a PyTorch module is; needs the extra `latpred[torch]`, whose CPU build suffices.

    The module is traced in evaluation mode with one image and left as it was; its weights are not looked at. Residual
    bodies become blocks that can skip; everything else is static, and all of it counts.

    Parameters
    ----------
    module
        A `torch.nn.Module` that takes a batch of images of three channels.
    image_size
        Height and width of the image [pixels].
    name
        What the network is called; by default as the module's class.
    strict
        Refuse a module with operations that are not understood, instead of counting each as one pass over its output.

    Raises
    ------
    NetworkError
        torch is not installed, it is no such module, it does not run on such an image, or it decides by what it sees.

    Examples
    --------
    >>> import torch
    >>> module = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, stride=2), torch.nn.Flatten(), torch.nn.Linear(968, 10))
    >>> [layer.kind for layer in from_torch(module, image_size=(24, 24)).stem_layers]
    ['conv', 'dense']
    """
    require("reading a PyTorch module", "torch")
    import torch

    from latpred.workloads.reading.operators.table import graph_of
    from latpred.workloads.reading.passes import understood
    from latpred.workloads.reading.tracing.pytorch import traced

    if not isinstance(module, torch.nn.Module):
        raise NetworkError(f"a torch.nn.Module is wanted, not {quoted(module)}")
    size = checked_size(image_size)
    calls, path, refused = traced(module, size)
    remarks = (f"torch.export refused it ({refused}); it was read by {path}",) if refused else ()
    # A recorded run has run whatever it has, though it may not know where its outputs come from.
    whole = path == "a recorded run"
    about: dict[str, Any] = {
        "name": name or type(module).__name__,
        "image_size": size,
        "source": f"a PyTorch module, by {path}",
    }
    return checked(understood(graph_of(calls), whole=whole, remarks=remarks, **about), strict=strict)


def require(purpose: str, *packages: str) -> None:
    """Raise NetworkError where a package is not installed, with what installs it."""
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        extras = {"torch": "'latpred[torch]'", "onnx": "'latpred[onnx]'"}
        install = " ".join(extras.get(name, name) for name in missing)
        raise NetworkError(f"{purpose} needs {' and '.join(missing)}: pip install {install}")


def checked_size(image_size: Any) -> tuple[int, int]:
    """Height and width of an image [pixels]; raises NetworkError for anything else."""
    given = tuple(image_size) if isinstance(image_size, list | tuple) else ()
    if len(given) != 2 or any(isinstance(edge, bool) or not isinstance(edge, int) or edge < 1 for edge in given):
        raise NetworkError(f"image_size is a height and a width in pixels, as (224, 224), not {quoted(image_size)}")
    return given


def checked(network: Network, *, strict: bool) -> Network:
    """The network; raises NetworkError for a strict reader where something of it was not understood."""
    if strict and network.unread:
        raise NetworkError(f"{network.name}: not understood: {listed(network.unread)}")
    return network


def from_onnx(
    path: str | Path, image_size: tuple[int, int] | None = None, name: str | None = None, *, strict: bool = False
) -> Network:
    """The network in an ONNX file; needs the extra `latpred[onnx]`.

    Its weights are not looked at, and may be missing. A dynamic batch axis is one image; normalisations may be folded
    into convolutions or not.

    Parameters
    ----------
    path
        Of the file.
    image_size
        Height and width of the image [pixels], where the file leaves them open; by default 224×224.
    name
        What the network is called; by default as the file.
    strict
        Refuse a model with operations that are not understood, instead of counting each as one pass over its output.

    Raises
    ------
    NetworkError
        onnx is not installed, or the model is of another size.
    DataError
        The file is no ONNX model, or one that cannot be read, such as a quantised one.

    Examples
    --------
    >>> import onnx, tempfile
    >>> graph = "g (float[batch, 3, 8, 8] image) => (float[batch, 3, 1, 1] mean) { mean = GlobalAveragePool(image) }"
    >>> with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
    ...     onnx.save(onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : 17]> {graph}'), file.name)
    ...     from_onnx(file.name).stem
    (Pool(kernel=None, stride=None, padding=None, maximum=False, edge=1),)
    """
    require("reading an ONNX file", "onnx")
    from latpred.workloads.reading.operators.table import graph_of
    from latpred.workloads.reading.passes import understood
    from latpred.workloads.reading.tracing.calls import first_line
    from latpred.workloads.reading.tracing.onnx_calls import calls_of
    from latpred.workloads.reading.tracing.onnx_files import load, name_of, refused

    if not isinstance(path, str | Path):
        raise NetworkError(f"the path of an ONNX file is wanted, not {quoted(path)}")
    path = Path(path)
    try:
        model = load(path, None if image_size is None else checked_size(image_size))
        height, width = model.shapes[model.image][2:]
        about: dict[str, Any] = {"name": name or name_of(path), "image_size": (height, width)}
        about["source"] = f"{path.name}, an ONNX file"
        folded = all(node.op_type != "BatchNormalization" for node in model.nodes)
        network = understood(graph_of(list(calls_of(model))), folded=folded, **about)
    except LatpredError:
        raise
    except Exception as error:
        # What is wrong in a damaged file has no end: settings of other types, inputs that nothing puts out.
        raise refused(path, f"is no model that can be read: {type(error).__name__}: {first_line(error)}") from error
    return checked(network, strict=strict)
