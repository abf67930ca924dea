"""Which changes of the code no test notices: `pip install cosmic-ray`, then `python benchmarks/mutation.py`.

Cosmic Ray's operators change one place at a time in a copy of the repository; the module's own tests must then fail.
Places are drawn with a fixed seed, one change each. Tests run in forks of a process that has loaded the libraries.
"""

from __future__ import annotations

import ast
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

import click
import parso.python.tree
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from cosmic_ray.plugins import get_operator, operator_names

ROOT = Path(__file__).parents[1]
#: The tests of a module, by the start of its path; the most telling first. Doctests of the module come before them.
TESTS = {
    "latpred/measuring/fitting.py": "judging calibration",
    "latpred/measuring/validation.py": "judging calibration",
    "latpred/studies/recommendation.py": "recommend masks joint image_sizes calibrated",
    "latpred/workloads/densities.py": "densities traffic calibrated_golden golden",
    "latpred/workloads/lowering/": "lowering macs heeded_settings fusion joint transformers golden",
    "latpred/models/bands.py": "bands",
    "latpred/models/calibrated/": "calibrated_golden traffic calibrated",
    "latpred/models/interface.py": "interface traffic calibrated_golden calibrated explain",
    "latpred/models/roofline.py": "interface heeding calibrated",
    "latpred/models/tiling.py": "golden oracle",
    "latpred/models/published/candidates.py": "evaluate",
    "latpred/models/published/densities.py": "fullest_density evaluate golden",
    "latpred/models/published/": "golden oracle evaluate heeding explain transformers joint calibrated",
}
#: Changes that make sense: others, as of + to <<, fail whatever the tests say.
ARITHMETIC = "Add_Sub Sub_Add Mul_Div Mul_Add Div_Mul Div_FloorDiv FloorDiv_Div FloorDiv_Mul Mod_FloorDiv Pow_Mul"
COMPARISONS = "Eq_NotEq NotEq_Eq Lt_LtE Lt_GtE LtE_Lt LtE_Gt Gt_GtE Gt_LtE GtE_Gt GtE_Lt Is_IsNot IsNot_Is"
PLAIN = (
    "AddNot NumberReplacer ReplaceAndWithOr ReplaceOrWithAnd ReplaceBreakWithContinue ReplaceContinueWithBreak "
    "ReplaceTrueWithFalse ReplaceFalseWithTrue ZeroIterationForLoop ReplaceUnaryOperator_USub_UAdd "
    "ReplaceUnaryOperator_Delete_Not"
)
#: Functions that are taken for one another.
SWAPS = {"minimum": "maximum", "min": "max", "ceil": "floor", "any": "all", "argmax": "argmin"}
SWAPS |= {after: before for before, after in SWAPS.items()}
#: A mutant may take this many times as long as the tests do, and so many seconds more.
PATIENCE, PATIENCE_S = 5, 20
#: What every run of the tests loads, so that its fork need not.
LOADED = "hypothesis matplotlib.figure numpy pandas pydantic pytest rich.table scipy.optimize scipy.stats yaml"
#: Pytest says so of libraries that it would have looked into.
LOADED_TOO_EARLY = "ignore::pytest.PytestAssertRewriteWarning"
#: What the tests print, in the copy.
OUTPUT = "tests-output.txt"
#: Draws of Hypothesis per property, and no search for the smallest failing one.
DRAWS = 25


