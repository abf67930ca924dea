"""`latpred rates-from-masks`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from latpred.cli import options, output, quantities
from latpred.cli.command import command
from latpred.workloads.masks import rates_from_masks as count


@command("rates-from-masks", short_help="Count active patches in masks of your own.")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--S", "S", callback=quantities.granularities, help="Further patch edges [pixels], e.g. 3,5.")
@options.format_option
def rates_from_masks(file: Path, S: tuple[Any, ...] | None, form: str) -> None:
    """Count which share of patches holds an active pixel, for every patch edge S.

    FILE is a .npz of one boolean array (samples, height, width) per stage, in the order of their names. Counted are all
    divisors of a map and all powers of two. `predict`, `sweep` and `recommend-granularity` take the file with --masks.

    \b
    latpred rates-from-masks masks.npz
    """
    edges = quantities.edges(S)
    found = count(file, S=edges)
    for edge in edges:
        if not any(edge in rates for rates in found.rates):
            raise click.UsageError(f"S={edge} is larger than every map; leave it out")
    rows = [
        {"stage": number, "height": height, "width": width, "S": S, "r": rate}
        for number, ((height, width), rates) in enumerate(zip(found.maps, found.rates, strict=True), start=1)
        for S, rate in rates.items()
    ]
    if form == "json":
        output.print_json(found.to_dict())
    elif form == "csv":
        output.print_csv(rows)
    else:
        from latpred.show.catalogue_tables import mask_table

        output.print_rich(mask_table(found))
