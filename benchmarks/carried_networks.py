"""Whole networks on another device by what was fitted on the H200: python benchmarks/carried_networks.py NETWORKS.csv.

Columns: network, paradigm, setting (S or G of each stage), r, batch, precision, seconds.
"""

import csv
import sys
from statistics import mean, median

import latpred


def paradigm_of(row):
    sizes = [int(size) for size in row["setting"].split("-") if size]
    r = float(row["r"] or 1)
    kinds = {
        "static": latpred.Static,
        "layer": lambda: latpred.Layer(r=r),
        "spatial": lambda: latpred.Spatial(S=sizes, r=r),
        "channel": lambda: latpred.Channel(G=sizes, r=r),
    }
    return kinds[row["paradigm"]]()


def judged(rows, device):
    """Errors, and whether the time lies in the band, of every row."""
    for row in rows:
        how = {"batch": int(row["batch"]), "model": "calibrated", "precision": row["precision"]}
        found, seconds = latpred.predict(row["network"], device, paradigm_of(row), **how), float(row["seconds"])
        yield found.latency_s / seconds - 1, found.latency_low_s <= seconds <= found.latency_high_s


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8", newline="") as file:
        networks = list(csv.DictReader(file))
    h100 = latpred.load_profile("h100")
    print("| networks on an H100 | precision | rows | mean | bias | in band |\n|---|---|---|---|---|---|")
    for way, device in {"peaks measured": h100, "data sheet alone": h100.replace(peaks=None)}.items():
        for precision in sorted({row["precision"] for row in networks}):
            chosen = [row for row in networks if row["precision"] == precision]
            errors, inside = zip(*judged(chosen, device), strict=True)
            cells = (mean(map(abs, errors)), median(errors), mean(inside))
            print(f"| {way} | {precision} | {len(chosen)} | {' | '.join(f'{cell:.1%}' for cell in cells)} |")
