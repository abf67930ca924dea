"""A block of a transformer: attention, then an MLP, each beside an identity (MODEL §8)."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from latpred.errors import InputError
from latpred.records import Count, Plain
from latpred.workloads.blocks.base import Block
from latpred.workloads.lowering import Form, Lowered
from latpred.workloads.lowering.skipping import Skipping
from latpred.workloads.paradigms import Paradigm, Token


class TransformerBlock(Block):
    """Attention and MLP on the tokens of a map, each beside an identity.

    Parameters
    ----------
    name
        What reports call it.
    dim, heads, head_dim
        Channels d of a token, attention heads and their width: heads × head_dim is d.
    hidden
        Channels between the layers of the MLP.
    height, width, extra
        Edges of the map [pixels], each a token, and tokens beside it, as for the class.
    window
        Edge of the windows within which tokens attend [pixels]; None where all attend to all.
    passes
        Passes over all channels of the tokens within the attention: one for queries and one for keys that are turned by
        their position, or normalised.

    Examples
    --------
    >>> block = TransformerBlock(dim=384, heads=6, hidden=1536, height=14, width=14, extra=1)
    >>> block.tokens, block.paradigms
    (197, ('layer', 'token', 'head'))
    """

    kind: ClassVar[str] = "transformer"

    name: str = "transformer block"
    dim: Count
    heads: Count
    head_dim: Count = 64
    hidden: Count
    height: Count
    width: Count
    extra: Annotated[int, Field(ge=0, le=10**6, strict=True), Plain] = 0
    window: Count | None = None
    passes: Annotated[int, Field(ge=0, le=100, strict=True), Plain] = 0

    @model_validator(mode="after")
    def _heads_fit(self) -> TransformerBlock:
        if self.heads * self.head_dim != self.dim:
            raise ValueError(f"heads={self.heads} × head_dim={self.head_dim} must be dim={self.dim}")
        if self.window and self.extra:
            raise ValueError("tokens beside the map are in no window; leave extra or window out")
        return self

    @property
    def c_in(self) -> int:
        """Channels of a token."""
        return self.dim

    @property
    def tokens(self) -> int:
        """Tokens of a sample."""
        return self.height * self.width + self.extra

    @property
    def has_windows(self) -> bool:
        """Whether tokens attend within windows; one that is the whole map is none."""
        return self.window is not None and (self.height, self.width) != (self.window, self.window)

    @property
    def obstacles(self) -> dict[str, str]:
        """The paradigms that the block cannot skip by, and why."""
        found = dict.fromkeys(("spatial", "channel"), "it is a transformer's: tokens and heads are what it can skip")
        return {**found, "token": "a window attends to all of its tokens"} if self.has_windows else found

    def lowest_rate(self, paradigm: Paradigm) -> float:
        """The lowest rate, common to all parts, that keeps a token and a head."""
        token = (part.lowest_rate(self.tokens) for part in paradigm.parts if isinstance(part, Token))
        return max((*token, *(1 / self.heads for part in paradigm.parts if part.name == "head")), default=0.0)

    def _lowered(self, skip: Skipping, form: Form) -> Lowered:
        if skip.layer_masker != "fused":
            raise InputError(
                f"{self.name} decides with a policy of its own; leave the layer masker {skip.layer_masker!r} out"
            )
        return Lowered(tuple(form.transformer(self, skip)))
