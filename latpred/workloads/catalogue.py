"""Networks, blocks and published dynamic networks by name from `zoo/`, or from your own YAML file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from os.path import isfile
from pathlib import Path
from typing import Annotated, Any, ClassVar, NamedTuple, TypeAlias

from pydantic import Field, field_validator

from latpred.errors import DataError, InputError, NetworkError
from latpred.files import data_folder, is_yaml, parse, read_yaml
from latpred.records import Plain, Record
from latpred.wording import did_you_mean, listed, quoted, unknown
from latpred.workloads.blocks import KINDS, Block, Bottleneck
from latpred.workloads.networks import Network, PlacedNetwork, VisionTransformer
from latpred.workloads.paradigms import NAMED, Joint, Paradigm
from latpred.workloads.reading import is_source

#: What else can be given where a network's name is.
OTHERWISE = "the path of a .yaml or .onnx file, timm:NAME or torchvision:NAME"
#: Characters of a path that an error line shows.
MOST_OF_A_PATH = 300

AnyNetwork: TypeAlias = PlacedNetwork

#: Records that a network file can hold, by its `kind`.
_KINDS: dict[str, type[Network] | type[VisionTransformer]] = {"residual": Network, "transformer": VisionTransformer}

#: Where a shipped file has its network's other names.
_ALIASES = re.compile(r"^aliases: \[(.*)\]$", re.MULTILINE)
#: The name of a block: its network's, the number of its stage, and its place in it, where that is not the repeated one.
_BLOCK = re.compile(r"(.+)-stage(\d{1,9})(-first|-block\d{1,9})?", re.IGNORECASE)


class Preset(Record):
    """A published dynamic network: a method's paradigm on a backbone it was published on.

    Parameters
    ----------
    method, title, source
        The method's name, as it is asked for and as it was published, and where.
    assumed
        What the publication does not say, and what is taken instead.
    networks
        The backbones.
    paradigm
        What it skips, and how finely; its rates are 1 until they are given.

    Examples
    --------
    >>> load_preset("dynconv-resnet101").preset.method
    'dynconv'
    """

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
        if not isinstance(settings, dict) or not set(settings) <= set(NAMED):
            raise ValueError(f"must map {', '.join(NAMED)} to settings, got {quoted(settings)}")
        parts = [NAMED[name](r=1.0, **(fields or {})) for name, fields in settings.items()]
        return parts[0] if len(parts) == 1 else Joint(*parts)


@lru_cache(maxsize=2)
def _files(folder: str) -> dict[str, Path]:
    """Shipped files of a folder by name, numbers in names in order."""
    paths = {path.stem: path for path in data_folder(folder).glob("*.yaml")}
    return {name: paths[name] for name in sorted(paths, key=_in_order)}


def _in_order(name: str) -> list[Any]:
    """Text and numbers in turn, by which resnet18 comes before resnet101."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def list_networks() -> list[str]:
    """Names of the networks that latpred ships.

    >>> "resnet50" in list_networks()
    True
    """
    return list(_files("workloads/zoo"))


def load_network(name_or_path: str | Path | AnyNetwork, image_size: tuple[int, int] | None = None) -> AnyNetwork:
    """A shipped network by name or alias, your own by the path of a YAML file, or one that is read from a model.

    Models are `timm:NAME` and `torchvision:NAME`, read without weights (`from_torch`), and the path of an ONNX file
    (`from_onnx`). A network is handed back as it is.

    Raises
    ------
    NetworkError
        No such network, an image that is too large for it, or a model that cannot be read.
    DataError
        The file is not a network; the message lists everything wrong with it.

    Examples
    --------
    >>> load_network("resnet50").blocks_per_stage
    [3, 4, 6, 3]
    """
    network = name_or_path
    if not isinstance(network, PlacedNetwork):
        name = _name("network", network)
        if is_source(name):
            from latpred.workloads.reading.sources import read

            return read(name, image_size)
        network = _load(name)
    return network if image_size is None else network.resized(image_size)


