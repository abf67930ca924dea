"""`latpred validate`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from functools import partial
from pathlib import Path

import click

from latpred.cli import options, output
from latpred.cli.command import Choice, command
from latpred.cli.progress import progress_bar
from latpred.devices.catalogue import load_profile
from latpred.measuring.validation import ALL_MODELS, rows_to_judge
from latpred.measuring.validation import validate as validate_models
from latpred.precision import PRECISIONS


@command()
@click.argument("file", metavar="MEASUREMENTS.csv", type=click.Path(path_type=Path))
@options.one_device_option("Device that was measured: a name or YAML file.")
@click.option("--model", "models", multiple=True, type=Choice(ALL_MODELS), help="Model; default: all. Repeatable.")
@click.option("--precision", type=Choice(PRECISIONS), help="Only rows of this precision.")
@click.option("--library", metavar="NAME", help="Only rows of these kernels; default: those of most rows.")
@options.like_option
@click.option("--plot", type=click.Path(path_type=Path), help="Draw predicted against measured: .png, .svg, …")
@click.option(
    "--plot-rates", type=click.Path(path_type=Path), help="Draw rℓ over r, curves predicted, points measured."
)
@options.format_option
def validate(
    file: Path,
    device: str,
    models: tuple[str, ...],
    precision: str | None,
    library: str | None,
    like: str | None,
    plot: Path | None,
    plot_rates: Path | None,
    form: str,
) -> None:
    """Compare every model with measurements.

    Errors, ranking, regret of the recommended S and coverage of the band. Errors are fractions of the measured
    time; the bias is their median. The regret is the measured latency at the S
    that a model recommends over the least measured over S, minus 1.

    \b
    latpred validate measurements/h200_held_out.csv.gz --device h200
    latpred validate measurements/h100_held_out.csv.gz --device h100 --like h200
    latpred validate mine.csv --device mine.yaml --model published --model calibrated --plot scatter.png
    """
    from latpred.measuring.measurements import check_device, errors_of, read_measurements

    for path in (plot, plot_rates):
        if path:
            from latpred.show.canvas import check_file

            check_file(path)
    profile = load_profile(device)
    measurements = read_measurements(file, partial(click.echo, err=True))
    check_device(measurements, profile, file)
    with errors_of(file), progress_bar("predicting") as progress:
        chosen = rows_to_judge(measurements, precision, library)
        found = validate_models(chosen, profile, models or ALL_MODELS, like=like, progress=progress)
    of = chosen[0].library
    others = Counter(row.library for row in measurements if row.library != of and precision in (None, row.precision))
    notes = [f"{n:,} rows of {name} are left out; --library {name} takes them" for name, n in others.items()]
    if form == "json":
        models_of = {item.model: item.to_dict() for item in found}
        output.print_json({"library": of, "rows": len(chosen), "left_out": dict(others), "models": models_of})
    elif form == "csv":
        output.print_csv(
            {"model": item.model, "of": name, **asdict(metrics)}
            for item in found
            for name, metrics in {"operators": item.operators, "blocks": item.blocks, **item.by_class}.items()
        )
    else:
        from latpred.show.validation_tables import validation_tables

        output.print_rich(*validation_tables(found), *notes, *(note for item in found for note in item.notes))
    for path, picture in ((plot, "scatter"), (plot_rates, "rate_curves")):
        if path:
            from latpred.show import validation_plots as validation_plot
            from latpred.show.canvas import save

            save(getattr(validation_plot, picture)(found), path)
            click.echo(f"wrote {path}", err=True)
