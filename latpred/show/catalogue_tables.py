"""Devices, networks, published dynamic networks and masks as rich tables."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from latpred.devices.profile import HardwareProfile
from latpred.show.layout import FittedTable, new_table
from latpred.units import seconds, si
from latpred.workloads.catalogue import Preset
from latpred.workloads.masks import MaskRates


def device_table(profiles: Iterable[HardwareProfile]) -> FittedTable:
    """A row per device."""
    columns = ("device", "title", "PEs", "lanes", "clock", "FP32 peak", "off-chip", "L2", "kernel", "batch")
    table = new_table("Devices", columns, left=2, gives_way=("L2", "lanes", "kernel", "clock"))
    for profile in profiles:
        table.add_row(
            profile.name,
            profile.title,
            str(profile.pes),
            str(profile.fp32_lanes_per_pe),
            si(profile.clock_hz, "Hz"),
            si(2 * profile.fp32_peak_macs, "FLOP/s"),
            si(profile.dram_bandwidth, "B/s"),
            f"{profile.l2_bandwidth_ratio:g}×",
            seconds(profile.kernel_s),
            str(profile.default_batch),
        )
    return table


def trust_table(profiles: Iterable[HardwareProfile]) -> FittedTable:
    """A row per device: where its parameters are from, and what the calibrated model knows there.

    Measured were networks, blocks or operators, by which what is carried over from another device was judged, too; or
    nothing but peaks.
    """
    columns = ("device", "parameters", "calibrated for", "measured", "median error")
    table = new_table("What was validated and calibrated", columns, left=4)
    for profile in profiles:
        kinds = dict.fromkeys((item.library, item.of) for item in profile.calibrations)
        rows = [_calibrated(profile, *kind) for kind in sorted(kinds)]
        if profile.calibrate_like:
            rows += _carried_over(profile)
        rows = rows or [("", "never", "")]
        for index, cells in enumerate(rows):
            about = (profile.name, "validated" if profile.validated else "data sheet") if index == 0 else ("", "")
            table.add_row(*about, *cells)
    return table


def _carried_over(profile: HardwareProfile) -> list[tuple[str, str, str]]:
    """From where, and by what that was judged, with the errors: a row for each kind."""
    source = f"carried over from {profile.calibrate_like}"
    errors: dict[str, list[float]] = {}
    for one in profile.judged:
        errors.setdefault(one.of, []).append(one.median_error)
    judged = [(source, kind, _spread(found)) for kind, found in sorted(errors.items())]
    return judged or [(source, "peaks" if profile.peaks else "never", "")]


def _calibrated(profile: HardwareProfile, library: str, of: str) -> tuple[str, str, str]:
    """The precisions of a library's calibrations, what was measured, and the errors."""
    items = [item for item in profile.calibrations if (item.library, item.of) == (library, of)]
    precisions = ", ".join(sorted(item.precision for item in items))
    kinds = ("networks", "blocks", "operators")
    kind = next(kind for kind in kinds if any(item.error_of(kind) for item in items))
    errors = (error.median_error for item in items if (error := item.error_of(kind)))
    return f"{precisions} with {library}", kind, _spread(errors)


def _spread(errors: Iterable[float]) -> str:
    """From the least to the most."""
    shown = [f"{error:.1%}" for error in sorted(errors)]
    return "–".join(dict.fromkeys([*shown[:1], *shown[-1:]]))


#: Units of a profile's fields, where they have one.
_FIELD_UNITS = {
    "clock_hz": "Hz",
    "dram_bandwidth": "B/s",
    "kernel_s": "s",
    "l2_bytes": "B",
    "l2_bandwidth": "B/s",
    "fp32_peak_flops": "FLOP/s",
    "fp16_lane_peak_flops": "FLOP/s",
    "fp16_tensor_peak_flops": "FLOP/s",
    "tf32_tensor_peak_flops": "FLOP/s",
}


def profile_table(profile: HardwareProfile) -> FittedTable:
    """A row per parameter: its value, the data sheet's where it is known, and the source."""
    sources = {source.field: source.text for source in profile.sources}
    sheet = profile.datasheet.model_dump(exclude={"source"}, exclude_none=True) if profile.datasheet else {}
    columns = ("parameter", "value", "data sheet", "source")
    table = new_table(f"{profile.name} {profile.title}".rstrip(), columns, texts=("source",))
    parameters = profile.model_dump(
        exclude={
            *("name", "title", "sources", "datasheet", "validated", "peaks", "calibrations"),
            *("calibrate_like", "judged", "power_modes"),
        }
    )
    for field in dict.fromkeys((*parameters, *sheet)):
        cells = [_field_text(field, values[field]) if field in values else "" for values in (parameters, sheet)]
        table.add_row(field, *cells, sources.get(field, ""))
    return table


def profile_remarks(profile: HardwareProfile) -> list[str]:
    """What is said of a device below its parameters, a line each."""
    sources = {source.field: source.text for source in profile.sources}
    modes = [f"{profile.name}@{mode.name} {si(mode.clock_hz, 'Hz')}" for mode in profile.power_modes]
    remarks = {
        "data sheet": profile.stated.source,
        "power modes": "; ".join(filter(None, (", ".join(modes), sources.get("power_modes")))),
        "peaks measured": profile.peaks.source if profile.peaks else "",
        "calibrated for": profile.calibrated_for,
        "calibrated like": profile.calibrate_like,
    }
    judged = [
        f"carried over from {one.like}: {one.precision} with {one.library}, median error {one.median_error:.1%} on "
        f"{one.rows:,} {one.of}{f' at batch {one.batch}' if one.batch else ''} ({one.source})"
        for one in profile.judged
    ]
    return [*(f"{name}: {text}" for name, text in remarks.items() if text), *judged]


def _field_text(field: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if field.endswith("tensor_peak_flops") and not value:
        return "none"
    return si(value, _FIELD_UNITS[field]) if field in _FIELD_UNITS else f"{value:g}"


def mask_table(found: MaskRates) -> FittedTable:
    """A row per patch edge, a column per stage."""
    maps = [f"stage {number}, {height}×{width}" for number, (height, width) in enumerate(found.maps, start=1)]
    table = new_table(f"Share of patches with an active pixel, {found.samples} samples", ("S", *maps))
    for S in sorted({S for rates in found.rates for S in rates}):
        table.add_row(str(S), *(f"{rates[S]:.4f}" if S in rates else "" for rates in found.rates))
    return table


def presets_table(presets: Iterable[Preset]) -> FittedTable:
    """A row per published method."""
    columns = ("method", "title", "paradigm", "networks")
    table = new_table("Published dynamic networks: <method>-<network>", columns, left=4)
    for preset in presets:
        networks = ", ".join(preset.networks)
        table.add_row(preset.method, preset.title, preset.paradigm.text(rates=False, whole=True), networks)
    return table
