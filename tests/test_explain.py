"""Explanations: parts that add up, efficiencies that the model's own equation confirms, gains that are predictions."""

import csv
import io
import json
import subprocess
import sys

import pytest

import latpred
from latpred.cli import main
from latpred.models.interface import cost_model
from latpred.show.explanation_tables import visible

V100, TX2, H200 = (latpred.load_profile(name) for name in ("v100", "tx2", "h200"))
BLOCK = latpred.load_block("resnet50-stage1")


def run(*arguments):
    command = [sys.executable, "-m", "latpred", "explain", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("device", "preset"),
    [("tx2", preset) for preset in latpred.list_presets()[::3]]
    + [(device, "lasnet-regnety-400mf") for device in latpred.list_profiles()],
)
def test_parts_add_up_to_the_prediction(device, preset):
    published, network = latpred.load_preset(preset)
    found = latpred.explain(network, latpred.load_profile(device), published.paradigm.at_rates(0.6), batch=4)
    for share in found.shares:
        parts = (share.compute_s, share.off_chip_s, share.l2_s, share.launch_s)
        assert min(parts) >= 0
        assert sum(parts) == pytest.approx(share.latency_s, rel=1e-9)
        assert share.of_roofline <= 1 + 1e-9 or "channel" in preset or "lcnet" in preset or "bas" in preset
    assert sum(share.latency_s for share in found.shares) == pytest.approx(found.report.latency_s, rel=1e-12)


def test_the_memory_split_of_operators_whose_split_is_plain():
    ask = cost_model("published", TX2).cost
    added = ask(latpred.Add(channels=8, height=8, width=8), 1)
    assert added.l2_s == 0
    pooled = ask(latpred.AveragePool(channels=8, height=8, width=8), 1)
    # MODEL §5: (1/β + 1/β₂), β₂ = λβ with λ = 4.
    assert pooled.l2_s == pytest.approx(pooled.memory_s / 5)
    unfolded = ask(latpred.Unfold(elements_in=100, elements_out=300), 3)
    # MODEL §7: (in + out)/β + 2·out/β₂.
    assert unfolded.l2_s == pytest.approx(3 * 2 * 300 * 4 / (4 * 59.7e9))
    gathered = ask(latpred.workloads.operators.Gather(channels=8, height=20, width=20, S=4, r=0.2, pad=1), 3)
    # MODEL §5: 5 of 25 patches of 6 × 6 pixels, E; read as 6 of the 8 elements of an access, E/(β₂·6/8), written E/β₂.
    assert gathered.l2_s == pytest.approx(3 * 8 * 5 * 36 * (8 / 6 + 1) * 4 / (4 * 59.7e9))


CONVOLUTIONS = [
    latpred.Convolution(c_in=64, c_out=100, height=37, width=29, kernel=3),
    latpred.Convolution(c_in=256, c_out=64, height=56, width=56, kernel=1),
    latpred.Convolution(c_in=64, c_out=96, height=56, width=56, kernel=3, stride=2, groups=4),
    latpred.PatchConvolution(c_in=64, c_out=100, height=56, width=56, kernel=3, S=7, r=0.37, indexed=True),
    latpred.PatchConvolution(c_in=64, c_out=256, height=50, width=84, kernel=1, S=8, r=1.0, indexed=False),
    latpred.Linear(tokens=196, c_in=448, c_out=1344),
]


@pytest.mark.parametrize("operator", CONVOLUTIONS, ids=lambda operator: type(operator).__name__)
@pytest.mark.parametrize("profile", [V100, TX2], ids=lambda profile: profile.name)
def test_fills_are_what_separates_a_kernel_from_peak(operator, profile):
    """compute = MACs/(P·F·f)/(tile·wave·lane): the three shares are the whole of the loss (MODEL §3, §4)."""
    model = cost_model("published", profile)
    cost = model.cost(operator, 1)
    fill, compute = model.fill(cost), cost.compute_s
    assert compute == pytest.approx(
        operator.macs(1) / profile.fp32_peak_macs / (fill.tile * fill.wave * fill.lane), rel=1e-9
    )


