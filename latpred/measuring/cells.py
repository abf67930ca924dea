"""The cells of a row of measurements, and the records whose fields they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args, get_origin

from latpred.wording import quoted
from latpred.workloads import operators as op


def record_of(kind: Any, row: Mapping[str, str]) -> Any:
    """The operator, block or paradigm whose fields a row has; raises InputError or ValueError where it has none."""
    given = {field: row[field] for field in field_names(kind) if row.get(field, "") != ""}
    return kind(**{field: _value(kind, field, text) for field, text in given.items()})


def _value(kind: Any, field: str, text: str) -> Any:
    if field in ("name", "masker"):
        return text
    if field == "unfuse":
        return tuple(text.split("+"))
    if text in ("True", "False"):
        return text == "True"
    return number_in(field, text, int if _takes_whole(kind, field) else float)


def number_in(field: str, text: str, kind: Callable[[str], Any]) -> Any:
    """The number in a cell; raises ValueError naming the field."""
    try:
        return kind(text)
    except ValueError:
        raise ValueError(f"{field} must be a {'whole ' * (kind is int)}number, got {quoted(text)}") from None


def field_names(kind: Any) -> tuple[str, ...]:
    """The fields of an operator, a block or a paradigm."""
    return op.field_names(kind) if issubclass(kind, op.Operator) else tuple(kind.model_fields)


def _takes_whole(kind: Any, field: str) -> bool:
    if issubclass(kind, op.Operator):
        return field not in op.rate_fields(kind)
    return _is_whole(kind.model_fields[field].annotation)


def _is_whole(annotation: Any) -> bool:
    """Whether a field takes whole numbers: int, or int | something."""
    if get_origin(annotation) is Literal:
        return all(type(value) is int for value in get_args(annotation))
    return annotation is int or any(_is_whole(part) for part in get_args(annotation) if part is not float)
