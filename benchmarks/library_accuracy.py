"""Write the tables of docs/accuracy.md on static networks of PyTorch and TensorRT, a section for every device.

    pip install timm torchvision
    python benchmarks/library_accuracy.py public_networks.csv
    python benchmarks/accuracy.py

Public measurements are not part of latpred, so the tables are kept in benchmarks/libraries.md, which the second command
takes into the page.
"""

import sys
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import latpred
from latpred.errors import DataError
from latpred.measuring.judging import validate_networks
from latpred.measuring.networks import check_models, read_networks

ROOT = Path(__file__).parents[1]
OWN = [ROOT / "measurements" / f"{device}_pytorch_networks.csv" for device in ("h100", "h200")]
#: Copies and slips in the public rows, which are left out: docs/accuracy.md says what is wrong with each.
COPIES = {("rtx3090", "timm:ecaresnext50t_32x4d")}
#: EfficientNet-B4 of NVIDIA's examples, whose recipe takes 380 pixels where the rows say 224.
RECIPE = ("NVIDIA/DeepLearningExamples", "torchvision:efficientnet_b4", 224, 380)
HEAD = (
    "| what | measured by | rows | mean error | median | bias | in band | |",
    "|---|---|---|---|---|---|---|---|",
)


def who(source):
    """The first word of a source: whose measurement it is."""
    return source.split()[0].strip(",:").removesuffix("'s") if source else "latpred"


def corrected(row):
    """A row with the image size of its source's recipe."""
    by, model, said, size = RECIPE
    return replace(row, image_size=size) if (who(row.source), row.model, row.image_size) == (by, model, said) else row


def line(what, by, metrics, role):
    cells = [f"{metrics.mape:.1%}", f"{metrics.median_ape:.1%}", f"{metrics.bias:+.1%}"]
    band = "–" if metrics.band_coverage is None else f"{metrics.band_coverage:.0%}"
    return f"| {what} | {by} | {metrics.n} | {' | '.join(cells)} | {band} | {role} |"


def fitted_lines(profile):
    """What the device is calibrated for, with the errors on what was left out of the fit in turn."""
    for item in profile.calibrations:
        kinds = ("networks",) if item.of == "networks" else ("blocks", "operators")
        for kind in kinds:
            error = item.error_of(kind)
            if error and error.name == kind:
                left = "families" if kind == "networks" else "shapes"
                about = (f"{item.precision} with {item.library}, {kind}", who(item.provenance.source), f"{error.n:,}")
                cells = (*about, f"{error.mean_error:.1%}", f"{error.median_error:.1%}", "–", "–")
                yield f"| {' | '.join(cells)} | fitted; {left} left out in turn |"


def judged_lines(profile, rows):
    """Whole networks as the shipped device predicts them, by whom they were measured."""
    fits = [(item.precision, item.library, item.provenance.source) for item in profile.calibrations]
    for (by, batch), group in groupby(sorted(rows, key=kind_of), key=kind_of):
        for item in validate_networks(list(group), profile):
            if item.predictions:
                about = (item.precision, item.library)
                seen = any(about == fit[:2] and by in fit[2] for fit in fits)
                role = "as fitted" if seen else f"judged alone{carried(profile, item.predictions[0].measurement)}"
                at = f", batch {batch}" if batch else ""
                yield line(f"{item.precision} with {item.library}, networks{at}", by, item.networks, role)


def kind_of(row):
    """By whom it was measured, and the batch where the host decides at some."""
    return who(row.source), row.batch if row.device in ("h100", "h200") else 0


def carried(profile, row):
    """Whose numbers a row is predicted with, where those of another device."""
    found = latpred.predict(row.network, profile, batch=1, model="calibrated", **asked(row)).like
    return f", carried over from {found}" if found else ""


def asked(row):
    return {"precision": row.precision, "library": row.library}


def left_out_lines(profile, rows):
    """The same with the device left out: with the numbers of those that it is calibrated like, where there are any."""
    if not profile.calibrate_like:
        return
    bare = profile.replace(calibrations=())
    kinds = {(item.precision, item.library) for item in profile.calibrations}
    chosen = [row for row in rows if (row.precision, row.library) in kinds]
    for how, group in groupby(sorted(chosen, key=lambda row: (row.precision, row.library)), key=asked):
        members = list(group)
        what = f"{how['precision']} with {how['library']}, networks"
        try:
            (item,) = validate_networks(members, bare)
            yield line(what, "all of these", item.networks, f"device left out{carried(bare, members[0])}")
        except DataError:
            yield f"| {what} | all of these | {len(members)} | – | – | – | – | device left out: nothing to carry over |"


def sections(rows):
    for name in latpred.list_profiles():
        profile = latpred.load_profile(name)
        own = [row for row in rows if row.device == name]
        yield f"### {profile.title} (`{name}`)\n"
        lines = [*fitted_lines(profile), *judged_lines(profile, own), *left_out_lines(profile, own)]
        yield from (*HEAD, *lines) if lines else ("Nothing measured here is known; predictions are carried over.",)
        yield ""


def main(paths):
    rows = []
    for path in [*paths, *OWN]:
        found = [corrected(row) for row in read_networks(path)]
        check_models(found, path)
        rows += [row for row in found if (row.device, row.model) not in COPIES]
    (ROOT / "benchmarks" / "libraries.md").write_text("\n".join(sections(rows)).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(list(map(Path, sys.argv[1:])))
