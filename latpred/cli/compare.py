"""`latpred compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from latpred.cli import options, output
from latpred.cli.command import command
from latpred.question import ask
from latpred.report import kernels_in_words
from latpred.studies.comparison import candidates, curves
from latpred.studies.comparison import compare as compare_paradigms
from latpred.workloads.catalogue import AnyNetwork, load_preset
from latpred.workloads.paradigms import Paradigm

#: Rates at which the plot's lines are drawn.
_PLOT_RATES = [step / 40 for step in range(1, 41)]


@command(short_help="Compare paradigms at equal multiply-adds.")
@options.device_option
@options.target_options(blocks=False)
@click.option(
    "--target-macs", type=float, default=0.5, show_default=True, help="MACs over those of the static network."
)
@options.preset_option("Compare these only; default: all on the network.", multiple=True)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw latency over MACs: .png, .svg, .pdf, …")
@options.how_options()
@options.format_option
def compare(
    devices: tuple[str, ...],
    targets: options.Targets,
    target_macs: float,
    preset: tuple[str, ...],
    plot: Path | None,
    how: dict[str, Any],
    form: str,
) -> None:
    """Compare paradigms and published dynamic networks at equal MACs: equal FLOPs, different milliseconds.

    Each is given the rate at which its multiply-adds are the target's share of the static network's. What does not fit
    the network's maps, or the model's kernels, is left out with a note.

    \b
    latpred compare --network resnet101 --device v100 --target-macs 0.5
    latpred compare --network resnet101 --device tx2 --target-macs 0.5 --plot compare.png --format csv
    """
    if plot:
        from latpred.show.canvas import check_file

        check_file(plot)
    rows, notes, panels = [], [], {}
    for network in targets.load_networks():
        for profile in options.load_devices(devices):
            asked = ask(network, profile, **how)
            chosen = _chosen(preset, network) or candidates(asked)
            found = compare_paradigms(network, profile, target_macs, chosen or None, **how)
            rows.append((f"{network.name} on {profile.name}", found))
            notes.append(output.notes_of(network, profile, how))
            if plot:
                fitting = {row.name: chosen[row.name] for row in found if not row.note}
                lines = curves(asked, fitting, _PLOT_RATES)
                first = found[0]
                kernels = kernels_in_words(first.precision, first.library, first.like)
                panels[f"{network.name} on {profile.name}, batch {first.batch}, {first.model} model, {kernels}"] = lines
    if all(row.note for _, found in rows for row in found):
        target, (first, *_) = rows[0]
        raise click.UsageError(f"nothing is left to compare: {first.name} on {target}: {first.note}")
    if plot:
        from latpred.show.canvas import save
        from latpred.show.plots import draw_comparison

        save(draw_comparison(panels, target_macs), plot)
        click.echo(f"wrote {plot}", err=True)
    if form == "json":
        output.print_json([row.to_dict() for _, found in rows for row in found])
    elif form == "csv":
        output.print_csv(row.to_dict() for _, found in rows for row in found)
    else:
        from latpred.show import tables as table

        for (target, found), said in zip(rows, notes, strict=True):
            known = found[0].asked.cost_model.about
            output.print_rich(table.comparison_table(target, found), *table.comparison_notes(found), *said, known, "")


def _chosen(presets: tuple[str, ...], network: AnyNetwork) -> dict[str, Paradigm]:
    """The paradigms of presets, all published on this network."""
    chosen = {}
    for name in presets:
        preset, backbone = load_preset(name)
        if backbone.name != network.name:
            raise click.UsageError(f"{name} is a preset of {backbone.name}, not of {network.name}")
        chosen[name] = preset.paradigm
    return chosen
