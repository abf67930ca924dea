"""Hypothesis draws the same examples in every run; commands run in an empty folder."""

import os
import re

import pytest
from hypothesis import settings

from latpred.cli import main

settings.register_profile("fixed", derandomize=True, deadline=None, database=None, max_examples=60)
settings.load_profile("fixed")

# Output is of the width of a pipe, wherever the tests run.
for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE"):
    os.environ.pop(name, None)


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Runs a command in an empty folder: (exit code, stdout, stderr); a mistake is one line and writes nothing."""
    monkeypatch.chdir(tmp_path)

    def run(command, *more):
        before = set(tmp_path.rglob("*"))
        with pytest.raises(SystemExit) as exit:
            main([*command.split(), *more])
        out, err = capsys.readouterr()
        if exit.value.code:
            assert out == ""
            assert re.fullmatch(r"\n?latpred: [^\n]+\n", err), err  # ^C is on a line of its own
            assert set(tmp_path.rglob("*")) == before
        return exit.value.code, out, err

    return run