@pytest.mark.parametrize("batch", [1, 5])
def test_fills_of_an_addition_of_patches(batch):
    """compute = c·a·S²·N/(P·F·f)/(tile·wave·lane), with a = ⌈0.37 · 64⌉ patches (MODEL §5)."""
    model = cost_model("published", V100)
    cost = model.cost(latpred.ScatterAdd(channels=100, height=56, width=56, S=7, r=0.37), batch)
    fill = model.fill(cost)
    ideal = 100 * 24 * 7**2 * batch / V100.fp32_peak_macs
    assert cost.compute_s == pytest.approx(ideal / (fill.tile * fill.wave * fill.lane), rel=1e-9)


def test_what_has_no_tiles_has_no_fill():
    model = cost_model("published", TX2)

    def ask(operator, batch):
        return model.fill(model.cost(operator, batch))

    assert ask(latpred.AveragePool(channels=8, height=8, width=8), 1) is None
    assert ask(latpred.FullyConnected(c_in=8, c_out=8), 1) is None
    nothing = CONVOLUTIONS[3].replace(r=0.0)
    assert ask(nothing, 1) is None
    roofline = cost_model("roofline", TX2)
    assert roofline.fill(roofline.cost(CONVOLUTIONS[0], 1)) is None


def test_every_kind_of_tiled_operator_has_a_fill_between_0_and_1():
    shape = {"channels": 100, "height": 28, "width": 28}
    operators = [
        latpred.Add(**shape),
        latpred.ChannelScale(**shape),
        latpred.GlobalPool(**shape),
        latpred.ScatterAdd(**shape, S=4, r=0.5),
        latpred.PatchGlobalPool(**shape, S=4, r=0.5),
        latpred.LayerMasker(c_in=64, c_out=64, height=28, width=28),
        latpred.MatrixProduct(rows=197, inner=64, columns=197),
        latpred.ElementWise(rows=197, channels=448),
        latpred.TokenAdd(rows=197, channels=448),
    ]
    model = cost_model("published", V100)
    for operator in operators:
        fill = model.fill(model.cost(operator, 2))
        assert all(0 < share <= 1 for share in fill), operator


def test_gains_are_predictions():
    paradigm = latpred.Spatial(S=2, r=0.6, unfuse=["gather"])
    found = latpred.explain(BLOCK, V100, paradigm)
    now = found.report.latency_per_image_s
    by_change = {remedy.change: remedy for remedy in found.remedies}
    assert set(by_change) == {
        "no skipping",
        "fuse all",
        "larger S",
        "channel skipping",
        "layer skipping",
        "larger batch",
    }
    gains = [remedy.gain for remedy in found.remedies]
    assert gains == sorted(gains, reverse=True)
    assert gains[-1] > 0
    fused = latpred.predict(BLOCK, V100, latpred.Spatial(S=2, r=0.6)).latency_per_image_s
    assert by_change["fuse all"].gain == pytest.approx(1 - fused / now)
    larger = {S: latpred.predict(BLOCK, V100, paradigm.replace(S=S)).latency_per_image_s for S in (4, 7, 8, 14, 28)}
    assert by_change["larger S"].latency_per_image_s == min(larger.values())
    static = latpred.predict(BLOCK, V100).latency_per_image_s
    assert by_change["no skipping"].gain == pytest.approx(1 - static / now)


def test_other_paradigms_are_taken_at_equal_macs():
    found = latpred.explain(BLOCK, V100, latpred.Spatial(S=1, r=0.5))
    remedy = next(remedy for remedy in found.remedies if remedy.change == "channel skipping")
    r = float(remedy.paradigm.split("r=")[1].rstrip(")"))
    macs = latpred.predict(BLOCK, V100, latpred.Channel(G=2, r=r)).macs
    assert macs == pytest.approx(found.report.macs, rel=1e-3)


