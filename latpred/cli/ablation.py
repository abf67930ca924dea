"""`latpred ablate-fusion`."""

from __future__ import annotations

from typing import Any

import click

from latpred.cli import options, output
from latpred.studies.ablation import ablate_fusion as ablate


@click.command("ablate-fusion", short_help="Show what each fused kernel gains.")
@options.device_option
@options.target_options
@click.option("--S", "S", callback=options.granularities, required=True, help="Patch edge [pixels]: 4, or 4-4-2-1.")
@click.option("--r", "r", callback=options.numbers, required=True, metavar="R[,R…]", help="Activation rate.")
@options.batch_option
@options.model_option
@options.kernel_options
@options.format_option
def ablate_fusion(
    devices: tuple[str, ...],
    blocks: tuple[str, ...],
    networks: tuple[str, ...],
    image_size: tuple[int, int] | None,
    include: tuple[str, ...],
    S: tuple[Any, ...],
    r: tuple[float, ...],
    batch: int | None,
    model: str,
    precision: str,
    library: str | None,
    form: str,
) -> None:
    """Show what each fusion of a spatial block gains: masker with conv1, gather with conv2, scatter with the addition.

    \b
    latpred ablate-fusion --device v100 --device tx2 --block r50-stage1 --S 4 --r 0.6
    """
    if len(S) > 1:
        raise click.UsageError("--S takes one setting; write 4-4-2-1 for one per stage")
    kernels: Any = {"model": model, "precision": precision, "library": library}
    results = [
        ablate(target, profile, options.one(S), options.one(r), batch=batch, **kernels)
        for target in options.load_targets(blocks, networks, image_size, include)
        for profile in options.load_devices(devices)
    ]
    if form == "json":
        output.print_json([row.to_dict() for rows in results for row in rows])
    elif form == "csv":
        output.print_csv(row.to_dict() for rows in results for row in rows)
    else:
        from latpred.show import tables as table

        for rows in results:
            known = table.caveat(model, rows[0].precision, rows[0].library)
            output.print_rich(table.ablation_table(rows), known, "")
