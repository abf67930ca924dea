"""`latpred calibrate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from latpred.cli import options, output
from latpred.cli.command import command
from latpred.cli.progress import progress_bar
from latpred.devices.calibration import Calibration
from latpred.devices.catalogue import load_profile, profile_path
from latpred.devices.profile import HardwareProfile
from latpred.devices.writing import save_profile
from latpred.errors import DataError
from latpred.files import check_output


@command()
@click.argument("file", metavar="MEASUREMENTS.csv", type=click.Path(path_type=Path))
@options.one_device_option("Device that was measured: a name or YAML file.")
@click.option(
    "--output", "-o", "output_file", type=click.Path(path_type=Path), help="Write the calibrated device file."
)
@click.option("--like", metavar="NAME|FILE", help="Device that numbers are taken from which no row depends on.")
@click.option(
    "--judge",
    metavar="NETWORKS.csv",
    type=click.Path(path_type=Path),
    help="Whole networks that the errors are told on, too; none is fitted.",
)
@click.option("--source", default="", help="Where the measurements are from, if not from `latpred measure`.")
@options.format_option
def calibrate(
    file: Path, device: str, output_file: Path | None, like: str | None, judge: Path | None, source: str, form: str
) -> None:
    """Fit the calibrated model to measurements.

    At most twelve numbers for each precision and library of kernels in a file of `latpred measure`. The errors
    printed are those on shapes that were left out of the fit; they become the
    bands of predictions. The device's own file is written with -o, other calibrations in it are kept.
    A file of whole networks, with a column `model`, is fitted by the families of networks.

    \b
    latpred calibrate measurements/h200.csv.gz --device h200
    latpred calibrate mine.csv --device mine.yaml -o mine.yaml
    latpred calibrate networks.csv --device rtx3090 --like h200
    """
    from latpred.measuring import fitting
    from latpred.measuring.measurements import errors_of, file_hash

    if output_file:
        check_output(output_file, (".yaml", ".yml"), "a device file")
    profile = load_profile(device)
    measurements, versions = _read(file, profile)
    judges = _networks(judge, profile) if judge else []
    with errors_of(file), progress_bar("fitting") as progress:
        found = fitting.calibrate(
            measurements,
            profile,
            like=load_profile(like) if like else None,
            data_sha256=file_hash(file),
            measured_with=versions,
            source=source,
            progress=progress,
        )
    if judge:
        from latpred.measuring.judging import judged

        with errors_of(judge):
            found = [judged(item, judges, profile) for item in found]
    for library, count in fitting.left_out(measurements).items():
        click.echo(f"left out: {count:,} rows of {library}, for which there are no equations", err=True)
    if output_file:
        save_profile(fitting.recalibrated(profile, found), output_file, like=profile_path(device))
        click.echo(f"wrote {output_file}", err=True)
    _print(found, form)


def _read(file: Path, profile: HardwareProfile) -> tuple[Any, str]:
    """The rows of operators and blocks, or of networks of this device; and the versions they were measured with."""
    from latpred.measuring.measurements import check_device, read_rows
    from latpred.measuring.networks import is_of_networks

    if is_of_networks(file):
        return _networks(file, profile), ""
    rows = read_rows(file, partial(click.echo, err=True))
    measurements = [measurement for _, measurement in rows]
    check_device(measurements, profile, file)
    return measurements, ", ".join(filter(None, (_versions(rows, name) for name in ("driver", "torch", "triton"))))


def _networks(file: Path, profile: HardwareProfile) -> list[Any]:
    """The rows of networks of this device; raises DataError where there are none."""
    from latpred.measuring.networks import check_models, read_networks

    rows = [row for row in read_networks(file) if row.device == profile.name]
    check_models(rows, file)
    if not rows:
        raise DataError(f"{file}: has no row of {profile.name}")
    return rows


def _versions(rows: list[tuple[dict[str, str], Any]], name: str) -> str:
    """A column's name and its values, all of a file that was measured in parts."""
    values = list(dict.fromkeys(columns[name] for columns, _ in rows if columns[name]))
    return f"{name} {'/'.join(values)}" if values else ""


def _print(found: list[Calibration], form: str) -> None:
    if form == "json":
        output.print_json([item.model_dump(mode="json") for item in found])
    elif form == "csv":
        output.print_csv(_csv_row(item, error) for item in found for error in item.errors)
    else:
        from latpred.show.validation_tables import calibration_table

        for item in found:
            output.print_rich(*calibration_table(item))


def _csv_row(item: Calibration, error: Any) -> dict[str, Any]:
    return {"precision": item.precision, "library": item.library, **error.model_dump()}
