"""The commands of dynamic networks from the literature: what they print, and one line for every mistake."""

import csv
import io
import json

import numpy as np
import pytest

import latpred

NETWORK = "--device v100 --network resnet50"
BLOCK = "--device v100 --block r50-stage1"
T2T = "--device v100 --network t2t-vit-19"
MAPS = (56, 28, 14, 7)


@pytest.fixture
def folder(tmp_path):
    """Rates and masks, good and bad."""
    rng = np.random.default_rng(0)
    np.save(tmp_path / "r.npy", rng.random((20, 16)))
    np.save(tmp_path / "narrow.npy", rng.random((20, 5)))
    np.save(tmp_path / "complex.npy", rng.random((20, 16)) + 0j)
    np.savez(tmp_path / "masks.npz", **{f"stage{k}": rng.random((20, m, m)) < 0.3 for k, m in enumerate(MAPS)})
    np.savez(tmp_path / "large.npz", *[np.ones((2, m, m), bool) for m in (112, 56, 28, 14)])
    return tmp_path


def other_than_notes(text):
    return [line for line in text.splitlines() if not line.startswith("note: ")]


def json_of(run, command):
    code, out, err = run(command)
    assert (code, other_than_notes(err)) == (0, [])
    return json.loads(out)


GOOD = [
    f"predict {BLOCK} --paradigm layer+channel --layer-r 0.7 --G 2 --channel-r 0.5",
    f"predict {BLOCK} --paradigm spatial+channel+layer --S 4 --G 2 --r 0.5",
    f"predict {T2T} --paradigm token+head --token-r 0.5 --head-r 0.5",
    f"predict {T2T} --attention-r 0.6 --mlp-r 0.8",
    "predict --device tx2 --preset dynconv-resnet101 --r 0.5",
    f"predict {NETWORK} --S 4-4-2-1 --rates r.npy",
    f"predict {NETWORK} --S 4-4-2-1 --beta 0.5,0.2 --draws 50 --seed 3 --batch 4",
    f"predict {NETWORK} --S 4-4-2-1 --masks masks.npz",
    "predict --device v100 --preset lasnet-resnet50 --masks masks.npz",
    f"predict {NETWORK} --image-size 800x1333 --include stem,head",
    f"predict {NETWORK} --S 4 --r 0.5 --unfuse masker,gather,scatter",
    f"sweep {NETWORK} --S 1,2 --masks masks.npz",
    f"sweep {BLOCK} --paradigm layer+channel --G 2 --r 0.5,0.6",
    "ablate-fusion --device v100 --device tx2 --block r50-stage1 --S 4 --r 0.6",
    "recommend-granularity --device v100 --network resnet50 --masks masks.npz",
    "rates-from-masks masks.npz --S 3-5",
    "compare --network resnet50 --device v100 --target-macs 0.5 --preset lasnet-resnet50",
    *(
        f"{command} --device h200 --model {model} --precision fp16"
        for command, model in (
            ("predict --block r50-stage1 --S 4 --r 0.6", "calibrated"),
            ("explain --block r50-stage1 --S 4 --r 0.6", "calibrated"),
            ("compare --network resnet50 --preset lasnet-resnet50", "calibrated"),
            ("recommend-granularity --network resnet50 --r 0.6", "calibrated"),
            ("sweep --block r50-stage1 --S 4 --r 0.6", "calibrated"),
            ("ablate-fusion --block r50-stage1 --S 4 --r 0.6", "roofline"),
        )
    ),
]


@pytest.mark.parametrize("command", GOOD)
def test_prints_a_table_json_and_csv(run, folder, command):
    code, out, err = run(command)
    assert (code, other_than_notes(err)) == (0, [])
    assert out.strip()
    assert json_of(run, f"{command} --format json")
    code, out, err = run(f"{command} --format csv")
    header, *rows = csv.reader(io.StringIO(out))
    assert (code, other_than_notes(err)) == (0, [])
    assert rows
    assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize("command", [command for command in GOOD if command.endswith("--precision fp16")])
def test_every_output_says_what_it_is_of(run, command):
    calibrated = "calibrated" in command
    assert ("calibrated model, fp16 with triton" if calibrated else "roofline, fp16") in run(command)[1]
    found = json_of(run, f"{command} --format json")
    first = found if isinstance(found, dict) else found[0]
    asked = ("calibrated", "fp16", "triton") if calibrated else ("roofline", "fp16", None)
    assert (first["model"], first["precision"], first["library"]) == asked
    row = next(csv.DictReader(io.StringIO(run(f"{command} --format csv")[1])))
    assert (row["model"], row["precision"], row["library"] or None) == asked


