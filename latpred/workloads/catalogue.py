"""Networks, blocks and published dynamic networks by name from `zoo/`, or from your own YAML file."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path
from typing import Annotated, ClassVar, TypeAlias

from pydantic import Field, field_validator

from latpred.errors import DataError, InputError, NetworkError
from latpred.files import data_folder, is_yaml, parse, read_yaml
from latpred.records import Plain, Record
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.networks import Network
from latpred.workloads.paradigms import SINGLE, Joint, Paradigm
from latpred.workloads.transformers import VisionTransformer

AnyNetwork: TypeAlias = Network | VisionTransformer

#: Records that a network file can hold, by its `kind`.
_KINDS: dict[str, type[Network] | type[VisionTransformer]] = {"residual": Network, "transformer": VisionTransformer}


class Preset(Record):
    """A published dynamic network: a method's paradigm on a backbone it was published on."""

    error: ClassVar[type[InputError]] = NetworkError

    method: str
    title: str
    source: str
    assumed: str
    networks: Annotated[tuple[str, ...], Plain, Field(min_length=1)]
    paradigm: Paradigm

    @field_validator("paradigm", mode="before")
    @classmethod
    def _parts(cls, settings: object) -> object:
        """A file writes a mapping of part to settings, without rates."""
        if not isinstance(settings, dict) or not set(settings) <= set(SINGLE):
            raise ValueError(f"must map {', '.join(SINGLE)} to settings, got {settings!r}")
        parts = [SINGLE[name](r=1.0, **(fields or {})) for name, fields in settings.items()]
        return parts[0] if len(parts) == 1 else Joint(*parts)


@lru_cache(maxsize=2)
def _files(folder: str) -> dict[str, Path]:
    """Shipped files of a folder by name."""
    return {path.stem: path for path in sorted(data_folder(folder).glob("*.yaml"))}


def list_networks() -> list[str]:
    """Names of the networks that latpred ships."""
    return list(_files("workloads/zoo"))


def load_network(name_or_path: str | Path, image_size: tuple[int, int] | None = None) -> AnyNetwork:
    """A shipped network by name or alias, or your own by the path of a YAML file.

    Raises
    ------
    NetworkError
        No such network, or an image that is too small for it.
    DataError
        The file is not a network; the message lists everything wrong with it.
    """
    network = _load(str(name_or_path))
    return network.resized(image_size) if image_size else network


def _load(name: str) -> AnyNetwork:
    if name.lower() in _files("workloads/zoo"):
        return _load_file(_files("workloads/zoo")[name.lower()])
    if is_yaml(name):
        if not Path(name).is_file():
            raise NetworkError(f"there is no network file {name!r}")
        return _load_file(Path(name))
    for path in _files("workloads/zoo").values():
        # Most files do not even hold the word, and reading text is much faster than parsing it.
        if name.lower() in path.read_text(encoding="utf-8") and name.lower() in _load_file(path).aliases:
            return _load_file(path)
    known_names = ", ".join(list_networks())
    raise NetworkError(f"unknown network {name!r}; choose {known_names}, or give the path of a .yaml file")


@lru_cache(maxsize=64)
def _parsed(path: Path, modified_s: float) -> AnyNetwork:
    content = read_yaml(path)
    kind = content.get("kind", "residual")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise DataError(f"{path}: kind: must be {' or '.join(_KINDS)}, got {kind!r}")
    return parse(_KINDS[kind], content, path)


def _load_file(path: Path) -> AnyNetwork:
    return _parsed(path, path.stat().st_mtime)


def list_presets() -> list[str]:
    """Names of the published dynamic networks that latpred knows, `<method>-<network>`."""
    return [f"{method}-{network}" for method in _files("workloads/zoo/presets") for network in _preset(method).networks]


@lru_cache(maxsize=64)
def _preset(method: str) -> Preset:
    path = _files("workloads/zoo/presets")[method]
    return parse(Preset, read_yaml(path), path)


def load_preset(name: str, image_size: tuple[int, int] | None = None) -> tuple[Preset, AnyNetwork]:
    """A published dynamic network by name, `<method>-<network>`, and its backbone. Raises NetworkError for another."""
    for method in _files("workloads/zoo/presets"):
        for network in _preset(method).networks:
            if name.lower() == f"{method}-{network}":
                return _preset(method), load_network(network, image_size)
    raise NetworkError(f"unknown preset {name!r}; choose {', '.join(list_presets())}")


def load_block(name_or_path: str | Path, image_size: tuple[int, int] | None = None) -> Bottleneck:
    """A block by name, `<network>-stage<k>` or `<network>-stage<k>-first`, or your own by the path of a YAML file.

    Raises
    ------
    NetworkError
        No such network or stage, or an image size for a file, which states its own map.
    DataError
        The file is not a block; the message lists everything wrong with it.
    """
    name = str(name_or_path)
    if is_yaml(name):
        if image_size:
            raise NetworkError(f"{name}: a block file states its own height and width; leave the image size out")
        if not Path(name).is_file():
            raise NetworkError(f"there is no block file {name!r}")
        return parse(Bottleneck, {"name": Path(name).stem, **read_yaml(Path(name))}, Path(name))
    match = re.fullmatch(r"(.+)-stage(\d+)(-first)?", name.lower())
    if not match:
        raise NetworkError(
            f"unknown block {name!r}; name it <network>-stage<k> or <network>-stage<k>-first, e.g. resnet50-stage1 "
            f"(networks: {', '.join(list_networks())}), or give the path of a .yaml file"
        )
    network = load_network(match[1], image_size)
    if not isinstance(network, Network):
        raise NetworkError(f"{network.name} has no stages; predict the whole network")
    return network.block(int(match[2]), first=bool(match[3]))
