"""Published dynamic networks: each predicts on every device and says where it is from and what is assumed."""

import json
import re

import pytest

import latpred
from latpred.cli import main

PRESETS = latpred.list_presets()
#: A method, and a backbone that it was published on.
WANTED = [
    "skipnet-resnet101",
    "convaig-resnet50",
    "bas-resnet50",
    "dynconv-resnet101",
    "lasnet-resnet50",
    "lasnet-regnety-400mf",
    "laudnet-spatial-resnet101",
    "laudnet-channel-resnet101",
    "laudnet-layer-resnet101",
    "lcnet-resnet50",
    "laudnet-token-t2t-vit-19",
    "laudnet-head-t2t-vit-19",
    "skipnet-resnet38",
    "skipnet-resnet74",
    "skipnet-resnet110",
    "dynconv-resnet32",
    "dynconv-mobilenetv2",
    "blockdrop-resnet32",
    "blockdrop-resnet110",
    "blockdrop-resnet101",
    "slimmable-mobilenetv2",
    "usnet-mobilenetv2",
    "dynamicvit-deit-s",
    "adavit-deit-s",
]


def test_the_list():
    assert set(WANTED) <= set(PRESETS)


@pytest.mark.parametrize("device", latpred.list_profiles())
def test_every_preset_predicts(device):
    profile = latpred.load_profile(device)
    for name in PRESETS:
        preset, network = latpred.load_preset(name)
        report = latpred.predict(network, profile, preset.paradigm.at_rates(0.5))
        # DynConv costs the most in ResNet-32, where the first convolution computes nine pixels for each active one.
        assert 0 < report.latency_s < 5 * report.static_latency_s, name
        assert 0.15 < report.macs_ratio < 0.75, name


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_predicts_on_the_command_line(run, name):
    """Those of fused layer maskers ended in a complaint about a setting that nobody had given."""
    code, out, _ = run(f"predict --device tx2 --preset {name} --r 0.5 --format json")
    preset, network = latpred.load_preset(name)
    report = latpred.predict(network, latpred.load_profile("tx2"), preset.paradigm.at_rates(0.5))
    assert (code, json.loads(out)) == (0, json.loads(json.dumps(report.to_dict())))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_says_where_it_is_from(name):
    preset, network = latpred.load_preset(name.upper())
    assert name == f"{preset.method}-{network.name}"
    assert re.search(r" 20(18|19|2\d)\b", preset.source)
    assert len(preset.assumed) > 20


@pytest.mark.parametrize(
    ("name", "paradigm"),
    [
        ("dynconv-resnet101", latpred.Spatial(S=1, r=0.5)),
        ("lasnet-resnet50", latpred.Spatial(S=[4, 4, 2, 1], r=0.5)),
        ("bas-resnet50", latpred.Channel(G=1, r=0.5)),
        ("laudnet-layer-resnet50", latpred.Layer(r=0.5)),
        ("blockdrop-resnet101", latpred.Layer(r=0.5, masker="none")),
        ("usnet-mobilenetv2", latpred.Width(r=0.5)),
    ],
)
def test_a_preset_is_its_paradigm(name, paradigm):
    preset, network = latpred.load_preset(name)
    assert preset.paradigm.at_rates(0.5) == paradigm
    report = latpred.predict(network, latpred.load_profile("tx2"), preset.paradigm.at_rates(0.5))
    backbone = latpred.load_network(network.name)
    assert report.operators == latpred.predict(backbone, latpred.load_profile("tx2"), paradigm).operators


def test_image_size_reaches_the_backbone():
    assert latpred.load_preset("lasnet-resnet50", (800, 1333))[1].image_size == (800, 1333)


def test_an_unknown_preset():
    with pytest.raises(latpred.NetworkError, match=r"unknown preset 'dynconv'; .*hoose adavit-deit-s, "):
        latpred.load_preset("dynconv")
    with pytest.raises(latpred.NetworkError, match=r"did you mean dynconv-resnet101\?"):
        latpred.load_preset("dyncnv-resnet101")
    with pytest.raises(latpred.NetworkError, match=r"lasnet-resnet50 is a preset, .* give it as --preset"):
        latpred.load_network("lasnet-resnet50")


def test_a_preset_at_rates_is_its_paradigm_at_them():
    found = latpred.load_preset("lasnet-resnet50")
    assert found.at_rates([0.5, 0.6, 0.7, 0.8]) == found.preset.paradigm.replace(r=(0.5, 0.6, 0.7, 0.8))
    assert latpred.load_preset(found, (112, 112)) == (found.preset, found.network.resized((112, 112)))


def test_networks_list_shows_the_methods(capsys):
    with pytest.raises(SystemExit):
        main(["networks", "list"])
    shown = capsys.readouterr().out
    assert all(name.split("-")[0] in shown for name in PRESETS)


def test_networks_show_says_source_and_assumption(capsys):
    with pytest.raises(SystemExit):
        main(["networks", "show", "lcnet-resnet50"])
    shown = " ".join(capsys.readouterr().out.split())
    preset, _ = latpred.load_preset("lcnet-resnet50")
    assert preset.source in shown
    assert preset.assumed in shown


@pytest.mark.parametrize(
    ("options", "rates"),
    [("--r 0.5", (0.5, 0.5)), ("--layer-r 0.7 --channel-r 0.4", (0.7, 0.4)), ("--r 0.5 --layer-r 0.7", (0.7, 0.5))],
)
def test_rates_of_a_joint_preset_on_the_command_line(run, options, rates):
    code, out, _ = run(f"predict --device tx2 --preset lcnet-resnet50 {options} --format json")
    preset, network = latpred.load_preset("lcnet-resnet50")
    parts = [part.replace(r=rate) for part, rate in zip(preset.paradigm.parts, rates, strict=True)]
    report = latpred.predict(network, latpred.load_profile("tx2"), latpred.Joint(*parts))
    assert code == 0
    assert f'"latency_s": {report.latency_s!r}' in out


def test_a_preset_is_shown_in_a_line_and_is_no_target():
    preset = latpred.load_preset("dynconv-resnet101")
    assert repr(preset) == "<DynamicNetwork: dynconv-resnet101, spatial(S=1)>"
    for target in (preset, "dynconv-resnet101"):
        with pytest.raises(latpred.InputError, match="preset"):
            latpred.predict(target, "tx2")
