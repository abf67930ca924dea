"""What every operator has: fields that are checked when a person builds it, multiply-adds, least traffic, stacks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeAlias, TypeVar

import numpy as np
from typing_extensions import dataclass_transform

from latpred.errors import InputError
from latpred.precision import ELEMENT_BYTES
from latpred.wording import did_you_mean, quoted

#: A field of this type is a whole number from 1 to `LARGEST`.
Count: TypeAlias = int
#: A field of this type is a whole number from 0 to `LARGEST`.
Border: TypeAlias = int
#: A field of this type is a number of groups of channels, or `depthwise`.
Groups: TypeAlias = Any
#: A field of this type is a share from 0 to 1, or several of them, and then every figure is an array; or a `Share`.
Rate: TypeAlias = Any
#: Says what is wrong with a value.
_Check: TypeAlias = Callable[[Any], str | None]
#: Where a stack keeps the operators that it is of.
_MEMBERS = "_members"
#: Larger numbers are slips of the pen; within this limit every product of a few of them is a finite float.
LARGEST = 10**15

O = TypeVar("O", bound="Operator")  # noqa: E741
T = TypeVar("T", bound="Checked")


class Share(NamedTuple):
    """A rate that is not known yet: that of a part of the paradigm, or with `rest` what it leaves; at most `most`."""

    part: str
    rest: bool = False
    most: float = 1.0

    def at(self, rates: Mapping[str, Any]) -> Any:
        """The rate, now that those of the parts are known."""
        rate = 1.0 - rates[self.part] if self.rest else rates[self.part]
        if self.most == 1.0:
            return rate
        return min(rate, self.most) if isinstance(rate, float) else np.minimum(rate, self.most)


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Checked:
    """A light record that checks its fields by their types when a person builds it; a subclass is a frozen dataclass.

    What all of them compare, print and are hashed by is written here once: a function of its own for every class would
    be made anew at each start.
    """

    def __init_subclass__(cls) -> None:
        """The fields, and what sets them."""
        dataclass(frozen=True, kw_only=True, eq=False, repr=False)(cls)

    def _values(self) -> tuple[Any, ...]:
        """The fields' values, in order."""
        return tuple(map(self.__dict__.get, field_names(type(self))))

    def __eq__(self, other: object) -> bool:
        """Whether kind and fields are the same."""
        return isinstance(other, Checked) and type(self) is type(other) and self._values() == other._values()

    def __hash__(self) -> int:
        """By the fields."""
        return hash(self._values())

    def __repr__(self) -> str:
        """As it is written."""
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self)})"

    def __new__(cls, /, *values: Any, **given: Any) -> Checked:
        """Raises InputError for values without a name, and for fields that are missing or unknown."""
        if values:
            raise InputError(f"{cls.__name__} takes its fields by name: {', '.join(field_names(cls))}")
        known = field_names(cls)
        strange = sorted(name for name in given if name not in known)
        problems = [f"{name}: unknown field{did_you_mean(name, known)}" for name in strange]
        problems += [f"{name}: missing" for name in _required(cls) if name not in given]
        if problems:
            raise InputError("; ".join(problems))
        return object.__new__(cls)

    def __reduce__(self) -> tuple[Any, ...]:
        """For copies and other processes, which need no check."""
        return unchecked, (type(self), self.__dict__)

    def __post_init__(self) -> None:
        """Raises InputError with every field at fault."""
        found = {name: self._problem(name, *kind) for name, kind in _field_kinds(type(self)).items()}
        problems = [f"{name}: {problem}" for name, problem in found.items() if problem]
        if problems:
            raise InputError("; ".join(problems))
        self._check()

    def _problem(self, name: str, check: _Check, optional: bool) -> str | None:
        """What is wrong with a field; NumPy numbers become Python's, lists and arrays tuples."""
        value = getattr(self, name)
        if isinstance(value, np.generic | np.ndarray | list):
            value = value if isinstance(value, list) else value.tolist()
            value = tuple(value) if isinstance(value, list) else value
            object.__setattr__(self, name, value)
        return None if optional and value is None else check(value)

    def _check(self) -> None:
        """Raise InputError where fields do not fit one another."""

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        """Fields and their values, in order."""
        return ((name, getattr(self, name)) for name in field_names(type(self)))

    def replace(self: T, **changes: Any) -> T:
        """A copy with some fields changed, all of them checked. Raises InputError for what is not a field."""
        return type(self)(**{**dict(iter(self)), **changes})


class Operator(Checked):
    """One step of a workload; subclasses say what it computes."""

    def macs(self, batch: int) -> Any:
        """Multiply-adds for `batch` samples."""
        return 0.0

    def elements(self, batch: int) -> Any:
        """Least elements that must cross the off-chip memory: inputs, weights and outputs, each once."""
        raise NotImplementedError

    @property
    def stairs(self) -> int | None:
        """A number n, where every figure depends on the rates through ⌈r·n⌉ alone: of patches, or of channel groups."""
        return None

    def bytes(self, batch: int) -> Any:
        """`elements` in bytes of FP32."""
        return self.elements(batch) * float(ELEMENT_BYTES)


