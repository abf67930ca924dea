"""`latpred measure`."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from latpred.cli.command import Choice, command
from latpred.cli.progress import progress_bar
from latpred.errors import InputError
from latpred.files import check_output
from latpred.measuring.suites import Point, load_suite, suite

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def seconds(context: click.Context, parameter: click.Parameter, text: str | None) -> float | None:
    """Callback of an option: `90s`, `8m`, `1h`."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smh])", text)
    if not match or not float(match[1]):
        raise click.BadParameter(f"{text!r} is no duration; write 90s, 8m or 1h")
    return float(match[1]) * _UNITS[match[2]]


@command(short_help="Time dynamic blocks on this machine's GPU.")
@click.option("--suite", "suite_name", type=Choice(["quick", "full"]), help="What to measure: a shipped suite.")
@click.option(
    "--library",
    type=Choice(["triton", "pytorch"]),
    help="Kernels of the suite: latpred's own (the default), or those that eager PyTorch runs.",
)
@click.option("--workload", type=click.Path(path_type=Path), help="What to measure: your own YAML file.")
@click.option("--profile-only", is_flag=True, help="Measure the device's five peaks, and write a device file.")
@click.option("--output", "-o", "output_file", type=click.Path(path_type=Path), required=True, help=".csv, or .yaml.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted file.")
@click.option("--time-budget", callback=seconds, metavar="8m", help="Stop after this time, at a complete row.")
@click.option("--jobs", type=click.IntRange(1), default=1, help="Compile the kernels in this many processes first.")
def measure(
    suite_name: str | None,
    library: str | None,
    workload: Path | None,
    profile_only: bool,
    output_file: Path,
    resume: bool,
    time_budget: float | None,
    jobs: int,
) -> None:
    """Time dynamic blocks on this machine's GPU, or the operators of static networks.

    Operators and whole blocks, by replaying CUDA graphs; with --library pytorch single operators of 40 networks as
    eager PyTorch runs them, and what the host takes to call each.
    latpred's kernels are checked against PyTorch first. A row is written when it is complete, so an interrupted file
    can be resumed. A workload file lists blocks, paradigms, S, G, r, batch and precision; the columns are in
    docs/measurements.md.

    \b
    latpred measure --suite quick -o mine.csv
    latpred measure --suite full --library pytorch -o mine.csv
    latpred measure --workload mine.yaml -o mine.csv --time-budget 8m
    latpred measure --workload mine.yaml -o mine.csv --resume --jobs 8
    latpred measure --profile-only -o mine.yaml
    """
    if sum(map(bool, (suite_name, workload, profile_only))) != 1:
        raise click.UsageError("say what to measure: one of --suite, --workload and --profile-only")
    if library and not suite_name:
        raise click.UsageError("--library chooses the kernels of a suite; leave it out, or give --suite")
    if profile_only and (resume or time_budget or jobs > 1):
        raise click.UsageError("--resume, --time-budget and --jobs are for rows; leave them out with --profile-only")
    check_output(output_file, (".yaml", ".yml") if profile_only else (".csv",), "this")
    if output_file.exists() and not resume:
        instead = "give another name" if profile_only else "go on with it with --resume, or give another name"
        raise click.UsageError(f"{output_file} exists; {instead}")
    points = load_suite(workload) if workload else suite(suite_name, library or "triton") if suite_name else []
    require_gpu()
    if profile_only:
        _write_profile(output_file)
    else:
        _measure(points, output_file, resume=resume, time_budget_s=time_budget, jobs=jobs)


def require_gpu() -> None:
    """Raise InputError where there is no torch, no Triton or no CUDA device."""
    missing = [name for name in ("torch", "triton") if find_spec(name) is None]
    if missing:
        raise InputError(f"measuring needs {' and '.join(missing)}: pip install 'latpred[gpu]'")
    import torch

    if not torch.cuda.is_available():
        raise InputError("measuring needs a CUDA device, and torch finds none on this machine")


def _measure(points: list[Point], path: Path, **settings: Any) -> None:
    from latpred.measuring.gpu import session

    def report(text: str) -> None:
        click.echo(text, err=True)

    with progress_bar("measuring") as progress:
        written = session.run(points, path, progress=progress, report=report, **settings)
    report(f"wrote {path}: {written} rows")


def _write_profile(path: Path) -> None:
    from latpred.devices.writing import save_profile
    from latpred.measuring.gpu import microbenchmarks

    save_profile(microbenchmarks.profile(path.stem), path)
    click.echo(f"wrote {path}", err=True)
