"""`latpred lut`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from latpred.cli import options, output, quantities
from latpred.cli.command import command
from latpred.cli.workers import Hands, workers_options
from latpred.devices.catalogue import load_profile
from latpred.files import check_output
from latpred.report import kernels_in_words
from latpred.studies.latency_table import latency_table


@command(short_help="Write block latencies as a look-up table.")
@options.one_device_option("Device: a name or YAML file.")
@options.target_options(blocks=False)
@click.option(
    "--S", "S", callback=quantities.granularities, metavar="S,…", help="Patch edges [pixels]; those that fit."
)
@click.option("--G", "G", callback=quantities.granularities, metavar="G,…", help="Channels per group; those that fit.")
@click.option("--output", "-o", "output_file", type=click.Path(path_type=Path), required=True, help="The table: .npz.")
@options.how_options()
@workers_options
def lut(
    targets: options.Targets,
    device: str,
    S: tuple[Any, ...] | None,
    G: tuple[Any, ...] | None,
    output_file: Path,
    how: dict[str, Any],
    hands: Hands,
) -> None:
    """Write the latency of every block over the rate as a table, for a search or for training.

    An entry per block, paradigm and granularity; static and layer skipping are always there. In Python,
    `latpred.LatencyTable.load(FILE)` looks up millions of latencies per second.

    \b
    latpred lut --network resnet50 --device tx2 --S 1,2,4,7,8,14 --output lut.npz
    """
    check_output(output_file, (".npz",), "a table")
    if targets.include:
        raise click.UsageError("a table is of blocks, and holds no stem and no head; leave --include out")
    if len(targets.networks) > 1:
        raise click.UsageError("a table is of one network; write one for each")
    (network,) = targets.load_networks()
    edges, groups = ([_single(size) for size in sizes or ()] for sizes in (S, G))
    profile = load_profile(device)
    with hands.executor() as executor:
        table = latency_table(network, profile, S=edges, G=groups, executor=executor, **how)
    table.save(output_file)
    for note in output.notes_of(network, profile, how):
        click.echo(note, err=True)
    click.echo(
        f"wrote {output_file}: {len(table.entries)} entries of {table.network} on {table.device}, batch {table.batch}, "
        f"{table.model} model, {kernels_in_words(table.precision, table.library, table.like)}; "
        f"{len(table.latency_s)} latencies, off by {table.error:.2%} at most",
        err=True,
    )


def _single(size: Any) -> int:
    if isinstance(size, tuple):
        raise click.UsageError("a table has every block at each granularity; write 1,2,4, not 4-4-2-1")
    return int(size)