def _names(kind: Any, types: tuple[str, ...] | None = None) -> tuple[str, ...]:
    return tuple(field.name for field in fields(kind) if types is None or field.type in types)


#: The fields of an operator's class; those without a default; those that are rates; those that are sizes.
field_names: Callable[[Any], tuple[str, ...]] = cache(_names)
_required: Callable[[Any], tuple[str, ...]] = cache(
    lambda kind: tuple(field.name for field in fields(kind) if field.default is MISSING)
)
rate_fields: Callable[[Any], tuple[str, ...]] = cache(lambda kind: _names(kind, ("Rate",)))
_size_fields: Callable[[Any], tuple[str, ...]] = cache(lambda kind: _names(kind, ("Count", "Border", "bool")))


def _whole(value: Any, least: int) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return f"must be a whole number, got {quoted(value)}"
    if value < least:
        return f"must be at least {least}, got {quoted(value)}"
    return f"must be at most {LARGEST:g}, got {quoted(value)}" if value > LARGEST else None


def _share(value: Any) -> str | None:
    if isinstance(value, Share):
        return None
    for rate in value if isinstance(value, tuple) else (value,):
        if isinstance(rate, bool) or not isinstance(rate, int | float):
            return f"must be a number, got {quoted(rate)}"
        if not 0 <= rate <= 1:
            return f"must be from 0 to 1, got {quoted(rate)}"
    return "must not be empty" if value == () else None


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else f"must be text, got {quoted(value)}"


def _flag(value: Any) -> str | None:
    return None if isinstance(value, bool) else f"must be true or false, got {quoted(value)}"


#: What is wrong with a field's value, by the field's type.
_CHECKS: dict[Any, _Check] = {
    "Count": lambda value: _whole(value, 1),
    "Border": lambda value: _whole(value, 0),
    "Rate": _share,
    "bool": _flag,
    "str": _text,
    "Groups": lambda value: None if value == "depthwise" else _whole(value, 1),
    "Any": lambda value: None,
}


def _kinds(kind: Any) -> dict[str, tuple[_Check, bool]]:
    types = {field.name: str(field.type) for field in fields(kind)}
    return {name: (_CHECKS[text.removesuffix(" | None")], text.endswith(" | None")) for name, text in types.items()}


#: The check of each field of an operator's class, and whether it may be None.
_field_kinds: Callable[[Any], dict[str, tuple[_Check, bool]]] = cache(_kinds)


def is_open(operator: Operator) -> bool:
    """Whether a rate is not known yet."""
    return any(isinstance(getattr(operator, name), Share) for name in rate_fields(type(operator)))


def is_whole(operator: Operator) -> bool:
    """Whether every rate is known to be 1, and nothing is left out."""
    values = (getattr(operator, name) for name in rate_fields(type(operator)))
    return all(np.ndim(value) == 0 and value == 1 for value in values)


def windows(extent: int, kernel: int, stride: int, border: int) -> int:
    """Places of a window along one edge of a map [pixels]."""
    return (extent + 2 * border - kernel) // stride + 1


def unchecked(kind: type[T], values: Mapping[str, Any]) -> T:
    """A record whose fields are known to be right; those of an operator may be arrays."""
    record = object.__new__(kind)
    record.__dict__.update(values)
    return record


def with_rates(operator: O, rates: Mapping[str, Any]) -> O:
    """The operator with every `Share` as the rate that it stands for; rates may be arrays."""
    values = ((name, getattr(operator, name)) for name in rate_fields(type(operator)))
    found = {name: value.at(rates) for name, value in values if isinstance(value, Share)}
    return unchecked(type(operator), {**operator.__dict__, **found}) if found else operator


def stack(operators: Sequence[O]) -> O:
    """Operators of one kind and with equal groups of channels as one, whose sizes are arrays over them.

    Every figure is then an array whose last axis counts the operators. Rates are those of the first.
    """
    first, kind = operators[0], type(operators[0])
    values = {**first.__dict__, _MEMBERS: tuple(operators)}
    for name in _size_fields(kind):
        column = [getattr(operator, name) for operator in operators]
        if any(value != column[0] for value in column):
            # In floating point, where products of whole numbers are exact up to 2^53 and never wrap around.
            values[name] = np.array(column, dtype=bool if isinstance(column[0], bool) else float)
    return unchecked(kind, values)


def members(operator: O) -> tuple[O, ...]:
    """The operators that a stack is of; none for a single operator."""
    found: tuple[O, ...] = operator.__dict__.get(_MEMBERS, ())
    return found


def derived(operator: Operator, make: Callable[[Any], O]) -> O:
    """What `make` makes of an operator, or of each of a stack, whose rates it then has."""
    shapes = members(operator)
    if not shapes:
        return make(operator)
    found: O = _derived(shapes, make)
    rates = {name: getattr(operator, name) for name, value in found if isinstance(value, Share)}
    return unchecked(type(found), {**found.__dict__, **rates})


@lru_cache(maxsize=1024)
def _derived(shapes: tuple[Operator, ...], make: Callable[[Any], O]) -> O:
    return stack([make(each) for each in shapes])
