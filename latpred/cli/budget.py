"""`latpred budget`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from latpred.cli import options, output, quantities
from latpred.cli.command import command
from latpred.cli.progress import progress_bar
from latpred.cli.workers import Hands, workers_options
from latpred.studies.budget import budget as find_options
from latpred.studies.budget.answer import Budget
from latpred.workloads.paradigms import NAMED


@command(short_help="Find what fits into a latency.")
@options.device_option
@options.target_options(preset=True)
@click.option(
    "--latency",
    metavar="TIME",
    callback=quantities.latency,
    help="What a batch may take: 10ms, 850us, 0.01 (seconds).",
)
@click.option(
    "--throughput",
    metavar="N/s",
    callback=quantities.throughput,
    help="Images to compute in a second at least: 500/s.",
)
@click.option(
    "--paradigm",
    "paradigms",
    multiple=True,
    callback=options.several,
    metavar="NAME",
    help=f"Try only this: {', '.join(NAMED)}. Several: repeat, or a,b.",
    shell_complete=options.completing(lambda: NAMED),
)
@click.option("--per-stage", is_flag=True, help="A rate for each stage, so that most MACs are kept.")
@click.option("--sure", is_flag=True, help="The upper end of the 80 % band must fit.")
@click.option("--images-per-second", is_flag=True, help="Print images per second in place of latencies.")
@click.option("--plot", type=click.Path(path_type=Path), help="Draw MACs kept over latency: .png, .svg, .pdf, …")
@click.option(
    "--batch",
    callback=quantities.batches,
    metavar="N|START:STOP[:STEP]",
    help="Samples at once, or the best of several; default: the device's own.",
)
@options.how_options(batch=False)
@workers_options
@options.format_option
def budget(
    devices: tuple[str, ...],
    targets: options.Targets,
    latency: float | None,
    throughput: float | None,
    paradigms: tuple[str, ...],
    per_stage: bool,
    sure: bool,
    images_per_second: bool,
    plot: Path | None,
    batch: list[int],
    how: dict[str, Any],
    hands: Hands,
    form: str,
) -> None:
    """Find what fits into a latency: of each paradigm the granularity and the highest rate.

    Ordered by the multiply-adds that are kept, which training turns into accuracy. Rates are hundredths; one more does
    not fit. On several devices one setting must fit on all. Of several batches the best is that with the highest rate,
    then with most images per second.

    \b
    latpred budget --device tx2 --network resnet50 --latency 10ms
    latpred budget --device tx2,nano --network resnet50 --latency 30ms --plot budget.png
    latpred budget --device v100 --network resnet50 --throughput 2000/s --latency 100ms --batch 1:128
    latpred budget --device h200 --network resnet50 --latency 5ms --model calibrated --precision fp16 --sure
    """
    if latency is None and throughput is None:
        raise click.UsageError("say what must fit: --latency 10ms, --throughput 500/s, or both")
    if plot:
        from latpred.show.canvas import check_file

        check_file(plot)
    loaded, own = targets.load()
    if own and paradigms:
        raise click.UsageError("a preset has its own paradigm; leave --paradigm out")
    limits = {"latency_s": latency, "images_per_second": throughput}
    asked: dict[str, Any] = {**limits, "paradigms": [own] if own else paradigms or None, "batch": batch or None, **how}
    profiles, found = options.load_devices(devices), list[Budget]()
    with hands.executor() as executor, progress_bar("predicting") as progress:
        for target in loaded:
            found.append(
                find_options(
                    target, profiles, per_stage=per_stage, sure=sure, executor=executor, progress=progress, **asked
                )
            )
    if plot:
        from latpred.show.budget_plots import draw_budgets
        from latpred.show.canvas import save

        save(draw_budgets(found), plot)
        click.echo(f"wrote {plot}", err=True)
    _print(found, form, images_per_second)


def _print(found: list[Budget], form: str, images_per_second: bool) -> None:
    each = [one for answer in found for one in (answer, *answer.elsewhere)]
    if form == "json":
        records = [answer.to_dict() for answer in each]
        output.print_json(records[0] if len(records) == 1 else records)
    elif form == "csv":
        output.print_csv(row for answer in each for row in answer.rows())
        if nothing := [answer for answer in found if not answer.options]:
            from latpred.show.budget_tables import budget_text

            for answer in nothing:
                click.echo(budget_text(answer).partition("\n")[0], err=True)
    else:
        from latpred.show.budget_tables import budget_table, budget_text

        for answer in found:
            output.print_rich(budget_table(answer, images_per_second), budget_text(answer), "")
