"""The base of every input record: frozen, strict, and with errors that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from latpred.errors import InputError


def _plain(value: object) -> object:
    """NumPy scalars as Python numbers and lists as tuples, so that strict, hashable fields accept them."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)
    return value


Plain = BeforeValidator(_plain)
Count = Annotated[int, Plain, Field(ge=1, strict=True)]
Positive = Annotated[float, Plain, Field(gt=0, allow_inf_nan=False, strict=True)]
_Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]
#: One rate in [0, 1]; or a tuple of them, and then every number derived from it is an array of that length.
Rate = Annotated[_Fraction | tuple[_Fraction, ...], Plain]

Self = TypeVar("Self", bound="Record")


class Record(BaseModel):
    """A frozen, hashable value; wrong or unknown fields raise `error` with every problem in one line."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    error: ClassVar[type[InputError]] = InputError

    def __init__(self, **fields: Any) -> None:
        """Raises `error` with every problem."""
        try:
            super().__init__(**fields)
        except ValidationError as problems:
            raise self.error(describe(problems)) from None

    def replace(self: Self, **fields: Any) -> Self:
        """A copy with some fields replaced by values known to be valid (they are not checked again)."""
        return self.model_copy(update=fields)


def describe(problems: ValidationError) -> str:
    """All problems of a validation in one line: `field: what is wanted, got what`."""
    lines: dict[str, str] = {}
    for problem in problems.errors(include_url=False):
        # A field that takes one value or a sequence reports both branches: keep the one that was meant.
        is_sequence = isinstance(problem.get("input"), tuple)
        if (problem["type"] in {"int_type", "float_type"} and is_sequence) or problem["type"] == "tuple_type":
            continue
        # Records inside sequences are named by their place, counted from 1: `stages 2`.
        nested = problem["type"] in {"value_error", "missing", "extra_forbidden"}
        place = problem["loc"] if nested else problem["loc"][:1]
        field = " ".join(str(part + 1) if isinstance(part, int) else part for part in place)
        lines.setdefault(field, _problem_text(dict(problem)))
    return "; ".join(f"{field}: {text}" if field else text for field, text in lines.items())


#: What is wanted, by pydantic's kind of problem; its limits are filled in.
_WANTED = {
    "int_type": "must be a whole number, got {given!r}",
    "int_from_float": "must be a whole number, got {given!r}",
    "float_type": "must be a number, got {given!r}",
    "string_type": "must be text, got {given!r}",
    "string_too_short": "must not be empty",
    "bool_type": "must be true or false, got {given!r}",
    "finite_number": "must be a finite number, got {given!r}",
    "greater_than": "must be greater than {gt:g}, got {given!r}",
    "greater_than_equal": "must be at least {ge:g}, got {given!r}",
    "less_than_equal": "must be at most {le:g}, got {given!r}",
    "literal_error": "must be {expected}, got {given!r}",
    "value_error": "{error}",
    "missing": "missing",
    "extra_forbidden": "unknown field",
}


def _problem_text(problem: Mapping[str, Any]) -> str:
    kind, given = problem["type"], problem.get("input")
    template = _WANTED.get(kind, problem["msg"].replace("{", "{{").replace("}", "}}") + ", got {given!r}")
    text: str = template.format(given=given, **problem.get("ctx", {}))
    if kind == "float_type" and isinstance(given, str) and given[:1].isdigit():
        text += ", which is text (YAML reads 900e9 as text: write 9.0e+11)"
    return text
