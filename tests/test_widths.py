"""What is printed fits the screen: every console command of the pages, at 80 columns and 120, piped or not."""

import csv
import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys

import pytest
import yaml
from rich.cells import cell_len
from rich.console import Console

from latpred.cli import main, output
from latpred.show.layout import new_table
from tests import documents

COMMANDS = sorted(
    {
        command.split("|")[0].strip()
        for page in documents.PAGES
        for block in documents.blocks(page)
        for command in re.findall(r"^\$ latpred (.*)$", block, re.MULTILINE)
        # Their files are ones that the reader writes, or a command before them, which needs torch.
        if not command.startswith("devices validate") and "tiny" not in command
    }
)
#: A figure with its unit, and what stands for characters that were cut.
FIGURE = re.compile(r"[+-]?\d[\d.,–×-]*(?: ?[nµmkMGTP]?(?:s|B|B/s|Hz|FLOP/s)\b| [kMGT]\b|%)?")
CUT = "…"


def printed(capsys, monkeypatch, renderables, width, *, terminal):
    """Lines of text as they come out of a pipe or appear on a terminal."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("FORCE_COLOR" if terminal else "NO_COLOR", "1")
    monkeypatch.delenv("NO_COLOR" if terminal else "FORCE_COLOR", raising=False)
    output.print_rich(*renderables)
    return re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()


@pytest.fixture
def shown(monkeypatch, tmp_path, capsys):
    """What a command hands to the printer, call by call."""

    def shown(command):
        calls = []
        with monkeypatch.context() as patched:
            patched.chdir(tmp_path)
            (tmp_path / "examples").symlink_to(documents.ROOT / "examples")
            (tmp_path / "measurements").symlink_to(documents.ROOT / "measurements")
            patched.setattr(output, "print_rich", lambda *items: calls.append(items))
            with pytest.raises(SystemExit) as end:
                main(shlex.split(command))
        assert not end.value.code, capsys.readouterr().err
        capsys.readouterr()
        return calls

    return shown


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_wider_than_the_screen_and_nothing_is_cut(command, shown, capsys, monkeypatch):
    for renderables in shown(command):
        known = CUT in "".join(map(str, renderables)) or "--beta" in command
        texts = {}
        for width in (80, 120):
            for terminal in (False, True):
                lines = printed(capsys, monkeypatch, renderables, width, terminal=terminal)
                assert max(map(cell_len, lines)) <= width
                assert width == 80 or not any(line.startswith("left out at this width") for line in lines)
                assert known or CUT not in "".join(lines)
                texts[width, terminal] = "\n".join(line for line in lines if "left out at" not in line)
            assert FIGURE.findall(texts[width, False]) == FIGURE.findall(texts[width, True])
        assert set(FIGURE.findall(texts[80, False])) <= set(FIGURE.findall(texts[120, False]))


def table(*rows, **options):
    made = new_table("", ("name", "bytes", "total"), **options)
    for row in rows:
        made.add_row(*row)
    return made


ROW = ("masker+conv1", "3.76 MB", "252 µs")


@pytest.mark.parametrize(
    ("width", "cells"),
    [
        (35, ["name", "bytes", "total", "masker+conv1", "3.76 MB", "252 µs"]),
        # 12 + 7 + 6 characters, a gap of two before each and one at the end, are 32.
        (32, ["name", "bytes", "total", "masker+conv1", "3.76 MB", "252 µs"]),
        (31, ["name", "total", "masker+conv1", "252 µs", "left out at this width: bytes"]),
        # 12 + 6 + 2·2 + 1 are 23; below it the texts fold, which numbers never do.
        (23, ["name", "total", "masker+conv1", "252 µs", "left out at this width:", "bytes"]),
    ],
)
def test_columns_give_way_before_anything_is_cut(width, cells, capsys):
    console = Console(width=width)
    console.print(table(ROW, gives_way=("bytes",)))
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [cell for line in lines for cell in re.split(r"  +", line) if cell and not cell.startswith("─")] == cells


def test_where_nothing_gives_way_the_other_columns_follow_below(capsys):
    Console(width=24).print(table(ROW))
    text = capsys.readouterr().out
    assert text.count("masker+conv1") == 2
    assert text.index("3.76 MB") < text.rindex("masker+conv1") < text.index("252 µs")


def test_texts_fold_at_words_and_long_names_anywhere(capsys):
    name = "z" * 60
    Console(width=60).print(table((name, *ROW[1:]), ("one two three four five six seven eight nine", *ROW[1:])))
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.count("z") for line in lines) == 60
    assert max(map(len, lines)) <= 60
    words = re.findall(r"[a-z]+", " ".join(line for line in lines if "z" not in line))
    assert [word for word in words if word not in ("name", "bytes", "total", "s")][:9] == (
        ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    )


def test_brackets_and_colons_in_names_are_printed_as_they_are(capsys, monkeypatch):
    """rich takes `[bold]` for a style and `:boom:` for a picture."""
    text = "mine[bold]:boom:"
    made = new_table(text, ("name",))
    made.add_row(text)
    for terminal in (False, True):
        lines = printed(capsys, monkeypatch, [made, f"note: {text}"], 80, terminal=terminal)
        assert "\n".join(lines).count(text) == 3


def test_words_longer_than_a_pipe_is_wide_stay_whole(capsys, monkeypatch):
    path = "/".join(["folder"] * 20)
    assert (
        f"wrote {path}".split() == " ".join(printed(capsys, monkeypatch, [f"wrote {path}"], 80, terminal=False)).split()
    )


def test_a_real_terminal_of_80_columns():
    """Through a pseudo-terminal, where rich asks the system for the size."""
    parent, child = pty.openpty()
    command = [sys.executable, "-m", "latpred", *shlex.split("predict --device tx2 --block r50-stage1 --S 4 --r 0.6")]
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    subprocess.run(["stty", "cols", "80"], stdin=child, check=True)
    subprocess.run(command, stdin=child, stdout=child, env={**environment, "TERM": "xterm"}, check=True)
    os.close(child)
    written = b""
    while chunk := _read(parent):
        written += chunk
    os.close(parent)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", written.decode()).splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert "│".join(lines).count("829 µs") == 2
    assert not any(CUT in line for line in lines)


def _read(terminal):
    """Nothing where the other end is closed, which Linux calls an input/output error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def test_the_list_of_devices_for_programs_says_the_same(run):
    """The first lines of each calibration in the YAML file, by hand; CSV names precisions and libraries."""
    records = {record["name"]: record for record in json.loads(run("devices list --format json")[1])}
    of_v100 = records["v100"]["calibrations"]
    assert [(found["precision"], found["library"], found["of"]) for found in of_v100] == [
        ("fp16", "tensorrt", "operators"),
        ("fp32", "tensorrt", "networks"),
        ("fp32", "tensorrt", "operators"),
        ("fp32", "pytorch", "networks"),
        ("fp32", "pytorch", "operators"),
    ]
    assert [found["precision"] for found in records["h200"]["calibrations"]] == 2 * ["fp16", "fp32", "tf32"]
    fp32 = records["h200"]["calibrations"][1]
    profile = yaml.safe_load((documents.ROOT / "hardware" / "h200.yaml").read_text(encoding="utf-8"))
    wanted = ("fp32", "triton")
    (as_written,) = (item for item in profile["calibrations"] if (item["precision"], item["library"]) == wanted)
    assert fp32["median_errors"] == {name: error["median_error"] for name, error in as_written["errors"].items()}
    assert (fp32["published_error"], fp32["batches"]) == (as_written["published_error"], as_written["batches"])
    assert records["tx2"]["calibrations"] == []
    rows = list(csv.DictReader(io.StringIO(run("devices list --format csv")[1])))
    assert {row["name"]: row["calibrations"] for row in rows if row["calibrations"]} == {
        "a100": "fp32 with pytorch",
        "agx-xavier": "fp16 with tensorrt",
        "h200": ", ".join(
            f"{precision} with {library}" for library in ("triton", "pytorch") for precision in ("fp16", "fp32", "tf32")
        ),
        "rtx3090": "fp16 with pytorch",
        "v100": "fp16 with tensorrt, fp32 with tensorrt, fp32 with pytorch",
    }


