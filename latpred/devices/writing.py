"""Device files written from the record; of a file that is written again the comments and the order stay."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

from latpred.devices.profile import HardwareProfile
from latpred.errors import LatpredError
from latpred.files import parse, read_text, whole_file, yaml_mapping


def save_profile(profile: HardwareProfile, path: Path, like: Path | None = None) -> None:
    """Write a device file; what it holds as `like` does is left as it stands there, with its comments.

    Raises
    ------
    OutputError
        The file cannot be written.
    DataError
        `like` is no device file.
    """
    text = profile_text(profile, like)
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def profile_text(profile: HardwareProfile, like: Path | None = None) -> str:
    """The YAML of a profile: that of the file `like` where they agree."""
    fields = file_fields(profile)
    if like is None:
        return _dumped(fields)
    old = read_text(like)
    before = file_fields(parse(HardwareProfile, yaml_mapping(old, like), like))
    return _checked(_rewritten(old, before, fields), profile, like)


def file_fields(profile: HardwareProfile) -> dict[str, Any]:
    """The fields that were given, as a file has them: sources, numbers and errors by name."""
    fields: dict[str, Any] = profile.model_dump(mode="json", exclude_unset=True, exclude_none=True)
    if "sources" in fields:
        fields["sources"] = {source["field"]: source["text"] for source in fields["sources"]}
    if "power_modes" in fields:
        fields["power_modes"] = {mode["name"]: mode["clock_hz"] for mode in fields["power_modes"]}
    for calibration in fields.get("calibrations", ()):
        calibration["numbers"] = {number["name"]: number["value"] for number in calibration["numbers"]}
        errors = {error.pop("name"): error for error in calibration["errors"]}
        calibration["errors"] = errors
    return fields


def _yaml() -> Any:
    from ruamel.yaml import YAML, RoundTripRepresenter

    class Representer(RoundTripRepresenter):  # type: ignore[misc]
        """Numbers with a point, which YAML 1.1 asks for before an exponent: `1.0e-05`."""

    def number(representer: Any, value: float) -> Any:
        text = f"{value!r}"
        if math.isfinite(value) and "e" in text and "." not in text:
            text = text.replace("e", ".0e")
        return representer.represent_scalar("tag:yaml.org,2002:float", text)

    def nothing(representer: Any, _: None) -> Any:
        return representer.represent_scalar("tag:yaml.org,2002:null", "null")

    Representer.add_representer(float, number)
    Representer.add_representer(type(None), nothing)
    yaml = YAML()
    yaml.Representer = Representer
    yaml.preserve_quotes = True
    yaml.width = 4096  # lines stay as they were broken
    yaml.allow_duplicate_keys = False
    return yaml


def _dumped(content: Any) -> str:
    stream = io.StringIO()
    _yaml().dump(content, stream)
    return stream.getvalue()


def _rewritten(old: str, before: dict[str, Any], fields: dict[str, Any]) -> str:
    """The text with the fields that differ replaced, and those that are no more left out."""
    content = _yaml().load(old)
    for name in [name for name in before if name not in fields]:
        del content[name]
    for name, value in fields.items():
        if name not in content or before.get(name) != value:
            after, end = _take_comments(content, name) if name in content else (None, None)
            _move_beside(content, name)
            content[name] = _like_a_file(value)
            if after:
                _give_comment(content, name, after)
            if end and hasattr(content[name], "ca"):
                content[name].ca.end = end
    return _dumped(content)


def _like_a_file(value: Any) -> Any:
    """Plain lists and mappings as the library's own kinds, to which comments can be tied."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if isinstance(value, dict):
        return CommentedMap({name: _like_a_file(item) for name, item in value.items()})
    return CommentedSeq([_like_a_file(item) for item in value]) if isinstance(value, list) else value


def _last(content: Any, name: Any) -> tuple[Any, Any, int]:
    """The collection and the place of the last value under a field: comments after it are tied there."""
    value = content[name]
    while isinstance(value, dict | list) and value:
        content, name = value, (list(value)[-1] if isinstance(value, dict) else len(value) - 1)
        value = content[name]
    return content, name, 2 if isinstance(content, dict) else 0


def _take_comments(content: Any, name: str) -> tuple[Any, Any]:
    """The comments after a field's value, which the library ties to the last value in it, or to its end."""
    inside, place, slot = _last(content, name)
    tied = inside.ca.items.get(place)
    found = tied[slot] if tied else None
    if found:
        tied[slot] = None
    return found, getattr(getattr(content[name], "ca", None), "end", None)


def _move_beside(content: Any, name: str) -> None:
    """The comment after a list that stood in one line, beside the field's name: it would stay in its column."""
    flow = getattr(content.get(name), "fa", None)
    for comment in filter(None, content.ca.items.get(name, ())) if flow and flow.flow_style() else ():
        comment.start_mark.column = 0


def _give_comment(content: Any, name: str, comment: Any) -> None:
    inside, place, slot = _last(content, name)
    tied = inside.ca.items.setdefault(place, [None, None, None, None])
    tied[slot] = comment


def _checked(text: str, profile: HardwareProfile, like: Path) -> str:
    """The text itself, once it is seen to read as the profile does."""
    try:
        if parse(HardwareProfile, yaml_mapping(text, like), like) == profile:
            return text
    except LatpredError:
        pass
    return _dumped(file_fields(profile))
