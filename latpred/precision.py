"""Precisions that a prediction can be of, and the bytes of their elements."""

from __future__ import annotations

from typing import Any, Literal

from latpred.errors import InputError
from latpred.wording import unknown

Precision = Literal["fp32", "tf32", "fp16"]
PRECISIONS: tuple[Precision, ...] = ("fp32", "tf32", "fp16")
#: Bytes of an FP32 element.
ELEMENT_BYTES = 4


def known_precision(given: Any) -> Precision:
    """The precision that is given; raises InputError for anything else.

    >>> known_precision("tf32")
    'tf32'
    """
    if not isinstance(given, str) or given not in PRECISIONS:
        raise InputError(unknown("precision", given, PRECISIONS))
    return given


def element_bytes(precision: str) -> int:
    """Bytes of an element of a map or of weights; TF32 is stored as FP32.

    >>> [element_bytes(precision) for precision in PRECISIONS]
    [4, 4, 2]
    """
    return 2 if precision == "fp16" else ELEMENT_BYTES
