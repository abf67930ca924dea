"""Calibrate the libraries of static networks on whole networks that others timed, which are not part of latpred.

    pip install timm torchvision
    latpred calibrate measurements/h200_pytorch.csv.gz --device h200 -o hardware/h200.yaml
    for device in v100 a100; do
        python benchmarks/cudnn_measurements.py cudnn_convolutions.csv.gz $device $device.csv
        latpred calibrate $device.csv --device $device --like h200 -o hardware/$device.yaml --source "sitar-lab/…"
    done
    python benchmarks/library_calibrations.py public_networks.csv

The last one fits to networks what they say, keeps what single operators and other devices said, writes `hardware/`, and
prints the errors on families of networks that were left out.
"""

import sys
from datetime import date
from pathlib import Path

import numpy as np

from latpred import __version__
from latpred.devices.calibration import Calibration, FittedNumber, Provenance
from latpred.devices.catalogue import load_profile, profile_path
from latpred.devices.libraries import ENGINES
from latpred.devices.transfer import Fitted
from latpred.devices.writing import save_profile
from latpred.measuring import fitting
from latpred.measuring.class_errors import class_errors
from latpred.measuring.measurements import file_hash
from latpred.measuring.networks import read_networks

#: One of these rows is a copy of another network's.
COPIES = {("rtx3090", "timm:ecaresnext50t_32x4d")}
#: TensorRT's single convolutions on the V100 say these (`hardware/v100.yaml`); and a kernel's time that makes networks
#: of few and of many kernels right at batch 1.
V100_ENGINE = {
    "winograd_efficiency": 0.885,
    "winograd_program_s": 1.85e-6,
    "depthwise_efficiency": 0.074,
    "plane_s": 6.2e-8,
    "kernel_s": 8e-6,
}


def numbers_of(device, precision, library, of="operators", on=None):
    """The fitted numbers of a device, or as they serve the device `on`."""
    profile = load_profile(device)
    found = Fitted(profile.calibration(precision, library, of), profile)
    return found.numbers_for(load_profile(on or device))


def calibrate(path, device, precision, library, part, given, start, source):
    """Fit the rows of a device whose source has `part`, `given` numbers kept, and write it into the device's file."""
    profile = load_profile(device)
    wanted = (device, library, precision)
    rows = [row for row in read_networks(path) if (row.device, row.library, row.precision) == wanted]
    rows = [row for row in rows if part in row.source and (row.device, row.model) not in COPIES]
    design, measured = fitting.design(rows, profile), np.array([row.seconds for row in rows])
    found = fitting.fit(design, measured, precision, library, start=start, given=given, check=False)
    folds, predicted = fitting.folds_of(rows), np.empty(len(rows))
    for fold in sorted(set(folds)):
        inside = folds == fold
        others = fitting.chosen(design, ~inside)
        numbers = fitting.fit(others, measured[~inside], precision, library, start=found, given=given, check=False)
        predicted[inside] = design.seconds(numbers)[inside]
    item = Calibration(
        precision=precision,
        library=library,
        of="networks",
        numbers=tuple(FittedNumber(name=name, value=float(f"{value:.4g}")) for name, value in found.items()),
        errors=tuple(class_errors(rows, measured / predicted)),
        provenance=Provenance(
            data_sha256=file_hash(path),
            rows=len(rows),
            device=profile.title,
            date=date.today().isoformat(),
            latpred=__version__,
            source=source,
        ),
        batches=(min(row.batch for row in rows), max(row.batch for row in rows)),
    )
    print(f"{device} {precision} with {library}: {item.error_of('networks')}, {len(given)} numbers given")
    save_profile(fitting.recalibrated(profile, [item]), profile_path(device), like=profile_path(device))


def chosen(numbers, names):
    return {name: numbers[name] for name in names}


def main(path):
    half = numbers_of("h200", "fp16", "pytorch")
    # Where cuDNN tries its kernels, odd channels cost little, and autocast widens norms.
    start = {**half, "widened": 4.0, "odd_efficiency": 0.9}
    timm = "huggingface/pytorch-image-models results: AMP, channels last, torch 2.4, cuDNN's kernels tried; fp16 is AMP"
    calibrate(
        path, "rtx3090", "fp16", "pytorch", "pytorch-image-models", chosen(half, ("kernel_s", "program_s")), start, timm
    )

    single = numbers_of("v100", "fp32", "pytorch")
    given = {name: value for name, value in single.items() if name not in ("group_efficiency", "pass_efficiency")}
    pycls = "facebookresearch/pycls: PyTorch 1.6, cuDNN 7.6"
    calibrate(path, "v100", "fp32", "pytorch", "pycls", given, single, pycls)

    start = {name: number.start for name, number in ENGINES["fp32"].items()} | V100_ENGINE
    paddle = "PaddlePaddle/PaddleClas: TensorRT 8.0"
    calibrate(path, "v100", "fp32", "tensorrt", "PaddleClas", V100_ENGINE, start, paddle)

    lanes = chosen(numbers_of("v100", "fp32", "tensorrt", "networks", on="agx-xavier"), ENGINES["fp16"])
    given = {name: value for name, value in lanes.items() if name not in ("efficiency", "program_s")}
    jetson = "NVIDIA-AI-IOT/torch2trt: TensorRT 5; Nota-NetsPresso/netspresso-trainer; the rest as on the V100 in FP32"
    calibrate(path, "agx-xavier", "fp16", "tensorrt", "", given, lanes, jetson)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