BAD = {
    f"predict {BLOCK} --paradigm layer+layer --r 0.5": "each once, got layer, layer",
    f"predict {BLOCK} --paradigm layer+ --r 0.5": "unknown paradigm ''",
    f"predict {BLOCK} --S 4 --G 2 --r 0.5": "--paradigm spatial, channel or spatial+channel",
    f"predict {BLOCK} --paradigm layer+channel --layer-r 0.5": "the channel paradigm needs --r",
    f"predict {BLOCK} --S 4 --r 0.5 --spatial-r 0.6": "every part of spatial has a rate of its own",
    f"predict {BLOCK} --paradigm spatial --S 4 --r 0.5 --channel-r 0.6": "--channel-r has no meaning for the spatial",
    f"predict {BLOCK} --attention-r 0.5 --mlp-r 0.5": "has no attention and MLP; give the layer rate r",
    f"predict {BLOCK} --S 4 --r 0.5 --unfuse foo": "unknown fusion 'foo'; choose masker, gather, scatter",
    f"predict {BLOCK} --G 4 --r 0.5 --unfuse masker": "--unfuse has no meaning for the channel paradigm",
    f"predict {BLOCK} --S 4 --masks masks.npz": "--masks needs one network: --network NAME",
    f"predict {BLOCK} --S 4 --r 0.5 --draws 5": "--draws needs rates per sample",
    f"predict {T2T} --attention-r 0.5": "give r, or attention_r and mlp_r",
    f"predict {T2T} --layer-r 0.1 --attention-r 0.5 --mlp-r 0.5": "give it, or --attention-r and --mlp-r",
    f"predict {T2T} --head-r 0.1": "a head rate of 0.1 keeps no head of 7; give at least 0.1429",
    f"predict {T2T} --token-r 0.001": "keeps no token of 197",
    f"predict {T2T} --S 4 --r 0.5": "t2t-vit-19 has no spatial skipping; choose layer, token, head",
    f"predict {T2T} --include stem": "always includes its embedding and classifier",
    f"predict {NETWORK} --S 4 --beta 0.5": "--beta takes a mean and a standard deviation",
    f"predict {NETWORK} --S 4 --beta 0.5,0.9": "the standard deviation must be between 0 and 0.5, got 0.9",
    f"predict {NETWORK} --S 4 --beta nan,0.1": "must be between 0 and 1, got nan",
    f"predict {NETWORK} --S 4 --beta 0.5,0.2 --draws 100000000": "draws must be a whole number from 1 to 1,000,000",
    f"predict {NETWORK} --S 4 --beta 0.5,0.2 --rates r.npy": "--rates and --beta give the rates; keep one",
    f"predict {NETWORK} --S 4 --beta 0.5,0.2 --spatial-r 0.5": "every part of spatial has a rate of its own",
    f"predict {NETWORK} --S 4 --masks masks.npz --spatial-r 0.5": "--masks and --spatial-r give the rates",
    f"predict {NETWORK} --paradigm spatial+channel --S 4 --masks masks.npz": "the channel paradigm needs --r",
    f"predict {NETWORK} --S 0 --masks masks.npz": "S must be at least 1, got 0",
    f"predict {NETWORK} --S 100 --masks masks.npz": "the masks were not counted at S=100",
    f"predict {NETWORK} --S 4 --rates masks.npz": "rates come as .npy, .json, .csv, not '.npz'",
    f"predict {NETWORK} --S 4 --masks large.npz": "the masks are of maps 112×112, 56×56, 28×28, 14×14",
    f"predict {NETWORK} --include foo": "unknown part 'foo'; choose stem, transitions, head",
    f"predict {NETWORK} --image-size 0": "'0' is no image size; write 224, or 800x1333",
    f"predict {NETWORK} --image-size 9999999999": "image_size 1: must be at most 65536, got 9999999999",
    f"predict {NETWORK} --image-size 64 --S 4 --r 0.5": "S=4 is larger than the 2×2 map of resnet50-stage4-first",
    "predict --device v100 --preset nope --r 0.5": "unknown preset 'nope'; choose adavit-deit-s,",
    "predict --device v100 --preset lasnet-resnet50": "the spatial paradigm needs --r",
    "predict --device v100 --preset lasnet-resnet50 --S 4 --r 0.5": "a preset has its own paradigm, S and G",
    "predict --device v100 --preset lasnet-resnet50 --r 0.5 --layer-r 0.5": "--layer-r has no meaning for the spatial",
    f"predict {NETWORK} --preset lasnet-resnet50 --r 0.5": "a preset has its own network",
    "predict --device v100 --preset lcnet-resnet50 --rates r.npy": "rates per sample are those of one paradigm",
    f"sweep {NETWORK} --S 4 --masks masks.npz --r 0.5": "--masks gives the rates: add --S and leave --r out",
    f"sweep {NETWORK} --S 4 --masks masks.npz --paradigm channel": "--S has no meaning for the channel paradigm",
    f"sweep {NETWORK} --S 4 --G 2 --masks masks.npz --paradigm spatial+channel": "the rates of spatial skipping alone",
    f"sweep {T2T} --paradigm token --r 0": "keeps no token of 197",
    f"ablate-fusion {BLOCK} --S 4,2 --r 0.5": "--S takes one setting",
    f"ablate-fusion {T2T} --S 4 --r 0.5": "t2t-vit-19 has no spatial skipping",
    "rates-from-masks masks.npz --S 0": "S must be at least 1, got 0",
    "rates-from-masks masks.npz --S 99": "S=99 is larger than every map",
    f"recommend-granularity {NETWORK} --r 0.5 --masks masks.npz": "either --r or --masks",
    f"recommend-granularity {NETWORK} --masks masks.npz --paradigm channel": "masks of pixels say nothing of channels",
    f"recommend-granularity {T2T} --r 0.5": "t2t-vit-19 skips by layer, token, head, so no granularity to choose",
    f"compare {NETWORK} --target-macs 0": "target-macs must be greater than 0 and at most 1, got 0",
    f"compare {NETWORK} --target-macs nan": "got nan",
    f"compare {NETWORK} --preset lasnet-resnet101": "lasnet-resnet101 is a preset of resnet101, not of resnet50",
    f"compare {NETWORK} --plot x.foo": "cannot write a plot as '.foo'",
    "networks show nope": "unknown network 'nope'",
}


