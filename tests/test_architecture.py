"""One direction of flow: a module imports only from modules below it, and heavy packages only where they are used."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import latpred

PACKAGE = Path(latpred.__file__).parent
#: Modules and packages from the bottom to the top; those of one line do not import one another.
LAYERS = (
    "errors units wording notebook",
    "precision records",
    "plain_yaml",
    "files",
    "devices workloads",
    "models",
    "question",
    "report evaluation",
    "confidence",
    "prediction",
    "curves",
    "studies",
    "measuring",
    "show",
    "cli",
)
HEIGHT = {name: height for height, names in enumerate(LAYERS) for name in names.split()}
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE or path.stem in HEIGHT]
MOST_LINES = 350


def part(path):
    """The module, or the sub-package, that a file belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported(path):
    """The parts of latpred that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for package, name, *_ in (f"{name}.".split(".") for name in names):
            if package == "latpred" and not name.startswith("__"):
                yield name


def test_every_module_has_its_place():
    assert {part(path) for path in PACKAGE.rglob("*.py")} == {*HEIGHT, "__init__", "__main__"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_below(path):
    own = part(path)
    assert [name for name in imported(path) if name != own and HEIGHT[name] >= HEIGHT[own]] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_file_is_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def loaded(program):
    """Top-level packages in memory after a program ran in a fresh interpreter."""
    program += "; import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    command = [sys.executable, "-c", program]
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1].split())


def test_importing_latpred_is_light():
    assert not loaded("import latpred") & {"rich", "matplotlib", "click", "pandas", "scipy", "yaml", "torch", "onnx"}


def test_predicting_on_the_command_line_loads_no_data_frames_or_pictures():
    program = "import latpred.cli, contextlib\nwith contextlib.suppress(SystemExit): "
    program += "latpred.cli.main('predict --device tx2 --block r50-stage1 --S 4 --r 0.6'.split())\npass"
    assert not loaded(program) & {"matplotlib", "pandas", "scipy", "torch", "onnx"}


def test_one_prediction_loads_no_studies():
    program = "import latpred.cli, contextlib, sys\nwith contextlib.suppress(SystemExit): "
    program += "latpred.cli.main('predict --device tx2 --block r50-stage1 --S 4 --r 0.6'.split())\n"
    program += "print(*(name for name in sys.modules if name.startswith('latpred.studies')))"
    command = [sys.executable, "-c", program]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1] == ""


def test_what_is_loaded_later_is_what_the_checker_sees():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    (later,) = (node for node in tree.body if isinstance(node, ast.If))
    assert {alias.name: f"{node.module}" for node in later.body for alias in node.names} == {
        name: f"latpred.studies.{module}" for name, module in latpred._STUDIES.items()
    }
    with pytest.raises(AttributeError, match="module 'latpred' has no attribute 'explane'"):
        latpred.explane  # noqa: B018


def test_all_is_complete_and_sorted():
    tree = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and "latpred" in node.module]
    names = [alias.name for node in imports for alias in node.names]
    # In the order that the linter wants: constants first, as it takes SE to be.
    assert latpred.__all__ == sorted(names, key=lambda name: (not name.isupper(), name))
    assert set(latpred.__all__) <= set(dir(latpred))
    assert all(getattr(latpred, name).__doc__ for name in latpred.__all__ if callable(getattr(latpred, name)))
