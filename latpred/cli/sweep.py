"""`latpred sweep`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from latpred.cli import options, output, quantities, skipping
from latpred.cli.command import Choice, command
from latpred.cli.progress import progress_bar
from latpred.cli.workers import Hands, workers_options
from latpred.files import check_output, whole_file
from latpred.studies.sweep import check_size
from latpred.studies.sweep import sweep as sweep_latency
from latpred.workloads.networks import PlacedNetwork
from latpred.workloads.paradigms import Paradigm, Spatial, Static

if TYPE_CHECKING:
    import pandas

#: Notes of a sweep that are printed.
MOST_NOTES = 8
DATA_SUFFIXES = (".csv", ".json")


@command(short_help="Predict a grid of settings; table, file or plot.")
@options.device_option
@options.target_options(preset=True)
@skipping.skipping_options(ranges=True)
@click.option("--masks", type=click.Path(path_type=Path), help="Pixel masks per stage (.npz): the rate at each S.")
@click.option(
    "--batch", callback=quantities.batches, metavar="N,…|START:STOP[:STEP]", help="Batches; default: the device's own."
)
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the sweep: .png, .svg, .pdf, …")
@click.option("--x", "axis", type=Choice(["r", "granularity", "batch"]), help="What the plot runs over.")
@click.option("--output", "-o", "output_file", type=click.Path(path_type=Path), help="Write the rows: .csv or .json.")
@options.how_options(batch=False, against=True)
@workers_options
@options.format_option
def sweep(
    devices: tuple[str, ...],
    targets: options.Targets,
    paradigm: str | None,
    S: tuple[Any, ...] | None,
    G: tuple[Any, ...] | None,
    r: tuple[float, ...] | None,
    unfuse: tuple[str, ...],
    masks: Path | None,
    batch: list[int],
    plot: Path | None,
    axis: str | None,
    output_file: Path | None,
    how: dict[str, Any],
    hands: Hands,
    form: str,
) -> None:
    """Predict a grid of devices × blocks or networks × S or G × r × batch.

    Prints a row per prediction, or writes them with --output; --plot draws rℓ over r or over S or G, or latency per
    image over batch, whichever has the most values. Without a paradigm, static networks over devices and batches.

    \b
    latpred sweep --device v100 --block r50-stage1 --S 1,2,4,8 --r 0.1:1.0:0.05 --plot fig.png --output sweep.csv
    latpred sweep --device v100 --device rtx3090 --network resnet50 --S 4-4-2-1 --r 0.5 \\
        --batch 1,2,4,8,16,32,64,128 --plot batch.svg
    """
    _check_files(plot, output_file)
    (loaded, preset), profiles = targets.load(), options.load_devices(devices)
    skipped: dict[str, Any] = {"paradigm": paradigm, "S": S, "G": G, "r": r, "unfuse": unfuse, "preset": preset}
    settings = _masked(masks, loaded, **skipped) if masks else _grid(**skipped)
    for symbol, given in (("S", S), ("G", G)):
        _say_if_meant_per_stage(symbol, given, loaded)
    with hands.executor() as executor, progress_bar("predicting") as progress:
        frame = sweep_latency(
            loaded, profiles, settings, batches=batch or [None], executor=executor, progress=progress, **how
        )
    _say(frame.attrs["notes"])
    if output_file:
        _write(frame, output_file)
    if plot:
        from latpred.show.canvas import save
        from latpred.show.plots import draw

        save(draw(frame, axis), plot)
        click.echo(f"wrote {plot}", err=True)
    if not (plot or output_file) or form != "table":
        _print(frame, form)


def _say(notes: Sequence[str]) -> None:
    """The first notes, on stderr; those of a sweep over many granularities are many alike."""
    for note in notes[:MOST_NOTES]:
        click.echo(f"note: {note}", err=True)
    if len(notes) > MOST_NOTES:
        click.echo(f"note: and {len(notes) - MOST_NOTES} more such notes", err=True)


def _say_if_meant_per_stage(symbol: str, given: tuple[Any, ...] | None, targets: list[Any]) -> None:
    """A note where as many settings are given as a network has stages: that may be one setting in the wrong words."""
    stages = {len(target.maps) for target in targets if isinstance(target, PlacedNetwork)}
    if given and len(given) in stages and not any(isinstance(setting, tuple) for setting in given):
        texts = list(map(str, given))
        click.echo(
            f"note: --{symbol} {','.join(texts)} are {len(given)} settings; one setting per stage is {'-'.join(texts)}",
            err=True,
        )


def _grid(*, S: Any, G: Any, r: Any, **others: Any) -> list[Paradigm]:
    """Every combination of the settings given; the static network where none are."""
    names = others["preset"] or skipping.kinds(others["paradigm"], S, G, r, {})
    if not (names or r or others["unfuse"]):
        return [Static()]
    if not names or not r:
        raise click.UsageError("the sweep is empty: give --S or --G with --r, or --paradigm layer with --r")
    check_size(S=len(S or "1"), G=len(G or "1"), rates=len(r))
    return [
        skipping.build(S=edge, G=group, r=(rate,), **others) for edge in _each(S) for group in _each(G) for rate in r
    ]


def _each(settings: tuple[Any, ...] | None) -> Iterator[tuple[Any] | None]:
    """The settings one by one, or once None."""
    yield from ((setting,) for setting in settings) if settings else (None,)


def _masked(path: Path, targets: list[Any], *, S: Any, r: Any, **others: Any) -> list[Paradigm]:
    """Every S at the rates that masks have there."""
    from latpred.workloads.masks import rates_from_masks

    if not S or r:
        raise click.UsageError("--masks gives the rates: add --S and leave --r out")
    if not all(isinstance(target, PlacedNetwork) for target in targets):
        raise click.UsageError("--masks needs networks of residual blocks: --network NAME")
    counted = rates_from_masks(path, S=quantities.edges(S))
    for target in targets:
        counted.check(target)
    settings = [skipping.build(S=(setting,), r=counted.for_granularity(setting), **others) for setting in S]
    if not all(isinstance(setting, Spatial) for setting in settings):
        raise click.UsageError(
            "--masks gives the rates of spatial skipping alone; use `latpred predict` for joint ones"
        )
    return settings


def _check_files(plot: Path | None, output_file: Path | None) -> None:
    """Every mistake in a file name is found before any work is done."""
    if output_file:
        check_output(output_file, DATA_SUFFIXES, "rows")
    if plot:
        from latpred.show.canvas import check_file

        check_file(plot)


def _write(frame: pandas.DataFrame, path: Path) -> None:
    with whole_file(path) as temporary:
        if path.suffix.lower() == ".json":
            temporary.write_text(output.json_text(output.records(frame)) + "\n", encoding="utf-8")
        else:
            frame.to_csv(temporary, index=False)
    click.echo(f"wrote {path}: {len(frame)} rows", err=True)


def _print(frame: pandas.DataFrame, form: str) -> None:
    if form != "table":
        output.print_frame(frame, form)
    else:
        from latpred.show.tables import sweep_table

        output.print_rich(sweep_table(frame))
