"""The command line: its exact text, its JSON and CSV, and one line for every mistake."""

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pandas
import pytest

import latpred
from latpred.cli import main

ROOT = Path(__file__).parents[1]
#: Each file is a command and what it prints; renew_cli_output.py writes them again.
OUTPUTS = sorted((ROOT / "tests" / "cli_output").glob("*.txt"))
BLOCK = "--device tx2 --block r50-stage1"
NETWORK = "--device v100 --network resnet50"
DEVICES = "a100, agx-xavier, h100, h200, nano, orin, rtx3060, rtx3090, rtx4090, t4, tx2, v100, xavier-nx"


def fails(run, code, command, *more):
    """The message of a command that must fail with an exit code."""
    found, _, err = run(command, *more)
    assert found == code
    return err.strip().removeprefix("latpred: ")


@pytest.mark.parametrize("path", OUTPUTS, ids=lambda path: path.stem)
def test_exact_output(path, run, monkeypatch):
    command, expected = path.read_text(encoding="utf-8").split("\n", 1)
    monkeypatch.chdir(ROOT)
    assert run(command.removeprefix("$ latpred ")) == (0, expected, "")


# --- what programs read


def test_predict_json_is_what_the_library_says(run):
    _, out, _ = run(f"predict {BLOCK} --S 4 --r 0.6 --format json")
    block, tx2 = latpred.load_block("r50-stage1"), latpred.load_profile("tx2")
    assert json.loads(out) == latpred.predict(block, tx2, latpred.Spatial(S=4, r=0.6)).to_dict()
    fields = {"name", "compute_s", "memory_s", "launch_s", "latency_s", "macs", "bytes", "bound"}
    assert fields <= set(json.loads(out)["operators"][0])
    assert {"latency_s", "static_latency_s", "ratio"} <= set(json.loads(out))


def test_one_prediction_is_an_object_and_several_are_a_list(run):
    _, out, _ = run(
        "predict --device v100 --device tx2 --block r50-stage1 --paradigm channel --G 2 --r 0.5 --format json"
    )
    assert [report["device"] for report in json.loads(out)] == ["v100", "tx2"]
    for command in (f"predict {BLOCK} --format json", f"recommend-granularity {NETWORK} --r 0.6 --format json"):
        assert isinstance(json.loads(run(command)[1]), dict)


