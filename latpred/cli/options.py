"""Options that commands share, and how their text becomes numbers, paradigms and targets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from latpred.devices.catalogue import load_profile
from latpred.devices.profile import HardwareProfile
from latpred.models.interface import MODELS
from latpred.precision import PRECISIONS
from latpred.workloads.blocks import Bottleneck
from latpred.workloads.catalogue import AnyNetwork, load_block, load_network, load_preset
from latpred.workloads.networks import Network
from latpred.workloads.paradigms import Paradigm

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("table", "json", "csv")
#: A range of more steps is a slip of the pen.
MOST_STEPS = 100_000


def numbers(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """Callback of an option: numbers separated by commas."""
    try:
        return None if text is None else tuple(float(part) for part in text.split(","))
    except ValueError:
        raise click.BadParameter(f"{text!r} is not a number; give one, or several separated by commas") from None


def ranges(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[float, ...] | None:
    """Callback of an option: numbers and ranges start:stop:step, stop included, separated by commas."""
    try:
        return None if text is None else tuple(number for part in text.split(",") for number in _range(part))
    except ValueError:
        raise click.BadParameter(
            f"{text!r} is no range; give numbers separated by commas, or start:stop:step with start ≤ stop, step > 0 "
            f"and at most {MOST_STEPS:,} steps"
        ) from None


def _range(part: str) -> list[float]:
    if ":" not in part:
        return [float(part)]
    start, stop, step = (float(bound) for bound in part.split(":"))
    if not (step > 0 and start <= stop and stop - start <= step * MOST_STEPS):
        raise ValueError(part)
    # Rounded, so that 0.1:1.0:0.05 ends at 1.0 and has 0.15 in it, not 0.15000000000000002.
    return [round(start + i * step, 12) for i in range(int((stop - start) / step + 1e-6) + 1)]


def granularities(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int | tuple[int, ...], ...] | None:
    """Callback of an option: `4`, or `4-4-2-1` for one per stage; several settings separated by commas."""
    if text is None:
        return None
    if not re.fullmatch(r"-?\d{1,9}(-\d{1,9})*(,-?\d{1,9}(-\d{1,9})*)*", text):
        raise click.BadParameter(f"{text!r} is no granularity; write 4, or 4-4-2-1 for one per stage")
    settings = [[int(number) for number in re.findall(r"^-?\d+|\d+", part)] for part in text.split(",")]
    return tuple(setting[0] if len(setting) == 1 else tuple(setting) for setting in settings)


def edges(settings: Sequence[int | tuple[int, ...]] | None) -> list[int]:
    """Every number that some granularities name."""
    listed = (setting if isinstance(setting, tuple) else (setting,) for setting in settings or ())
    return sorted({edge for setting in listed for edge in setting})


def image_size(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Callback of an option: `224`, or `800x1333` for height × width [pixels]."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,9})(?:[x×](\d{1,9}))?", text)
    size = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if min(size) < 1:
        raise click.BadParameter(f"{text!r} is no image size; write 224, or 800x1333 for height x width")
    return size


def device_option(function: F) -> F:
    """--device, several times."""
    help_text = "Device: a name of `latpred devices list`, or a YAML file. Repeat for several."
    return click.option("--device", "devices", multiple=True, required=True, metavar="NAME|FILE", help=help_text)(
        function
    )


def image_size_option(function: F) -> F:
    """--image-size."""
    help_text = "Input image [pixels]; default: the network's own, 224."
    return click.option("--image-size", callback=image_size, metavar="N|HxW", help=help_text)(function)


def target_options(function: F) -> F:
    """--block, --network, --image-size, --include."""
    block_help = "Block: <network>-stage<k>[-first], or a YAML file."
    for option in (
        click.option("--include", callback=names, metavar="PART,…", help="Count also the network's stem, head."),
        image_size_option,
        click.option("--network", "networks", multiple=True, metavar="NAME|FILE", help="Network: a name or YAML file."),
        click.option("--block", "blocks", multiple=True, metavar="NAME|FILE", help=block_help),
    ):
        function = option(function)
    return function


def preset_option(function: F) -> F:
    """--preset."""
    help_text = "Published dynamic network, from `latpred networks list`."
    return click.option("--preset", metavar="NAME", help=help_text)(function)


def network_option(function: F) -> F:
    """--network alone, several times."""
    help_text = "Network: a name of `latpred networks list`, or a YAML file. Repeat for several."
    return click.option("--network", "networks", multiple=True, required=True, metavar="NAME|FILE", help=help_text)(
        function
    )


def batch_option(function: F) -> F:
    """--batch."""
    help_text = "Samples at once; default: the device's own."
    return click.option("--batch", type=click.IntRange(min=1), help=help_text)(function)


def model_option(function: F) -> F:
    """--model."""
    return click.option(
        "--model", type=click.Choice(MODELS), default="published", help="Cost model.", show_default=True
    )(function)


def kernel_options(function: F) -> F:
    """--precision, --library."""
    library = click.option(
        "--library", metavar="NAME", help="Kernels: triton, tensorrt; default: the first that is calibrated."
    )
    precision = click.option(
        "--precision", type=click.Choice(PRECISIONS), default="fp32", show_default=True, help="Of maps and weights."
    )
    return precision(library(function))


def format_option(function: F) -> F:
    """--format."""
    return click.option(
        "--format", "form", type=click.Choice(FORMATS), default="table", help="What to print.", show_default=True
    )(function)


def load_devices(names: Sequence[str]) -> list[HardwareProfile]:
    """A profile per name or path."""
    return [load_profile(name) for name in names]


def load_targets(
    blocks: Sequence[str],
    networks: Sequence[str],
    image_size: tuple[int, int] | None,
    include: tuple[str, ...] = (),
) -> list[Bottleneck | AnyNetwork]:
    """Blocks, then networks; a usage error where there is neither."""
    if not blocks and not networks:
        raise click.UsageError("say what to predict: --block NAME or --network NAME")
    if blocks and include:
        raise click.UsageError("--include is for networks; a block has no stem and no head")
    return [
        *(load_block(name, image_size) for name in blocks),
        *(including(load_network(name, image_size), include) for name in networks),
    ]


def load_targets_or_preset(
    preset: str | None,
    blocks: Sequence[str],
    networks: Sequence[str],
    image_size: tuple[int, int] | None,
    include: tuple[str, ...],
) -> tuple[list[Bottleneck | AnyNetwork], Paradigm | None]:
    """A preset's network and paradigm, or the blocks and networks named."""
    if not preset:
        return load_targets(blocks, networks, image_size, include), None
    if blocks or networks:
        raise click.UsageError("a preset has its own network; leave --block and --network out")
    published, network = load_preset(preset, image_size)
    return [including(network, include)], published.paradigm


def including(network: AnyNetwork, parts: tuple[str, ...]) -> AnyNetwork:
    """A network with its stem or head, where asked for."""
    if not parts:
        return network
    if not isinstance(network, Network):
        raise click.UsageError(f"{network.name} always includes its embedding and classifier; leave --include out")
    return network.including(*parts)


def names(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Callback of an option: names separated by commas."""
    return tuple(text.split(",")) if text else ()


def one(values: Sequence[Any] | None) -> Any:
    """A single value, or None; several become a tuple."""
    return None if not values else values[0] if len(values) == 1 else tuple(values)
