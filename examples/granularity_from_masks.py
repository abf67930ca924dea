"""Choose the patch edges from masks of your own data: a coarser patch is faster, but catches more pixels.

    python examples/granularity_from_masks.py [masks.npz]

The file holds one boolean array (samples, height, width) per stage, True where a pixel is to be computed; without one,
`masks.npz` of this folder is taken.
"""

from __future__ import annotations

import sys
from pathlib import Path

import latpred
from latpred.workloads.masks import rates_from_masks


def main() -> None:
    """Print r(S) of every stage, and the patch edges for some devices."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).with_name("masks.npz")
    counted = rates_from_masks(path)
    for stage, rates in enumerate(counted.rates, start=1):
        print(f"stage {stage}: r = " + ", ".join(f"{rate:.2f} at S={S}" for S, rate in rates.items()))
    network = latpred.load_network("resnet50")
    for device in ("v100", "rtx3060", "tx2"):
        profile = latpred.load_profile(device)
        S = latpred.recommend_granularity(network, profile, counted).S
        report = latpred.predict(network, profile, latpred.Spatial(S=S, r=counted.for_granularity(S)))
        print(f"{profile.title}: S = {'-'.join(map(str, S))}, rℓ = {report.ratio:.3f}")


if __name__ == "__main__":
    main()
