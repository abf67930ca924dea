"""Turn the third-party cuDNN measurements into files of latpred's columns, to calibrate the V100 and the A100 on them.

    python benchmarks/cudnn_measurements.py cudnn_convolutions.csv.gz v100 v100.csv
    latpred calibrate v100.csv --device v100 --like h200 -o hardware/v100.yaml --source "sitar-lab/NeuSight"

The data are sitar-lab/NeuSight's: single FP32 convolutions by PyTorch 2.1 on cuDNN 8.9, timed from the host, one by
one; they are not part of this repository.
"""

import csv
import gzip
import sys
from pathlib import Path

from latpred.measuring.columns import COLUMNS
from latpred.measuring.measurements import row_of, write_rows
from latpred.workloads.operators import PlainConvolution
from latpred.workloads.paradigms import Static

#: By latpred's name of a device, what the data call it, and its name as a device reports it.
DEVICES = {"v100": ("v100-pcie", "NVIDIA Tesla V100"), "a100": ("a100-pcie-80gb", "NVIDIA A100")}


def rows(path, device):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            if line["device"] != DEVICES[device][0]:
                continue
            edge, kernel = int(line["height"]), int(line["kernel"])
            sides = {
                f"{what}_{side}": size
                for side in ("height", "width")
                for what, size in (("kernel", kernel), ("padding", kernel // 2))
            }
            channels = {name: int(line[name]) for name in ("c_in", "c_out", "stride")}
            operator = PlainConvolution(height=edge, width=edge, **channels, **sides)
            row = {
                **row_of(operator, Static()),
                "batch": line["batch"],
                "precision": "fp32",
                "library": "pytorch",
                "median_s": line["seconds"],
                "device": DEVICES[device][1],
            }
            yield {column: row.get(column) for column in COLUMNS}


if __name__ == "__main__":
    write_rows(Path(sys.argv[3]), rows(Path(sys.argv[1]), sys.argv[2]))