@pytest.mark.parametrize("command", BAD)
def test_usage_errors_end_in_one_line(run, folder, command):
    code, _, err = run(command)
    assert code == 2
    assert BAD[command] in err


BAD_DATA = {
    "--rates narrow.npy": "narrow.npy: holds 5 rates per sample; the network needs 16 (blocks) or 4 (stages)",
    "--rates complex.npy": "complex.npy: is no table of numbers",
    "--rates absent.csv": "absent.csv: cannot be read: No such file or directory",
    "--masks r.npy": "r.npy: is no whole .npz file",
    "--masks absent.npz": "absent.npz: cannot be read: No such file or directory",
}


@pytest.mark.parametrize("option", BAD_DATA)
def test_bad_files_end_in_one_line(run, folder, option):
    code, _, err = run(f"predict {NETWORK} --S 4 {option}")
    assert code == 1
    assert BAD_DATA[option] in err


def test_every_problem_of_a_transformer_file_is_named(run, tmp_path):
    (tmp_path / "mine.yaml").write_text("kind: transformer\nname: mine\ndim: -3\nheads: x\nembedding: conv\nfoo: 1\n")
    code, _, err = run("predict --device v100 --network mine.yaml")
    assert code == 1
    for problem in (
        "dim: must be at least 1, got -3",
        "heads: must be a whole",
        "embedding: ",
        "depth: missing",
        "foo: ",
    ):
        assert problem in err


def test_every_problem_of_nested_stages_is_named(run, tmp_path):
    (tmp_path / "mine.yaml").write_text(
        "name: mine\nstem: {c_out: 8, kernel: 3, stride: 2}\nbottleneck_ratio: 4\n"
        "stages: [{c_in: 8, c_out: 15, blocks: 1}, {c_in: 15, c_out: 18, blocks: 1}]\n"
    )
    code, _, err = run("predict --device v100 --network mine.yaml")
    assert code == 1
    assert (
        "stage 1: c_out=15 is no multiple of bottleneck_ratio=4; stage 2: c_out=18 is no multiple of bottleneck_ratio=4"
        in err
    )


def test_a_joint_sweep_has_the_common_rate_in_its_column(run):
    """The column r, on which the plot is drawn, was empty for joint paradigms."""
    rows = json_of(run, f"sweep {BLOCK} --paradigm layer+channel --G 2 --r 0.5,0.6 --format json")
    block, profile = latpred.load_block("r50-stage1"), latpred.load_profile("v100")
    joint = latpred.Joint(latpred.Layer(r=0.6), latpred.Channel(G=2, r=0.6))
    assert [row["r"] for row in rows] == [0.5, 0.6]
    assert rows[1]["latency_s"] == pytest.approx(latpred.predict(block, profile, joint).latency_s, rel=1e-12)


def test_masks_rate_the_spatial_part_alone(run, folder):
    command = (
        f"predict {NETWORK} --paradigm spatial+channel --S 4 --G 2 --channel-r 0.5 --masks masks.npz --format json"
    )
    spatial, channel = json_of(run, command)["paradigm"]["parts"]
    assert spatial["r"][0] > 0.9  # of 16 pixels at 0.3, one is on with 1 − 0.7¹⁶ = 0.997
    assert channel["r"] == 0.5


def test_the_same_seed_gives_the_same_bytes(run):
    command = f"predict {NETWORK} --S 4-4-2-1 --beta 0.5,0.2 --draws 100 --batch 4 --format json --seed"
    first, again, other = (run(f"{command} {seed}")[1] for seed in (7, 7, 8))
    assert first == again
    assert first != other


@pytest.mark.parametrize("batch", [1, 4])
def test_drawn_rates_say_how_many_and_with_which_seed(run, batch):
    command = f"predict {NETWORK} --S 4-4-2-1 --beta 0.5,0.2 --draws 30 --seed 9 --batch {batch}"
    answer = json_of(run, f"{command} --format json")
    assert "30 samples drawn from Beta rates of mean 0.5 and deviation 0.2, seed 9" in answer["notes"]
    assert (answer["distribution"]["samples"], answer["distribution"]["draws"]) == (30, 30)
    assert "seed 9" in run(command)[1]