def test_predict_csv_has_a_row_per_operator(run):
    _, out, _ = run(f"predict {BLOCK} --S 4 --r 0.6 --format csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["name"] for row in rows] == ["masker+conv1", "gather+conv2", "conv3", "scatter+add"]
    assert sum(float(row["latency_s"]) for row in rows) == pytest.approx(829e-6, rel=1e-3)


def test_recommendation_json_names_the_granularity(run):
    _, out, _ = run("recommend-granularity --device v100 --network resnet50 --r 0.6 --format json")
    assert json.loads(out)["S"] == [8, 4, 7, 1]
    _, out, _ = run("recommend-granularity --device v100 --network resnet50 --r 0.6 --paradigm channel --format json")
    assert len(json.loads(out)["G"]) == 4


@pytest.mark.parametrize("command", ["devices list", "devices show tx2", "networks list", "networks show r50"])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_lists_for_programs(run, command, form):
    code, out, err = run(f"{command} --format {form}")
    rows = json.loads(out) if form == "json" else list(csv.DictReader(io.StringIO(out)))
    assert (code, err, bool(rows)) == (0, "", True)


def test_lists_for_people_name_all_there_is(run):
    assert all(name in run("devices list")[1] for name in latpred.list_profiles())
    assert all(name in run("networks list")[1] for name in latpred.list_networks())


def test_sweep_as_documented_writes_a_table_and_a_picture(run, tmp_path):
    command = "sweep --device v100 --block r50-stage1 --S 1,2,4,8 --r 0.1:1.0:0.05 --plot fig.png --output sweep.csv"
    assert run(command) == (0, "", "wrote sweep.csv: 76 rows\nwrote fig.png\n")
    frame = pandas.read_csv(tmp_path / "sweep.csv")
    assert [*sorted(frame["r"].unique())[:2], frame["r"].max()] == [0.1, 0.15, 1.0]
    assert (tmp_path / "fig.png").read_bytes().startswith(b"\x89PNG")


def test_a_sweep_without_a_paradigm_is_of_the_static_network(run):
    """Over devices and batches, as predictions are; a table has no rate then."""
    asked = "sweep --network resnet18,vgg16 --device tx2,nano --batch 1,4"
    rows = json.loads(run(f"{asked} --format json")[1])
    assert [(row["target"], row["device"], row["batch"]) for row in rows] == [
        (target, device, batch) for target in ("resnet18", "vgg16") for device in ("tx2", "nano") for batch in (1, 4)
    ]
    for row in rows:
        alone = latpred.predict(row["target"], row["device"], batch=row["batch"])
        assert (row["paradigm"], row["r"]) == ("static", None)
        assert row["latency_s"] == pytest.approx(alone.latency_s, rel=1e-12)
    assert " nan " not in run(asked)[1]


def test_sweep_formats_agree(run, tmp_path):
    command = "sweep --device tx2 --network resnet50 --S 4-4-2-1,8-4-7-1 --r 0.5 --batch 1,2"
    printed = list(csv.DictReader(io.StringIO(run(f"{command} --format csv")[1])))
    _, out, err = run(f"{command} --format json --output", "my rows.json")
    assert err.splitlines()[-1] == "wrote my rows.json: 4 rows"
    written = json.loads((tmp_path / "my rows.json").read_text(encoding="utf-8"))
    assert json.loads(out) == written
    assert [row["granularity"] for row in written] == [row["granularity"] for row in printed]
    assert [row["latency_s"] for row in written] == [float(row["latency_s"]) for row in printed]  # every digit


# --- names and inference


def test_names_in_any_case_and_aliases(run):
    plain = run(f"predict {BLOCK} --S 4 --r 0.6 --format json")
    assert run("predict --device TX2 --block ResNet50-Stage1 --S 4 --r 0.6 --format json") == plain


def test_the_paradigm_is_inferred(run):
    for options in ("--S 4", "--G 2"):
        name = "spatial" if "S" in options else "channel"
        inferred = run(f"predict {BLOCK} {options} --r 0.6 --format json")
        assert inferred == run(f"predict {BLOCK} {options} --r 0.6 --paradigm {name} --format json")
    assert json.loads(run(f"predict {BLOCK} --format json")[1])["paradigm"]["name"] == "static"


def test_a_file_name_with_spaces(run, tmp_path):
    (tmp_path / "my device.yaml").write_text((ROOT / "hardware" / "tx2.yaml").read_text(encoding="utf-8"))
    code, out, _ = run("predict --block r50-stage1 --device", "my device.yaml")
    assert (code, out.splitlines()[0]) == (0, "resnet50-stage1 on tx2: static, batch 1")


# --- mistakes


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("predict --device v10 --block r50-stage1", "unknown device 'v10'; did you mean v100? Choose "),
        ("predict --device tx2 --network resnet5", "unknown network 'resnet5'; did you mean resnet50? Choose "),
        ("predict --device tx2 --block conv", "unknown block 'conv'; give <network>-stage<k> or"),
        ("predict --device tx2 --block r50-stage5", "resnet50 has stages 1 to 4, not 5"),
        ("predict --device tx2 --block r51-stage1", "unknown network 'r51'"),
        ("predict --device no.yaml --block r50-stage1", "there is no device file 'no.yaml'"),
        ("predict --device tx2", "say what to predict: --block NAME or --network NAME"),
        ("predict --block r50-stage1", "Missing option '--device'."),
        (f"predict {BLOCK} --S 4", "the spatial paradigm needs --r, the activation rate from 0 to 1"),
        (f"predict {BLOCK} --r 0.5", "--r needs a paradigm: add --S (spatial), --G (channel) or --paradigm layer"),
        (f"predict {BLOCK} --S 4 --G 2 --r 0.5", "--S and --G together: say which is meant"),
        (f"predict {BLOCK} --paradigm layer --S 4 --r 0.5", "--S has no meaning for the layer paradigm; leave it out"),
        (f"predict {BLOCK} --paradigm static --r 0.5", "--r has no meaning for the static paradigm; leave it out"),
        (f"predict {BLOCK} --paradigm spatial --r 0.5", "the spatial paradigm needs --S, the patch edge in pixels"),
        (f"predict {BLOCK} --paradigm pixels --r 0.5", "unknown paradigm 'pixels'; choose "),
        (f"predict {BLOCK} --S 4 --r 1.1", "Invalid value for '--r': rates are shares from 0 to 1, got 1.1"),
        (f"predict {BLOCK} --S 4 --r -0.1", "Invalid value for '--r': rates are shares from 0 to 1, got -0.1"),
        (f"predict {BLOCK} --S 4 --r nan", "Invalid value for '--r': rates are shares from 0 to 1, got nan"),
        (f"predict {BLOCK} --S 4 --r half", "Invalid value for '--r': 'half' is not a number; give one"),
        (f"predict {BLOCK} --S 4 --r 0.5,0.6", "resnet50-stage1 takes one r, not a list; lists are for networks"),
        (f"predict {BLOCK} --S 0 --r 0.5", "S: must be at least 1, got 0"),
        (f"predict {BLOCK} --S -4 --r 0.5", "S: must be at least 1, got -4"),
        (
            f"predict {BLOCK} --S 57 --r 0.5",
            "S=57 is larger than the 56×56 map of resnet50-stage1; choose S from 1 to 56",
        ),
        (f"predict {BLOCK} --G 0 --r 0.5", "G: must be at least 1, got 0"),
        (f"predict {BLOCK} --G 65 --r 0.5", "G=65 is larger than the 64 channels of resnet50-stage1"),
        (f"predict {BLOCK} --S 4-4-2-1 --r 0.5", "resnet50-stage1 takes one S, not a list; lists are for networks"),
        (f"predict {BLOCK} --S 4- --r 0.5", "Invalid value for '--S': '4-' is no granularity; write 4, or 4-4-2-1"),
        (f"predict {NETWORK} --S 4,4,2,1 --r 0.5", "--S takes one setting; write 4-4-2-1 for one per stage"),
        (f"predict {NETWORK} --S 4-4-2-1,4 --masks m.npz", "--S takes one setting; write 4-4-2-1 for one per stage"),
        (f"predict {BLOCK} --S {'9' * 5000} --r 0.5", "Invalid value for '--S': '9999"),
        (f"predict {NETWORK} --S 4-4 --r 0.5", "S has 2 values; give one, or 4 (per stage)"),
        (f"predict {NETWORK} --S 4-4-2-8 --r 0.5", "S=8 is larger than the 7×7 map of resnet50-stage4"),
        (f"predict {NETWORK} --S 4 --r 0.5,0.6", "r has 2 values; give one, 4 (per stage) or 16 (per block)"),
        (f"predict {NETWORK} --image-size 0x3", "Invalid value for '--image-size': '0x3' is no image size"),
        (f"predict {NETWORK} --image-size 1x", "Invalid value for '--image-size': '1x' is no image size"),
        (f"predict {NETWORK} --image-size {10**12}", "image_size 1: must be at most 65536, got 1000000000000"),
        (f"predict {BLOCK} --batch 0", "Invalid value for '--batch': 0 is not in the range x>=1."),
        (f"predict {BLOCK} --batch 1.5", "Invalid value for '--batch': '1.5' is not a valid integer"),
        (
            f"predict {BLOCK} --batch {10**12}",
            "batch must be a whole number from 1 to 1,000,000,000, got 1000000000000",
        ),
        (
            f"predict {BLOCK} --model guess",
            "Invalid value for '--model': 'guess' is not one of 'published', 'roofline'",
        ),
        (f"predict {BLOCK} --format xml", "Invalid value for '--format': 'xml' is not one of 'table', 'json', 'csv'."),
        (
            f"sweep {BLOCK} --unfuse masker",
            "the sweep is empty: give --S or --G with --r, or --paradigm layer",
        ),
        (f"sweep {BLOCK} --S 4", "the sweep is empty: give --S or --G with --r"),
        (f"sweep {BLOCK} --S 0 --r 0.5", "S: must be at least 1, got 0"),
        (f"sweep {BLOCK} --S 4 --r 1:0:0.1", "Invalid value for '--r': '1:0:0.1' is no range; "),
        (f"sweep {BLOCK} --S 4 --r 0.5:", "Invalid value for '--r': '0.5:' is no range; "),
        (f"sweep {BLOCK} --S 4 --r 0:1:0", "Invalid value for '--r': '0:1:0' is no range; "),
        (f"sweep {BLOCK} --S 4 --r 0:inf:0.1", "Invalid value for '--r': '0:inf:0.1' is no range; "),
        (f"sweep {BLOCK} --S 4 --r 0:1:1e-9", "Invalid value for '--r': '0:1:1e-9' is no range; "),
        (f"sweep {BLOCK} --S 4 --r nan", "Invalid value for '--r': rates are shares from 0 to 1, got nan"),
        (f"sweep {BLOCK} --S 4 --r 0.5 --batch nan", "--batch takes whole numbers, not nan"),
        (f"sweep {BLOCK} --S 4 --r 0.5 --batch inf", "--batch takes whole numbers, not inf"),
        (f"sweep {BLOCK} --S 4 --r 0.5 --batch 1.5", "--batch takes whole numbers, not 1.5"),
        (f"sweep {BLOCK} --S 4 --r 0.5 --batch 0", "batch must be a whole number from 1 to 1,000,000,000, got 0"),
        (f"sweep {BLOCK} --S 4 --r 0.5 --plot f.bmp", "f.bmp: cannot write a plot as '.bmp'; use "),
        (f"sweep {BLOCK} --S 4 --r 0.5 --plot f", "f: cannot write a plot as 'a file without suffix'; use "),
        (f"sweep {BLOCK} --S 4 --r 0.5 --plot no/f.png", "no/f.png: the folder no does not exist; create it first"),
        (f"sweep {BLOCK} --S 4 --r 0.5 --output no/f.csv", "no/f.csv: the folder no does not exist; create it first"),
        (f"sweep {BLOCK} --S 4 --r 0.5 --output f.xls", "f.xls: cannot write rows as '.xls'; use .csv, .json"),
        (f"recommend-granularity {NETWORK} --r 0", "r must be greater than 0 and at most 1, got 0"),
        (f"recommend-granularity {NETWORK} --r nan", "Invalid value for '--r': rates are shares from 0 to 1, got nan"),
        (f"recommend-granularity {NETWORK} --r 0.5,0.6", "r has 2 values; give one, or 4 (per stage)"),
        (f"recommend-granularity {NETWORK} --r 0.5 --tolerance -1", "tolerance must be a finite number of at least 0"),
        (f"recommend-granularity {NETWORK}", "give the rates: either --r or --masks"),
        ("devices show v10", "unknown device 'v10'; did you mean v100? Choose "),
        ("devices validate no.yaml", "Invalid value for 'FILES...': File 'no.yaml' does not exist."),
        ("networks show resnet5", "unknown network 'resnet5'; did you mean resnet50? Choose "),
        ("predikt", "No such command 'predikt'; did you mean predict?"),
        ("predict --devices tx2", "No such option '--devices'."),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, command, message):
    assert fails(run, 2, command).startswith(message)