class SwapFunction(Operator):
    """`np.minimum` for `np.maximum` and the like."""

    def mutation_positions(self, node: Any) -> Iterator[tuple[Any, Any]]:
        """Calls, also of attributes."""
        called = isinstance(node, parso.python.tree.Name) and node.value in SWAPS
        after = node.get_next_leaf() if called else None
        if after is not None and after.value == "(":
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The other function."""
        return parso.python.tree.Name(SWAPS[node.value], node.start_pos, node.prefix)

    @classmethod
    def examples(cls) -> tuple[Any, ...]:
        """None."""
        return ()


class Mutant(NamedTuple):
    """A change of one place: the operator, which of its occurrences, and where that is."""

    operator: str
    occurrence: int
    line: int
    column: int

    def code(self, source: str) -> str:
        """The changed module."""
        return str(mutate_code(source, OPERATORS[self.operator](), self.occurrence))


def _chosen(name: str) -> bool:
    kind = name.partition("/")[2]
    if kind.startswith("ReplaceBinaryOperator_"):
        return kind.removeprefix("ReplaceBinaryOperator_") in ARITHMETIC.split()
    if kind.startswith("ReplaceComparisonOperator_"):
        return kind.removeprefix("ReplaceComparisonOperator_") in COMPARISONS.split()
    return kind in PLAIN.split()


OPERATORS = {name.partition("/")[2]: get_operator(name) for name in operator_names() if _chosen(name)}
OPERATORS["SwapFunction"] = SwapFunction


def mutants(source: str, most: int, seed: int) -> list[Mutant]:
    """A change at each of at most `most` places; annotations, `strict=`, `maxsize=` and `*,` are no places."""
    spans, lines = list(_types(source)), source.splitlines()
    places: dict[tuple[int, int], list[Mutant]] = {}
    for name, operator in OPERATORS.items():
        for occurrence, start in enumerate(_positions(source, operator())):
            before, after = lines[start[0] - 1][: start[1]], lines[start[0] - 1][start[1] :]
            spelling = before.endswith(("strict=", "maxsize=")) or after.startswith("*,")
            if not spelling and not any(first <= start <= last for first, last in spans):
                places.setdefault(start, []).append(Mutant(name, occurrence, *start))
    draw = random.Random(seed)
    found = [draw.choice(options) for _, options in sorted(places.items())]
    return sorted(draw.sample(found, min(most, len(found))), key=lambda mutant: mutant[2:])


def _positions(source: str, operator: Any) -> Iterator[tuple[int, int]]:
    from cosmic_ray.ast import ast_nodes, get_ast

    for node in ast_nodes(get_ast(source)):
        for start, _ in operator.mutation_positions(node):
            yield start


def _types(source: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Where annotations and type aliases stand."""
    for node in ast.walk(ast.parse(source)):
        types = [getattr(node, "annotation", None), getattr(node, "returns", None)]
        if isinstance(node, ast.AnnAssign) and isinstance(node.annotation, ast.Name):
            types += [node.value] if node.annotation.id == "TypeAlias" else []
        for found in filter(None, types):
            yield (found.lineno, found.col_offset), (found.end_lineno, found.end_col_offset)


def tests_of(module: str) -> list[str]:
    """The files of a module's tests that there are, its own doctests first."""
    names = next(names for start, names in TESTS.items() if module.startswith(start))
    files = (f"tests/test_{name}.py" for name in names.split())
    return [module, *(file for file in files if (ROOT / file).exists())]


def copied() -> Path:
    """A copy of the repository's files."""
    folder = Path(tempfile.mkdtemp(prefix="latpred-mutation-"))
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in files.splitlines():
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


