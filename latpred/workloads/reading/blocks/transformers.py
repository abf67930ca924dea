"""Two residual bodies, of attention and of an MLP, as the block of a transformer."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt
from typing import Any

from latpred.workloads.blocks import TransformerBlock
from latpred.workloads.layers import Conv, Map
from latpred.workloads.reading.blocks.found import Found, block_of, is_alike
from latpred.workloads.reading.blocks.reducing import Kept
from latpred.workloads.reading.graph import Node


def transformer(attends: Node, thinks: Node) -> Found | None:
    """The block of a body of attention and one of an MLP that follows it; None where they make none."""
    source = attends.source
    if source is None or any(node.fields["shortcut"] or node.fields["activation"] for node in (attends, thinks)):
        return None
    attention, hidden = _attention(attends.fields["body"]), _hidden(thinks.fields["body"])
    if attention is None or hidden is None:
        return None
    settings, into = _settings(source, attention)
    found = Found(TransformerBlock.kind, into.channels, into.channels, 1, {**settings, "hidden": hidden}, into, into)
    block = block_of(found)
    return found if block and is_alike(block, (*attends.operators, *thinks.operators)) else None


def _by_kind(body: Sequence[Kept]) -> dict[str, list[Kept]]:
    """What a body is made of; 1×1 convolutions are the linear layers that they compute."""
    found: dict[str, list[Kept]] = {}
    for each in body:
        pointwise = isinstance(each.layer, Conv) and each.layer.is_pointwise
        found.setdefault("linear" if pointwise else each.kind, []).append(each)
    return found


def _attention(body: Sequence[Kept]) -> dict[str, Any] | None:
    """The sizes of the attention in a body of one norm, attention, and copies around it."""
    found = _by_kind(body)
    (attention,) = found.get("self-attention", []) if len(found.get("self-attention", [])) == 1 else (None,)
    plain = len(found.get("norm", [])) == 1 and found.keys() <= {"norm", "self-attention", "copy", "scale", "bias"}
    return attention.fields if attention and plain else None


def _hidden(body: Sequence[Kept]) -> int | None:
    """Channels between the layers of a body of one norm, two linear layers, and one function between these."""
    found = _by_kind(body)
    layers = found.get("linear", [])
    folded = [each for each in layers if isinstance(each.layer, Conv) and each.layer.activation]
    plain = found.keys() <= {"norm", "linear", "activation", "scale", "bias"} and len(found.get("norm", [])) == 1
    functions = len(found.get("activation", [])) + len(folded)
    return layers[0].channels if plain and len(layers) == 2 and functions == 1 else None


def _settings(source: Node, sizes: dict[str, Any]) -> tuple[dict[str, Any], Map]:
    """Heads, windows and tokens; and the map that these are of, with those that are beside it."""
    dim, head, tokens = source.channels, sizes["inner"], source.rows
    height, width = source.grid or (tokens, 1)
    if not 0 <= tokens - height * width < height * width:
        height, width = tokens, 1
    extra = tokens - height * width
    windows = sizes["groups"] * head // dim
    settings = {"heads": max(dim // head, 1), **({} if head == 64 else {"head_dim": head})}
    settings |= {"extra": extra} if extra else {}
    settings |= {"window": isqrt(sizes["queries"])} if windows > 1 else {}
    settings |= {"passes": sizes["passes"]} if sizes["passes"] else {}
    return settings, Map(dim, height, width)


def with_windows(attends: Node, thinks: Node, found: Found) -> list[Node]:
    """The bodies of a block, with what lays out its windows before and behind where that is not within."""
    way = [attends, thinks]
    within = any(each.kind == "copy" for each in attends.fields["body"])
    if "window" not in found.settings or within or not thinks.is_read_once:
        return way
    before, behind = attends.source, thinks.users[0]
    around = all(each is not None and each.fields.get("function") == "reshape" for each in (before, behind))
    return [before, *way, behind] if around and before is not None and before.is_read_once else way
