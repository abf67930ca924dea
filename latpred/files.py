"""Files in and out: YAML read with errors that name the place, output that appears whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from latpred.errors import DataError, InputError, OutputError
from latpred.records import Record

R = TypeVar("R", bound=Record)
#: Larger files are none that a person wrote.
MOST_BYTES = 2_000_000


def data_folder(name: str) -> Path:
    """A folder of data files: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parent
    return next((folder for folder in (package / name, package.parent / name) if folder.is_dir()), package / name)


def is_yaml(name: str) -> bool:
    """Whether a name is meant as the path of a YAML file."""
    return name.lower().endswith((".yaml", ".yml"))


def is_file(name: str | os.PathLike[str]) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def read_text(path: Path) -> str:
    """The text of a file; raises DataError where it cannot be read, is too large, or is no text."""
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > MOST_BYTES:
        raise DataError(f"{path}: is larger than {MOST_BYTES / 1e6:g} MB, which no file of this kind is")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"{path}: is not a text file in UTF-8: see line {line}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file; raises DataError, with file and line, if there is none to read."""
    return yaml_mapping(read_text(path), path)


def yaml_mapping(text: str, path: Path) -> dict[str, Any]:
    """The mapping in the text of a YAML file; raises DataError, with file and line, if there is none."""
    from latpred.plain_yaml import load

    content = load(text, path)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise DataError(f"{path}: expected a mapping of fields, `name: value`, and found {_kind(content)}")
    return content


def read_record(record: type[R], path: Path) -> R:
    """The record in a YAML file, parsed once for every content; raises DataError with every problem, file and field."""
    found: R = _record(record, path, read_text(path))
    return found


@lru_cache(maxsize=128)
def _record(record: type[R], path: Path, text: str) -> R:
    return parse(record, yaml_mapping(text, path), path)


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
    """Raise OutputError, before any work is done, if `path` cannot become a file; of a link its target."""
    if "\0" in str(path):
        raise OutputError("the name of a file holds no NUL character")
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    if path.is_symlink():
        raise OutputError(f"{path}: is a link that leads to itself")
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist; create it first")
    if path.is_dir():
        raise OutputError(f"{path}: is a folder; give the name of a file")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: is no regular file; give the name of one")
    if not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: the folder {path.parent} is not writable")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that becomes it when the block ends well, and vanishes when it does not.

    A link is written through. What a killed run left beside `path` is removed.
    """
    check_writable(path)
    import tempfile

    path = Path(os.path.realpath(path))
    _remove_abandoned(path.parent)
    prefix = f".{path.stem[:50]}{_MARK}{_machine()}-{os.getpid()}-"
    handle, name = tempfile.mkstemp(prefix=prefix, suffix=path.suffix, dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~umask)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


#: In the name of a temporary file, before its machine and process.
_MARK = ".latpred-"


def _remove_abandoned(folder: Path) -> None:
    """Delete the temporary files of this machine's processes that are no more."""
    for path in folder.glob(f".*{_MARK}{_machine()}-*"):
        process = path.name.rpartition(f"{_MARK}{_machine()}-")[2].partition("-")[0]
        if process.isdecimal() and not _is_running(int(process)):
            path.unlink(missing_ok=True)


def _machine() -> str:
    """A short name of this machine: others may write into the same folder."""
    import platform
    from zlib import crc32

    return f"{crc32(platform.node().encode()):08x}"


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
