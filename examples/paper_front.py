"""LAUDNet's headline figure, accuracy over latency, on any device: also on those that the paper never showed.

    python examples/paper_front.py --device tx2 --device orin --output front.png
    python examples/paper_front.py --renew

`paper_points.csv` holds the ResNets of the figure's panel over FLOPs: multiply-adds and accuracies, digitised. The
paper states no activation rates; the file's are those, common to all blocks, that give the same share of the
multiply-adds, stem and head included, as the figure counts them. `--renew` finds them again and writes the file.
"""

from __future__ import annotations

import argparse
import csv
from functools import cache
from pathlib import Path

import latpred
from latpred.question import ask
from latpred.show.canvas import save
from latpred.show.pareto_plots import draw_pareto
from latpred.studies.comparison import rate_for_macs
from latpred.studies.points import read_points

POINTS = Path(__file__).with_name("paper_points.csv")
#: The figure's devices.
SHOWN = ("v100", "tx2")


def rows() -> list[dict[str, str]]:
    """The points of the file."""
    with POINTS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rate(row: dict[str, str]) -> str:
    """The rate at which a point has the paper's share of the static multiply-adds; empty for a static network."""
    if row["paradigm"] == "static":
        return ""
    (point,) = read_points([row | {"r": "1"}])
    found = rate_for_macs(_counted(row["network"]), point.paradigm, float(row["gmacs"]) / float(row["static_gmacs"]))
    return f"{found:.4f}"


@cache
def _counted(network: str):
    """A network with all that the figure counts; multiply-adds depend on no device, and the roofline is quick."""
    return ask(latpred.load_network(network).including("stem", "head"), "v100", batch=1, model="roofline")


def main() -> None:
    """Draw the figure, or write the rates anew."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", action="append", help="name or YAML file; several: repeat")
    parser.add_argument("--output", type=Path, default=Path("front.png"))
    parser.add_argument("--renew", action="store_true", help="find the rates, and write them to paper_points.csv")
    arguments = parser.parse_args()
    if arguments.renew:
        renewed = [row | {"r": rate(row)} for row in rows()]
        with POINTS.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(renewed[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(renewed)
        print(f"wrote {len(renewed)} points to {POINTS}")
        return
    frame = latpred.pareto(POINTS, arguments.device or SHOWN)
    save(draw_pareto(frame), arguments.output)
    print(f"wrote {arguments.output}: {frame['on_front'].sum()} of {len(frame)} points are on a front")


if __name__ == "__main__":
    main()