def _name(what: str, given: object) -> str:
    """A name or path as text; raises NetworkError for anything else."""
    if not isinstance(given, str | Path):
        raise NetworkError(
            f"a {what} is given by its name, the path of a .yaml file or its record, not {quoted(given)}"
        )
    return str(given)


def _load(name: str) -> AnyNetwork:
    if name.lower() in _files("workloads/zoo"):
        return _shipped(name.lower())
    if is_yaml(name):
        if not isfile(name):
            raise NetworkError(f"there is no network file {quoted(name, most=MOST_OF_A_PATH)}")
        return _read(Path(name))
    if _as_typed(name) in _other_names():
        return _shipped(_other_names()[_as_typed(name)])
    if name.lower() in list_presets():
        raise NetworkError(f"{name} is a preset, a network with what it skips; give it as --preset, or to load_preset")
    if _BLOCK.fullmatch(name):
        raise NetworkError(f"{name} is a block; give it as --block, or to load_block")
    raise NetworkError(unknown("network", name, list_networks(), OTHERWISE))


@lru_cache(maxsize=1)
def _other_names() -> dict[str, str]:
    """Names and aliases of the shipped networks as people may type them; reading text is faster than parsing it."""
    found: dict[str, str] = {}
    for name, path in _files("workloads/zoo").items():
        aliases = _ALIASES.search(path.read_text(encoding="utf-8"))
        found |= dict.fromkeys(map(_as_typed, [name, *(aliases[1].split(",") if aliases else ())]), name)
    return found


def _as_typed(name: str) -> str:
    """What of a name counts: `ResNet-50` and `resnet_50` are resnet50. Dots do, for 1.6gf is not 16gf."""
    return re.sub("[-_ ]", "", name.lower())


@lru_cache
def _shipped(name: str) -> AnyNetwork:
    return _read(_files("workloads/zoo")[name])


def _read(path: Path) -> AnyNetwork:
    """The network in a file, read anew each time: it may have been replaced."""
    content = read_yaml(path)
    kind = content.get("kind", "residual")
    if not isinstance(kind, str) or kind not in _KINDS:
        raise DataError(f"{path}: kind: must be {' or '.join(_KINDS)}, got {quoted(kind)}")
    return parse(_KINDS[kind], content, path)


def list_presets() -> list[str]:
    """Names of the published dynamic networks that latpred knows, `<method>-<network>`.

    >>> "lasnet-resnet50" in list_presets()
    True
    """
    return [f"{method}-{network}" for method in _files("workloads/zoo/presets") for network in _preset(method).networks]


def presets_on(network: str) -> list[Preset]:
    """The published dynamic networks on a backbone, by its name."""
    return [preset for method in _files("workloads/zoo/presets") if network in (preset := _preset(method)).networks]


@lru_cache
def _preset(method: str) -> Preset:
    path = _files("workloads/zoo/presets")[method]
    return parse(Preset, read_yaml(path), path)


class DynamicNetwork(NamedTuple):
    """A preset on one of its networks."""

    preset: Preset
    network: AnyNetwork

    def at_rates(self, r: float | Sequence[float]) -> Paradigm:
        """The preset's paradigm with a rate, or one per stage or block."""
        return self.preset.paradigm.at_rates(tuple(r) if isinstance(r, Sequence) else r)

    def __repr__(self) -> str:
        """One line."""
        return f"<DynamicNetwork: {self.preset.method}-{self.network.name}, {self.preset.paradigm.text(rates=False)}>"


