"""README and docs say what the program does: console blocks are run, command pages are made from `--help`."""

import re
import sys
from importlib.util import find_spec

import pytest

import latpred
from latpred.cli import COMMANDS
from tests import documents

NEEDS_TORCH = pytest.mark.skipif(not find_spec("torch"), reason="reading modules needs torch")
BLOCKS = [
    pytest.param(block, id=f"{page.name}:{number}", marks=[NEEDS_TORCH] if "$ latpred networks read" in block else [])
    for page in documents.PAGES
    for number, block in enumerate(documents.blocks(page), start=1)
]


@pytest.mark.parametrize("block", BLOCKS)
def test_console_blocks_print_what_they_say(block, tmp_path):
    assert documents.printed(block, tmp_path) == block


def test_blocks_are_found_and_their_output_is_not_left_out():
    assert len(BLOCKS) > 20
    for parameter in BLOCKS:
        assert len(parameter.values[0].splitlines()) > len(re.findall(r"^\$ ", parameter.values[0], re.MULTILINE))


def test_the_python_of_the_readme_runs(capsys):
    (block,) = re.findall(r"^```python\n(.*?)^```$", (documents.ROOT / "README.md").read_text("utf-8"), re.M | re.S)
    names = {}
    exec(block, names)
    printed = [float(value) for value in capsys.readouterr().out.split()]
    assert printed == [names["report"].latency_s, names["report"].ratio, names["report"].break_even_rate]
    assert len(names["frame"]) == 6
    assert len(names["choice"]) == 4


def test_shell_blocks_with_output_are_console_blocks():
    for page in documents.PAGES:
        for block in re.findall(
            r"^```(?:sh|bash|shell)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        ):
            assert not block.startswith("$ "), f"{page.name}: a block with output is fenced as console"


@pytest.mark.parametrize("name", ["index.md", *(f"{name}.md" for name in COMMANDS)])
def test_command_pages_are_made_from_help(name):
    page = documents.ROOT / "docs" / "commands" / name
    assert page.read_text(encoding="utf-8") == documents.command_pages()[name], "run python -m tests.renew_documents"


def test_the_reference_has_every_public_name():
    text = (documents.ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\.\. auto(?:function|class|exception):: (\w+)$", text, re.M)) == sorted(latpred.__all__)


def test_the_table_of_devices_in_the_model_is_that_of_the_published_profiles():
    text = (documents.ROOT / "docs" / "model.md").read_text(encoding="utf-8")
    for name in ("v100", "rtx3090", "rtx3060", "tx2", "nano"):
        profile = latpred.load_profile(name)
        row = f"| {profile.pes} | {profile.fp32_lanes_per_pe} | {profile.clock_hz / 1e6:g} MHz"
        row += f" | {profile.dram_bandwidth / 1e9:g} GB/s | {profile.l2_bandwidth_ratio:g} | {profile.default_batch} |"
        assert row in text, name


@pytest.mark.parametrize(
    ("page", "record"), [("devices.md", latpred.HardwareProfile), ("networks.md", latpred.Network)]
)
def test_the_tables_of_fields_are_those_of_the_records(page, record):
    text = (documents.ROOT / "docs" / page).read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|.*\| ([^|]*) \|$", text, re.M)
    told = {}
    for names, default in rows:  # other tables may follow
        for name in re.findall(r"\w+", names):
            told.setdefault(name, default)
    assert list(told)[: len(record.model_fields)] == list(record.model_fields)
    for name, field in record.model_fields.items():
        assert (told[name] == "needed") == field.is_required(), name
        if isinstance(field.default, str | int | float) and field.default != "":
            assert told[name] == str(field.default).lower(), name


def test_completion_as_documented(tmp_path):
    text = (documents.ROOT / "docs" / "commands" / "index.md").read_text(encoding="utf-8")
    for shell in ("bash", "zsh", "fish"):
        assert f"_LATPRED_COMPLETE={shell}_source latpred" in text
        script = documents.printed(f"$ _LATPRED_COMPLETE={shell}_source latpred\n", tmp_path)
        assert "_LATPRED_COMPLETE" in script.split("\n", 1)[1]
    asked = "$ COMP_WORDS='latpred re' COMP_CWORD=1 _LATPRED_COMPLETE=bash_complete latpred\n"
    assert documents.printed(asked, tmp_path).splitlines()[1:] == ["plain,recommend-granularity"]


def test_the_interpreter_of_the_tests_runs_the_blocks(tmp_path):
    (line,) = documents.printed("$ python -c 'import sys; print(sys.prefix)'\n", tmp_path).splitlines()[1:]
    assert line == sys.prefix
