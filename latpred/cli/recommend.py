"""`latpred recommend-granularity`."""

from __future__ import annotations

from dataclasses import asdict

import click

from latpred.cli import options, output
from latpred.networks import load_network
from latpred.recommend import recommend_granularity as recommend


@click.command("recommend-granularity")
@options.device_option
@click.option(
    "--network", "networks", multiple=True, required=True, metavar="NAME|FILE", help="Network: a name or file."
)
@options.image_size_option
@click.option(
    "--r", "r", callback=options.numbers, required=True, metavar="R[,R…]", help="Activation rate, one or per stage."
)
@click.option(
    "--paradigm", type=click.Choice(["spatial", "channel"]), default="spatial", show_default=True, help="S or G."
)
@click.option(
    "--tolerance", type=float, default=0.01, show_default=True, help="Latency over the best that costs nothing."
)
@click.option("--batch", type=click.IntRange(min=1), help="Samples at once; default: the device's own.")
@options.model_option
@options.format_option
def recommend_granularity(
    devices: tuple[str, ...],
    networks: tuple[str, ...],
    image_size: tuple[int, int] | None,
    r: tuple[float, ...],
    paradigm: str,
    tolerance: float,
    batch: int | None,
    model: str,
    form: str,
) -> None:
    """Choose S (or G) for each stage: the smallest that is within a tolerance of the fastest.

    Prints the choice as the papers write it, e.g. 8-4-7-1, then every candidate.

    \b
    latpred recommend-granularity --device v100 --network resnet50 --r 0.6
    latpred recommend-granularity --device tx2 --network regnety-800mf --r 0.6 --format json
    """
    recommendations = [
        recommend(network, profile, r, paradigm=paradigm, tolerance=tolerance, batch=batch, model=model)
        for network in (load_network(name, image_size) for name in networks)
        for profile in options.load_devices(devices)
    ]
    if form == "json":
        results = [recommendation.to_dict() for recommendation in recommendations]
        output.print_json(results[0] if len(results) == 1 else results)
    elif form == "csv":
        output.print_csv(
            {"target": recommendation.target, "device": recommendation.device, **asdict(candidate)}
            for recommendation in recommendations
            for candidate in recommendation.candidates
        )
    else:
        from latpred import table

        for recommendation in recommendations:
            output.print_rich(table.recommendation_text(recommendation), "", table.recommendation_table(recommendation))
