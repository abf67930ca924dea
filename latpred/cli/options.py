"""Options that commands share, and how their text becomes devices and targets."""

from __future__ import annotations

import os.path
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import wraps
from typing import Any, NamedTuple, TypeVar

import click
from click.shell_completion import CompletionItem

from latpred.cli.command import Choice
from latpred.devices.catalogue import list_profiles, load_profile
from latpred.devices.libraries import NUMBERS
from latpred.devices.profile import HardwareProfile
from latpred.models.interface import MODELS
from latpred.precision import PRECISIONS
from latpred.question import BEST, STATIC_LIBRARIES
from latpred.wording import quoted, unknown
from latpred.workloads.blocks import Block
from latpred.workloads.catalogue import AnyNetwork, list_networks, list_presets, load_block, load_network, load_preset
from latpred.workloads.networks import PARTS, Network
from latpred.workloads.paradigms import Paradigm

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("table", "json", "csv")


# --- text to names: callbacks of options


def _image_size(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """`224`, or `800x1333` for height × width [pixels]."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,18})(?:[x×](\d{1,18}))?", text)
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if min(size) < 1:
        raise click.BadParameter(f"{quoted(text)} is no image size; write 224, or 800x1333 for height x width")
    return size


def names(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Names separated by commas."""
    return tuple(text.split(",")) if text else ()


def _parts(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Parts of a network beside its stages."""
    given = names(context, parameter, text)
    for name in given:
        if name not in PARTS:
            raise click.BadParameter(unknown("part", name, PARTS))
    return given


def several(context: click.Context, parameter: click.Parameter, given: tuple[str, ...]) -> tuple[str, ...]:
    """Names separated by commas, of an option that can be repeated; the path of a file is whole, commas and all."""
    parts = ((text,) if os.path.exists(text) else text.split(",") for text in given)
    return tuple(name for part in parts for name in part)


def one(values: Sequence[Any] | None) -> Any:
    """A single value, or None; several become a tuple."""
    return None if not values else values[0] if len(values) == 1 else tuple(values)


# --- names in a shell


def completing(
    known: Callable[[], Iterable[str]], *, between: str = ",", files: bool = False
) -> Callable[..., list[CompletionItem]]:
    """What a shell offers: known names, also `between` others; where none begins so, maybe files."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
        done, joint, begun = incomplete.rpartition(between)
        found = [CompletionItem(done + joint + name) for name in known() if name.startswith(begun.lower())]
        return found or ([CompletionItem(incomplete, type="file")] if files else [])

    return complete


def _block_names() -> Iterator[str]:
    """Of every network's blocks, by its name and its other names."""
    for network in map(load_network, list_networks()):
        if isinstance(network, Network):
            for name in dict.fromkeys(placed.block.name for placed in network.blocks):
                yield from (other + name.removeprefix(network.name) for other in (network.name, *network.aliases))


# --- the options


def device_option(function: F) -> F:
    """--device, several times; hands `devices`."""
    help_text = "Device: a name of `latpred devices list`, or a YAML file. Several: repeat, or a,b."
    return click.option(
        "--device",
        "devices",
        multiple=True,
        required=True,
        metavar="NAME|FILE",
        help=help_text,
        callback=several,
        shell_complete=completing(list_profiles, files=True),
    )(function)


def one_device_option(help_text: str) -> Callable[[F], F]:
    """--device, once; hands `device`."""
    return click.option(
        "--device",
        required=True,
        metavar="NAME|FILE",
        help=help_text,
        shell_complete=completing(list_profiles, files=True),
    )


def preset_option(help_text: str, **more: Any) -> Callable[[F], F]:
    """--preset."""
    return click.option(
        "--preset", **{"metavar": "NAME", "help": help_text, "shell_complete": completing(list_presets), **more}
    )


def image_size_option(function: F) -> F:
    """--image-size."""
    help_text = "Input image [pixels]; default: the network's own, 224."
    return click.option("--image-size", callback=_image_size, metavar="N|HxW", help=help_text)(function)


class Targets(NamedTuple):
    """What the options say of blocks and networks."""

    blocks: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    image_size: tuple[int, int] | None = None
    include: tuple[str, ...] = ()
    preset: str | None = None

    def load(self) -> tuple[list[Block | AnyNetwork], Paradigm | None]:
        """Blocks, then networks; or a preset's network, and its paradigm. A usage error where nothing is named."""
        if self.preset:
            if self.blocks or self.networks:
                raise click.UsageError("a preset has its own network; leave --block and --network out")
            published, network = load_preset(self.preset, self.image_size)
            return [self.including(network)], published.paradigm
        if not self.blocks and not self.networks:
            raise click.UsageError("say what to predict: --block NAME or --network NAME")
        if self.blocks and self.include:
            raise click.UsageError("--include is for networks; a block has no stem and no head")
        blocks = [load_block(name, self.image_size) for name in self.blocks]
        return [*blocks, *self.load_networks()], None

    def load_networks(self) -> list[AnyNetwork]:
        """The networks that are named."""
        return [self.including(load_network(name, self.image_size)) for name in self.networks]

    def including(self, network: AnyNetwork) -> AnyNetwork:
        """A network with its stem or head, where asked for."""
        if not self.include:
            return network
        if not isinstance(network, Network):
            raise click.UsageError(f"{network.name} always includes its embedding and classifier; leave --include out")
        if not network.stages:
            raise click.UsageError(f"{network.name} is static, and counts as a whole; leave --include out")
        return network.including(*self.include)


def bundled(name: str, make: Callable[..., Any], decorators: Sequence[Callable[..., Any]]) -> Callable[[F], F]:
    """Options of which a command gets one argument, `name`: what `make` makes of them."""
    own: list[click.Parameter] = []
    for decorator in reversed(decorators):
        holder: Any = decorator(lambda: None)
        own += holder.__click_params__
    fields = [str(option.name) for option in own]

    def decorate(function: F) -> F:
        @wraps(function)
        def with_one(**given: Any) -> Any:
            bundle = make(**{field: given.pop(field) for field in fields})
            return function(**{name: bundle}, **given)

        result: Any = with_one
        result.__click_params__ = [*getattr(function, "__click_params__", []), *own]
        return result  # type: ignore[no-any-return]

    return decorate


def _networks_option(*, required: bool) -> Callable[[F], F]:
    return click.option(
        "--network",
        "networks",
        multiple=True,
        required=required,
        metavar="NAME|FILE",
        help="Network: a name of `latpred networks list`, a YAML or ONNX file, timm:NAME or torchvision:NAME.",
        callback=several,
        shell_complete=completing(list_networks, files=True),
    )


def target_options(*, blocks: bool = True, preset: bool = False) -> Callable[[F], F]:
    """--network, --image-size, --include, and with them --block and --preset; hands `targets`."""
    block = click.option(
        "--block",
        "blocks",
        multiple=True,
        metavar="NAME|FILE",
        help="Block: <network>-stage<k>[-first], or a YAML file.",
        callback=several,
        shell_complete=completing(_block_names, files=True),
    )
    include = click.option(
        "--include",
        callback=_parts,
        metavar="PART,…",
        help="Count beside the stages: stem, transitions, head; default: none of networks that ship, all of a model.",
        shell_complete=completing(lambda: PARTS),
    )
    published = preset_option("Published dynamic network, from `latpred networks list`.")
    options = [_networks_option(required=not blocks), image_size_option, include]
    return bundled("targets", Targets, [*([block] if blocks else []), *options, *([published] if preset else [])])


def like_option(function: F) -> F:
    """--like; hands `like`."""
    help_text = "Calibrated model: another device, whose calibration is taken."
    return click.option(
        "--like", metavar="NAME|FILE", help=help_text, shell_complete=completing(list_profiles, files=True)
    )(function)


def how_options(*, batch: bool = True, against: bool = False) -> Callable[[F], F]:
    """--batch, --model, --precision, --library, --like; hands `how`, keywords of `latpred.predict`.

    With `against`, also --against, and --fold and --graph, which say how PyTorch is run.
    """
    help_text = "Samples at once; default: the device's own."
    libraries = "Kernels: triton, tensorrt, pytorch; default: the first that is calibrated."
    decorators = [
        click.option("--model", type=Choice(MODELS), default="published", help="Cost model.", show_default=True),
        click.option(
            "--precision", type=Choice(PRECISIONS), default="fp32", show_default=True, help="Of maps and weights."
        ),
        click.option("--library", metavar="NAME", help=libraries, shell_complete=completing(lambda: NUMBERS)),
        like_option,
    ]
    if batch:
        decorators = [click.option("--batch", type=click.IntRange(min=1), help=help_text), *decorators]
    if not against:
        return bundled("how", dict, decorators)
    rival = Choice([*STATIC_LIBRARIES, BEST])
    decorators += [
        click.option("--against", type=rival, help="Compare with the static network of this library, too."),
        click.option("--fold", is_flag=True, help="PyTorch with normalisations folded into convolutions."),
        click.option("--graph", is_flag=True, help="PyTorch in a CUDA graph: the device's time alone."),
    ]
    return bundled("how", _how, decorators)


def _how(*, fold: bool, graph: bool, library: str | None, against: str | None, **how: Any) -> dict[str, Any]:
    """Keywords of `latpred.predict`: how PyTorch is run is said with its name."""
    ways = "".join(f"+{way}" for way, asked in (("fold", fold), ("graph", graph)) if asked)
    of_pytorch = library is not None and library.split("+")[0] == "pytorch"
    if ways and not of_pytorch and against not in ("pytorch", BEST):
        raise click.UsageError("--fold and --graph are of PyTorch: add --library pytorch or --against pytorch")
    library = f"{library}{ways}" if of_pytorch else library
    against = f"{against}{ways}" if against in ("pytorch", BEST) else against
    return {**how, "library": library, "against": against}


def format_option(function: F) -> F:
    """--format; hands `form`."""
    return click.option(
        "--format", "form", type=Choice(FORMATS), default="table", help="What to print.", show_default=True
    )(function)


def load_devices(names: Sequence[str]) -> list[HardwareProfile]:
    """A profile per name or path."""
    return [load_profile(name) for name in names]
