"""What one block skips, as the lowerings ask for it."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from latpred.workloads.operators import Share

#: Operations of a spatial block that are one kernel with a convolution or the addition, unless undone.
Fusion = Literal["masker", "gather", "scatter"]
FUSIONS: tuple[Fusion, ...] = ("masker", "gather", "scatter")


class Skipping(NamedTuple):
    """What one block skips: None where a paradigm is off. Rates are numbers, or `Share`s of rates known later."""

    S: int | None = None
    patch_rate: Any = 1.0
    unfuse: tuple[Fusion, ...] = ()
    G: int | None = None
    channel_rate: Any = 1.0
    masker_layers: int = 2
    scaled: bool = False
    layer_rate: Any = None
    layer_masker: str = "fused"
    layer_hidden: int = 16
    attention_rate: Any = None
    mlp_rate: Any = None
    token_rate: Any = None
    arriving_rate: Any = None
    decides_on_tokens: bool = True
    head_rate: Any = None

    def with_shares(self) -> Skipping:
        """The same with the rates that shape no operator left open, by the name of the paradigm that has them."""
        runs: dict[str, Any] = dict.fromkeys(("layer_rate", "attention_rate", "mlp_rate"), Share("layer"))
        return self._replace(
            patch_rate=Share("spatial") if self.S else 1.0,
            channel_rate=Share("channel") if self.G else 1.0,
            **({} if self.layer_rate is None else runs),
        )