@pytest.mark.parametrize("r", [0.0, [0.5, 0.0, 0.5, 1.0]])
def test_rates_of_zero_are_explained(r):
    found = latpred.explain(latpred.load_network("resnet50"), V100, latpred.Spatial(S=[4, 4, 2, 1], r=r))
    assert sum(share.latency_s for share in found.shares) == pytest.approx(found.report.latency_s)


@pytest.mark.parametrize("overlap", ["add", "max"])
def test_bars_end_at_the_latency(overlap):
    found = latpred.explain(BLOCK, TX2.replace(overlap=overlap), latpred.Channel(G=2, r=0.5))
    for share in found.shares:
        assert sum(visible(share).values()) == pytest.approx(share.latency_s)


@pytest.mark.parametrize(("model", "precision"), [("calibrated", "fp16"), ("calibrated", "tf32"), ("roofline", "fp16")])
@pytest.mark.parametrize("paradigm", [latpred.Spatial(S=4, r=0.6), latpred.Layer(r=0.3)], ids=["spatial", "layer"])
def test_precisions(model, precision, paradigm):
    """The total, the bytes and the gains are those of predictions in the same precision."""
    kernels = {"batch": 8, "model": model, "precision": precision}
    found, report = (ask(BLOCK, H200, paradigm, **kernels) for ask in (latpred.explain, latpred.predict))
    assert sum(share.latency_s for share in found.shares) == pytest.approx(report.latency_s, rel=1e-12)
    assert found.ridge_macs_per_byte == getattr(H200.peaks, f"{precision}_macs") / H200.peaks.copy_bandwidth
    for share, row in zip(found.shares, report.operators, strict=True):
        assert share.macs_per_byte == pytest.approx(row.macs / row.bytes)
        assert 0 < share.of_roofline <= 1 + 1e-9
        assert sum(visible(share).values()) == pytest.approx(share.latency_s)
    for larger in (remedy for remedy in found.remedies if remedy.change == "larger batch"):
        expected = latpred.predict(BLOCK, H200, paradigm, **{**kernels, "batch": larger.batch})
        assert larger.latency_per_image_s == pytest.approx(expected.latency_per_image_s)


def test_what_the_kernels_do_not_have_is_no_remedy():
    block = latpred.load_block("regnety-400mf-stage2")
    found = latpred.explain(block, H200, latpred.Layer(r=0.5), model="calibrated")
    assert {remedy.change for remedy in found.remedies} == {"spatial skipping", "larger batch"}


def test_network_stages_larger_edges_and_rates_per_block():
    network = latpred.load_network("resnet50")
    changes = [r.change for r in latpred.explain(network, V100, latpred.Spatial(S=1, r=0.6)).remedies]
    assert "larger S" in changes
    per_block = latpred.explain(network, V100, latpred.Spatial(S=1, r=[0.5] * 16))
    assert "larger S" not in [remedy.change for remedy in per_block.remedies]
    stage = latpred.explain(network.stage(2), V100, latpred.Spatial(S=1, r=0.5))
    assert {"larger S", "channel skipping", "layer skipping"} <= {remedy.change for remedy in stage.remedies}


@pytest.mark.parametrize("profile", [V100, TX2], ids=lambda profile: profile.name)
def test_what_loses_is_no_remedy(profile):
    """At equal multiply-adds no paradigm is as fast as layer skipping, the papers' finding."""
    remedies = latpred.explain(BLOCK, profile, latpred.Layer(r=0.5)).remedies
    assert [remedy.change for remedy in remedies] == ["larger batch"]
    spatial = latpred.predict(BLOCK, profile, latpred.Spatial(S=14, r=0.5))
    assert spatial.macs_ratio > 0.4
    assert spatial.latency_s > latpred.predict(BLOCK, profile, latpred.Layer(r=0.5)).latency_s


