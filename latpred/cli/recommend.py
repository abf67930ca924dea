"""`latpred recommend-granularity`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from latpred.cli import options, output
from latpred.studies.recommendation import recommend_granularity as recommend
from latpred.workloads.catalogue import load_network
from latpred.workloads.masks import MaskRates
from latpred.workloads.networks import Network

#: What each row of a CSV says of its recommendation.
_ABOUT = ("target", "device", "model", "batch", "precision", "library")


@click.command("recommend-granularity", short_help="Choose S or G for each stage.")
@options.device_option
@options.network_option
@options.image_size_option
@click.option("--r", "r", callback=options.numbers, metavar="R[,R…]", help="Activation rate, one or per stage.")
@click.option("--masks", type=click.Path(path_type=Path), help="Pixel masks per stage (.npz): the rate at each S.")
@click.option(
    "--paradigm", type=click.Choice(["spatial", "channel"]), default="spatial", show_default=True, help="S or G."
)
@click.option("--tolerance", type=float, help="Latency over the best that costs nothing; default 0.01, with masks 0.")
@options.batch_option
@options.model_option
@options.kernel_options
@options.format_option
def recommend_granularity(
    devices: tuple[str, ...],
    networks: tuple[str, ...],
    image_size: tuple[int, int] | None,
    r: tuple[float, ...] | None,
    masks: Path | None,
    paradigm: str,
    tolerance: float | None,
    batch: int | None,
    model: str,
    precision: str,
    library: str | None,
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
    rates = _count(masks) if masks else r or ()
    recommendations = []
    for name in networks:
        network = load_network(name, image_size)
        if not isinstance(network, Network):
            raise click.UsageError(f"{network.name} has no stages, so no granularity to choose")
        for profile in options.load_devices(devices):
            kernels: Any = {"model": model, "precision": precision, "library": library}
            found = recommend(network, profile, rates, paradigm=paradigm, tolerance=tolerance, batch=batch, **kernels)
            recommendations.append(found)
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
    else:
        from latpred.show import tables as table

        for recommendation in recommendations:
            output.print_rich(table.recommendation_text(recommendation), "", table.recommendation_table(recommendation))


def _count(path: Path) -> MaskRates:
    from latpred.workloads.masks import rates_from_masks

    return rates_from_masks(path)
