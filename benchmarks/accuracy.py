"""Write docs/accuracy.md and its pictures from the shipped measurements and devices: python benchmarks/accuracy.py."""

from pathlib import Path
from statistics import mean

import latpred
from latpred.measuring.measurements import read_measurements
from latpred.measuring.validation import validate
from latpred.show.canvas import save
from latpred.show.validation_plots import rate_curves, scatter

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FITTED, HELD_OUT, ELSEWHERE = (
    ROOT / "measurements" / name for name in ("h200.csv.gz", "h200_held_out.csv.gz", "h100_held_out.csv.gz")
)
PRECISIONS = ("fp32", "tf32", "fp16")
#: Metric → what it is, and the most it may be in FP32, TF32 and FP16.
TARGETS = {
    "mape": ("H200 blocks, mean error", (0.05, 0.05, 0.07)),
    "p90_ape": ("H200 blocks, 90th percentile of the error", (0.18, 0.18, 0.18)),
    "ratio_mae": ("error of rℓ, mean absolute", (0.05, 0.05, 0.05)),
    "granularity_regret_p95": ("regret of the recommended S, 95th percentile", (0.05, 0.05, 0.05)),
}
CHANNEL_TARGETS = (0.08, 0.06, 0.08)


def shown(value, plain=False):
    return "–" if value is None else f"{value:.3f}" if plain else f"{value:.1%}"


def most(limits, plain=False):
    """A limit for all precisions, or one for each."""
    return " / ".join(shown(limit, plain) for limit in (limits[:1] if len(set(limits)) == 1 else limits))


def answers(found, v100):
    """The numbers of the page's first lines, each by its name in the template."""
    exact = [found[p]["calibrated"] for p in PRECISIONS]
    published = found["fp32"]["published"].blocks
    medians = [v100.calibration(p, "tensorrt").error_of("operators").median_error for p in ("fp32", "fp16")]
    return {
        "mean_errors": " / ".join(shown(item.blocks.mape) for item in exact),
        "ratio_errors": " / ".join(shown(item.blocks.ratio_mae, True) for item in exact),
        "channel_ratio_errors": " / ".join(shown(item.by_class["channel"].ratio_mae, True) for item in exact),
        "regrets": " / ".join(shown(item.blocks.granularity_regret_p95) for item in exact),
        "coverages": " / ".join(shown(item.blocks.band_coverage) for item in exact),
        "tensorrt_medians": " / ".join(shown(value) for value in medians),
        "published_mean": shown(published.mape),
        "published_median": shown(published.median_ape),
        "published_ratio": shown(published.ratio_mae, True),
        "published_regret": shown(published.granularity_regret_p95),
    }


def target_table(found):
    yield "| on blocks of shapes never fitted | " + " | ".join(PRECISIONS) + " | target |"
    yield "|---|" + "---|" * (len(PRECISIONS) + 1)
    channel = [shown(found[p]["calibrated"].by_class["channel"].mape) for p in PRECISIONS]
    for field, (name, limits) in TARGETS.items():
        plain = field == "ratio_mae"
        values = [shown(getattr(found[p]["calibrated"].blocks, field), plain) for p in PRECISIONS]
        yield f"| {name} | {' | '.join(values)} | ≤ {most(limits, plain)} |"
        if field == "mape":
            yield f"| of these with channel skipping | {' | '.join(channel)} | ≤ {most(CHANNEL_TARGETS)} |"
    for kind in ("spatial", "channel", "layer"):
        values = [shown(found[p]["calibrated"].by_class[kind].ratio_mae, True) for p in PRECISIONS]
        yield f"| error of rℓ, {kind} only | {' | '.join(values)} | |"
    covered = [shown(found[p]["calibrated"].blocks.band_coverage) for p in PRECISIONS]
    yield f"| share inside the 80 % band | {' | '.join(covered)} | 70–95 % |"
    h200 = latpred.load_profile("h200")
    medians = [shown(h200.calibration(p).error_of("operators").median_error) for p in PRECISIONS]
    yield f"| operators, median error (shapes left out in turn) | {' | '.join(medians)} | ≤ 8.0% |"


def carried_table(rows, h100):
    """Blocks on an H100 by what was fitted on the H200, and by the published model."""
    kinds = ("static", "spatial", "channel", "layer")
    yield "| blocks on an H100 | precision | rows | mean | p90 | bias | rℓ | " + " | ".join(kinds) + " | in band |"
    yield "|---|---|---|---|---|---|---|" + "---|" * (len(kinds) + 1)
    ways = {"peaks measured": h100, "data sheet alone": h100.replace(peaks=None)}
    judged = [(way, "calibrated", device, precision) for way, device in ways.items() for precision in PRECISIONS]
    for way, model, device, precision in [*judged, ("published model", "published", h100, "fp32")]:
        (item,) = validate(rows, device, [model], precision=precision)
        m = item.blocks
        cells = [shown(value) for value in (m.mape, m.p90_ape, m.bias)] + [shown(m.ratio_mae, True)]
        cells += [*(shown(item.by_class[kind].mape) for kind in kinds), shown(m.band_coverage)]
        yield f"| {way} | {precision} | {m.n} | {' | '.join(cells)} |"


