"""Networks as YAML files that a person can edit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from latpred.errors import InputError
from latpred.files import check_output, whole_file
from latpred.records import Record
from latpred.wording import quoted
from latpred.workloads.layers import Layer
from latpred.workloads.networks.placed import PlacedNetwork


def save_network(network: PlacedNetwork, path: str | Path) -> None:
    """Write a network to a YAML file, which `load_network` reads back equal.

    Raises
    ------
    InputError
        What is given is no network, or the path does not end in `.yaml`.
    OutputError
        The file cannot be written; one that was there stays as it was.

    Examples
    --------
    >>> import tempfile
    >>> from latpred import load_network
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_network(load_network("resnet50"), f"{folder}/mine.yaml")
    ...     load_network(f"{folder}/mine.yaml") == load_network("resnet50")
    True
    """
    import yaml

    if not isinstance(network, PlacedNetwork):
        raise InputError(f"a network is wanted, as load_network returns it, not {quoted(network)}")
    if not isinstance(path, str | Path):
        raise InputError(f"a path is wanted, not {quoted(path)}")
    check_output(Path(path), (".yaml", ".yml"), "a network")
    text = yaml.dump(_plain(network), sort_keys=False, default_flow_style=None, width=120, allow_unicode=True)
    with whole_file(Path(path)) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _plain(value: Any) -> Any:
    """A record as a mapping of the fields that differ from the default ones, or that are needed."""
    if isinstance(value, Layer):
        return {name: _plain(each) for name, each in value.to_dict().items()}
    if isinstance(value, Record):
        kind = type(value)
        fields = {name: (each, kind.model_fields[name]) for name, each in value}
        return {
            name: _plain(each)
            for name, (each, field) in fields.items()
            if field.is_required() or each != field.default or (name == "kind" and "kind" in value.model_fields_set)
        }
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value
