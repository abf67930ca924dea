"""Options that say what is skipped, and the paradigm they make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from latpred import wording
from latpred.cli import options, quantities
from latpred.workloads.lowering.skipping import FUSIONS
from latpred.workloads.paradigms import NAMED, RATES, Joint, Paradigm, Static

F = TypeVar("F", bound=Callable[..., Any])

#: Rates of single parts, for joint paradigms; a layer's may differ for a transformer's halves.
_PART_RATES = ("spatial", "channel", "layer", "attention", "mlp", "token", "head")
_HALVES = ("attention_r", "mlp_r")


def skipping_options(*, ranges: bool = False) -> Callable[[F], F]:
    """--paradigm, --S, --G, --r, the rates of parts, and --unfuse; with `ranges`, --r takes several rates."""
    r_metavar, r_callback = (
        ("R[,R…]", quantities.rates) if not ranges else ("R,…|START:STOP:STEP", quantities.rate_ranges)
    )
    r_help = "Activation rate: one, per stage or per block." if not ranges else "Activation rates, e.g. 0.1:1.0:0.05."
    paradigm_help = f"What is skipped: {', '.join(NAMED)}; --S or --G alone implies it."
    S_help = "Patch edge [pixels]: 4, or 4-4-2-1 for one per stage."
    G_help = "Channels per group: 2, or 2-2-2-2 for one per stage."
    decorators = [
        click.option(
            "--paradigm",
            metavar="NAME[+NAME…]",
            help=paradigm_help,
            shell_complete=options.completing(lambda: NAMED, between="+"),
        ),
        click.option("--S", "S", callback=quantities.granularities, metavar="S", help=S_help),
        click.option("--G", "G", callback=quantities.granularities, metavar="G", help=G_help),
        click.option("--r", "r", callback=r_callback, metavar=r_metavar, help=r_help),
        click.option("--unfuse", callback=_fusions, metavar="NAME,…", help=f"Separate kernels: {', '.join(FUSIONS)}."),
    ]
    for part in () if ranges else _PART_RATES:
        part_help = f"Rate of the {part} part alone."
        decorators.append(click.option(f"--{part}-r", callback=quantities.rates, metavar="R", help=part_help))

    def decorate(function: F) -> F:
        for decorator in reversed(decorators):
            function = decorator(function)
        return function

    return decorate


def _fusions(context: click.Context, parameter: click.Parameter, text: str | None) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(text.split(","))) if text else ()
    unknown = [name for name in names if name not in FUSIONS]
    if unknown:
        raise click.BadParameter(wording.unknown("fusion", unknown[0], FUSIONS))
    return names


def kinds(paradigm: str | None, S: Any, G: Any, r: Any, part_rates: dict[str, Any]) -> list[str]:
    """Names of the parts that are meant: those named, or those that the options imply."""
    if paradigm == Static.name:
        return []
    if paradigm is not None:
        names = paradigm.split("+")
        unknown = [name for name in names if name not in NAMED]
        if unknown:
            raise click.UsageError(
                wording.unknown("paradigm", unknown[0], (*NAMED, Static.name), "several joined with +")
            )
        return names
    if S and G:
        raise click.UsageError(
            "--S and --G together: say which is meant, --paradigm spatial, channel or spatial+channel"
        )
    names = ["spatial"] if S else ["channel"] if G else []
    names += [
        name for name in ("spatial", "channel", "token", "head") if f"{name}_r" in part_rates and name not in names
    ]
    if any(f"{name}_r" in part_rates for name in ("layer", "attention", "mlp")):
        names.append("layer")
    if r and not names:
        raise click.UsageError("--r needs a paradigm: add --S (spatial), --G (channel) or --paradigm layer")
    return names


def one_setting(option: str, given: tuple[Any, ...] | None) -> Any:
    """The one S or G asked for, or None; a usage error where several are given."""
    if given and len(given) > 1:
        raise click.UsageError(f"--{option} takes one setting; write 4-4-2-1 for one per stage, or use `latpred sweep`")
    return options.one(given)


def build(
    *,
    paradigm: str | None,
    S: Any,
    G: Any,
    r: Any,
    unfuse: tuple[str, ...] = (),
    preset: Paradigm | None = None,
    **part_rates: Any,
) -> Paradigm:
    """The paradigm that the options of one command describe; usage errors where they contradict or lack something.

    A `preset` has its parts and their settings; the options give it rates only.
    """
    rates = {name: value for name, value in part_rates.items() if value is not None}
    if preset is not None:
        if paradigm or S or G or unfuse:
            raise click.UsageError("a preset has its own paradigm, S and G; give it --r only")
        names = [part.name for part in preset.parts]
        settings = {
            part.name: {field: getattr(part, field) for field in part.model_fields_set - {*RATES}}
            for part in preset.parts
        }
    else:
        for option, given in (("S", S), ("G", G)):
            one_setting(option, given)
        names = kinds(paradigm, S, G, r, rates)
        settings = {"spatial": {"S": options.one(S), "unfuse": unfuse}, "channel": {"G": options.one(G)} if G else {}}
    _check_used(names, S=S, G=G, r=r, unfuse=unfuse, rates=rates)
    if preset is None and "spatial" in names and not S:
        raise click.UsageError("the spatial paradigm needs --S, the patch edge in pixels")
    built = [NAMED[name](**settings.get(name, {}), **_rates(name, r, rates)) for name in names]
    return Static() if not built else built[0] if len(built) == 1 else Joint(*built)


def _rates(name: str, r: Any, rates: dict[str, Any]) -> dict[str, Any]:
    """The rate fields of a part: its own rate, those of a layer's halves, or the common one."""
    halves = {field: options.one(rates[field]) for field in _HALVES if field in rates}
    if name == "layer" and halves:
        return halves
    value = rates.get(f"{name}_r", r)
    if not value:
        raise click.UsageError(f"the {name} paradigm needs --r, the activation rate from 0 to 1")
    return {"r": options.one(value)}


def _check_used(names: list[str], *, S: Any, G: Any, r: Any, unfuse: Any, rates: dict[str, Any]) -> None:
    """No option is accepted and ignored."""
    what = "+".join(names) or "static"
    needed = {"S": (S, "spatial"), "G": (G, "channel"), "unfuse": (unfuse, "spatial")}
    for option, (value, part) in needed.items():
        if value and part not in names:
            raise click.UsageError(f"--{option} has no meaning for the {what} paradigm; leave it out")
    own = {"layer" if field in _HALVES else field.removesuffix("_r"): field for field in rates}
    for part, field in own.items():
        if part not in names:
            raise click.UsageError(f"--{field.replace('_', '-')} has no meaning for the {what} paradigm; leave it out")
    if "layer_r" in rates and own["layer"] in _HALVES:
        raise click.UsageError("--layer-r is the rate of attention and MLP; give it, or --attention-r and --mlp-r")
    if r and not names:
        raise click.UsageError(f"--r has no meaning for the {what} paradigm; leave it out")
    if r and set(names) <= set(own):
        raise click.UsageError(f"every part of {what} has a rate of its own; leave out the common one")
