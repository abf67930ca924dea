"""`latpred pareto`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from latpred.cli import options, output
from latpred.cli.command import command
from latpred.cli.progress import progress_bar
from latpred.cli.workers import Hands, workers_options
from latpred.studies.pareto import pareto as find_front


@command(short_help="Find which trained settings no other beats.")
@click.option(
    "--points",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FILE",
    help="Trained settings (.csv): name, network, paradigm, granularity, r, accuracy.",
)
@options.device_option
@click.option("--plot", type=click.Path(path_type=Path), help="Draw accuracy over latency: .png, .svg, .pdf, …")
@options.how_options()
@workers_options
@options.format_option
def pareto(
    points: Path,
    devices: tuple[str, ...],
    plot: Path | None,
    how: dict[str, Any],
    hands: Hands,
    form: str,
) -> None:
    """Find which trained settings no other beats on a device: none is as accurate in less time.

    The file has a row for each setting. The paradigm is static, spatial, …, or a published method of the network;
    granularity and r are a number, or one per stage as in 4-4-2-1. Prints the front; --format json or csv all points.

    \b
    latpred pareto --points points.csv --device tx2 --plot front.png
    latpred pareto --points points.csv --device v100,orin --format csv
    """
    if plot:
        from latpred.show.canvas import check_file

        check_file(plot)
    profiles = options.load_devices(devices)
    with hands.executor() as executor, progress_bar("predicting") as progress:
        frame = find_front(points, profiles, executor=executor, progress=progress, **how)
    if plot:
        from latpred.show.canvas import save
        from latpred.show.pareto_plots import draw_pareto

        save(draw_pareto(frame), plot)
        click.echo(f"wrote {plot}", err=True)
    if form == "table":
        from latpred.show.pareto_tables import front_table

        notes = [f"note: {note}" for note in frame.attrs["notes"]]
        output.print_rich(*(front_table(frame, one.name) for one in profiles), *notes)
    else:
        output.print_frame(frame, form)
