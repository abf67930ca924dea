"""`latpred explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from latpred.cli import options, output, skipping
from latpred.cli.command import command
from latpred.studies.explanation import explain as explain_latency


@command(short_help="Show where the time goes, and what would help.")
@options.device_option
@options.target_options(preset=True)
@skipping.skipping_options()
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the bars: .png, .svg, .pdf, …")
@options.how_options()
@options.format_option
def explain(
    devices: tuple[str, ...],
    targets: options.Targets,
    plot: Path | None,
    how: dict[str, Any],
    form: str,
    **skipped: Any,
) -> None:
    """Show where the time of a prediction goes, how full the engines are, and what would help.

    Every change is predicted: a larger S at the same rate, fused kernels, a larger batch, another paradigm at the same
    multiply-adds.

    \b
    latpred explain --device v100 --block r50-stage1 --S 4 --r 0.6
    latpred explain --device tx2 --network resnet50 --S 4-4-2-1 --r 0.5 --plot explain.png
    """
    if plot:
        from latpred.show.canvas import check_file

        check_file(plot)
    loaded, preset_paradigm = targets.load()
    paradigm = skipping.build(**skipped, preset=preset_paradigm)
    found = [
        explain_latency(target, profile, paradigm, **how)
        for target in loaded
        for profile in options.load_devices(devices)
    ]
    if plot:
        from latpred.show.canvas import save
        from latpred.show.explanation_plots import draw_explanations

        save(draw_explanations(found), plot)
        click.echo(f"wrote {plot}", err=True)
    if form == "json":
        records = [explanation.to_dict() for explanation in found]
        output.print_json(records[0] if len(records) == 1 else records)
    elif form == "csv":
        output.print_csv({**one.report.asked.to_dict(), **share.to_dict()} for one in found for share in one.shares)
    else:
        from latpred.show import explanation_tables as explain_table

        for explanation in found:
            output.print_rich(
                explain_table.bar_table(explanation),
                explain_table.fill_table(explanation),
                explain_table.explanation_text(explanation),
                explain_table.remedy_table(explanation),
                *(f"note: {note}" for note in explanation.report.notes),
                explanation.report.asked.cost_model.about,
                "",
            )