@pytest.mark.parametrize("batch", [10**7, 10**9])
def test_batches_near_the_most_are_explained_and_nothing_helps(batch, capsys):
    assert latpred.explain(BLOCK, V100, batch=batch).remedies == ()
    with pytest.raises(SystemExit) as exit:
        main(["explain", "--device", "v100", "--block", "r50-stage1", "--batch", str(batch)])
    assert exit.value.code == 0
    assert "No larger S or batch, no fusing and no other paradigm would help." in capsys.readouterr().out


def test_command_prints_bars_fills_and_remedies():
    result = run("--device", "tx2", "--block", "r50-stage1", "--S", "4", "--r", "0.6")
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[0] == "resnet50-stage1 on tx2: spatial(S=4, r=0.6), batch 1"
    assert lines[2] == "  operator       latency   █ compute  ▓ off-chip  ▒ L2  ░ launch"
    bar = next(line.split()[-1] for line in lines if line.startswith("  masker+conv1    252 µs"))
    assert len(bar) == 48, "the longest bar fills the width"
    assert any(line.split() == ["change", "to", "per", "image", "gain"] for line in lines)


def test_command_in_another_precision():
    asked = ["--device", "h200", "--block", "r50-stage1", "--S", "4", "--r", "0.6"]
    asked += ["--model", "calibrated", "--precision", "fp16"]
    lines = run(*asked).stdout.splitlines()
    assert "calibrated model, fp16 with triton: fitted to measurements of this device" in lines
    assert "  operator       MACs/byte   of roofline" in lines, "the calibrated model has no tiles"
    found = json.loads(run(*asked, "--library", "triton", "--format", "json").stdout)
    assert (found["model"], found["precision"], found["library"]) == ("calibrated", "fp16", "triton")


def test_command_as_data_and_picture(tmp_path):
    plot = tmp_path / "explain.png"
    result = run(
        "--device", "tx2", "--preset", "lasnet-resnet50", "--r", "0.6", "--format", "json", "--plot", str(plot)
    )
    found = json.loads(result.stdout)
    assert result.stderr == f"wrote {plot}\n"
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert {"operators", "remedies", "ridge_macs_per_byte", "ratio"} <= set(found)
    assert {"name", "stage", "off_chip_s", "l2_s", "tile", "fill_wave"} <= set(found["operators"][0])
    rows = run(
        "--device", "tx2", "--device", "nano", "--block", "r50-stage1", "--S", "4", "--r", "0.6", "--format", "csv"
    )
    assert len(rows.stdout.splitlines()) == 1 + 2 * 4


def test_rows_begin_as_every_answer_does():
    """Names and numbers, the device whose calibration was carried over by its name, too."""
    rows = run("--device", "a100", "--block", "r50-stage1", "--model", "calibrated", "--format", "csv").stdout
    first = next(csv.DictReader(io.StringIO(rows)))
    asked = latpred.explain(BLOCK, "a100", model="calibrated").report.asked.to_dict()
    assert {name: first[name] for name in asked} == {name: str(value) for name, value in asked.items()}
    assert first["like"] == "h200"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--device tx2", "latpred: say what to predict: --block NAME or --network NAME"),
        ("--device tx2 --block r50-stage1 --plot a.xyz", "latpred: a.xyz: cannot write a plot as '.xyz'"),
    ],
)
def test_mistakes_end_in_one_line(arguments, message):
    result = run(*arguments.split())
    assert result.returncode == 2
    assert result.stderr.startswith(message)
    assert len(result.stderr.splitlines()) == 1


def test_what_predict_notes_is_said_here_too(capsys):
    with pytest.raises(SystemExit) as exit:
        main(["explain", "--device", "h200", "--block", "r50-stage1", "--model", "calibrated", "--batch", "512"])
    assert exit.value.code == 0
    assert "note: extrapolated: h200 was calibrated with batches 1 to 128, not 512" in capsys.readouterr().out
