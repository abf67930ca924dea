"""`latpred ablate-fusion`."""

from __future__ import annotations

from typing import Any

import click

from latpred.cli import options, output, quantities
from latpred.cli.command import command
from latpred.studies.ablation import ablate_fusion as ablate
from latpred.workloads.paradigms import Paradigm, Spatial


@command("ablate-fusion", short_help="Show what each fused kernel gains.")
@options.device_option
@options.target_options(preset=True)
@click.option("--S", "S", callback=quantities.granularities, help="Patch edge [pixels]: 4, or 4-4-2-1.")
@click.option("--r", "r", callback=quantities.rates, required=True, metavar="R[,R…]", help="Activation rate.")
@options.how_options()
@options.format_option
def ablate_fusion(
    devices: tuple[str, ...],
    targets: options.Targets,
    S: tuple[Any, ...] | None,
    r: tuple[float, ...],
    how: dict[str, Any],
    form: str,
) -> None:
    """Show what each fusion of a spatial block gains: masker with conv1, gather with conv2, scatter with the addition.

    \b
    latpred ablate-fusion --device v100 --device tx2 --block r50-stage1 --S 4 --r 0.6
    """
    loaded, preset = targets.load()
    edge = _patch_edge(S, preset)
    asked = [(target, profile) for target in loaded for profile in options.load_devices(devices)]
    results = [ablate(target, profile, edge, options.one(r), **how) for target, profile in asked]
    if form == "json":
        output.print_json([row.to_dict() for rows in results for row in rows])
    elif form == "csv":
        output.print_csv(row.to_dict() for rows in results for row in rows)
    else:
        from latpred.show import tables as table

        for (target, profile), rows in zip(asked, results, strict=True):
            notes = output.notes_of(target, profile, how, Spatial(S=edge, r=options.one(r)))
            output.print_rich(table.ablation_table(rows), *notes, rows[0].asked.cost_model.about, "")


def _patch_edge(S: tuple[Any, ...] | None, preset: Paradigm | None) -> Any:
    """The one S asked for, or that of a preset."""
    if preset is not None:
        if S or not isinstance(preset, Spatial):
            raise click.UsageError("a preset has its own S; leave --S out, and take one that skips pixels alone")
        return preset.S
    if not S:
        raise click.UsageError("fusions are of spatial blocks: give --S, the patch edge in pixels")
    if len(S) > 1:
        raise click.UsageError("--S takes one setting; write 4-4-2-1 for one per stage")
    return options.one(S)
