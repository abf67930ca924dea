"""Print what people read, and what programs read: with json or csv, stdout holds nothing else."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import RenderableType


def json_text(content: Any) -> str:
    """Indented JSON."""
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)


def print_json(content: Any) -> None:
    """Indented JSON."""
    click.echo(json_text(content))


def print_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """A header and a line per row; None is empty."""
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(dict(row))


#: Columns of output that is no terminal: wide enough for every table.
PIPE_WIDTH = 120


def print_rich(*renderables: RenderableType) -> None:
    """Tables and text; where the output is no terminal without colour, of a fixed width, without trailing spaces."""
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal:
        console.print(*renderables, sep="\n")
        return
    plain = Console(highlight=False, width=PIPE_WIDTH, file=io.StringIO(), color_system=None)
    with plain.capture() as captured:
        plain.print(*renderables, sep="\n")
    click.echo("\n".join(line.rstrip() for line in captured.get().splitlines()))
