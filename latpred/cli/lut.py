"""`latpred lut`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from latpred.cli import options
from latpred.devices.catalogue import load_profile
from latpred.files import check_output
from latpred.report import kernels_in_words
from latpred.studies.latency_table import latency_table
from latpred.workloads.catalogue import load_network


@click.command(short_help="Write block latencies as a look-up table.")
@click.option("--network", required=True, metavar="NAME|FILE", help="Network: a name or YAML file.")
@click.option("--device", required=True, metavar="NAME|FILE", help="Device: a name or YAML file.")
@options.image_size_option
@click.option("--S", "S", callback=options.granularities, metavar="S,…", help="Patch edges [pixels]; those that fit.")
@click.option("--G", "G", callback=options.granularities, metavar="G,…", help="Channels per group; those that fit.")
@click.option("--output", "output_file", type=click.Path(path_type=Path), required=True, help="The table: .npz.")
@options.batch_option
@options.model_option
@options.kernel_options
def lut(
    network: str,
    device: str,
    image_size: tuple[int, int] | None,
    S: tuple[Any, ...] | None,
    G: tuple[Any, ...] | None,
    output_file: Path,
    batch: int | None,
    model: str,
    precision: str,
    library: str | None,
) -> None:
    """Write the latency of every block over the rate as a table, for a search or for training.

    An entry per block, paradigm and granularity; static and layer skipping are always there. In Python,
    `latpred.LatencyTable.load(FILE)` looks up millions of latencies per second.

    \b
    latpred lut --network resnet50 --device tx2 --S 1,2,4,7,8,14 --output lut.npz
    """
    check_output(output_file, (".npz",), "a table")
    edges, groups = ([_single(size) for size in sizes or ()] for sizes in (S, G))
    table = latency_table(
        load_network(network, image_size),
        load_profile(device),
        S=edges,
        G=groups,
        batch=batch,
        model=model,
        precision=precision,
        library=library,
    )
    table.save(output_file)
    click.echo(
        f"wrote {output_file}: {len(table.entries)} entries of {table.network} on {table.device}, batch {table.batch}, "
        f"{table.model} model, {kernels_in_words(table.precision, table.library)}; "
        f"{len(table.latency_s)} latencies, off by {table.error:.2%} at most",
        err=True,
    )


def _single(size: Any) -> int:
    if isinstance(size, tuple):
        raise click.UsageError("a table has every block at each granularity; write 1,2,4, not 4-4-2-1")
    return int(size)
