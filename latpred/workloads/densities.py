"""How much is active: patches of a map, whole samples of a batch (MODEL §2)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Guard against ⌈r·n⌉ stepping up on the rounding noise of r·n (MODEL §9).
ROUNDING_GUARD = 1e-9


def patch_count(height: int, width: int, S: int) -> int:
    """Patches of edge `S` [pixels] that cover a `height` × `width` map; those at the edge may stick out.

    >>> patch_count(56, 56, 4), patch_count(25, 42, 4)
    (196, 77)
    """
    return -(-height // S) * -(-width // S)


def active_patches(r: ArrayLike, patches: int) -> NDArray[np.float64]:
    """Patches computed at activation rate `r`: a = ⌈r·n_p⌉, with a guard against rounding noise.

    >>> active_patches([0.0, 0.1, 0.6, 1.0], 196).tolist()
    [0.0, 20.0, 118.0, 196.0]
    """
    # Adding zero turns −0.0 into 0.0.
    return np.ceil(np.asarray(r, dtype=float) * patches - ROUNDING_GUARD) + 0.0


def mean_active_patches(patches: int) -> float:
    """Mean over all counts 1 … n_p, at which the tile of a patch operator is chosen: n̄ = (1 + n_p)/2."""
    return (1 + patches) / 2


def whole_samples(samples: Any) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    """The whole numbers around a mean number of samples, each after its weight; nothing runs for none of them.

    >>> [(float(weight), float(count)) for weight, count in whole_samples(2.25)]
    [(0.75, 2.0), (0.25, 3.0)]
    """
    low = np.floor(samples + ROUNDING_GUARD)
    upper = np.clip(samples - low, 0.0, 1.0)
    return (np.where(low > 0, 1 - upper, 0.0), low), (upper, low + 1)
