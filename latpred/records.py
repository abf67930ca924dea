"""The base of every input record: frozen, strict, and with errors that a person can act on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from latpred.errors import InputError


def _plain(value: object) -> object:
    """NumPy scalars as Python numbers and lists as tuples, so that strict, hashable fields accept them."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)
    return value


Plain = BeforeValidator(_plain)
#: Larger numbers are slips of the pen; within these limits every product of a few of them is a finite float.
Count = Annotated[int, Field(ge=1, le=10**15, strict=True), Plain]
Positive = Annotated[float, Field(ge=1e-9, le=1e21, strict=True), Plain]
_Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]
#: One rate in [0, 1]; or a tuple of them, and then every number derived from it is an array of that length.
Rate = Annotated[_Fraction | tuple[_Fraction, ...], Plain]

#: How pydantic's names for the branches of such a field begin.
_BRANCHES = ("constrained-", "function-", "tuple[")

Self = TypeVar("Self", bound="Record")


class Record(BaseModel):
    """A frozen, hashable value; wrong or unknown fields raise `error` with every problem in one line."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    error: ClassVar[type[InputError]] = InputError

    def __init__(self, /, **fields: Any) -> None:
        """Raises `error` with every problem."""
        try:
            super().__init__(**fields)
        except ValidationError as problems:
            raise self.error(describe(problems)) from None

    # Tells pydantic that a record inside a record needs no call of __init__: its problems join the outer one's.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def replace(self: Self, **fields: Any) -> Self:
        """A copy with some fields replaced by values known to be valid (they are not checked again)."""
        return self.model_copy(update=fields)


def describe(problems: ValidationError) -> str:
    """All problems of a validation in one line: `field: what is wanted, got what`."""
    lines: dict[str, str] = {}
    for problem in sorted(problems.errors(include_url=False), key=_is_other_branch):
        lines.setdefault(_place(problem["loc"]), _problem_text(dict(problem)))
    return "; ".join(f"{place}: {text}" if place else text for place, text in lines.items())


def _is_other_branch(problem: ErrorDetails) -> bool:
    """A field that takes one value or a sequence reports both branches: whether this is the one not meant."""
    is_sequence = isinstance(problem["input"], tuple)
    return problem["type"] in ({"int_type", "float_type"} if is_sequence else {"tuple_type"})


def _place(location: tuple[int | str, ...]) -> str:
    """A field, those of records inside sequences by their place, counted from 1: `stages 2 c_out`."""
    names = (str(part + 1) if isinstance(part, int) else part for part in location)
    return " ".join(name for name in names if not name.startswith(_BRANCHES))


#: What is wanted, by pydantic's kind of problem; its limits are filled in.
_WANTED = {
    "int_type": "must be a whole number, got {given!r}",
    "int_from_float": "must be a whole number, got {given!r}",
    "float_type": "must be a number, got {given!r}",
    "string_type": "must be text, got {given!r}",
    "tuple_type": "must be a list, got {given!r}",
    "too_short": "must not be empty",
    "model_type": "must be a mapping of fields, got {given!r}",
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
