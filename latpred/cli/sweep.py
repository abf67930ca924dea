"""`latpred sweep`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from latpred.cli import options, output
from latpred.files import check_writable, whole_file
from latpred.paradigms import PARADIGMS, Static
from latpred.sweep import grid
from latpred.sweep import sweep as sweep_latency

if TYPE_CHECKING:
    import pandas

DATA_SUFFIXES = (".csv", ".json")


@click.command()
@options.device_option
@options.target_options
@click.option(
    "--paradigm", type=click.Choice([name for name in PARADIGMS if name != "static"]), help="What is skipped."
)
@click.option("--S", "S", callback=options.granularities, help="Patch edges [pixels], e.g. 1,2,4,8 or 4-4-2-1,8-4-7-1.")
@click.option("--G", "G", callback=options.granularities, help="Channels per group, e.g. 1,2,4,8.")
@click.option(
    "--r",
    "r",
    callback=options.ranges,
    metavar="R,…|START:STOP:STEP",
    help="Activation rates, e.g. 0.1:1.0:0.05.",
)
@click.option("--batch", callback=options.ranges, metavar="N,…", help="Batches; default: the device's own.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the sweep: .png, .svg, .pdf, …")
@click.option("--x", "axis", type=click.Choice(["r", "granularity", "batch"]), help="What the plot runs over.")
@click.option("--output", "output_file", type=click.Path(path_type=Path), help="Write the rows: .csv or .json.")
@options.model_option
@options.format_option
def sweep(
    devices: tuple[str, ...],
    blocks: tuple[str, ...],
    networks: tuple[str, ...],
    image_size: tuple[int, int] | None,
    paradigm: str | None,
    S: tuple[Any, ...] | None,
    G: tuple[Any, ...] | None,
    r: tuple[float, ...] | None,
    batch: tuple[float, ...] | None,
    plot: Path | None,
    axis: str | None,
    output_file: Path | None,
    model: str,
    form: str,
) -> None:
    """Predict a grid of devices × blocks or networks × S or G × r × batch.

    Prints a row per prediction, or writes them with --output; --plot draws rℓ over r or over S or G, or latency per
    image over batch, whichever has the most values.

    \b
    latpred sweep --device v100 --block r50-stage1 --S 1,2,4,8 --r 0.1:1.0:0.05 --plot fig.png --output sweep.csv
    latpred sweep --device v100 --device rtx3090 --network resnet50 --S 4-4-2-1 --r 0.5 \\
        --batch 1,2,4,8,16,32,64,128 --plot batch.svg
    """
    _check_files(plot, output_file)
    kind = options.infer_paradigm(paradigm, S, G, r)
    options.require_rate(kind, r)
    if kind is Static:
        raise click.UsageError("the sweep is empty: give --S or --G with --r, or --paradigm layer with --r")
    settings = grid(kind, granularity=S or G or (1,), r=r or ())
    targets, profiles = options.load_targets(blocks, networks, image_size), options.load_devices(devices)
    batches = [_whole(size) for size in batch] if batch else [None]
    with _progress_bar() as progress:
        frame = sweep_latency(targets, profiles, settings, batches=batches, model=model, progress=progress)
    if output_file:
        _write(frame, output_file)
    if plot:
        from latpred.plot import draw, save

        save(draw(frame, axis), plot)
        click.echo(f"wrote {plot}", err=True)
    if not (plot or output_file) or form != "table":
        _print(frame, form)


def _check_files(plot: Path | None, output_file: Path | None) -> None:
    """Every mistake in a file name is found before any work is done."""
    if output_file:
        options.check_suffix(output_file, DATA_SUFFIXES, "rows")
        check_writable(output_file)
    if plot:
        from latpred.plot import supported_suffixes

        options.check_suffix(plot, supported_suffixes(), "a plot")
        check_writable(plot)


def _whole(size: float) -> int:
    if size != int(size):
        raise click.UsageError(f"--batch takes whole numbers, not {size:g}")
    return int(size)


def _write(frame: pandas.DataFrame, path: Path) -> None:
    with whole_file(path) as temporary:
        if path.suffix.lower() == ".json":
            frame.to_json(temporary, orient="records", indent=2)
        else:
            frame.to_csv(temporary, index=False)
    click.echo(f"wrote {path}: {len(frame)} rows", err=True)


def _print(frame: pandas.DataFrame, form: str) -> None:
    if form == "json":
        click.echo(frame.to_json(orient="records", indent=2))
    elif form == "csv":
        click.echo(frame.to_csv(index=False), nl=False)
    else:
        from latpred.table import sweep_table

        output.print_rich(sweep_table(frame))


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr that disappears when done; nothing where stderr is no terminal."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("predicting")
        yield lambda done, total: bar.update(task, completed=done, total=total)