def run_tests(folder: Path, tests: list[str], limit_s: float) -> bool | None:
    """Whether the tests pass in a fork of this process; None where they took too long."""
    child = os.fork()
    if child == 0:
        os.setsid()
        try:
            code = _tested(folder, tests)
        except BaseException:
            traceback.print_exc()
            code = 1
        os._exit(code)
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found, status = os.waitpid(child, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _tested(folder: Path, tests: list[str]) -> int:
    import hypothesis
    import pytest

    class Quick:
        def pytest_collection_modifyitems(self, items: list[Any]) -> None:
            phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
            quick = hypothesis.settings(
                max_examples=DRAWS, phases=phases, suppress_health_check=list(hypothesis.HealthCheck)
            )
            for item in items:
                function = getattr(item, "obj", None)
                if hasattr(function, "hypothesis"):
                    function._hypothesis_internal_use_settings = quick

    told = os.open(folder / OUTPUT, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(told, 1)
    os.dup2(told, 2)
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    os.environ["PYTHONPATH"] = str(folder)
    options = [
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "-o",
        "addopts=--doctest-modules",
        "-W",
        LOADED_TOO_EARLY,
    ]
    return int(pytest.main([*options, *tests], plugins=[Quick()]))


def judged(module: str, sample: int, seed: int, folders: SimpleQueue[Path], jobs: int) -> dict[str, Any]:
    """How many mutants of a module its tests notice, and those that they do not."""
    source, tests = (ROOT / module).read_text(encoding="utf-8"), tests_of(module)
    folder = folders.get()
    start = time.monotonic()
    if not run_tests(folder, tests, 600):
        raise click.ClickException(f"{module}: its tests fail as it is:\n{(folder / OUTPUT).read_text()}")
    limit_s = PATIENCE * (time.monotonic() - start) + PATIENCE_S
    folders.put(folder)

    def survives(mutant: Mutant) -> bool:
        folder = folders.get()
        (folder / module).write_text(mutant.code(source), encoding="utf-8")
        try:
            lives = run_tests(folder, tests, limit_s) is True
            click.echo("S" if lives else ".", nl=False, err=True)
            return lives
        finally:
            (folder / module).write_text(source, encoding="utf-8")
            folders.put(folder)

    tried = mutants(source, sample, seed)
    with ThreadPoolExecutor(jobs) as pool:
        alive = [mutant for mutant, lives in zip(tried, pool.map(survives, tried), strict=True) if lives]
    lines = source.splitlines()
    survivors = [
        {**mutant._asdict(), "was": lines[mutant.line - 1].strip(), "is": _line(mutant, source)} for mutant in alive
    ]
    return {"module": module, "mutants": len(tried), "killed": len(tried) - len(alive), "survivors": survivors}


def _line(mutant: Mutant, source: str) -> str:
    return mutant.code(source).splitlines()[mutant.line - 1].strip()


def modules_of(patterns: tuple[str, ...]) -> list[str]:
    """Every module that has tests here and something to change, or those whose path holds a pattern."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "latpred").rglob("*.py"))
    named = [file for file in files if any(file.startswith(start) for start in TESTS)]
    wanted = [file for file in named if not patterns or any(pattern in file for pattern in patterns)]
    return [file for file in wanted if mutants((ROOT / file).read_text(encoding="utf-8"), 1, 0)]


@click.command()
@click.argument("patterns", nargs=-1)
@click.option("--sample", default=40, show_default=True, help="Places of each module to change.")
@click.option("--seed", default=0, show_default=True, help="Of the draw of places.")
@click.option("--jobs", default=2, show_default=True, help="Tests at once.")
@click.option("--output", "-o", type=click.Path(path_type=Path), help="Write every survivor as JSON.")
def main(patterns: tuple[str, ...], sample: int, seed: int, jobs: int, output: Path | None) -> None:
    """Change one place at a time; PATTERNS are parts of module paths."""
    sys.dont_write_bytecode = True
    for name in LOADED.split():
        import_module(name)

    folders: SimpleQueue[Path] = SimpleQueue()
    made = [copied() for _ in range(jobs)]
    for folder in made:
        folders.put(folder)
    found = []
    try:
        for module in modules_of(patterns):
            start = time.monotonic()
            found.append(judged(module, sample, seed, folders, jobs))
            last, took_s = found[-1], time.monotonic() - start
            click.echo(err=True)
            print(f"| {module} | {last['mutants']} | {last['killed']} | {took_s:.0f} s |", flush=True)
            for mutant in last["survivors"]:
                print(f"    {mutant['line']}: {mutant['was']}\n      → {mutant['is']}", flush=True)
            if output:
                output.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    finally:
        for folder in made:
            shutil.rmtree(folder)
    total, killed = (sum(item[key] for item in found) for key in ("mutants", "killed"))
    print(f"{killed} of {total} killed, {killed / max(total, 1):.1%}")


if __name__ == "__main__":
    main()