@pytest.mark.parametrize("option", ["--S", "--r", "--image-size", "--batch", "--device", "--block", "--paradigm"])
def test_an_empty_value_is_a_mistake(run, option):
    fails(run, 2, f"predict {BLOCK} --S 4 --r 0.5 {option}", "")


def test_unknown_names_list_what_there_is(run):
    assert DEVICES in fails(run, 2, "predict --device v10 --block r50-stage1")
    for command in ("predict --device tx2 --network x", "predict --device tx2 --block x"):
        assert re.search(r"convnext-small, convnext-tiny, .* and \d+ more", fails(run, 2, command))


def test_wrong_data_is_exit_code_1_and_names_every_field(run, tmp_path):
    (tmp_path / "mine.yaml").write_text("name: mine\npes: none\nfp32_lanes_per_pe: 64\nclock_hz: 900\n")
    for command in (
        "devices validate mine.yaml",
        "predict --device mine.yaml --block r50-stage1",
        "devices show mine.yaml",
    ):
        assert fails(run, 1, command) == (
            "mine.yaml: pes: must be a whole number, got 'none'; "
            "clock_hz: 900 would be 900 Hz; write 900e6 for 900 MHz; dram_bandwidth: missing"
        )


def test_every_device_file_is_judged(monkeypatch, tmp_path, capsys):
    """A line for each: good ones on stdout, the others on stderr; one bad file is enough for exit code 1."""
    monkeypatch.chdir(tmp_path)
    good = "pes: 16\nfp32_lanes_per_pe: 128\nclock_hz: 1.3e9\ndram_bandwidth: 204e9\n"
    for name, text in (("a", good), ("b", ""), ("c", good.replace("16", "0")), ("d", good)):
        (tmp_path / f"{name}.yaml").write_text(f"name: {name}\n{text}")
    with pytest.raises(SystemExit) as exit:
        main(["devices", "validate", *(f"{name}.yaml" for name in "abcd")])
    out, err = capsys.readouterr()
    assert exit.value.code == 1
    assert [line.partition(": ok: ")[0] for line in out.splitlines()] == ["a.yaml", "d.yaml"]
    missing = "pes: missing; fp32_lanes_per_pe: missing; clock_hz: missing; dram_bandwidth: missing"
    assert err.splitlines() == [
        f"latpred: b.yaml: {missing}",
        "latpred: c.yaml: pes: must be at least 1, got 0",
    ]


