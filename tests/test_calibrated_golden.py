"""Calibrated predictions do not move: 1,725 of them, as the shipped calibrations gave them before one rewriting.

They are written by `python -m tests.test_calibrated_golden`; again only where a device's calibration, or an equation,
changes on purpose.
"""

import gzip
import json
from itertools import product
from pathlib import Path

import pytest

import latpred
from latpred import Channel, Layer, Spatial, Static, predict
from latpred.workloads import operators as op

FILE = Path(__file__).parent / "golden" / "calibrated.json.gz"
BATCHES = (1, 6, 128)
BLOCKS = ("resnet50-stage1", "resnet50-stage2-first", "resnet50-stage4", "regnety-400mf-stage2")
SHAPES = (
    (3, 64, 112, 1, 1),
    (24, 100, 30, 1, 2),
    (64, 64, 56, 3, 1),
    (60, 33, 31, 3, 2),
    (256, 512, 14, 1, 1),
    (512, 512, 7, 3, 1),
    (2048, 40, 7, 1, 1),
)


def convolutions():
    for c_in, c_out, edge, kernel, stride in SHAPES:
        yield {"c_in": c_in, "c_out": c_out, "height": edge, "width": edge + 2, "kernel": kernel, "stride": stride}


def triton():
    """Operators and blocks, with a paradigm."""
    for shape in convolutions():
        yield op.Convolution(**shape), Static()
        for S, r, indexed in ((1, 0.5, True), (4, 0.25, True), (4, 0.9, False)):
            yield op.PatchConvolution(**shape, S=S, r=r, indexed=indexed), Static()
        dense = {name: shape[name] for name in ("c_in", "c_out", "height", "width")}
        yield op.MaskerConvolution(**dense, S=2, r=0.5), Static()
    for group, rates in product((1, 2, 8, 32), ((0.5, 1.0), (1.0, 0.3), (0.25, 0.75))):
        shape = {"c_in": 128, "c_out": 256, "height": 14, "width": 14, "kernel": 3, "channel_group": group}
        yield op.Convolution(**shape, input_rate=rates[0], output_rate=rates[1]), Static()
    yield op.Convolution(c_in=48, c_out=48, height=28, width=28, kernel=3, groups=6), Static()
    shape = {"channels": 208, "height": 20, "width": 20}
    yield from ((kind(**shape), Static()) for kind in (op.Add, op.GlobalPool, op.ChannelScale))
    for kind in (op.ScatterAdd, op.PatchGlobalPool, op.PatchChannelScale):
        yield kind(**shape, S=4, r=0.4), Static()
    yield op.FullyConnected(c_in=700, c_out=90), Static()
    yield from ((op.MaskCompaction(height=28, width=28, items=n), Static()) for n in (16, 784))
    for block in map(latpred.load_block, BLOCKS):
        yield from (
            (block, paradigm) for paradigm in (Static(), Spatial(S=1, r=0.6), Spatial(S=7, r=0.3), Layer(r=0.4))
        )
        if not block.se:
            yield from ((block, Channel(G=G, r=0.5)) for G in (1, 16))


def tensorrt():
    for shape, stride, kernel in product(convolutions(), (1, 2), (1, 3, 5, 7)):
        yield op.Convolution(**{**shape, "stride": stride, "kernel": kernel}), Static()
        yield op.Convolution(**{**shape, "c_out": shape["c_in"], "stride": stride, "kernel": kernel}), Static()
        depthwise = {"c_out": shape["c_in"], "groups": shape["c_in"], "stride": stride, "kernel": kernel}
        yield op.Convolution(**{**shape, **depthwise}), Static()
    yield op.Convolution(c_in=64, c_out=300, height=6, width=6, kernel=7), Static()


ASKED = [("h200", "triton", precision) for precision in ("fp32", "tf32", "fp16")]
ASKED += [("v100", "tensorrt", precision) for precision in ("fp32", "fp16")]


def predicted(device, library, precision):
    """The latency of every case at every batch [s]."""
    cases = list(triton() if library == "triton" else tensorrt())
    settings = {"model": "calibrated", "precision": precision, "library": library}
    profile = latpred.load_profile(device)
    return [
        predict(target, profile, way, batch=n, **settings).latency_s for (target, way), n in product(cases, BATCHES)
    ]


@pytest.mark.parametrize("asked", ASKED, ids="-".join)
def test_calibrated_predictions_do_not_move(asked):
    golden = json.loads(gzip.decompress(FILE.read_bytes()))["-".join(asked)]
    assert predicted(*asked) == pytest.approx(golden, rel=1e-9)


if __name__ == "__main__":
    found = {"-".join(asked): predicted(*asked) for asked in ASKED}
    FILE.write_bytes(gzip.compress(json.dumps(found).encode(), mtime=0))
