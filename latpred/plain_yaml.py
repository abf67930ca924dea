"""YAML as a person writes it: mappings, lists, text, numbers, true and false. Anything else is refused, with its line.

The parser's events are counted before anything is built of them, so that a hostile file costs little: deep nesting
overflows the stack of a composer in C, and few aliases stand for millions of values.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from latpred.errors import DataError
from latpred.wording import quoted

MOST_DEPTH = 50
MOST_VALUES = 200_000
#: Characters of a number.
MOST_DIGITS = 400


def load(text: str, path: Path) -> Any:
    """The content of a YAML document; raises DataError with file, line and column."""
    import yaml

    # What YAML does not allow in a text, of which the parser in C says no more than that.
    forbidden = yaml.reader.Reader.NON_PRINTABLE.search(text)
    if forbidden:
        line, column = (
            text.count("\n", 0, forbidden.start()) + 1,
            forbidden.start() - text.rfind("\n", 0, forbidden.start()),
        )
        what = f"the character U+{ord(forbidden[0]):04X} is not allowed"
        raise DataError(f"{path}: not YAML: line {line}, column {column}: {what}")
    try:
        _check_events(yaml.parse(text, _loader()))
        return yaml.load(text, _loader())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DataError(f"{path}: not YAML: {where}{_shortened(error.problem or error.context)}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: not YAML: {_shortened(str(error))}") from None


def _shortened(problem: str | None) -> str:
    """The parser quotes a name of any length."""
    text = " ".join((problem or "cannot be parsed").split())
    return text if len(text) <= 200 else f"{text[:200]}…"


def _check_events(events: Any) -> None:
    """Raise for nesting, values, aliases and tags that no file of a person has."""
    import yaml

    values = depth = deepest = 0
    inside: list[tuple[Any, int, int]] = []  # anchor, values and deepest level before each open collection
    sizes: dict[Any, tuple[int, int]] = {}  # anchor → values, levels
    for event in events:
        problem = None
        anchor: Any = getattr(event, "anchor", None)
        if getattr(event, "tag", None) is not None:
            problem = f"tags are not read: write the value without {quoted(event.tag)}"
        elif isinstance(event, yaml.AliasEvent):
            if anchor not in sizes:
                problem = f"*{anchor} stands for nothing before it"
            size, levels = sizes.get(anchor, (0, 0))
            values, deepest = values + size, max(deepest, depth + levels)
        elif isinstance(event, yaml.CollectionStartEvent):
            inside.append((anchor, values, deepest))
            values, depth = values + 1, depth + 1
            deepest = depth
        elif isinstance(event, yaml.CollectionEndEvent):
            name, before, outer = inside.pop()
            depth -= 1
            if name is not None:
                sizes[name] = (values - before, deepest - depth)
            deepest = max(deepest, outer)
        elif isinstance(event, yaml.ScalarEvent):
            values += 1
            if anchor is not None:
                sizes[anchor] = (1, 0)
        if deepest > MOST_DEPTH:
            problem = f"nested deeper than {MOST_DEPTH} levels"
        elif values > MOST_VALUES:
            problem = f"more than {MOST_VALUES:,} values"
        if problem:
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


@lru_cache(maxsize=1)
def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Refuses a field that is given twice, of which YAML would drop the first; dates stay text."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            fields = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise yaml.MarkedYAMLError(problem="a field's name must be text", problem_mark=key.start_mark)
                if key.value in fields:
                    raise yaml.MarkedYAMLError(
                        problem=f"{quoted(key.value)} is given twice", problem_mark=key.start_mark
                    )
                fields.add(key.value)
            mapping: dict[Any, Any] = super().construct_mapping(node, deep)
            return mapping

        def construct_object(self, node: Any, deep: bool = False) -> Any:
            number = isinstance(node, yaml.ScalarNode) and not node.tag.endswith(":str")
            if number and len(node.value) > MOST_DIGITS:
                problem = f"a number of {len(node.value):,} digits"
                raise yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
            try:
                return super().construct_object(node, deep)
            except (ValueError, OverflowError) as error:
                raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None

    dropped = ("tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:value")
    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag not in dropped]
        for first, resolvers in Loader.yaml_implicit_resolvers.items()
    }
    return Loader