@pytest.mark.parametrize("content", ["- a\n", "", "name: {", "a: \x07", "\ufeff- 1"])
def test_a_file_that_is_no_profile_is_one_line(run, tmp_path, content):
    (tmp_path / "mine.yaml").write_text(content, encoding="utf-8")
    assert fails(run, 1, "devices validate mine.yaml").startswith("mine.yaml: ")


def test_folders_as_files(run, tmp_path):
    for name in ("d.yaml", "d.csv", "d.png"):
        (tmp_path / name).mkdir()
    assert fails(run, 2, f"predict {BLOCK} --device d.yaml") == "there is no device file 'd.yaml'"
    assert fails(run, 2, f"sweep {BLOCK} --S 4 --r 0.5 --output d.csv").startswith("d.csv: is a folder")
    assert fails(run, 2, f"sweep {BLOCK} --S 4 --r 0.5 --plot d.png").startswith("d.png: is a folder")


# --- interruptions and streams


@pytest.mark.parametrize("option", ["--output rows.csv", "--output rows.json", "--plot fig.png"])
def test_an_interrupted_sweep_leaves_no_file(run, monkeypatch, option):
    from matplotlib.figure import Figure

    def half(self, path, *arguments, **options):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(pandas.DataFrame, "to_csv", half)
    monkeypatch.setattr(Figure, "savefig", half)
    monkeypatch.setattr(Path, "write_text", lambda path, text, encoding: half(None, path))
    message = fails(run, 130, f"sweep {BLOCK} --S 4 --r 0.5 {option}")
    assert message == "interrupted; no file is left half written"


def test_a_full_disk_is_one_line(run, monkeypatch):
    def full(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pandas.DataFrame, "to_csv", full)
    assert fails(run, 1, f"sweep {BLOCK} --S 4 --r 0.5 --output a.csv") == "cannot write: No space left on device"


def test_python_m_latpred_in_a_pipe():
    command = [
        sys.executable,
        "-m",
        "latpred",
        "sweep",
        *BLOCK.split(),
        "--S",
        "1,2,4",
        "--r",
        "0:1:0.001",
        "--format",
        "csv",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"target,device,model")
        process.stdout.close()  # as `head -1` does
        assert process.stderr.read() == b""


@pytest.mark.parametrize(
    "command", ["", "predict", "sweep", "recommend-granularity", "devices", "devices list", "networks"]
)
def test_help_has_an_example(run, command):
    code, out, _ = run(f"{command} -h")
    assert code == 0
    assert re.search(r"^ +latpred \w+", out, flags=re.MULTILINE)
