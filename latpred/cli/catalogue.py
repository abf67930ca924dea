"""`latpred devices` and `latpred networks`: what there is, and whether your own file is one."""

from __future__ import annotations

from pathlib import Path

import click

from latpred.cli import options, output
from latpred.networks import Network, list_networks, load_network
from latpred.profile import HardwareProfile, list_profiles, load_profile
from latpred.units import si


@click.group()
def devices() -> None:
    """List, show and check device profiles.

    \b
    latpred devices list
    latpred devices show v100
    latpred devices validate mine.yaml
    """


@devices.command("list")
@options.format_option
def list_devices(form: str) -> None:
    """List the devices that latpred knows.

    \b
    latpred devices list
    """
    profiles = [load_profile(name) for name in list_profiles()]
    if form == "table":
        from latpred.table import device_table

        output.print_rich(device_table(profiles))
    else:
        _print_records([_parameters(profile) for profile in profiles], form)


@devices.command("show")
@click.argument("name")
@options.format_option
def show_device(name: str, form: str) -> None:
    """Show a device's parameters, the data sheet's values beside them, and where each is from.

    \b
    latpred devices show v100
    """
    profile = load_profile(name)
    if form == "json":
        output.print_json(profile.model_dump(mode="json"))
    elif form == "csv":
        output.print_csv([_parameters(profile)])
    else:
        from latpred.table import profile_table

        output.print_rich(profile_table(profile))
        if profile.datasheet:
            output.print_rich(f"data sheet: {profile.datasheet.source}")


@devices.command("validate")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def validate_devices(files: tuple[Path, ...]) -> None:
    """Check device files; every problem is named with file and field.

    \b
    latpred devices validate mine.yaml
    """
    for file in files:
        profile = load_profile(file)
        peak, bandwidth = si(2 * profile.fp32_peak_macs, "FLOP/s"), si(profile.dram_bandwidth, "B/s")
        click.echo(f"{file}: ok: {profile.name}, {peak} FP32, {bandwidth} off-chip")


def _parameters(profile: HardwareProfile) -> dict[str, object]:
    return profile.model_dump(mode="json", exclude={"sources", "datasheet"})


def _print_records(records: list[dict[str, object]], form: str) -> None:
    if form == "json":
        output.print_json(records)
    else:
        output.print_csv(records)


@click.group()
def networks() -> None:
    """List and show networks.

    \b
    latpred networks list
    latpred networks show resnet50
    """


@networks.command("list")
@options.format_option
def list_all_networks(form: str) -> None:
    """List the networks that latpred knows; blocks are <network>-stage<k> and <network>-stage<k>-first.

    \b
    latpred networks list
    """
    known = [load_network(name) for name in list_networks()]
    if form == "table":
        from latpred.table import networks_table

        output.print_rich(networks_table(known), "Blocks: <network>-stage<k>, and <network>-stage<k>-first")
    else:
        _print_records([row for network in known for row in _stage_rows(network)], form)


@networks.command("show")
@click.argument("name")
@options.image_size_option
@options.format_option
def show_network(name: str, image_size: tuple[int, int] | None, form: str) -> None:
    """Show a network's stages.

    \b
    latpred networks show resnet50 --image-size 800x1333
    """
    network = load_network(name, image_size)
    if form == "table":
        from latpred.table import network_table

        output.print_rich(network_table(network), f"source: {network.source or 'not given'}")
    else:
        _print_records(_stage_rows(network), form)


def _stage_rows(network: Network) -> list[dict[str, object]]:
    return [
        {"network": network.name, "stage": number, "height": height, "width": width, **stage.model_dump()}
        for number, (stage, (height, width)) in enumerate(zip(network.stages, network.maps, strict=True), start=1)
    ]
