"""The operators of transformers: shapes per sample; the batch multiplies their rows (MODEL §7).

`tokens` and `rows` count rows per sample; `groups` the matrices per sample (heads). MACs count linear layers and matrix
products.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from latpred.errors import InputError
from latpred.workloads.operators.base import Count, Operator, Rate


class Linear(Operator):
    """A linear layer on `tokens` rows; head rates keep a share of the input and of the output channels.

    Parameters
    ----------
    tokens
        Rows per sample.
    c_in, c_out
        Channels that it reads and puts out.
    input_rate, output_rate
        Shares of the channels that are on, each from 0 to 1.

    Examples
    --------
    >>> float(Linear(tokens=197, c_in=384, c_out=1536).macs(batch=1))
    116195328.0
    """

    tokens: Count
    c_in: Count
    c_out: Count
    input_rate: Rate = 1.0
    output_rate: Rate = 1.0

    def _check(self) -> None:
        if isinstance(self.input_rate, tuple) or isinstance(self.output_rate, tuple):
            raise InputError("input_rate and output_rate of a linear layer take one rate each: its shape follows them")

    @property
    def kept_in(self) -> Any:
        """Input channels that are on, round(K·ρ_i), half to even."""
        return np.maximum(np.round(self.c_in * self.input_rate), 1)

    @property
    def kept_out(self) -> Any:
        """Output channels that are on, round(L·ρ_o), half to even."""
        return np.maximum(np.round(self.c_out * self.output_rate), 1)

    def macs(self, batch: int) -> Any:
        """Rows × kept inputs × kept outputs."""
        return 1.0 * batch * self.tokens * self.kept_in * self.kept_out

    def elements(self, batch: int) -> Any:
        """Weights once, rows of input and output."""
        return self.kept_in * self.kept_out + 1.0 * batch * self.tokens * (self.kept_in + self.kept_out)


class MatrixProduct(Operator):
    """`groups` products (rows × inner) · (inner × columns) per sample.

    Parameters
    ----------
    groups
        Products per sample: heads.
    rows, inner, columns
        Edges of the two factors [elements].

    Examples
    --------
    >>> MatrixProduct(groups=6, rows=197, inner=64, columns=197).macs(batch=1)
    14902656.0
    """

    groups: Count = 1
    rows: Count
    inner: Count
    columns: Count

    def macs(self, batch: int) -> Any:
        """groups × rows × inner × columns."""
        return 1.0 * batch * self.groups * self.rows * self.inner * self.columns

    def elements(self, batch: int) -> Any:
        """Both factors and the product."""
        rows, inner, columns = self.rows, self.inner, self.columns
        return 1.0 * batch * self.groups * (rows * inner + inner * columns + rows * columns)


class _Tokens(Operator):
    """`groups` matrices of rows × channels per sample."""

    groups: Count = 1
    rows: Count
    channels: Count

    @property
    def size(self) -> int:
        """Elements per sample."""
        return self.groups * self.rows * self.channels

    def elements(self, batch: int) -> Any:
        """Read once, written once."""
        return 2.0 * batch * self.size


class ElementWise(_Tokens):
    """One operation per element: an activation, an embedding added, a product.

    Parameters
    ----------
    groups
        Matrices per sample: heads.
    rows, channels
        Edges of a matrix [elements]: tokens, and channels of each.

    Examples
    --------
    >>> ElementWise(rows=197, channels=384).elements(batch=1)
    151296.0
    """


class Softmax(_Tokens):
    """A softmax over the channels, in one kernel.

    Parameters
    ----------
    groups
        Matrices per sample: heads.
    rows, channels
        Edges of a matrix [elements]: tokens, and channels of each.

    Examples
    --------
    >>> Softmax(rows=197, channels=384).elements(batch=1)
    151296.0
    """


class LayerNorm(_Tokens):
    """A layer norm over the channels, in one kernel.

    Parameters
    ----------
    groups
        Matrices per sample: heads.
    rows, channels
        Edges of a matrix [elements]: tokens, and channels of each.

    Examples
    --------
    >>> LayerNorm(rows=197, channels=384).elements(batch=1)
    151296.0
    """


class TokenAdd(_Tokens):
    """The residual addition of token matrices.

    Parameters
    ----------
    groups
        Matrices per sample: heads.
    rows, channels
        Edges of a matrix [elements]: tokens, and channels of each.

    Examples
    --------
    >>> TokenAdd(rows=197, channels=384).elements(batch=1)
    226944.0
    """

    def elements(self, batch: int) -> Any:
        """Two read, one written."""
        return 3.0 * batch * self.size


class Unfold(Operator):
    """Overlapping patches of a map laid out as rows.

    Parameters
    ----------
    elements_in, elements_out
        What is read and what is written for a sample [elements].

    Examples
    --------
    >>> Unfold(elements_in=150528, elements_out=460992).elements(batch=1)
    611520.0
    """

    elements_in: Count
    elements_out: Count

    def elements(self, batch: int) -> Any:
        """Read once, written once."""
        return 1.0 * batch * (self.elements_in + self.elements_out)
