"""Options that commands share, and how their text becomes numbers, paradigms and targets."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from latpred.blocks import Bottleneck
from latpred.cost import MODELS
from latpred.errors import InputError
from latpred.networks import Network, load_block, load_network
from latpred.paradigms import PARADIGMS, Channel, Paradigm, Spatial, Static
from latpred.profile import HardwareProfile, load_profile

F = TypeVar("F", bound=Callable[..., Any])
FORMATS = ("table", "json", "csv")


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
            f"{text!r} is no range; give numbers separated by commas, or start:stop:step"
        ) from None


def _range(part: str) -> list[float]:
    if ":" not in part:
        return [float(part)]
    start, stop, step = (float(bound) for bound in part.split(":"))
    if not step > 0:
        raise ValueError(part)
    # Rounded, so that 0.1:1.0:0.05 ends at 1.0 and has 0.15 in it, not 0.15000000000000002.
    return [round(start + i * step, 12) for i in range(int((stop - start) / step + 1e-6) + 1)]


def granularities(
    context: click.Context, parameter: click.Parameter, text: str | None
) -> tuple[int | tuple[int, ...], ...] | None:
    """Callback of an option: `4`, or `4-4-2-1` for one per stage; several settings separated by commas."""
    if text is None:
        return None
    if not re.fullmatch(r"-?\d+(-\d+)*(,-?\d+(-\d+)*)*", text):
        raise click.BadParameter(f"{text!r} is no granularity; write 4, or 4-4-2-1 for one per stage")
    settings = [[int(number) for number in re.findall(r"^-?\d+|\d+", part)] for part in text.split(",")]
    return tuple(setting[0] if len(setting) == 1 else tuple(setting) for setting in settings)


def image_size(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[int, int] | None:
    """Callback of an option: `224`, or `800x1333` for height × width [pixels]."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+)(?:[x×](\d+))?", text)
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
    """--block, --network, --image-size."""
    for option in (
        image_size_option,
        click.option("--network", "networks", multiple=True, metavar="NAME|FILE", help="Network: a name or YAML file."),
        click.option(
            "--block",
            "blocks",
            multiple=True,
            metavar="NAME|FILE",
            help="Block: <network>-stage<k>[-first] or YAML file.",
        ),
    ):
        function = option(function)
    return function


def model_option(function: F) -> F:
    """--model."""
    return click.option(
        "--model", type=click.Choice(MODELS), default="published", help="Cost model.", show_default=True
    )(function)


def format_option(function: F) -> F:
    """--format."""
    return click.option(
        "--format", "form", type=click.Choice(FORMATS), default="table", help="What to print.", show_default=True
    )(function)


def load_devices(names: Sequence[str]) -> list[HardwareProfile]:
    """A profile per name or path."""
    return [load_profile(name) for name in names]


def load_targets(
    blocks: Sequence[str], networks: Sequence[str], image_size: tuple[int, int] | None
) -> list[Bottleneck | Network]:
    """Blocks, then networks; a usage error where there is neither."""
    if not blocks and not networks:
        raise click.UsageError("say what to predict: --block NAME or --network NAME")
    return [
        *(load_block(name, image_size) for name in blocks),
        *(load_network(name, image_size) for name in networks),
    ]


def infer_paradigm(name: str | None, S: object, G: object, r: object) -> type[Paradigm]:
    """The paradigm named, or the one that the given options mean; a usage error where they contradict."""
    if name is None:
        if S and G:
            raise click.UsageError(
                "--S and --G together: say which paradigm is meant with --paradigm spatial or channel"
            )
        if r and not (S or G):
            raise click.UsageError("--r needs a paradigm: add --S (spatial), --G (channel) or --paradigm layer")
        return Spatial if S else Channel if G else Static
    paradigm = PARADIGMS[name]
    fields = paradigm.model_fields
    for option, value in (("S", S), ("G", G), ("r", r)):
        if value and option not in fields:
            raise click.UsageError(f"--{option} has no meaning for the {name} paradigm; leave it out")
    if "S" in fields and not S:
        raise click.UsageError("the spatial paradigm needs --S, the patch edge in pixels")
    return paradigm


def require_rate(paradigm: type[Paradigm], r: object) -> None:
    """A usage error where a dynamic paradigm has no rate."""
    if "r" in paradigm.model_fields and not r:
        raise click.UsageError(f"the {paradigm.name} paradigm needs --r, the activation rate from 0 to 1")


def one(values: Sequence[Any] | None) -> Any:
    """A single value, or None; several become a tuple."""
    return None if not values else values[0] if len(values) == 1 else tuple(values)


def check_suffix(path: Path, allowed: Sequence[str], what: str) -> None:
    """Raise InputError for a file suffix that cannot be written."""
    if path.suffix.lower() not in allowed:
        raise InputError(
            f"{path}: cannot write {what} as {path.suffix or 'a file without suffix'!r}; use {', '.join(allowed)}"
        )
