"""Every command takes every kind of block: it answers, or says in one line why not; and never wider than the screen."""

import csv
import io
import json

import numpy as np
import pytest

import latpred

CONV = "{layer: conv, c_out: 32, kernel: 3, stride: 2, norm: true}"
#: Small networks of two stages each, by the kind of their blocks, and what these can skip by.
NETWORKS = {
    "bottleneck": (
        ["{c_in: 32, c_out: 64, blocks: 2}", "{c_in: 64, c_out: 128, blocks: 2, stride: 2, groups: 4, se: true}"],
        {"spatial", "channel", "layer"},
    ),
    "basic": (
        ["{kind: basic, c_in: 32, c_out: 32, blocks: 2}", "{kind: basic, c_in: 32, c_out: 64, blocks: 1, stride: 2}"],
        {"spatial", "channel", "layer"},
    ),
    "inverted-residual": (
        [
            "{kind: inverted-residual, c_in: 32, c_out: 16, blocks: 1, expansion: 1}",
            "{kind: inverted-residual, c_in: 16, c_out: 24, blocks: 2, stride: 2, squeeze: 0.25}",
        ],
        {"spatial", "channel", "layer"},
    ),
    "convnext": (
        [
            "{kind: convnext, c_in: 32, c_out: 32, blocks: 2}",
            "{kind: convnext, c_in: 32, c_out: 32, blocks: 1, before: [{layer: norm, over: layer}]}",
        ],
        {"spatial", "channel", "layer"},
    ),
    "transformer": (
        [
            "{kind: transformer, c_in: 32, c_out: 32, blocks: 2, heads: 2, head_dim: 16, hidden: 64, window: 8}",
            "{kind: transformer, c_in: 32, c_out: 32, blocks: 1, heads: 2, head_dim: 16, hidden: 64}",
        ],
        {"layer", "token", "head"},
    ),
    "body": (
        [
            "{c_in: 32, c_out: 32, blocks: [{kind: basic, c_in: 32, c_out: 32, blocks: 1}, {kind: body, c_in: 32, "
            "c_out: 32, blocks: 1, body: [{layer: norm, activation: relu}, {layer: conv, c_out: 32, kernel: 5}]}]}",
            "{kind: body, c_in: 32, c_out: 32, blocks: 1, body: [{layer: conv, c_out: 8}, {layer: se, squeezed: 4}, "
            "{layer: conv, c_out: 32, kernel: 3}]}",
        ],
        {"spatial", "channel", "layer"},
    ),
    "static": ([], set()),
}
#: Commands with the paradigm that they need; `{}` is the network.
COMMANDS = {
    "predict --network {}": None,
    "predict --network {} --paradigm layer --r 0.5 --include stem,transitions,head": "layer",
    "predict --network {} --S 4 --r 0.5": "spatial",
    "predict --network {} --G 2 --r 0.5": "channel",
    "predict --network {} --paradigm head --r 0.5": "head",
    "predict --network {} --paradigm width --r 0.5": "width",
    "predict --network {} --paradigm layer --beta 0.5,0.2 --draws 50": "layer",
    "predict --network {} --S 4 --masks masks.npz": "spatial",
    "sweep --network {} --S 1,2,4 --r 0.2,0.6": "spatial",
    "recommend-granularity --network {} --r 0.6": "spatial",
    "recommend-granularity --network {} --r 0.6 --paradigm channel": "channel",
    "recommend-granularity --network {} --masks masks.npz": "spatial",
    "explain --network {}": None,
    "explain --network {} --paradigm layer --r 0.5": "layer",
    "compare --network {}": "layer",
    "ablate-fusion --network {} --S 4 --r 0.5": "spatial",
}
#: How a refusal says that a network cannot skip so.
CANNOT = ("has no ", "is static", "skips by ", "cannot run at ")


@pytest.fixture
def network(run, tmp_path):
    """The name of the file of a network of a kind; in its folder masks of its two maps."""

    def written(kind):
        stages = "\n".join(f"  - {stage}" for stage in NETWORKS[kind][0])
        text = f"name: mine\nimage_size: [32, 32]\nstem: [{CONV}]\nstages: [\n]\n"
        (tmp_path / "mine.yaml").write_text(text if not stages else text.replace(" [\n]", f"\n{stages}"))
        masks = {f"stage{n}": np.arange(2 * h * w).reshape(2, h, w) % 3 == 0 for n, (h, w) in enumerate(maps())}
        np.savez(tmp_path / "masks.npz", **masks or {"stage1": np.ones((1, 4, 4), bool)})
        return "mine.yaml"

    def maps():
        return latpred.load_network(tmp_path / "mine.yaml").maps

    return written


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_every_command_takes_every_kind(run, network, monkeypatch, kind, command):
    monkeypatch.setenv("COLUMNS", "80")
    wanted, able = COMMANDS[command], NETWORKS[kind][1]
    narrows = wanted == "width" and kind not in ("transformer", "bottleneck")  # which are of groups of channels
    name = network(kind)
    code, out, err = run(f"{command.format(name)} --device tx2")
    if wanted is None or wanted in able or narrows:
        assert code == 0
        assert "mine on tx2" in out or "mine" in out.splitlines()[-1] or "S = " in out or "tx2" in out
        assert max(map(len, out.splitlines())) <= 80
        assert json.loads(run(f"{command.format(name)} --device tx2 --format json")[1])
        assert list(csv.DictReader(io.StringIO(run(f"{command.format(name)} --device tx2 --format csv")[1])))
    else:
        assert code == 2
        assert any(words in err for words in CANNOT) or "leave" in err


