"""Options that all commands share: given twice, mistyped, in percent, split, completed; and how a command ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

import latpred
from latpred.cli import COMMANDS, cli

ROOT = Path(__file__).parents[1]
BLOCK, NETWORK = "--device v100 --block r50-stage1", "--device v100 --network resnet50"


def commands():
    """Every command and subcommand with its arguments, by what is typed."""
    context = click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        yield from (
            [(f"{name} {sub}", each) for sub, each in getattr(command, "commands", {}).items()] or [(name, command)]
        )


SINGLE_OPTIONS = [
    (typed, option)
    for typed, command in commands()
    for option in command.params
    if isinstance(option, click.Option) and not (option.multiple or option.is_flag)
]


@pytest.mark.parametrize(("typed", "option"), SINGLE_OPTIONS, ids=lambda part: getattr(part, "name", part))
def test_an_option_of_one_value_is_not_given_twice(run, typed, option):
    flag = option.opts[0]
    code, _, err = run(typed, flag, "1", flag, "2")
    assert (code, err) == (2, f"latpred: {flag} is given 2 times, and takes one value; keep one\n")


def test_there_are_such_options():
    assert len(SINGLE_OPTIONS) > 80
    assert {typed for typed, _ in SINGLE_OPTIONS} >= {*COMMANDS} - {"devices", "networks"} | {"devices list"}


@pytest.mark.parametrize(
    ("command", "hint"),
    [
        ("predikt", "No such command 'predikt'; did you mean predict?"),
        ("devices shw", "No such command 'shw'. Did you mean 'show'?"),
        (f"predict {BLOCK} --modle roofline", "Did you mean one of: '--fold', '--like', '--model'?"),
        (f"predict {BLOCK} --model rofline", "'calibrated'; did you mean roofline?"),
        (f"predict {BLOCK} --precision fp61", "; did you mean fp16?"),
        (f"predict {BLOCK} --format jsn", "; did you mean json?"),
        (f"predict {BLOCK} --paradigm laier --r 0.5", "; did you mean layer?"),
        (
            f"predict {BLOCK} --S 4 --r 0.5 --unfuse gater",
            "unknown fusion 'gater'; did you mean gather? Choose masker,",
        ),
        (f"predict {NETWORK} --include haed", "unknown part 'haed'; did you mean head? Choose stem, transitions, head"),
        (f"predict {BLOCK} --S 4 --r 1.5", "'--r': rates are shares from 0 to 1, got 1.5"),
        ("predict --device v10 --block r50-stage1", "; did you mean v100?"),
        ("predict --device v100 --network resnet5", "; did you mean resnet50?"),
        ("predict --device v100 --block resnet50-stag1", "; did you mean resnet50-stage1?"),
        ("predict --device v100 --preset lasnet-resnet5 --r 0.5", "; did you mean lasnet-resnet50?"),
        (
            "predict --device v100 --block ResNet50",
            "ResNet50 is a network; give it as --network, or a block of it, resnet",
        ),
        ("predict --device v100 --network r50-stage1", "r50-stage1 is a block; give it as --block, or to load_block"),
        (f"recommend-granularity {NETWORK} --r 0.5 --paradigm chanel", "; did you mean channel?"),
    ],
)
def test_a_mistyped_name_gets_the_nearest(run, command, hint):
    code, _, err = run(command)
    assert code == 2
    assert hint in err


@pytest.mark.parametrize(
    "command",
    [
        f"predict {BLOCK} --S 4 --r 60",
        f"predict {BLOCK} --paradigm spatial+channel --S 4 --G 2 --spatial-r 60 --channel-r 0.5",
        f"explain {BLOCK} --S 4 --r 60",
        f"sweep {BLOCK} --S 4 --r 60:100:10",
        f"recommend-granularity {NETWORK} --r 0.5,0.5,0.5,60",
        f"ablate-fusion {BLOCK} --S 4 --r 60",
    ],
)
def test_rates_in_percent(run, command):
    code, _, err = run(command)
    assert code == 2
    assert err.endswith("rates are shares from 0 to 1, got 60; write 0.6 for 60 %\n")


def test_a_decimal_comma_is_told_from_a_list(run):
    for command, text in ((f"predict {BLOCK} --S 4 --r 0,25", "0.25"), (f"sweep {BLOCK} --S 4 --r 0,5", "0.5")):
        code, _, err = run(command)
        assert code == 2
        assert err.endswith(f"; a comma stands between rates, write {text}\n")
    assert run(f"sweep {BLOCK} --S 4 --r 0,1")[0] == 0


def test_names_are_split_at_commas_and_paths_are_not(run, tmp_path):
    rows = json.loads(run("predict --device tx2,v100 --block r50-stage1,r50-stage2 --format json")[1])
    asked = [(row["target"], row["device"]) for row in rows]
    assert asked == [(f"resnet50-stage{stage}", device) for stage in (1, 2) for device in ("tx2", "v100")]
    (tmp_path / "a,b.yaml").write_text((ROOT / "hardware" / "tx2.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    assert json.loads(run("predict --device a,b.yaml --block r50-stage1 --format json")[1])["device"] == "tx2"
    assert "unknown device ''" in run("predict --device tx2, --block r50-stage1")[2]


def test_as_many_settings_as_stages_get_a_note(run):
    _, out, err = run(f"sweep {NETWORK} --S 4,4,2,1 --r 0.5 --format csv")
    assert err.splitlines()[0] == "note: --S 4,4,2,1 are 4 settings; one setting per stage is 4-4-2-1"
    assert len(out.splitlines()) == 1 + 4
    assert "settings" not in run(f"sweep {NETWORK} --S 4-4-2-1 --r 0.5 --format csv")[2]
    assert run(f"sweep {BLOCK} --S 4,4,2,1 --r 0.5 --format csv")[2] == ""


def test_what_does_not_fit_is_noted_on_stderr(run):
    code, out, err = run(f"sweep {NETWORK} --S 4,8 --r 0.5 --format csv")
    assert (code, len(out.splitlines())) == (0, 2)
    assert err.splitlines()[0] == "note: left out, as they do not fit: spatial(S=8) of resnet50"


def test_presets_wherever_a_paradigm_and_a_network_are_taken(run):
    S = latpred.load_preset("lasnet-resnet50")[0].paradigm.S
    spelled = "-".join(map(str, S))
    for command, same in (
        ("sweep --r 0.4,0.5", f"--S {spelled}"),
        ("ablate-fusion --r 0.5", f"--S {spelled}"),
        ("explain --r 0.5", f"--S {spelled}"),
        ("predict --r 0.5", f"--S {spelled}"),
    ):
        preset = run(f"{command} --device tx2 --preset lasnet-resnet50 --format csv")
        assert preset[0] == 0
        assert preset == run(f"{command} --device tx2 --network resnet50 {same} --format csv")
    assert "a preset has its own S" in run("ablate-fusion --device tx2 --preset skipnet-resnet101 --r 0.5")[2]


def test_include_wherever_a_network_is_taken(run, tmp_path):
    included = latpred.load_network("resnet50").including("stem", "head")
    _, out, _ = run(
        "compare --device v100 --network resnet50 --include stem,head --preset lasnet-resnet50 --format json"
    )
    static = latpred.predict(included, latpred.load_profile("v100")).static_latency_s
    assert json.loads(out)[0]["static_latency_s"] == pytest.approx(static, rel=1e-12)
    command = "recommend-granularity --device tx2 --network regnety-400mf --r 0.6 --format csv"
    code, out, err = run(f"{command} --include stem")
    assert (code, out) == run(command)[:2]
    assert err == "note: a stem or head skips nothing; the choice is that without them\n"
    code, _, err = run("lut --device tx2 --network resnet50 --include stem --output a.npz")
    assert (code, err) == (2, "latpred: a table is of blocks, and holds no stem and no head; leave --include out\n")


@pytest.mark.parametrize(
    ("typed", "incomplete", "expected"),
    [
        (["predict", "--device"], "v", {"v100"}),
        (["predict", "--device"], "tx2,rtx30", {"tx2,rtx3060", "tx2,rtx3090"}),
        (["calibrate", "--device"], "h2", {"h200"}),
        (["sweep", "--network"], "resnet1", {"resnet18", "resnet101", "resnet110", "resnet152"}),
        (["lut", "--network"], "deit", {"deit-b", "deit-s", "deit-ti"}),
        (["explain", "--block"], "resnet50-stage4", {"resnet50-stage4", "resnet50-stage4-first"}),
        (["compare", "--preset"], "bas", {"bas-resnet50"}),
        (["ablate-fusion", "--preset"], "lasnet-regnety-4", {"lasnet-regnety-400mf"}),
        (["predict", "--model"], "roof", {"roofline"}),
        (["predict", "--block"], "r50-stage1", {"r50-stage1", "r50-stage1-first"}),
        (["predict", "--include"], "stem,h", {"stem,head"}),
        (["sweep", "--paradigm"], "sp", {"spatial"}),
        (["sweep", "--paradigm"], "layer+ch", {"layer+channel"}),
        (["explain", "--library"], "t", {"triton", "tensorrt"}),
        (["devices", "show"], "rtx4", {"rtx4090"}),
        (["networks", "show"], "skipnet-resnet1", {"skipnet-resnet101", "skipnet-resnet110"}),
        (["networks", "show"], "vit", {"vit-b"}),
        ([], "pre", {"predict"}),
    ],
)
def test_a_shell_completes_names(typed, incomplete, expected):
    found = ShellComplete(cli, {}, "latpred", "_LATPRED_COMPLETE").get_completions(typed, incomplete)
    assert {item.value for item in found} == expected


def test_a_shell_completes_files_where_no_name_fits():
    found = ShellComplete(cli, {}, "latpred", "_LATPRED_COMPLETE").get_completions(["predict", "--device"], "./my")
    assert [(item.type, item.value) for item in found] == [("file", "./my")]


def test_long_values_are_quoted_in_part(run):
    for command in (
        f"predict {BLOCK} --S {'9' * 9000} --r 0.5",
        f"predict {BLOCK} --S 4 --r {'x' * 9000}",
        f"predict {BLOCK} --batch {'1' * 9000}",
        f"predict {BLOCK} --{'o' * 9000} 1",
        f"predict {BLOCK} {'o ' * 4500}",
        f"predict {BLOCK} --model {'m' * 9000}",
        f"{'c' * 9000}",
    ):
        code, _, err = run(command)
        assert code == 2
        assert len(err) < 2100


@pytest.mark.parametrize("tolerance", ["inf", "nan", "-inf"])
def test_a_tolerance_that_is_no_number(run, tolerance):
    code, _, err = run(f"recommend-granularity {NETWORK} --r 0.5 --format json --tolerance {tolerance}")
    assert (code, err[:58]) == (2, "latpred: tolerance must be a finite number of at least 0, ")


@pytest.mark.parametrize(("name", "code", "word"), [("SIGTERM", 143, "terminated"), ("SIGINT", 130, "interrupted")])
def test_a_signal_ends_in_one_line_and_leaves_no_file(tmp_path, name, code, word):
    """Sent while the rows are written: the file of a temporary name is there, and goes."""
    program = """