def load_preset(name: str | DynamicNetwork, image_size: tuple[int, int] | None = None) -> DynamicNetwork:
    """A published dynamic network by name, `<method>-<network>`: the method and its backbone.

    >>> preset, network = load_preset("dynconv-resnet101")
    >>> network.name, str(load_preset("dynconv-resnet101").at_rates(0.5))
    ('resnet101', 'spatial(S=1, r=0.5)')

    Raises
    ------
    NetworkError
        No such preset, or an image that is too large for its network.
    """
    if isinstance(name, DynamicNetwork):
        return name._replace(network=load_network(name.network, image_size))
    name = _name("preset", name)
    for method in _files("workloads/zoo/presets"):
        for network in _preset(method).networks:
            if name.lower() == f"{method}-{network}":
                return DynamicNetwork(_preset(method), load_network(network, image_size))
    raise NetworkError(unknown("preset", name, list_presets()))


def load_target(name_or_path: str | Path) -> Block | AnyNetwork:
    """A network or a block, whichever a name or a file is of; errors as `load_network` and `load_block`."""
    name = str(name_or_path)
    if is_yaml(name) and isfile(name):
        is_block = not {"stages", "depth", "stem"} & read_yaml(Path(name)).keys()
        return load_block(name) if is_block else load_network(name)
    return load_block(name) if _BLOCK.fullmatch(name) else load_network(name)


def load_block(name_or_path: str | Path | Block, image_size: tuple[int, int] | None = None) -> Block:
    """A block by name, `<network>-stage<k>` or `<network>-stage<k>-first`, or your own by the path of a YAML file.

    A block is handed back as it is.

    Raises
    ------
    NetworkError
        No such network or stage, or an image size for a file or a block, which states its own map.
    DataError
        The file is not a block; the message lists everything wrong with it.

    Examples
    --------
    >>> block = load_block("resnet50-stage1")
    >>> block.c_in, block.inner, block.height
    (256, 64, 56)
    """
    own = isinstance(name_or_path, Block)
    name = name_or_path.name if isinstance(name_or_path, Block) else _name("block", name_or_path)
    if image_size is not None and (own or is_yaml(name)):
        raise NetworkError(f"{name}: a block states its own height and width; leave the image size out")
    if isinstance(name_or_path, Block):
        return name_or_path
    if is_yaml(name):
        if not isfile(name):
            raise NetworkError(f"there is no block file {quoted(name, most=MOST_OF_A_PATH)}")
        return _read_block(Path(name))
    match = _BLOCK.fullmatch(name)
    if not match and name.lower() in list_networks():
        block = f"{name.lower()}-stage1"
        raise NetworkError(f"{name} is a network; give it as --network, or a block of it, {block}; or to load_network")
    if not match:
        hint = did_you_mean(name, _block_names())
        give = f"{hint} Give" if hint else "; give"
        raise NetworkError(
            f"unknown block {quoted(name)}{give} <network>-stage<k> or <network>-stage<k>-first, where the network is "
            f"one of {listed(list_networks())}; or the path of a .yaml file"
        )
    network, stage, place = load_network(match[1], image_size), int(match[2]), (match[3] or "").lower()
    named = {placed.block.name: placed.block for placed in network.stage(stage).blocks}
    default = network.block(stage, first=place == "-first")
    if place.startswith("-block"):
        wanted = f"{network.name}-stage{stage}{place}"
        if wanted not in named:
            raise NetworkError(unknown("block", wanted, named))
        return named[wanted]
    return default


def _read_block(path: Path) -> Block:
    """The block in a file, of the kind that it names, else a bottleneck."""
    content = read_yaml(path)
    kind = content.pop("kind", Bottleneck.kind)
    if not isinstance(kind, str) or kind not in KINDS:
        raise DataError(f"{path}: kind: must be {' or '.join(KINDS)}, got {quoted(kind)}")
    return parse(KINDS[kind], {"name": path.stem, **content}, path)


def _block_names() -> Iterator[str]:
    """Names of the blocks of the shipped networks."""
    for network in map(load_network, list_networks()):
        for stage in range(1, len(network.stage_blocks) + 1):
            yield from (f"{network.name}-stage{stage}", f"{network.name}-stage{stage}-first")
