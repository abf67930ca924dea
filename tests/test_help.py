"""What `help()` says of each public name: an example that runs, every field, and the units of those that have one."""

import dataclasses
import doctest
import re
import sys

import pytest

import latpred

#: How fields with a unit end or are called, and what their description names.
UNITS = {
    r"height|width|S|kernel|pad|image_size": r"\[pixels",
    r".*_s": r"\[s\]",
    r"clock_hz": r"\[Hz\]",
    r".*bandwidth": r"\[bytes/s\]",
    r".*bytes": r"\[(bytes|multiply-adds per byte)\]",
    r".*macs": r"[Mm]ultiply-adds",
}


def fields(kind):
    """Names of the fields of a record, an operator, a result or a row."""
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind)]
    return [*getattr(kind, "model_fields", {}), *getattr(kind, "_fields", ())]


def described(kind):
    """The description of each field: the lines below the one that names it, alone or with others, with its type."""
    found = {}
    lines = (kind.__doc__ or "").splitlines()
    for number, line in enumerate(lines):
        named = re.fullmatch(r"    (\w+(?:, \w+)*)(?: : .*)?", line)
        if named:
            below = iter(lines[number + 1 :])
            text = []
            while (after := next(below, "")).startswith("        "):
                text.append(after.strip())
            found.update(dict.fromkeys(named[1].split(", "), " ".join(text)))
    return found


@pytest.mark.parametrize("name", latpred.__all__)
def test_every_public_name_has_an_example_that_runs(name):
    thing = getattr(latpred, name)
    finder, runner = doctest.DocTestFinder(recurse=False), doctest.DocTestRunner()
    (test,) = finder.find(thing, name, globs=vars(sys.modules[thing.__module__]).copy()) or [None]
    assert test is not None
    assert test.examples, f"{name} has no example"
    for package in {"torch", "onnx"} & set(re.findall(r"import (\w+)", thing.__doc__)):
        pytest.importorskip(package, reason=f"the example needs {package}, an extra")
    assert runner.run(test, out=lambda text: None) == (0, len(test.examples))


@pytest.mark.parametrize("name", [name for name in latpred.__all__ if fields(getattr(latpred, name))])
def test_every_field_is_described_with_its_unit(name):
    kind = getattr(latpred, name)
    found = described(kind)
    assert [field for field in fields(kind) if not found.get(field)] == []
    for field in fields(kind):
        wanted = next((unit for names, unit in UNITS.items() if re.fullmatch(names, field)), "")
        assert re.search(wanted, found[field]), f"{field}: {found[field]}"


def test_operators_of_a_kind_are_told_apart():
    """No docstring was copied whole from another."""
    texts = [getattr(latpred, name).__doc__.partition("\n")[0] for name in latpred.__all__]
    assert len(set(texts)) == len(texts)