@pytest.mark.parametrize("kind", NETWORKS)
def test_a_table_of_latencies_is_of_the_blocks_there_are(run, network, kind):
    code, _, err = run(f"lut --network {network(kind)} --device tx2 --output lut.npz")
    if NETWORKS[kind][1]:
        entries = latpred.LatencyTable.load("lut.npz").entries
        assert {entry.paradigm for entry in entries} == {"static", "layer"}
    else:
        assert (code, "mine has no blocks to tabulate" in err) == (2, True)


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_show_any_kind(run, network, kind):
    shown = run(f"networks show {network(kind)}")[1]
    assert ("it is static, and nothing of it can be skipped" in shown) == (kind == "static")
    assert ("and nothing leads past the layers" in shown) == (kind == "inverted-residual")


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2", "convnext-tiny", "deit-ti", "swin-tiny"])
def test_single_blocks_of_every_kind(run, name):
    block = latpred.load_block(f"{name}-stage2" if name != "deit-ti" else "deit-ti-stage1")
    for paradigm in ("spatial", "channel", "layer", "token", "head"):
        options = {"spatial": "--S 4", "channel": "--G 2"}.get(paradigm, f"--paradigm {paradigm}")
        code, out, err = run(f"predict --device tx2 --block {block.name} {options} --r 0.5 --format json")
        assert code == (0 if paradigm in block.paradigms else 2)
        if code:
            assert f"{block.name} has no {paradigm} skipping: " in err
        else:
            assert json.loads(out)["paradigm"]["name"] == paradigm


def test_stages_that_cannot_skip_are_said(run):
    """The first and the last inverted residual of MobileNetV2 have no shortcut."""
    out = run("predict --device tx2 --network mobilenetv2 --S 4 --r 0.5")[1]
    assert "7 of 17 blocks run whole under spatial skipping: output and input differ" in " ".join(out.split())
    assert "no block of stages 1, 7 has spatial skipping" in out
    chosen = run("recommend-granularity --device tx2 --network mobilenetv2 --r 0.6")[1]
    assert "In stages 1, 7 no block can skip so: the 1 there only keeps the place." in chosen
    assert not any(line.split()[:1] in (["1"], ["7"]) for line in chosen.splitlines())


@pytest.mark.parametrize("command", ["predict", "explain"])
def test_hundreds_of_operators_outside_stages_stand_together(run, command):
    """DenseNet-121 has 58 joined layers of two convolutions each, beside the stem's and the three transitions'."""
    shown = run(f"{command} --device tx2 --network densenet121")[1]
    assert "stem join branch conv ×116" in shown
    assert "stem conv ×4" in shown
    assert len(shown.splitlines()) < 45


def test_include_has_no_meaning_for_a_static_network(run):
    code, _, err = run("predict --device tx2 --network vgg16 --include stem")
    assert (code, "vgg16 is static, and counts as a whole; leave --include out" in err) == (2, True)


def test_many_operators_are_shown_as_far_as_they_count(run):
    """Swin-T has 17 kinds of operators in each of 4 stages, but 15 in the last, which is a single window; those of less
    than a hundredth of the time are told together."""
    shown = " ".join(run("explain --device tx2 --network swin-tiny --paradigm layer --r 0.5")[1].split())
    found = latpred.explain("swin-tiny", "tx2", latpred.Layer(r=0.5))
    total = sum(share.latency_s for share in found.shares)
    less = [share for share in found.shares if share.latency_s < total / 100]
    rest = sum(share.latency_s for share in less) / total
    assert len(found.shares) == 66
    assert f"left out: {len(less)} lines of less than 1% each, {rest:.1%} of the time together" in shown
    assert all(("stage 3 fc1" in shown, "stage 4 norm1" not in shown))
    assert "left out" not in run("explain --device tx2 --network resnet18 --paradigm layer --r 0.5")[1]


def test_no_negative_zeros(run):
    """The best of a stage is as far from itself as rounding makes it."""
    assert "-0.0%" not in run("recommend-granularity --device tx2 --network mobilenetv2 --r 0.6 --paradigm channel")[1]
