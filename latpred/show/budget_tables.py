"""What fits into a latency, as a table and sentences."""

from __future__ import annotations

from latpred.report import Report, kernels_in_words
from latpred.show.layout import FittedTable, new_table
from latpred.studies.budget.answer import Budget, Option
from latpred.units import number, seconds, with_band
from latpred.workloads.paradigms import spelled


def budget_table(answer: Budget, images_per_second: bool = False) -> FittedTable:
    """A row per option, the most multiply-adds first, then the target without skipping; a latency for each device."""
    on = (answer, *answer.elsewhere)
    what = "images/s" if images_per_second else "latency"
    figures = [what] if len(on) == 1 else [f"{what} on {one.device}" for one in on]
    batches = {option.batch for option in (*answer.options, answer.static)}
    columns = ("paradigm", "r", "MACs kept", *(["batch"] if len(batches) > 1 else []), *figures)
    columns += ("rℓ",) if len(on) == 1 else ()
    per_stage = any(isinstance(option.r, tuple) for option in answer.options)
    table = new_table(_title(answer, batches), columns, texts=("r",) if per_stage else (), gives_way=("rℓ",))
    for number_of, option in enumerate(answer.options):
        beside = [one.options[number_of] for one in on]
        rate = spelled(option.r) if per_stage else f"{option.r:.2f}"
        table.add_row(option.paradigm.text(rates=False), rate, *_cells(beside, batches, images_per_second))
    table.add_section()
    table.add_row("static", "", *_cells([one.static for one in on], batches, images_per_second))
    return table


def _title(answer: Budget, batches: set[int]) -> str:
    devices = ", ".join(one.device for one in (answer, *answer.elsewhere))
    batch = f", batch {batches.pop()}" if len(batches) == 1 and not answer.elsewhere else ""
    return f"{answer.target} on {devices}: {limit_in_words(answer)}{batch}"


def limit_in_words(answer: Budget) -> str:
    """What must fit: a latency, images per second, or both."""
    limits = [] if answer.latency_budget_s is None else [f"within {seconds(answer.latency_budget_s)}"]
    if answer.images_per_second_budget is not None:
        limits.append(f"at least {number(answer.images_per_second_budget)} images/s")
    return " and ".join(limits) + (", to the upper end of the 80 % band" if answer.sure else "")


def _cells(on: list[Option], batches: set[int], images_per_second: bool) -> list[str]:
    """What is kept, the batch where there are several, the figure of each device, and rℓ where there is one."""
    first = on[0]
    kept = "" if first.macs_ratio is None else f"{first.macs_ratio:.3f}"
    figures = [f"{option.images_per_second:.4g}" if images_per_second else _latency(option.report) for option in on]
    ratio = [f"{first.report.ratio:.3f}"] if len(on) == 1 else []
    return [kept, *([str(first.batch)] if len(batches) > 1 else []), *figures, *ratio]


def _latency(report: Report) -> str:
    if report.latency_low_s is None or report.latency_high_s is None:
        return seconds(report.latency_s)
    return with_band(report.latency_s, report.latency_low_s, report.latency_high_s)


def budget_text(answer: Budget) -> str:
    """The best option, or that nothing fits and what is fastest; whether skipping is needed; notes."""
    on, best, fastest = (answer, *answer.elsewhere), answer.best, answer.fastest
    lines = []
    if best and best.macs_ratio is not None:
        lines.append(f"{best.paradigm} keeps most: {best.macs_ratio:.1%} of the MACs.")
    elif fastest:
        where = [f"{seconds(one.fastest.latency_s)} on {one.device}" for one in on if one.fastest]
        nothing = "Nothing that skips" if answer.static_fits else "Nothing"
        lines.append(f"{nothing} fits: the fastest setting, {fastest.paradigm}, takes {', '.join(where)}.")
    fitting, others = ([one.device for one in on if one.static_fits == fits] for fits in (True, False))
    if fitting and others:
        lines.append(f"Without skipping it fits on {', '.join(fitting)}, not on {', '.join(others)}.")
    elif best or fitting:
        lines.append(f"Without skipping it {'fits' if fitting else 'does not fit'}.")
    lines += [f"note: {note}" for note in dict.fromkeys(note for one in on for note in one.notes)]
    return "\n".join([*lines, *dict.fromkeys(_about(one.static.report) for one in on)])


def _about(report: Report) -> str:
    if report.band is None:
        return report.asked.cost_model.about
    if report.like:
        return f"{report.asked.cost_model.about}; 80 % band in brackets"
    return f"calibrated model, {kernels_in_words(report.precision, report.library)}: 80 % band in brackets"
