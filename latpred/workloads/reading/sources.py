"""Models by name: those of timm and torchvision, without weights, and those that a function of your own makes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib import import_module
from inspect import signature
from typing import TYPE_CHECKING, Any

from latpred.errors import NetworkError
from latpred.wording import nearest, quoted
from latpred.workloads.networks import Network
from latpred.workloads.reading import LIBRARIES, checked_size, from_onnx, from_torch, require
from latpred.workloads.reading.tracing.calls import first_line

if TYPE_CHECKING:
    import torch

#: Images that most models are trained on [pixels].
_USUAL = (224, 224)


def read(
    source: str, image_size: tuple[int, int] | None = None, name: str | None = None, *, strict: bool = False
) -> Network:
    """The network of a model: `timm:NAME`, `torchvision:NAME`, `package.module:function`, or an ONNX file's path.

    Raises
    ------
    NetworkError
        There is no such model, what it needs is not installed, or it cannot be read at this size.
    DataError
        The file is no ONNX model.
    """
    if source.lower().endswith(".onnx"):
        return from_onnx(source, image_size, name, strict=strict)
    size = None if image_size is None else checked_size(image_size)
    traced = _traced_once if source.partition(":")[0].lower() in LIBRARIES else _traced
    return traced(source, size, name, strict)


def _traced(source: str, image_size: tuple[int, int] | None, name: str | None, strict: bool) -> Network:
    module, size = module_of(source, image_size)
    network = from_torch(module, size, name or source.partition(":")[2], strict=strict)
    path = network.source.rpartition(", ")[2]
    return network.replace(source=f"{source}, {path}")


#: The models of a library stay as they are, unlike files and functions of one's own.
_traced_once = lru_cache(maxsize=32)(_traced)


def module_of(source: str, image_size: tuple[int, int] | None = None) -> tuple[torch.nn.Module, tuple[int, int]]:
    """The module that a source names, and the size of image to read it at; errors as `read`."""
    library, _, model = source.partition(":")
    if library.lower() in LIBRARIES:
        return (_of_timm if library.lower() == "timm" else _of_torchvision)(model, image_size)
    return _own(source), image_size or _USUAL


def _of_timm(model: str, image_size: tuple[int, int] | None) -> tuple[torch.nn.Module, tuple[int, int]]:
    """A model of timm, at the size of its configuration unless another is given."""
    timm = _library("timm")
    if not timm.is_model(model.partition(".")[0]):
        raise _unknown("timm", model, timm.list_models())
    module = None
    if image_size:
        # Transformers have positions for one size of images, convolutional networks take any and no such setting.
        with suppress(TypeError):
            module = _made(timm.create_model, model, pretrained=False, img_size=image_size)
    if module is None:
        try:
            module = _made(timm.create_model, model, pretrained=False)
        except Exception as error:
            raise NetworkError(f"timm does not make {quoted(model)}: {first_line(error)}") from None
    settings = getattr(module, "pretrained_cfg", None) or {}
    own = settings.get("input_size", (3, *_USUAL))[-2:]
    return module, image_size or (int(own[0]), int(own[1]))


def _of_torchvision(model: str, image_size: tuple[int, int] | None) -> tuple[torch.nn.Module, tuple[int, int]]:
    """A model of torchvision, at the size that it was first trained for unless another is given."""
    models = _library("torchvision").models
    if model.lower() not in models.list_models():
        raise _unknown("torchvision", model, models.list_models())
    builder = models.get_model_builder(model)
    none = {name: None for name in ("weights", "weights_backbone") if name in signature(builder).parameters}
    module = _made(builder, **none)
    own = getattr(module, "image_size", None)
    if isinstance(own, int):
        if image_size and image_size[0] == image_size[1] != own:
            module, own = _made(builder, **none, image_size=image_size[0]), image_size[0]
        return module, image_size or (own, own)
    trained = next((getattr(each.transforms, "keywords", {}) for each in models.get_model_weights(model)), {})
    crop = trained.get("crop_size")
    return module, image_size or ((crop, crop) if isinstance(crop, int) else _USUAL)


def _library(name: str) -> Any:
    """A library of models; raises NetworkError where it is not installed, or does not load."""
    require(f"reading {name}:NAME", "torch", name)
    try:
        return import_module(name)
    except Exception as error:
        raise NetworkError(
            f"{name} does not load beside the torch that is installed ({type(error).__name__}: {first_line(error)}); "
            "install versions that belong together"
        ) from None


def _unknown(library: str, model: str, known: list[str]) -> NetworkError:
    """The error about a model that a library does not have."""
    hint = nearest(model, known)
    similar = [name for name in known if hint and name.startswith(hint[: max(len(hint) - 2, 4)]) and name != hint][:4]
    near = f"; did you mean {', '.join([hint, *similar])}?" if hint else f"; it has {len(known):,} models"
    return NetworkError(f"{library} has no model {quoted(model)}{near}")


def _made(make: Callable[..., Any], *args: Any, **settings: Any) -> Any:
    """A model without numbers in its weights, or where it computes with them while it is made, with random ones."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.device("meta"):
                return make(*args, **settings)
        except (NotImplementedError, RuntimeError):
            return make(*args, **settings)


def _own(source: str) -> Any:
    """The module that a function of your own makes; raises NetworkError where it does not."""
    require(f"reading {source}", "torch")
    import torch

    place, _, function = source.partition(":")
    if not place or not function:
        raise NetworkError(
            f"{quoted(source)} is no model to read; give model.onnx, timm:NAME, torchvision:NAME or "
            "package.module:function"
        )
    sys.path.insert(0, "")
    try:
        make = getattr(import_module(place), function)
        module = make if isinstance(make, torch.nn.Module) else make()
    except Exception as error:
        raise NetworkError(f"{source}: {type(error).__name__}: {first_line(error)}") from None
    finally:
        sys.path.remove("")
    if not isinstance(module, torch.nn.Module):
        raise NetworkError(f"{source} makes {quoted(module)}, not a torch.nn.Module")
    return module
