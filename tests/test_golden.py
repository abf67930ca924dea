"""The published model agrees with the authors' simulator on every golden line, to 1e-9 relative."""

import pytest

import latpred
from latpred.models.interface import cost_model
from tests import golden_files

OPERATORS = golden_files.lines("operators")
BLOCKS = golden_files.lines("blocks")
NETWORKS = {"resnet50": "resnet50", "regnety008": "regnety-800mf"}


def test_the_golden_files_are_complete():
    assert len(OPERATORS) == 700
    assert len(BLOCKS) == 2220


@pytest.mark.parametrize("kind", sorted({line["op"] for line in OPERATORS}))
def test_operators(kind):
    for line in (line for line in OPERATORS if line["op"] == kind):
        cost = cost_model("published", golden_files.profile(line))
        costs = [cost.cost(operator, line["batch"]) for operator in golden_files.operators(line)]
        expected = {"latency_s": line["latency_s"], "compute_s": line["compute_s"], "memory_s": line["memory_s"]}
        for field, value in expected.items():
            if value is not None:
                assert sum(getattr(part, field) for part in costs) == pytest.approx(value, rel=1e-9, abs=0), line


@pytest.mark.parametrize("kind", ["conv", "dynamic_conv", "add", "scatter_add"])
def test_tiles(kind):
    for line in (line for line in OPERATORS if line["op"] == kind and line["tile"]):
        (operator,) = golden_files.operators(line)
        tile = cost_model("published", golden_files.profile(line)).cost(operator, line["batch"]).tiling.tile
        names = ["c_tile", "h_tile", "w_tile"]
        if "n_patches_parallel" in line["tile"]:
            names = ["n_patches_parallel", *names]
        assert list(tile) == [line["tile"][name] for name in names], line


def paradigm(line):
    return {
        "static": latpred.Static,
        "spatial": lambda: latpred.Spatial(S=line["S"], r=line["r"]),
        "channel": lambda: latpred.Channel(G=line["G"], r=line["r"]),
        "layer": lambda: latpred.Layer(r=line["r"]),
    }[line["paradigm"]]()


@pytest.mark.parametrize("device", sorted({line["device"] for line in BLOCKS}))
@pytest.mark.parametrize("network", sorted(NETWORKS))
def test_blocks(network, device):
    profile, shipped = latpred.load_profile(device), latpred.load_network(NETWORKS[network])
    for line in (line for line in BLOCKS if (line["network"], line["device"]) == (network, device)):
        block = shipped.block(line["stage"], first=line["block"] == "first")
        report = latpred.predict(block, profile, paradigm(line), batch=line["batch"])
        assert report.latency_s == pytest.approx(line["latency_s"], rel=1e-9, abs=0), line


def test_transformers():
    network = latpred.load_network("t2t-vit-19")
    lines = golden_files.lines("t2t_vit")
    assert len(lines) == 50
    for line in lines:
        parts = [
            kind(r=line[field])
            for kind, field in ((latpred.Token, "token_rate"), (latpred.Head, "head_rate"))
            if line[field] is not None
        ]
        if line["layer_rate_attention"] is not None:
            parts.append(latpred.Layer(attention_r=line["layer_rate_attention"], mlp_r=line["layer_rate_mlp"]))
        skipped = latpred.Joint(*parts) if parts else latpred.Static()
        report = latpred.predict(network, latpred.load_profile(line["device"]), skipped, batch=line["batch"])
        assert report.latency_s == pytest.approx(line["latency_s"], rel=1e-9, abs=0), line
