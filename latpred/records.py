"""The base of every input record: frozen, strict, and with errors that a person can act on."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from latpred.errors import InputError
from latpred.wording import MOST_CHARACTERS, did_you_mean, quoted


def _plain(value: object) -> object:
    """NumPy scalars as Python numbers and lists as tuples, so that strict, hashable fields accept them."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list):
        return tuple(_plain(item) for item in value)
    return value


Plain = BeforeValidator(_plain)


def _typed(value: object) -> object:
    """A number written as text is that number, and a whole one may be written `1e6` or `80.0`."""
    if isinstance(value, str) and len(value) < 400 and _NUMBER.fullmatch(value.strip()):
        value = float(value) if re.search("[.eE]", value) else int(value)
    return int(value) if isinstance(value, float) and value.is_integer() else value


_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
#: For numbers that a person types into a file: YAML reads `504e9` as text.
Typed = BeforeValidator(_typed)
#: Larger numbers are slips of the pen; within these limits every product of a few of them is a finite float.
Count = Annotated[int, Field(ge=1, le=10**15, strict=True), Plain]
#: An edge of an image [pixels]; the largest that are photographed and predicted whole have some ten thousand.
ImageEdge = Annotated[int, Field(ge=1, le=2**16, strict=True), Plain]
Positive = Annotated[float, Field(ge=1e-9, le=1e21, strict=True, allow_inf_nan=False), Plain]
_Fraction = Annotated[float, Field(ge=0, le=1, strict=True)]
#: One rate in [0, 1]; or a tuple of them, and then every number derived from it is an array of that length.
Rate = Annotated[_Fraction | tuple[_Fraction, ...], Plain]

#: How pydantic's names for the branches of such a field begin.
_BRANCHES = ("constrained-", "function-", "tuple[")

#: Problems that an error line tells in full.
MOST_PROBLEMS = 12

Self = TypeVar("Self", bound="Record")


