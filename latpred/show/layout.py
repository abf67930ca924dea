"""Tables that fit the console they are printed on: no number, unit or name is ever cut."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

#: Characters between two columns, and where room is short.
WIDE_GAP, NARROW_GAP = 3, 2
#: A column of text is not folded below the first width, and words longer than the second may be parted.
LEAST_TEXT, LONGEST_WORD = 16, 32


@dataclass
class Column:
    """A column with its cells: of text, which folds at words, or of numbers, which stay whole."""

    header: Text
    is_text: bool
    cells: list[RenderableType] = field(default_factory=list)

    def widths(self, console: Console, options: ConsoleOptions) -> tuple[int, int]:
        """The width to which it can be folded, and the one at which nothing folds."""
        header, *cells = (Measurement.get(console, options, cell) for cell in (self.header, *self.cells))
        most = max(size.maximum for size in (header, *cells))
        if self.is_text:
            words = max(size.minimum for size in (header, *cells))
            return min(most, max(min(words, LONGEST_WORD), LEAST_TEXT)), most
        return max(header.minimum, *(size.maximum for size in cells), 1), most


class FittedTable:
    """A table that is laid out for the width it is printed in.

    Where that is short, columns first move together, then headers and texts fold at words, then columns of
    `gives_way` are left out one by one, and named below the table. What still does not fit follows in further tables.
    """

    def __init__(self, title: str, columns: Sequence[Column], gives_way: Sequence[str]) -> None:
        """Headers in `gives_way` go from the first to the last."""
        self.title = title
        self.columns = list(columns)
        self.gives_way = tuple(gives_way)
        self._sections: set[int] = set()

    def add_row(self, *cells: RenderableType, end_section: bool = False) -> None:
        """A row, with a line of space below it where a section ends."""
        for column, cell in zip(self.columns, cells, strict=True):
            column.cells.append(Text(cell) if isinstance(cell, str) else cell)
        if end_section:
            self.add_section()

    def add_section(self) -> None:
        """A line of space below the last row."""
        self._sections.add(len(self.columns[0].cells) - 1)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The title, the table, and what it leaves out."""
        if self.title:
            yield Text(self.title, style="bold")
        left_out = 0
        while not (found := self._fit(self._kept(left_out), console, options)) and left_out < len(self.gives_way):
            left_out += 1
        if found:
            yield self._table(*found)
        else:
            yield from self._in_parts(self._kept(left_out), console, options)
        if left_out:
            yield Text(f"left out at this width: {', '.join(self.gives_way[:left_out])}", style="dim")

    def _kept(self, left_out: int) -> list[Column]:
        return [column for column in self.columns if column.header.plain not in self.gives_way[:left_out]]

    @staticmethod
    def _fit(
        columns: list[Column], console: Console, options: ConsoleOptions
    ) -> tuple[list[Column], list[int], int] | None:
        """Columns with their widths and the gap between them; None where they do not fit even when folded."""
        least, most = (
            list(ends) for ends in zip(*(column.widths(console, options) for column in columns), strict=True)
        )
        for widths, gap in ((most, WIDE_GAP), (most, NARROW_GAP), (least, NARROW_GAP)):
            spare = options.max_width - gap * len(columns) - 1 - sum(widths)
            if spare >= 0:
                for index, wanted in enumerate(most):
                    more = min(spare, wanted - widths[index])
                    widths[index] += more
                    spare -= more
                return columns, widths, gap
        return None

    def _in_parts(self, columns: list[Column], console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Several tables that each begin with the first column; where even two do not fit they fold anywhere."""
        first, *rest = columns
        while rest:
            parts = ([first, *rest[:size]] for size in range(len(rest), 0, -1))
            found = next(filter(None, (self._fit(part, console, options) for part in parts)), None)
            half = max(options.max_width // 2 - NARROW_GAP - 1, 1)
            found = found or ([first, rest[0]], [half, half], NARROW_GAP)
            yield self._table(*found)
            rest = rest[len(found[0]) - 1 :]

    def _table(self, columns: list[Column], widths: list[int], gap: int) -> Table:
        table = Table(box=SIMPLE_HEAD, header_style="bold", padding=(0, gap - 2, 0, 1))
        for column, width in zip(columns, widths, strict=True):
            justify: Literal["left", "right"] = "left" if column.is_text else "right"
            table.add_column(column.header, justify=justify, width=width, overflow="fold")
        for index, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
            table.add_row(*cells, end_section=index in self._sections)
        return table


def new_table(
    title: str,
    columns: Sequence[str | Text],
    *,
    left: int = 1,
    texts: Sequence[str] = (),
    gives_way: Sequence[str] = (),
) -> FittedTable:
    """A table whose first `left` columns and those of `texts` are text, the rest numbers.

    Where it is too narrow those of `gives_way` are left out, the first of them first.
    """
    headers = [Text(column) if isinstance(column, str) else column for column in columns]
    made = [Column(header, index < left or header.plain in texts) for index, header in enumerate(headers)]
    return FittedTable(title, made, gives_way)
