"""How results show themselves: a line at the prompt, a table in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas

#: Rows of a table in a notebook; of a longer one, the first and last.
MOST_ROWS = 40


class Shown:
    """What says in a line what it is, `summary`, and has a table of its parts, `to_frame()`."""

    __slots__ = ()

    @property
    def summary(self) -> str:
        """What it is, with its main figures."""
        raise NotImplementedError

    def to_frame(self) -> pandas.DataFrame:
        """A row per part; units are in the columns' names."""
        raise NotImplementedError

    def __repr__(self) -> str:
        """One line."""
        return f"<{type(self).__name__}: {self.summary}>"

    def _repr_html_(self) -> str:
        table = self.to_frame().to_html(index=False, max_rows=MOST_ROWS, na_rep="", border=0)
        return f"<p><b>{escape(self.summary)}</b></p>\n{table}"
