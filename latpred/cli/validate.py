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
from latpred.devices.catalogue import list_profiles, load_profile
from latpred.errors import DataError
from latpred.measuring.validation import ALL_MODELS, rows_to_judge
from latpred.measuring.validation import validate as validate_models
from latpred.precision import PRECISIONS


@command()
@click.argument("file", metavar="MEASUREMENTS.csv", type=click.Path(path_type=Path), required=False)
@click.option("--networks", metavar="FILE.csv", type=click.Path(path_type=Path), help="Whole networks that were timed.")
@click.option(
    "--device",
    metavar="NAME|FILE",
    help="Device that was measured; of networks, those of it alone.",
    shell_complete=options.completing(list_profiles, files=True),
)
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
    file: Path | None,
    networks: Path | None,
    device: str | None,
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

    With --networks, the calibrated model is compared with whole static networks, per device, library and precision of
    a file with the columns device, library, precision, model, image_size, batch and seconds.

    \b
    latpred validate measurements/h200_held_out.csv.gz --device h200
    latpred validate measurements/h100_held_out.csv.gz --device h100 --like h200
    latpred validate --networks measurements/h200_pytorch_networks.csv
    latpred validate mine.csv --device mine.yaml --model published --model calibrated --plot scatter.png
    """
    from latpred.measuring.measurements import check_device, errors_of, read_measurements

    for path in (plot, plot_rates):
        if path:
            from latpred.show.canvas import check_file

            check_file(path)
    if networks:
        if file or models or plot_rates:
            raise click.UsageError("--networks is of static networks and the calibrated model: leave the rest out")
        _validate_networks(networks, device, precision, library, like, plot, form)
        return
    if not file or not device:
        raise click.UsageError("give a file of measurements and its --device, or --networks FILE.csv")
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


def _validate_networks(
    file: Path,
    device: str | None,
    precision: str | None,
    library: str | None,
    like: str | None,
    plot: Path | None,
    form: str,
) -> None:
    """Compare the calibrated model with whole networks."""
    from latpred.measuring.judging import validate_networks
    from latpred.measuring.measurements import errors_of
    from latpred.measuring.networks import check_models, read_networks

    profile = load_profile(device) if device else None
    asked = {"device": profile and profile.name, "precision": precision, "library": library}
    wanted = {name: value for name, value in asked.items() if value is not None}
    rows = [row for row in read_networks(file) if all(getattr(row, name) == value for name, value in wanted.items())]
    if not rows:
        raise DataError(f"{file}: has no row of {' '.join(map(str, wanted.values()))}")
    with progress_bar("reading") as progress:
        check_models(rows, file, progress)
    with errors_of(file), progress_bar("predicting") as progress:
        found = validate_networks(rows, profile, like=like, progress=progress)
    if form == "json":
        output.print_json([item.to_dict() for item in found])
    elif form == "csv":
        about = ("device", "library", "precision")
        output.print_csv(
            {**{name: getattr(item, name) for name in about}, "family": family, **asdict(metrics)}
            for item in found
            for family, metrics in {"all": item.networks, **item.by_family}.items()
        )
    else:
        from latpred.show.validation_tables import network_tables

        output.print_rich(*network_tables(found))
    if plot:
        from latpred.show import validation_plots
        from latpred.show.canvas import save

        save(validation_plots.network_scatter(found), plot)
        click.echo(f"wrote {plot}", err=True)
