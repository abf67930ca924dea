"""`latpred devices` and `latpred networks`: what there is, and whether your own file is one."""

from __future__ import annotations

from pathlib import Path

import click

from latpred.cli import options, output
from latpred.cli.command import Group
from latpred.devices.catalogue import list_profiles, load_profile, read_profile
from latpred.devices.profile import HardwareProfile
from latpred.devices.transfer import check_chain
from latpred.errors import LatpredError
from latpred.files import check_output
from latpred.units import si
from latpred.workloads.catalogue import AnyNetwork, list_networks, list_presets, load_network, load_preset
from latpred.workloads.networks import Network, save_network


@click.group(cls=Group)
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
        from latpred.show.catalogue_tables import device_table, trust_table

        output.print_rich(device_table(profiles), trust_table(profiles))
    else:
        records = [
            {
                **_parameters(profile),
                "calibrations": profile.calibrated_for if form == "csv" else _calibrations(profile),
                "power_modes": {mode.name: mode.clock_hz for mode in profile.power_modes},
            }
            for profile in profiles
        ]
        _print_records(records, form)


@devices.command("show", short_help="Show a device's parameters, and where each is from.")
@click.argument("name", shell_complete=options.completing(list_profiles, files=True))
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
        from latpred.show.catalogue_tables import profile_remarks, profile_table

        output.print_rich(profile_table(profile), *profile_remarks(profile))


@devices.command("validate", short_help="Check device files, a line for each.")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def validate_devices(files: tuple[Path, ...]) -> None:
    """Check device files: a line for each, good ones on stdout, those with problems on stderr.

    Every problem is named with its field. The exit code is 0 where all files are good, else 1.

    \b
    latpred devices validate mine.yaml
    latpred devices validate mine.yaml other.yaml
    """
    judged = [_judged(file) for file in files]
    if not all(judged):
        raise SystemExit(1)


def _judged(file: Path) -> bool:
    """Whether a device file is good, after it was said."""
    try:
        profile = read_profile(file)
        check_chain(profile)
    except LatpredError as problem:
        output.print_error(str(problem))
        return False
    peak, bandwidth = si(2 * profile.fp32_peak_macs, "FLOP/s"), si(profile.dram_bandwidth, "B/s")
    click.echo(f"{file}: ok: {profile.name}, {peak} FP32, {bandwidth} off-chip")
    return True


def _parameters(profile: HardwareProfile) -> dict[str, object]:
    return profile.model_dump(mode="json", exclude={"sources", "datasheet", "peaks", "calibrations", "power_modes"})


def _calibrations(profile: HardwareProfile) -> list[dict[str, object]]:
    """What the calibrated model knows on a device, and how good it is on shapes left out of the fit."""
    return [
        {
            "precision": found.precision,
            "library": found.library,
            "of": found.of,
            "batches": list(found.batches),
            "rows": found.provenance.rows,
            "median_errors": {error.name: error.median_error for error in found.errors},
            "published_error": found.published_error,
        }
        for found in profile.calibrations
    ]


def _print_records(records: list[dict[str, object]], form: str) -> None:
    if form == "json":
        output.print_json(records)
    else:
        output.print_csv(records)


@click.group(cls=Group)
def networks() -> None:
    """List and show networks, and read them from models.

    \b
    latpred networks list
    latpred networks show resnet50
    latpred networks read timm:resnet50d -o mine.yaml
    """


@networks.command("list", short_help="List the networks that latpred knows.")
@options.format_option
def list_all_networks(form: str) -> None:
    """List the networks that latpred knows; blocks are <network>-stage<k> and <network>-stage<k>-first.

    \b
    latpred networks list
    """
    known = [load_network(name) for name in list_networks()]
    if form == "table":
        from latpred.show.catalogue_tables import presets_table
        from latpred.show.network_tables import networks_tables

        presets = {preset.method: preset for preset, _ in map(load_preset, list_presets())}
        blocks = "MACs: with stem and head. Blocks: <network>-stage<k>, and <network>-stage<k>-first"
        output.print_rich(*networks_tables(known), blocks, "", presets_table(presets.values()))
    else:
        records = [_network_record(network) for network in known]
        for name in list_presets():
            preset, network = load_preset(name)
            records.append({**_network_record(network), "network": name, "title": preset.title, "kind": "preset"})
        _print_records(records, form)


def _network_record(network: AnyNetwork) -> dict[str, object]:
    return {
        "network": network.name,
        "title": network.title,
        "kind": network.kind,
        "aliases": list(network.aliases),
        "blocks": network.blocks_per_stage,
        "maps": [list(size) for size in network.maps],
        "paradigms": list(network.paradigms),
    }


@networks.command("show")
@click.argument("name", shell_complete=options.completing(lambda: [*list_networks(), *list_presets()], files=True))
@options.image_size_option
@options.format_option
def show_network(name: str, image_size: tuple[int, int] | None, form: str) -> None:
    """Show a network's stages, or a published dynamic network's method.

    \b
    latpred networks show resnet50 --image-size 800x1333
    latpred networks show dynconv-resnet101
    """
    if name.lower() in list_presets():
        preset, network = load_preset(name, image_size)
        about = f"{preset.title}: {preset.source}\nassumed: {preset.assumed}"
    else:
        network = load_network(name, image_size)
        about = f"source: {network.source or 'not given'}"
    _print_network(network, form, about)


@networks.command("read")
@click.argument("source")
@click.option("-o", "--output", "file", type=click.Path(path_type=Path), help="Write the network to this YAML file.")
@options.image_size_option
@click.option("--name", metavar="NAME", help="What the network is called; default: as its model.")
@click.option("--strict", is_flag=True, help="Refuse a model with operations that are not understood.")
@options.format_option
def read_network(
    source: str, file: Path | None, image_size: tuple[int, int] | None, name: str | None, strict: bool, form: str
) -> None:
    """Read a network from a PyTorch or ONNX model.

    SOURCE is model.onnx, timm:NAME, torchvision:NAME, or package.module:function, a function of yours that makes a
    torch.nn.Module. No weights are downloaded. The file that is written can be edited, and given wherever a network's
    name is.

    \b
    latpred networks read timm:resnet50d -o mine.yaml
    latpred networks read mypackage.models:make --image-size 320 -o mine.yaml
    """
    from latpred.workloads.reading.sources import read

    if file is not None:
        check_output(file, (".yaml", ".yml"), "a network")
    network = read(source, image_size, name, strict=strict)
    _print_network(network, form, f"read from {network.source}")
    if file is not None:
        save_network(network, file)
        click.echo(f"{file}: written", err=True)


def _print_network(network: AnyNetwork, form: str, about: str) -> None:
    """The stages, why blocks of them cannot skip, and a line of its own."""
    if form != "table":
        _print_records(_shape_rows(network), form)
    else:
        from latpred.show.network_tables import network_table, reasons

        output.print_rich(network_table(network), *reasons(network), about)


def _shape_rows(network: AnyNetwork) -> list[dict[str, object]]:
    """A row per stage, or one of a transformer."""
    if not isinstance(network, Network):
        return [network.model_dump(mode="json", exclude={"title", "source", "aliases"})]
    return [{"network": network.name, **row} for row in network.to_frame().to_dict("records")]
