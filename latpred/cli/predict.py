"""`latpred predict`."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from latpred.cli import options, output, quantities, skipping
from latpred.cli.command import command
from latpred.devices.profile import HardwareProfile
from latpred.prediction import predict as predict_latency
from latpred.report import Report
from latpred.workloads.blocks import Block
from latpred.workloads.catalogue import AnyNetwork
from latpred.workloads.networks import Network, PlacedNetwork
from latpred.workloads.paradigms import Paradigm

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from latpred.studies.distribution import Distribution
#: Keeps the draws of rates apart from the draws of batches, which start from the same seed.
_BETA_STREAM = 1


@command(short_help="Predict a block or network.")
@options.device_option
@options.target_options(preset=True)
@skipping.skipping_options()
@click.option(
    "--rates", type=click.Path(path_type=Path), help="Rates per block, or per sample and block: .csv, .json, .npy."
)
@click.option(
    "--beta", callback=quantities.numbers, metavar="MEAN,STD", help="Rates per sample from a Beta distribution."
)
@click.option("--masks", type=click.Path(path_type=Path), help="Pixel masks per stage (.npz): the rate at each S.")
@click.option(
    "--draws", type=click.IntRange(min=1), help="Samples drawn with --beta, batches of samples; default 10000."
)
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the draws; default 0.")
@options.how_options(against=True)
@options.format_option
def predict(
    devices: tuple[str, ...],
    targets: options.Targets,
    rates: Path | None,
    beta: tuple[float, ...] | None,
    masks: Path | None,
    draws: int | None,
    seed: int | None,
    how: dict[str, Any],
    form: str,
    **skipped: Any,
) -> None:
    """Predict the latency of a block or network, operator by operator.

    Beside it: the static form, the ratio rℓ of the two (below 1 is a speed-up), the saving on paper, and the rate r*
    up to which skipping pays. With rates per sample, also the latency's distribution.

    \b
    latpred predict --device tx2 --block r50-stage1 --S 4 --r 0.6
    latpred predict --device v100 --network resnet50 --S 4-4-2-1 --r 0.5
    latpred predict --device v100 --device tx2 --block r50-stage1 --paradigm channel --G 2 --r 0.5 --format json
    latpred predict --device v100 --block r50-stage1 --paradigm layer+channel --layer-r 0.7 --G 2 --channel-r 0.5
    latpred predict --device tx2 --preset dynconv-resnet101 --r 0.5
    latpred predict --device v100 --network resnet50 --S 4-4-2-1 --beta 0.5,0.2
    latpred predict --device h200 --block r50-stage1 --S 4 --r 0.6 --model calibrated --precision fp16
    """
    loaded, own = targets.load()
    drawing = {name: value for name, value in (("draws", draws), ("seed", seed)) if value is not None}
    of_samples = _sample_rates(skipped, rates, beta, masks, loaded, own, drawing)
    if drawing and of_samples is None:
        raise click.UsageError(f"--{next(iter(drawing))} needs rates per sample: --beta, or --rates with several rows")
    paradigm = skipping.build(**skipped, preset=own)
    origin = _origin(beta, of_samples, seed) if beta else ()
    results = [
        (target, _answer(target, profile, paradigm, of_samples, drawing, origin, **how))
        for target in loaded
        for profile in options.load_devices(devices)
    ]
    _print(results, form)


def _sample_rates(
    skipped: dict[str, Any],
    rates: Path | None,
    beta: tuple[float, ...] | None,
    masks: Path | None,
    targets: list[Any],
    preset: Paradigm | None,
    drawing: dict[str, Any],
) -> NDArray[Any] | None:
    """Fill in r from a file, a distribution or masks; the rates per sample where there are any."""
    sources = {"--r": skipped["r"], "--rates": rates, "--beta": beta, "--masks": masks}
    if masks:
        sources["--spatial-r"] = skipped["spatial_r"]
    given = [name for name, value in sources.items() if value]
    if len(given) > 1:
        raise click.UsageError(f"{' and '.join(given)} give the rates; keep one")
    if not (rates or beta or masks):
        return None
    if len(targets) != 1 or not isinstance(targets[0], PlacedNetwork):
        raise click.UsageError(f"{given[0]} needs one network: --network NAME")
    network = targets[0]
    if not network.paradigms:
        raise click.UsageError(f"{network.name} is static: nothing of it can be skipped; leave {given[0]} out")
    if masks:
        S = skipping.one_setting("S", skipped["S"])
        skipped["spatial_r"] = _mask_rates(masks, getattr(preset, "S", None) if S is None else S, network)
        return None
    of_samples = _read(rates, network) if rates else _draw(beta or (), network, **drawing)
    if of_samples.ndim == 1:
        skipped["r"] = tuple(of_samples)
        return None
    skipped["r"] = tuple(of_samples.mean(axis=0))
    return of_samples


def _read(path: Path, network: PlacedNetwork) -> NDArray[Any]:
    from latpred.workloads.rates import check_width, read_rates

    rates = read_rates(path)
    check_width(rates, network.blocks_per_stage, str(path))
    return rates


def _draw(beta: tuple[float, ...], network: PlacedNetwork, draws: int | None = None, seed: int = 0) -> NDArray[Any]:
    import numpy as np

    from latpred.studies.distribution import DEFAULT_DRAWS, checked_draws
    from latpred.workloads.rates import beta_rates

    if len(beta) != 2:
        raise click.UsageError("--beta takes a mean and a standard deviation, e.g. 0.5,0.2")
    samples = checked_draws(DEFAULT_DRAWS if draws is None else draws)
    return beta_rates(*beta, samples, len(network.blocks), np.random.default_rng((seed, _BETA_STREAM)))


def _origin(beta: tuple[float, ...], of_samples: Sized | None, seed: int | None) -> tuple[str, ...]:
    """A note on where rates per sample are from."""
    if of_samples is None:
        return ()
    mean, std = beta
    return (
        f"{len(of_samples)} samples drawn from Beta rates of mean {mean:g} and deviation {std:g}, seed {seed or 0}",
    )


def _mask_rates(path: Path, S: Any, network: PlacedNetwork) -> tuple[float, ...]:
    from latpred.workloads.masks import rates_from_masks

    if S is None:
        raise click.UsageError("--masks needs --S, the patch edge at which to count")
    counted = rates_from_masks(path, S=quantities.edges((S,)))
    counted.check(network)
    return counted.for_granularity(S)


def _answer(
    target: Block | AnyNetwork,
    profile: HardwareProfile,
    paradigm: Paradigm,
    of_samples: NDArray[Any] | None,
    drawing: dict[str, Any],
    origin: tuple[str, ...],
    **settings: Any,
) -> tuple[Report, Distribution | None]:
    report = predict_latency(target, profile, paradigm, **settings)
    if of_samples is None or not isinstance(target, PlacedNetwork):
        return report, None
    from latpred.studies.distribution import predict_samples

    report = replace(report, notes=report.notes + origin)
    settings.pop("against", None)
    return report, predict_samples(target, profile, paradigm, of_samples, **drawing, **settings)


def _print(results: list[tuple[Any, tuple[Report, Distribution | None]]], form: str) -> None:
    if form == "json":
        found = [
            report.to_dict() | ({"distribution": spread.to_dict()} if spread else {}) for _, (report, spread) in results
        ]
        output.print_json(found[0] if len(found) == 1 else found)
    elif form == "csv":
        output.print_csv(row for _, (report, _) in results for row in _csv_rows(report))
        output.tell_rivals(report for _, (report, _) in results)
    else:
        from latpred.show import tables as table

        for target, (report, spread) in results:
            rows = table.stage_table(report, target) if isinstance(target, Network) else table.operator_table(report)
            lines = [table.verdict(report), *([table.distribution_text(spread)] if spread else [])]
            output.print_rich(rows, *lines, "")


def _csv_rows(report: Report) -> list[dict[str, Any]]:
    about = {
        "target": report.target,
        "device": report.device,
        "model": report.model,
        "paradigm": str(report.paradigm),
        "batch": report.batch,
        "precision": report.precision,
        "library": report.library,
        "like": report.like,
    }
    return [{**about, **row.to_dict()} for row in report.operators]
