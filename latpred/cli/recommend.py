"""`latpred recommend-granularity`."""

from __future__ import annotations

from dataclasses import asdict
from itertools import product
from pathlib import Path
from typing import Any, cast

import click

from latpred.cli import options, output, quantities
from latpred.cli.command import Choice, command
from latpred.cli.workers import Hands, workers_options
from latpred.studies.recommendation import recommend_granularity as recommend
from latpred.workloads.masks import MaskRates
from latpred.workloads.networks import Network

#: What each row of a CSV says of its recommendation.
_ABOUT = ("target", "device", "model", "batch", "precision", "library", "like")


@command("recommend-granularity", short_help="Choose S or G for each stage.")
@options.device_option
@options.target_options(blocks=False)
@click.option("--r", "r", callback=quantities.rates, metavar="R[,R…]", help="Activation rate, one or per stage.")
@click.option("--masks", type=click.Path(path_type=Path), help="Pixel masks per stage (.npz): the rate at each S.")
@click.option("--paradigm", type=Choice(["spatial", "channel"]), default="spatial", show_default=True, help="S or G.")
@click.option("--tolerance", type=float, help="Latency over the best that costs nothing; default 0.01, with masks 0.")
@options.how_options(against=True)
@workers_options
@options.format_option
def recommend_granularity(
    devices: tuple[str, ...],
    targets: options.Targets,
    r: tuple[float, ...] | None,
    masks: Path | None,
    paradigm: str,
    tolerance: float | None,
    how: dict[str, Any],
    hands: Hands,
    form: str,
) -> None:
    """Choose S (or G) for each stage: the smallest that is within a tolerance of the fastest.

    Prints the choice as the papers write it, e.g. 8-4-7-1, then every candidate. With masks of your own data a coarser
    S has a higher rate, and the fastest S is chosen.

    \b
    latpred recommend-granularity --device v100 --network resnet50 --r 0.6
    latpred recommend-granularity --device tx2 --network regnety-800mf --r 0.6 --format json
    latpred recommend-granularity --device v100 --network resnet50 --masks masks.npz
    latpred recommend-granularity --device h200 --network resnet50 --r 0.6 --model calibrated --precision fp16
    """
    if bool(r) == bool(masks):
        raise click.UsageError("give the rates: either --r or --masks")
    rates: Any = _count(masks) if masks else r
    asked = list(product(targets.load_networks(), options.load_devices(devices)))
    settings: dict[str, Any] = {"paradigm": paradigm, "tolerance": tolerance, **how}
    with hands.executor() as executor:
        settings["executor"] = executor
        recommendations = [recommend(cast(Network, network), profile, rates, **settings) for network, profile in asked]
    if targets.include:
        click.echo("note: a stem or head skips nothing; the choice is that without them", err=True)
    if form == "json":
        results = [recommendation.to_dict() for recommendation in recommendations]
        output.print_json(results[0] if len(results) == 1 else results)
    elif form == "csv":
        output.print_csv(
            {
                **{field: getattr(recommendation, field) for field in _ABOUT},
                **asdict(candidate),
            }
            for recommendation in recommendations
            for candidate in recommendation.candidates
        )
        output.tell_rivals(recommendations)
    else:
        from latpred.show import tables as table

        for (network, profile), recommendation in zip(asked, recommendations, strict=True):
            texts = [table.recommendation_text(recommendation), *output.notes_of(network, profile, how)]
            output.print_rich(*texts, "", table.recommendation_table(recommendation))


def _count(path: Path) -> MaskRates:
    from latpred.workloads.masks import rates_from_masks

    return rates_from_masks(path)
