"""Turn the third-party TensorRT measurements into a file of latpred's columns, to calibrate hardware/v100.yaml on it.

    python benchmarks/tensorrt_measurements.py v100_tensorrt_convolutions.csv.gz v100.csv
    latpred calibrate v100.csv --device v100 -o hardware/v100.yaml --source "alibaba/lightweight-…"

The data are alibaba/lightweight-neural-architecture-search's, Apache-2.0, tinynas/latency/op_profiler/V100; they are
not part of this repository. Rows with a residual addition fused in are kept, though an operator cannot say so: the
library has as many as without, and a fit to either is as accurate (docs/accuracy.md).
"""

import csv
import gzip
import sys
from pathlib import Path

from latpred import Convolution, Static
from latpred.measuring.columns import COLUMNS
from latpred.measuring.measurements import row_of, write_rows


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            c_in, edge = int(line["c_in"]), int(line["h_in"])
            operator = Convolution(
                c_in=c_in,
                c_out=int(line["c_out"]),
                height=edge,
                width=int(line["w_in"]),
                kernel=int(line["kernel"]),
                stride=int(line["stride"]),
                groups=c_in if line["conv_type"] == "depthwise" else 1,
            )
            row = {
                **row_of(operator, Static()),
                "batch": line["batch"],
                "precision": line["precision"],
                "library": "tensorrt",
                "median_s": line["seconds"],
                "device": "NVIDIA Tesla V100",
            }
            yield {column: row.get(column) for column in COLUMNS}


if __name__ == "__main__":
    write_rows(Path(sys.argv[2]), rows(Path(sys.argv[1])))
