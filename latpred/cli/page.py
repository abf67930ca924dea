"""`latpred page`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from latpred.cli import options, quantities
from latpred.cli.command import Choice, command
from latpred.cli.progress import progress_bar
from latpred.files import check_output
from latpred.question import ask
from latpred.workloads.paradigms import SINGLE


@command(short_help="Write one HTML file that answers for a network.")
@options.device_option
@options.target_options(blocks=False)
@click.option("--paradigm", "paradigms", type=Choice(list(SINGLE)), multiple=True, help="What can be skipped there.")
@click.option("--latency", callback=quantities.latency, metavar="10ms", help="Budget that the page draws as a line.")
@click.option("--output", "-o", "output_file", type=click.Path(path_type=Path), required=True, help="The page: .html.")
@options.how_options()
def page(
    devices: tuple[str, ...],
    targets: options.Targets,
    paradigms: tuple[str, ...],
    latency: float | None,
    output_file: Path,
    how: dict[str, Any],
) -> None:
    """Write a page to hand on: choose device, paradigm and granularity, move the rate, and see the latency.

    One self-contained file: no server, no network, no Python. Its tables are computed beforehand, and its address holds
    the settings, so that a link shows the same.

    \b
    latpred page --network resnet50 --device tx2 --device v100 -o page.html
    latpred page --network resnet50 --device h200 --model calibrated --precision fp16 --latency 2ms -o page.html
    """
    from latpred.show.page import write_page
    from latpred.studies.stage_curves import network_curves

    check_output(output_file, (".html", ".htm"), "a page")
    if len(targets.networks) > 1:
        raise click.UsageError("a page is of one network; write one for each")
    (network,) = targets.load_networks()
    profiles = options.load_devices(devices)
    found = []
    with progress_bar("computing the page") as progress:
        for number, profile in enumerate(profiles, start=1):
            found.append(network_curves(ask(network, profile, **how), paradigms))
            progress(number, len(profiles))
    write_page(found, output_file, budget_s=latency)
    click.echo(f"wrote {output_file}: {output_file.stat().st_size / 1e6:.2f} MB", err=True)