def carried_errors(rows, device):
    """Mean errors in every precision, in a line."""
    found = [validate(rows, device, ["calibrated"], precision=precision)[0].blocks.mape for precision in PRECISIONS]
    return " / ".join(map(shown, found))


def group_table(found):
    sizes = (1, 2, 4, 8, 16)
    yield "| mean error at G | " + " | ".join(map(str, sizes)) + " |"
    yield "|---|" + "---|" * len(sizes)
    for precision in PRECISIONS:
        items = found[precision]["calibrated"].predictions
        chosen = [item for item in items if item.measurement.kind == "channel"]
        means = [mean([abs(item.error) for item in chosen if item.measurement.paradigm.G == G]) for G in sizes]
        yield f"| {precision} | {' | '.join(map(shown, means))} |"


def model_table(found):
    yield "| precision | model | rows | mean | median | p90 | bias | Spearman | rℓ | regret p95 | in band |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    for precision in PRECISIONS:
        for name, item in found[precision].items():
            m = item.blocks
            if m.n:
                cells = [shown(value) for value in (m.mape, m.median_ape, m.p90_ape, m.bias)]
                cells += [shown(m.spearman, True), shown(m.ratio_mae, True)]
                cells += [shown(m.granularity_regret_p95), shown(m.band_coverage)]
                yield f"| {precision} | {name} | {m.n} | {' | '.join(cells)} |"


def of_operators(profile, library):
    return [item for item in profile.calibrations if (item.library, item.of) == (library, "operators")]


def class_table(profile, library):
    found = of_operators(profile, library)
    names = list(dict.fromkeys(error.name for item in found for error in item.errors))
    yield "| class | " + " | ".join(f"{item.precision}: rows, median, mean" for item in found) + " |"
    yield "|---|" + "---|" * len(found)
    for name in names:
        cells = []
        for item in found:
            error = item.error_of(name)
            cells.append(f"{error.n}, {error.median_error:.1%}, {error.mean_error:.1%}" if error else "–")
        yield f"| {name} | {' | '.join(cells)} |"


def number_table(profile, library):
    found = of_operators(profile, library)
    names = list(dict.fromkeys(number.name for item in found for number in item.numbers))
    yield "| number | " + " | ".join(item.precision for item in found) + " |"
    yield "|---|" + "---|" * len(found)
    for name in names:
        values = [{number.name: number.value for number in item.numbers}.get(name) for item in found]
        yield f"| {name} | {' | '.join('–' if value is None else f'{value:.3g}' for value in values)} |"


def filled(template, **parts):
    for name, part in parts.items():
        template = template.replace(f"{{{{{name}}}}}", part if isinstance(part, str) else "\n".join(part))
    return template


if __name__ == "__main__":
    h200, h100, v100 = map(latpred.load_profile, ("h200", "h100", "v100"))
    rows, elsewhere = read_measurements(HELD_OUT), read_measurements(ELSEWHERE)
    found = {
        precision: {item.model: item for item in validate([row for row in rows if row.precision == precision], h200)}
        for precision in PRECISIONS
    }
    everything = validate(rows, h200, ["published", "calibrated"])
    save(scatter(everything), DOCS / "images" / "accuracy-scatter.png")
    some = [row for row in read_measurements(FITTED) if row.precision == "fp16" and row.batch in (1, 128)]
    save(rate_curves(validate(some, h200, ["calibrated"], library="triton")), DOCS / "images" / "accuracy-rates.png")
    origin = h200.calibrations[0].provenance
    text = filled(
        (ROOT / "benchmarks" / "accuracy.template.md").read_text(encoding="utf-8"),
        **answers(found, v100),
        targets=target_table(found),
        groups=group_table(found),
        carried=carried_table(elsewhere, h100),
        carried_errors=carried_errors(elsewhere, h100),
        stated_errors=carried_errors(elsewhere, h100.replace(peaks=None)),
        models=model_table(found),
        classes=class_table(h200, "triton"),
        numbers=number_table(h200, "triton"),
        tensorrt=class_table(v100, "tensorrt"),
        tensorrt_numbers=number_table(v100, "tensorrt"),
        measured_with=origin.measured_with,
        fitted_rows=str(sum(item.provenance.rows for item in of_operators(h200, "triton"))),
        libraries=(ROOT / "benchmarks" / "libraries.md").read_text(encoding="utf-8").strip(),
        held_rows=str(len(rows)),
        data=origin.data_sha256,
    )
    (DOCS / "accuracy.md").write_text(text, encoding="utf-8")
