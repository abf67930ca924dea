"""Print what people read, and what programs read: with json or csv, stdout holds nothing else."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import RenderableType


def print_json(content: Any) -> None:
    """Indented JSON."""
    click.echo(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False))


def print_csv(rows: Iterable[Mapping[str, Any]]) -> None:
    """A header and a line per row; None is empty."""
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(dict(row))


def print_rich(*renderables: RenderableType) -> None:
    """Tables and text; wide enough for every column where the output is no terminal."""
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=120)
    for renderable in renderables:
        console.print(renderable)
