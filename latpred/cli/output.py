"""Print what people read, and what programs read: with json or csv, stdout holds nothing else."""

from __future__ import annotations

import csv
import io
import os
import re
import sys
from collections.abc import Iterable, Mapping
from textwrap import fill
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import pandas
    from rich.console import RenderableType

    from latpred.report import Report
    from latpred.studies.granularity_choice import Recommendation
    from latpred.workloads.paradigms import Paradigm


#: Characters of a word, and of an error's line, that are printed.
MOST_OF_A_WORD, MOST_OF_A_LINE = 160, 2_000


def print_error(message: str) -> None:
    """One line on stderr, in part where it is long: what click quotes may be as long as an argument can be."""
    line = re.sub(rf"\S{{{MOST_OF_A_WORD},}}", lambda word: f"{word[0][:MOST_OF_A_WORD]}…", " ".join(message.split()))
    click.echo(f"latpred: {line if len(line) <= MOST_OF_A_LINE else line[:MOST_OF_A_LINE] + '…'}", err=True)


def json_text(content: Any) -> str:
    """Indented JSON."""
    import json

    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def print_json(content: Any) -> None:
    """Indented JSON."""
    click.echo(json_text(content))


def notes_of(target: Any, profile: Any, how: Mapping[str, Any], paradigm: Paradigm | None = None) -> list[str]:
    """What `predict` notes of a target, static or under a paradigm: what is rounded, extrapolated, never validated."""
    from latpred import prediction
    from latpred.question import ask

    return [f"note: {note}" for note in prediction.notes_of(ask(target, profile, **how), paradigm or prediction.STATIC)]


def print_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """A header and a line per row; None is empty."""
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(dict(row))


def tell_rivals(answers: Iterable[Report | Recommendation]) -> None:
    """On stderr, as rows of operators and stages have no column for it: the static network that is compared with."""
    from latpred.show.tables import against_in_words

    for answer in answers:
        if answer.rival:
            text = against_in_words(answer.rival, answer.latency_s)
            click.echo(f"note: {answer.target} on {answer.device}, {text}", err=True)


def records(frame: pandas.DataFrame) -> list[dict[Any, Any]]:
    """Rows in plain types, None where there is no value; pandas' own JSON keeps ten decimals, too few of a second."""
    rows: list[dict[Any, Any]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return rows


def print_frame(frame: pandas.DataFrame, form: str) -> None:
    """A table's rows as json or csv."""
    if form == "json":
        print_json(records(frame))
    else:
        click.echo(frame.to_csv(index=False), nl=False)


#: Columns of output that is no terminal, where COLUMNS does not say how many: wide enough for every table.
PIPE_WIDTH = 120


def print_rich(*renderables: RenderableType) -> None:
    """Tables and text, folded to the terminal's width; square brackets and colons in them mean nothing.

    Where the output is no terminal without colour, without trailing spaces, and with words whole.
    """
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    if console.is_terminal:
        for item in renderables:
            console.print(Text(item) if isinstance(item, str) else item, crop=False)
        return
    width = _pipe_width()
    plain = Console(highlight=False, width=width, file=io.StringIO(), color_system=None)
    with plain.capture() as captured:
        for item in renderables:
            plain.print(Text(_wrapped(item, width)) if isinstance(item, str) else item, soft_wrap=isinstance(item, str))
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))


def _wrapped(text: str, width: int) -> str:
    """Lines parted between words."""
    lines = text.splitlines() or [""]
    return "\n".join(fill(line, width, break_long_words=False, break_on_hyphens=False) for line in lines)


def _pipe_width() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) else PIPE_WIDTH