import signal, sys, time, pandas
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background is born deaf to it
def slow(self, path, *a, **k):
    Path(path).write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
pandas.DataFrame.to_csv = slow
from latpred.cli import main
main(sys.argv[1:])
"""
    asked = f"sweep {BLOCK} --S 4 --r 0.5 --output rows.csv".split()
    with subprocess.Popen(
        [sys.executable, "-c", program, *asked],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "writing\n"
        assert len(list(tmp_path.iterdir())) == 1
        time.sleep(0.1)
        process.send_signal(getattr(signal, name))
        _, err = process.communicate(timeout=20)
    assert process.returncode == code
    assert err.strip() == f"latpred: {word}; no file is left half written"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "stream"),
    [
        ("predict", 1),
        ("explain", 1),
        ("compare --preset lasnet-resnet50", 1),
        ("recommend-granularity --r 0.6", 1),
        ("lut --S 4 --output lut.npz", 2),
    ],
)
def test_an_extrapolation_is_noted(run, command, stream):
    """The rows of h200 have batches 1 to 128."""
    asked = "--device h200 --network resnet50 --model calibrated"
    note = "note: extrapolated: h200 was calibrated with batches 1 to 128, not 512"
    assert run(f"{command} {asked} --batch 512")[stream].count(note) == 1
    assert "extrapolated" not in run(f"{command} {asked} --batch 128")[stream]


@pytest.mark.parametrize("group", ["", "devices", "networks"])
def test_lists_of_commands_cut_no_line(run, group):
    code, out, _ = run(f"{group} --help")
    listed = out.partition("\nCommands:\n")[2].splitlines()
    assert code == 0
    assert len(listed) >= 2
    assert not any(line.endswith("...") for line in listed)
