"""Explanations as rich tables: a bar per operator, how full the engines are, and what would help."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.text import Text

from latpred.show.layout import FittedTable, new_table
from latpred.show.tables import heading
from latpred.studies.explanation import Explanation, Share
from latpred.units import seconds

#: What time is spent on: field, name, colour and, where there is none, a character.
PARTS = (
    ("compute_s", "compute", "blue", "█"),
    ("off_chip_s", "off-chip", "red", "▓"),
    ("l2_s", "L2", "green", "▒"),
    ("launch_s", "launch", "magenta", "░"),
)
#: Where there are more operators, those are left out that take less than this share of the latency.
MOST_OPERATORS, LEAST_SHARE = 32, 0.01
#: Characters of the longest bar, at least and at most.
BAR_WIDTHS = Measurement(36, 48)


def bar_table(explanation: Explanation) -> FittedTable:
    """A bar per operator; the longest fills the width."""
    table = new_table(heading(explanation.report), ("operator", "latency", _key()), texts=(_key().plain,))
    longest = max(share.latency_s for share in explanation.shares)
    for share in _shown(explanation):
        table.add_row(label(share), seconds(share.latency_s), Bar(share, longest))
    return table


def _shown(explanation: Explanation) -> list[Share]:
    """The operators that are worth a line."""
    least = LEAST_SHARE * explanation.report.latency_s if len(explanation.shares) > MOST_OPERATORS else 0.0
    return [share for share in explanation.shares if share.latency_s >= least]


def label(share: Share) -> str:
    """The operator's name, with its stage and how many kernels there are."""
    stage = "" if share.stage is None else f"stage {share.stage} "
    return f"{stage}{share.name}" + (f" ×{share.kernels}" if share.kernels > 1 else "")


def _key() -> Text:
    return Text("  ").join(Text(f"{sign} {name}", style=colour) for _, name, colour, sign in PARTS)


@dataclass(frozen=True)
class Bar:
    """Where the time of an operator goes, as long as its share of `longest_s` [s] of the column."""

    share: Share
    longest_s: float

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """How short and how long the bars may be drawn."""
        return BAR_WIDTHS

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Rounded where the parts end, so that the bars' lengths compare; what overlaps is not drawn twice."""
        bar, ends, drawn = Text(), 0.0, 0
        parts = visible(self.share)
        for field, _, colour, sign in PARTS:
            ends += parts[field]
            length = round(options.max_width * ends / self.longest_s) - drawn if self.longest_s else 0
            bar.append(sign * length, style=colour)
            drawn += length
        yield bar


def visible(share: Share) -> dict[str, float]:
    """The parts that add up to the latency [s]: of compute and memory, what the shorter adds where they overlap."""
    parts = {field: float(getattr(share, field)) for field, *_ in PARTS}
    hidden = sum(parts.values()) - share.latency_s
    if hidden > share.latency_s * 1e-9:
        memory = share.off_chip_s + share.l2_s
        shorter = ("compute_s",) if memory > share.compute_s else ("off_chip_s", "l2_s")
        left = 1 - hidden / min(memory, share.compute_s)
        parts |= {field: parts[field] * left for field in shorter}
    return parts


def fill_table(explanation: Explanation) -> FittedTable:
    """The tile of each operator, how full it keeps the engines, and where it is under the roofline.

    A model without tiles has the last alone.
    """
    tiled = _tiled(explanation)
    columns = ("tile", "tiles full", "waves full", "lanes full") if tiled else ()
    table = new_table("", ("operator", *columns, "MACs/byte", "of roofline"), gives_way=("lanes full", "MACs/byte"))
    for share in _shown(explanation):
        shape = "" if share.tile is None else "×".join(map(str, share.tile))
        fills = ["", "", ""] if share.fill is None else [f"{part:.0%}" for part in share.fill]
        intensity = f"{share.macs_per_byte:.1f}" if share.macs_per_byte else ""
        table.add_row(label(share), *([shape, *fills] if tiled else []), intensity, f"{share.of_roofline:.0%}")
    return table


def _tiled(explanation: Explanation) -> bool:
    return any(share.tile for share in _shown(explanation))


def remedy_table(explanation: Explanation) -> FittedTable | str:
    """What would help, the most first; or a sentence where nothing does."""
    if not explanation.remedies:
        return "No larger S or batch, no fusing and no other paradigm would help.\n"
    table = new_table("What would help", ("change", "to", "per image", "gain"), left=2)
    for remedy in explanation.remedies:
        to = f"batch {remedy.batch}" if remedy.change == "larger batch" else remedy.paradigm
        table.add_row(remedy.change, to, seconds(remedy.latency_per_image_s), f"{remedy.gain:+.1%}")
    return table


def explanation_text(explanation: Explanation) -> str:
    """What the columns mean, with the device's ridge."""
    of_tiles = [
        "tile: channels × height × width, before them the patches that are processed together",
        "full: shares of the tiles inside the map, of the waves' engines at work, of the lanes in use",
    ]
    shown, total = _shown(explanation), explanation.report.latency_s
    lines = []
    if less := len(explanation.shares) - len(shown):
        rest = 1 - sum(share.latency_s for share in shown) / total
        lines.append(f"left out: {less} lines of less than {LEAST_SHARE:.0%} each, {rest:.1%} of the time together")
    lines += [
        *(of_tiles if _tiled(explanation) else []),
        f"roofline: off-chip bandwidth below {explanation.ridge_macs_per_byte:.1f} MACs/byte, arithmetic above",
        "",
    ]
    return "\n".join(lines)
