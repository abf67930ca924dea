"""The operators of transformers: records of shapes per sample; the batch multiplies their rows (MODEL §7).

`tokens` and `rows` count rows per sample; `groups` the matrices per sample (heads). MACs count linear layers and matrix
products.
"""

from __future__ import annotations

from typing import Any

from latpred.records import Count, Rate
from latpred.workloads.operators import Operator


class Linear(Operator):
    """A linear layer on `tokens` rows; head rates keep a share of the input and of the output channels."""

    tokens: Count
    c_in: Count
    c_out: Count
    input_rate: Rate = 1.0
    output_rate: Rate = 1.0

    @property
    def kept_in(self) -> int:
        """Input channels that are on, round(K·ρ_i), half to even."""
        return max(round(self.c_in * float(self.input_rate)), 1)  # type: ignore[arg-type]

    @property
    def kept_out(self) -> int:
        """Output channels that are on, round(L·ρ_o), half to even."""
        return max(round(self.c_out * float(self.output_rate)), 1)  # type: ignore[arg-type]

    def macs(self, batch: int) -> Any:
        """Rows × kept inputs × kept outputs."""
        return float(batch) * self.tokens * self.kept_in * self.kept_out

    def elements(self, batch: int) -> Any:
        """Weights once, rows of input and output."""
        return self.kept_in * self.kept_out + float(batch) * self.tokens * (self.kept_in + self.kept_out)


class MatrixProduct(Operator):
    """`groups` products (rows × inner) · (inner × columns) per sample."""

    groups: Count = 1
    rows: Count
    inner: Count
    columns: Count

    def macs(self, batch: int) -> Any:
        """groups × rows × inner × columns."""
        return float(batch) * self.groups * self.rows * self.inner * self.columns

    def elements(self, batch: int) -> Any:
        """Both factors and the product."""
        rows, inner, columns = self.rows, self.inner, self.columns
        return float(batch) * self.groups * (rows * inner + inner * columns + rows * columns)


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
    """One operation per element: an activation, an embedding added, a product."""


class Softmax(_Tokens):
    """Over the channels, in one kernel."""


class LayerNorm(_Tokens):
    """Over the channels, in one kernel."""


class TokenAdd(_Tokens):
    """The residual addition of token matrices."""

    def elements(self, batch: int) -> Any:
        """Two read, one written."""
        return 3.0 * batch * self.size


class Unfold(Operator):
    """Overlapping patches of a map laid out as rows; element counts per sample."""

    elements_in: Count
    elements_out: Count

    def elements(self, batch: int) -> Any:
        """Read once, written once."""
        return float(batch) * (self.elements_in + self.elements_out)
