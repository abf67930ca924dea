"""One self-contained HTML file that answers for a network on some devices: its tables are computed here, not there."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latpred.errors import InputError
from latpred.files import check_output, whole_file
from latpred.studies.recommendation import recommended
from latpred.studies.stage_curves import NetworkCurves, ParadigmCurves, StageCurve

ASSETS = Path(__file__).parent / "assets"
#: A page that is mailed and opened on a phone is no larger [bytes].
MOST_BYTES = 2_000_000
#: Tables at every rate of the slider, or at every second or fourth of them where the page were too large.
THINNINGS = (1, 2, 4)
#: What is skipped, in words.
WORDS = {
    "spatial": "pixels (patches)",
    "channel": "channels",
    "layer": "layers",
    "token": "tokens",
    "head": "heads",
}
#: The rate at which the granularities that a page starts with are recommended.
RECOMMENDED_AT = 0.5


def write_page(found: Sequence[NetworkCurves], path: Path, *, budget_s: float | None = None) -> None:
    """Write the page of a network's curves on one device or several.

    Parameters
    ----------
    found
        The curves of one network, per device.
    budget_s
        A latency that the page draws as a line, until another is typed [s].

    Raises
    ------
    InputError
        Curves that make a page of more than 2 MB.
    OutputError
        A file that cannot be written.
    """
    check_output(path, (".html", ".htm"), "a page")
    text = page(found, budget_s=budget_s)
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def page(found: Sequence[NetworkCurves], *, budget_s: float | None = None) -> str:
    """The page's HTML."""
    for thinning in THINNINGS:
        text = _html(found, thinning, budget_s)
        if len(text.encode()) <= MOST_BYTES:
            return text
    raise InputError(
        f"the page would have {len(text.encode()) / 1e6:.1f} MB; give fewer devices, or fewer paradigms with --paradigm"
    )


def _html(found: Sequence[NetworkCurves], thinning: int, budget_s: float | None) -> str:
    network: Any = found[0].asked.of
    data = {
        "devices": [_device(curves, thinning) for curves in found],
        "stages": [
            {"map": f"{height}×{width}", "blocks": blocks}
            for (height, width), blocks in zip(network.maps, network.blocks_per_stage, strict=True)
        ],
        "budget_ms": None if budget_s is None else budget_s * 1e3,
        "notes": [_interpolation(found, thinning)],
    }
    heading = f"{found[0].title}, images of {'×'.join(map(str, network.image_size))}"
    parts = {
        "title": escape(f"{found[0].title}: latency"),
        "heading": escape(heading),
        "style": _asset("uplot.css") + _asset("page.css"),
        "made": "Made by latpred. Tables computed beforehand; no network is used.",
        # No text inside a script may end it.
        "data": json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("</", "<\\/"),
        "uplot": _asset("uplot.js"),
        "script": _asset("page.js"),
    }
    template = _asset("page.html")
    pieces = template.split("{{")
    filled = (parts[name] + rest for name, _, rest in (piece.partition("}}") for piece in pieces[1:]))
    return pieces[0] + "".join(filled)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _device(found: NetworkCurves, thinning: int) -> dict[str, Any]:
    asked = found.asked
    stages = [sum(float(part.latency_s[0]) for part in curve.parts) for curve in found.static]
    macs = [sum(float(part.macs[0]) for part in curve.parts) for curve in found.static]
    return {
        "name": asked.profile.name,
        "title": f"{asked.profile.title or asked.profile.name}, batch {asked.batch}",
        "about": asked.cost_model.about,
        "notes": list(found.notes),
        "static_stages_s": stages,
        "static_latency_s": sum(stages) + sum(float(part.latency_s[0]) for part in found.around),
        "static_macs": sum(macs) + sum(float(part.macs[0]) for part in found.around),
        "around": [
            {"name": part.name, "latency_s": float(part.latency_s[0]), "macs": float(part.macs[0])}
            for part in found.around
        ],
        "paradigms": [_paradigm(found, curves, thinning) for curves in found.paradigms],
    }


def _paradigm(found: NetworkCurves, curves: ParadigmCurves, thinning: int) -> dict[str, Any]:
    # Few rates are kept whole: thinned, their last might not be 1.
    thinning = thinning if (len(curves.rates) - 1) % thinning == 0 else 1
    rates = curves.rates[::thinning]
    stages: dict[int, list[dict[str, Any]]] = {}
    start = _recommended(found, curves)
    for curve in curves.curves:
        recommended_here = curve.granularity == start[curve.stage - 1]
        stages.setdefault(curve.stage, []).append(_curve(curve, thinning, recommended_here, curves.band is not None))
    return {
        "name": curves.name,
        "words": WORDS[curves.name],
        "symbol": curves.symbol,
        "first": float(rates[0]),
        "step": float(rates[1] - rates[0]),
        "slider": float(curves.rates[1] - curves.rates[0]),
        "count": len(rates),
        "band": curves.band,
        "stages": [stages[number] for number in sorted(stages)],
    }


def _recommended(found: NetworkCurves, curves: ParadigmCurves) -> list[int]:
    """The granularities that a page starts with."""
    if curves.symbol is None:
        return [0] * len(found.static)
    try:
        return list(recommended(found.asked, RECOMMENDED_AT, paradigm=curves.name).choice)
    except InputError:  # the model does not know every granularity that is tried
        firsts = {curve.stage: curve.granularity for curve in reversed(curves.curves)}
        return [firsts[number] for number in sorted(firsts)]


def _curve(curve: StageCurve, thinning: int, is_start: bool, has_band: bool) -> dict[str, Any]:
    macs = np.sum([part.macs for part in curve.parts], axis=0)
    return {
        "granularity": curve.granularity,
        **({"recommended": True} if is_start else {}),
        "parts": [{"name": part.name, "latency_s": _coded(part.latency_s[::thinning])} for part in curve.parts],
        "macs": _coded(macs[::thinning]),
        **({"squares_s2": _coded(curve.squares_s2[::thinning])} if has_band else {}),
    }


def _coded(values: NDArray[np.float64]) -> float | str:
    """Numbers at every rate: one for all of them, or base64 of little-endian 32-bit floats."""
    if np.ptp(values) <= 1e-12 * np.max(values):
        return float(values[0])
    return b64encode(values.astype("<f4").tobytes()).decode("ascii")


def _interpolation(found: Sequence[NetworkCurves], thinning: int) -> str:
    """What lies between the rates that were computed, and how far off it is."""
    if thinning == 1:
        return "Every rate of the slider was computed beforehand; nothing is interpolated."
    error = max(_errors(found, thinning))
    return (
        f"One of {thinning} rates of the slider was computed beforehand; between them a stage's time is interpolated, "
        f"off by {error:.2%} at most."
    )


def _errors(found: Sequence[NetworkCurves], thinning: int) -> Iterator[float]:
    """Largest relative errors of the stages' curves between the rates that are kept."""
    for curves in (each for one in found for each in one.paradigms):
        step = thinning if (len(curves.rates) - 1) % thinning == 0 else 1
        for curve in curves.curves:
            exact = np.sum([part.latency_s for part in curve.parts], axis=0)
            kept = np.interp(curves.rates, curves.rates[::step], exact[::step])
            yield float(np.max(np.abs(kept / exact - 1)))