def test_the_list_of_devices_says_what_was_calibrated(shown, capsys, monkeypatch):
    """As in the profiles: blocks of Triton's kernels on the H200, TensorRT's convolutions and networks on the V100."""
    ((devices, trust),) = shown("devices list")
    lines = printed(capsys, monkeypatch, [trust], 80, terminal=False)
    rows = {line.split()[0]: re.split(r" {2,}", line.strip()) for line in lines if line.startswith("  ")}
    assert rows["h200"][1:4] == ["validated", "fp16, fp32, tf32 with pytorch", "networks"]
    assert rows["v100"][1:4] == ["validated", "fp32 with pytorch", "networks"]
    kinds = [re.split(r" {2,}", line.strip())[:2] for line in lines]
    assert ["fp16, fp32, tf32 with triton", "blocks"] in kinds
    assert ["fp16, fp32 with tensorrt", "operators"] in kinds
    assert rows["tx2"][1:] == ["validated", "carried over from v100", "never"]
    # What is carried over was judged by an H100's blocks and networks (`judged` of its file).
    assert rows["h100"][1:] == ["validated", "carried over from h200", "blocks", "3.9%–5.6%"]
    assert ["carried over from h200", "networks"] in kinds
    # The V100 has rows for TensorRT's networks and for PyTorch, and what it has not is carried over.
    assert rows["carried"] == ["carried over from h200", "never"]
    assert len(devices.columns[0].cells) == 13