class Record(BaseModel):
    """A frozen, hashable value; wrong or unknown fields raise `error` with every problem in one line."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
    error: ClassVar[type[InputError]] = InputError
    #: Fields that may be given without their names, in this order.
    positional: ClassVar[tuple[str, ...]] = ()

    def __init__(self, /, *values: Any, **fields: Any) -> None:
        """Raises `error` with every problem."""
        try:
            super().__init__(**(self._named(values, fields) if values else fields))
        except ValidationError as problems:
            raise self.error(describe(problems, type(self))) from None
        except RecursionError:
            raise self.error(f"{type(self).__name__}: lists are nested too deeply") from None

    # Tells pydantic that a record inside a record needs no call of __init__: its problems join the outer one's.
    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]

    def __iter__(self) -> Generator[tuple[str, Any], None, None]:
        """Fields and their values, in order; pydantic's own yields what was computed and kept, too."""
        return ((name, getattr(self, name)) for name in type(self).model_fields)

    @classmethod
    def _named(cls, values: tuple[Any, ...], fields: dict[str, Any]) -> dict[str, Any]:
        """All fields by name; raises `error` for more values than `positional` has names, and for one given twice."""
        if len(values) > len(cls.positional):
            names = ", ".join(cls.positional)
            first = f"{names} may come first without names, then" if names else "takes"
            raise cls.error(f"{cls.__name__}: {first} fields by name, as in field=value; got {quoted(values[-1])}")
        named = dict(zip(cls.positional, values, strict=False))
        twice = sorted(named.keys() & fields.keys())
        if twice:
            raise cls.error(f"{cls.__name__}: {', '.join(twice)} given twice, with and without the name")
        return {**named, **fields}

    def replace(self: Self, **fields: Any) -> Self:
        """The record with some fields replaced, checked as a new one is; nothing computed of the old one is kept.

        Raises
        ------
        InputError
            An unknown field, or values that make no such record.
        """
        given = {name: getattr(self, name) for name in self.model_fields_set}
        return type(self)(**{**given, **fields})

    def __setattr__(self, name: str, value: Any) -> None:
        """Raises `error`: a record is valid at all times, and so is what was computed of it."""
        raise self.error(f"{type(self).__name__} is not changed in place; replace({name}=…) makes another one")

    def __delattr__(self, name: str) -> None:
        """Raises `error`."""
        self.__setattr__(name, None)

    def model_copy(self: Self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """As `replace`: pydantic's own keeps cached values and checks nothing."""
        return self.replace(**(update or {}))


def whole_number(given: Any, what: str, least: int, most: int) -> int:
    """A function's argument that counts something; raises InputError for anything else, or outside `least` to `most`.

    >>> whole_number(np.int64(4), "draws", 1, 10)
    4
    """
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or not least <= given <= most:
        raise InputError(f"{what} must be a whole number from {least} to {most:,}, got {quoted(given)}")
    return int(given)


def flag(given: Any, what: str) -> bool:
    """A function's argument that is true or false; raises InputError for anything else.

    >>> flag(True, "first")
    True
    """
    if not isinstance(given, bool):
        raise InputError(f"{what} must be true or false, got {quoted(given)}")
    return given


def one_number(given: Any, what: str) -> float:
    """A function's argument that is one number; raises InputError for anything else.

    >>> one_number(np.float32(0.5), "r")
    0.5
    """
    found = numbers(given, what)
    if found.ndim:
        raise InputError(f"{what} must be one number, got {quoted(given)}")
    return float(found)


def numbers(given: Any, what: str) -> NDArray[np.float64]:
    """A function's argument that is a number, or a list or array of them; raises InputError for anything else.

    >>> numbers([1, 0.5], "r").tolist()
    [1.0, 0.5]
    """
    found = _array(given)
    if found.dtype.kind not in "fiu":
        raise InputError(f"{what} must be a number, or a list of numbers, got {quoted(given)}")
    return found.astype(float, copy=False)


def whole_numbers(given: Any, what: str) -> NDArray[np.int64]:
    """A function's argument that counts something, or a list or array of it; raises InputError for anything else.

    >>> whole_numbers([1, 2], "entries").tolist()
    [1, 2]
    """
    found = _array(given)
    if found.size and found.dtype.kind not in "iu":
        raise InputError(f"{what} must be whole numbers, got {quoted(given)}")
    return found.astype(np.int64, copy=False)


def _array(given: Any) -> NDArray[Any]:
    """What NumPy makes of an argument; of lists of different lengths, or what is no sequence inside, no numbers."""
    try:
        return np.asarray(given)
    except (ValueError, TypeError, RecursionError):
        return np.asarray(None)


def describe(problems: ValidationError, record: type[Record]) -> str:
    """The problems of a validation in one line, the first twelve in full: `field: what is wanted, got what`."""
    lines: dict[str, str] = {}
    for problem in sorted(problems.errors(include_url=False), key=_is_other_branch):
        lines.setdefault(_place(problem["loc"]), _problem_text(dict(problem), record))
    return joined([f"{place}: {text}" if place else text for place, text in lines.items()])


def joined(problems: Sequence[str]) -> str:
    """Problems in one line, those beyond the first twelve as their number."""
    rest = [f"and {len(problems) - MOST_PROBLEMS:,} more problems"] if len(problems) > MOST_PROBLEMS else []
    return "; ".join([*problems[:MOST_PROBLEMS], *rest])


def _is_other_branch(problem: ErrorDetails) -> bool:
    """A field that takes one value or a sequence reports both branches: whether this is the one not meant."""
    is_sequence = isinstance(problem["input"], tuple)
    return problem["type"] in ({"int_type", "float_type"} if is_sequence else {"tuple_type"})


def _place(location: tuple[int | str, ...]) -> str:
    """A field, those of records inside sequences by their place, counted from 1: `stages 2 c_out`."""
    names = (str(part + 1) if isinstance(part, int) else part for part in location)
    names = (name for name in names if not name.startswith(_BRANCHES))
    return " ".join(name if len(name) <= MOST_CHARACTERS else f"{name[:MOST_CHARACTERS]}…" for name in names)


def _fields(record: Any, location: tuple[int | str, ...]) -> Iterator[str]:
    """The fields that the record at a place inside another has: of all kinds that may stand there."""
    kinds = list(_records(record))
    if not location:
        for kind in kinds:
            yield from kind.model_fields
    elif isinstance(location[0], int):
        yield from _fields(record, location[1:])
    else:
        for kind in kinds:
            field = kind.model_fields.get(location[0])
            yield from _fields(field.annotation, location[1:]) if field else ()


def _records(kind: Any) -> Iterator[type[Record]]:
    """The records that a type is made of: `tuple[Stage, ...]` of `Stage`."""
    if isinstance(kind, type) and issubclass(kind, Record):
        yield kind
    for part in get_args(kind):
        yield from _records(part)


#: What is wanted, by pydantic's kind of problem; its limits are filled in.
_WANTED = {
    "int_type": "must be a whole number, got {given}",
    "int_from_float": "must be a whole number, got {given}",
    "float_type": "must be a number, got {given}",
    "string_type": "must be text, got {given}",
    "tuple_type": "must be a list, got {given}",
    "too_short": "must not be empty",
    "model_type": "must be a mapping of fields, got {given}",
    "string_too_short": "must not be empty",
    "bool_type": "must be true or false, got {given}",
    "finite_number": "must be a finite number, got {given}",
    "greater_than": "must be greater than {gt:g}, got {given}",
    "greater_than_equal": "must be at least {ge:g}, got {given}",
    "less_than_equal": "must be at most {le:g}, got {given}",
    "literal_error": "must be {expected}, got {given}",
    "value_error": "{error}",
    "missing": "missing",
}


def _problem_text(problem: Mapping[str, Any], record: type[Record]) -> str:
    kind, place = problem["type"], problem["loc"]
    if kind == "extra_forbidden":
        return f"unknown field{did_you_mean(place[-1], _fields(record, place[:-1]))}"
    given = "nothing" if problem.get("input") is None else quoted(problem["input"])
    template: str = _WANTED.get(kind, problem["msg"].replace("{", "{{").replace("}", "}}") + ", got {given}")
    return template.format(given=given, **problem.get("ctx", {}))
