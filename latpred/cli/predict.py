"""`latpred predict`."""

from __future__ import annotations

from typing import Any

import click

from latpred.cli import options, output
from latpred.networks import Network
from latpred.paradigms import PARADIGMS, Paradigm
from latpred.predict import predict as predict_latency
from latpred.report import Report


@click.command()
@options.device_option
@options.target_options
@click.option("--paradigm", type=click.Choice(list(PARADIGMS)), help="What is skipped; --S or --G alone implies it.")
@click.option("--S", "S", callback=options.granularities, help="Patch edge [pixels]: 4, or 4-4-2-1 for one per stage.")
@click.option("--G", "G", callback=options.granularities, help="Channels per group: 2, or 2-2-2-2 for one per stage.")
@click.option(
    "--r", "r", callback=options.numbers, metavar="R[,R…]", help="Activation rate: one, per stage or per block."
)
@click.option("--batch", type=click.IntRange(min=1), help="Samples at once; default: the device's own.")
@options.model_option
@options.format_option
def predict(
    devices: tuple[str, ...],
    blocks: tuple[str, ...],
    networks: tuple[str, ...],
    image_size: tuple[int, int] | None,
    paradigm: str | None,
    S: tuple[Any, ...] | None,
    G: tuple[Any, ...] | None,
    r: tuple[float, ...] | None,
    batch: int | None,
    model: str,
    form: str,
) -> None:
    """Predict the latency of a block or network, operator by operator.

    Beside it: the static form, the ratio rℓ of the two (below 1 is a speed-up), the saving on paper, and the rate r*
    up to which skipping pays.

    \b
    latpred predict --device tx2 --block r50-stage1 --S 4 --r 0.6
    latpred predict --device v100 --network resnet50 --S 4-4-2-1 --r 0.5
    latpred predict --device v100 --device tx2 --block r50-stage1 --paradigm channel --G 2 --r 0.5 --format json
    """
    skipping = _paradigm(paradigm, S, G, r)
    targets = options.load_targets(blocks, networks, image_size)
    reports = [
        (target, predict_latency(target, profile, skipping, batch=batch, model=model))
        for target in targets
        for profile in options.load_devices(devices)
    ]
    if form == "json":
        results = [report.to_dict() for _, report in reports]
        output.print_json(results[0] if len(results) == 1 else results)
    elif form == "csv":
        output.print_csv(row for _, report in reports for row in _csv_rows(report))
    else:
        from latpred import table

        for target, report in reports:
            rows = table.stage_table(report, target) if isinstance(target, Network) else table.operator_table(report)
            output.print_rich(rows, table.verdict(report), "")


def _paradigm(name: str | None, S: Any, G: Any, r: Any) -> Paradigm:
    kind = options.infer_paradigm(name, S, G, r)
    options.require_rate(kind, r)
    for option, settings in (("S", S), ("G", G)):
        if settings and len(settings) > 1:
            raise click.UsageError(
                f"--{option} takes one setting; write 4-4-2-1 for one per stage, or use `latpred sweep`"
            )
    given = {"S": options.one(S), "G": options.one(G), "r": options.one(r)}
    return kind(**{field: value for field, value in given.items() if value is not None})


def _csv_rows(report: Report) -> list[dict[str, Any]]:
    about = {
        "target": report.target,
        "device": report.device,
        "model": report.model,
        "paradigm": str(report.paradigm),
        "batch": report.batch,
    }
    return [{**about, **row.to_dict()} for row in report.operators]
