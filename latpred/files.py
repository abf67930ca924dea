"""Files in and out: YAML read with errors that name the place, output that appears whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from latpred.errors import DataError, InputError, OutputError
from latpred.records import Record

R = TypeVar("R", bound=Record)


def data_folder(name: str) -> Path:
    """A folder of data files: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parent
    return next((folder for folder in (package / name, package.parent / name) if folder.is_dir()), package / name)


def is_yaml(name: str) -> bool:
    """Whether a name is meant as the path of a YAML file."""
    return name.lower().endswith((".yaml", ".yml"))


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises DataError if there is none to read."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """Refuses a field that is given twice, of which YAML would drop the first."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            fields = set()
            for key, _ in node.value:
                if key.value in fields:
                    raise yaml.MarkedYAMLError(problem=f"{key.value} is given twice", problem_mark=key.start_mark)
                fields.add(str(key.value))
            mapping: dict[Any, Any] = super().construct_mapping(node, deep)
            return mapping

    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader)
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not a text file") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise DataError(f"{path}: not YAML: {where}{getattr(error, 'problem', None) or error}") from None
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise DataError(f"{path}: expected a mapping of fields, `name: value`, and found {_kind(content)}")
    return content


def parse(record: type[R], content: Mapping[str, Any], path: Path) -> R:
    """The record that a file's mapping describes; raises DataError with every problem, file and field."""
    try:
        return record(**content)
    except InputError as problems:
        raise DataError(f"{path}: {problems}") from None


def _kind(content: object) -> str:
    return "nothing" if content is None else f"a {type(content).__name__}"


def check_output(path: Path, suffixes: Sequence[str], what: str) -> None:
    """Raise, before any work is done, InputError for a suffix that is not allowed, OutputError as `check_writable`."""
    if path.suffix.lower() not in suffixes:
        raise InputError(
            f"{path}: cannot write {what} as {path.suffix or 'a file without suffix'!r}; use {', '.join(suffixes)}"
        )
    check_writable(path)


def check_writable(path: Path) -> None:
    """Raise OutputError, before any work is done, if `path` cannot become a file."""
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give the name of a file")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: the folder {path.parent} is not writable")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that becomes it when the block ends well, and vanishes when it does not."""
    check_writable(path)
    import tempfile

    handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
