"""Tables of networks: those there are, and one as a person would draw it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from latpred.show.layout import FittedTable, new_table
from latpred.units import count
from latpred.workloads.blocks import Block, ConvolutionalBlock, ResidualBlock, TransformerBlock
from latpred.workloads.catalogue import AnyNetwork
from latpred.workloads.layers import Conv, Join, Layer, OfGraph, Pool
from latpred.workloads.lowering import PLAIN, Step
from latpred.workloads.networks import PARTS, Network, PlacedNetwork, VisionTransformer
from latpred.workloads.paradigms import Static, spelled


def networks_tables(networks: Iterable[AnyNetwork]) -> Iterator[FittedTable]:
    """A table for each way to skip, with a row per network: its blocks, how many can, and its multiply-adds in all."""
    alike: dict[tuple[str, ...], list[AnyNetwork]] = {}
    for network in networks:
        alike.setdefault(network.paradigms, []).append(network)
    for paradigms, members in sorted(alike.items(), key=lambda group: (not group[0], -len(group[1]))):
        title = f"Networks that skip by {', '.join(paradigms) or 'nothing: they are static'}"
        table = new_table(title, ("network", "alias", "blocks", "skip", "image", "MACs"), left=2)
        for network in members:
            height, width = network.image_size
            table.add_row(
                network.name,
                ", ".join(network.aliases),
                spelled(tuple(network.blocks_per_stage), whole=True),
                _able(network),
                str(height) if height == width else f"{height}×{width}",
                count(sum(step.macs(1) for step in _whole(network).lower(Static(), PLAIN).steps)),
            )
        yield table


def _able(network: PlacedNetwork) -> str:
    """How many of its blocks can skip."""
    able, blocks = sum(bool(placed.block.paradigms) for placed in network.blocks), len(network.blocks)
    return "none" if not able else "all" if able == blocks else f"{able} of {blocks}"


def _whole(network: PlacedNetwork) -> PlacedNetwork:
    """The network with all that stands around its blocks."""
    return network.including(*PARTS) if isinstance(network, Network) else network


def _channels(block: Block) -> int:
    if isinstance(block, ConvolutionalBlock):
        return block.out.channels
    return block.dim if isinstance(block, TransformerBlock) else 0


def network_table(network: AnyNetwork) -> FittedTable:
    """A row per part: the stem, each stage and what leads to it, the head; what of them can skip, and multiply-adds."""
    if isinstance(network, VisionTransformer):
        return _transformer_table(network)
    assert isinstance(network, Network)
    columns = ("part", "map", "blocks", "kind", "channels", "can skip", "MACs")
    table = new_table(
        f"{network.name} {network.title}".rstrip(), columns, left=1, texts=("kind", "can skip"), gives_way=("kind",)
    )
    whole = network.including(*PARTS)
    _add_part(table, "stem", network.stem_layers, whole.opening(PLAIN))
    for number, (blocks, (height, width)) in enumerate(zip(network.stage_blocks, network.maps, strict=True), start=1):
        _add_part(table, "transition", network.stages[number - 1].before, whole.before_stage(number, PLAIN))
        kinds = "; ".join(dict.fromkeys(described(block) for block in blocks))
        macs = sum(step.macs(1) for step in network.stage(number).lower(Static(), PLAIN).steps)
        shape = (f"{height}×{width}", str(len(blocks)), kinds, _channels_of(blocks))
        table.add_row(f"stage {number}", *shape, _skips(blocks), count(macs))
    _add_part(table, "head", network.head_layers, whole.closing(PLAIN))
    return table


def _add_part(table: FittedTable, name: str, layers: Sequence[Layer], steps: Iterable[Step]) -> None:
    if layers:
        table.add_row(name, "", "", _in_words(layers, most=4), "", "", count(sum(step.macs(1) for step in steps)))


def described(block: Block) -> str:
    """The kind of a block, with what its layers are where they are spelled out."""
    return f"{block.kind}: {_in_words(block.body)}" if isinstance(block, ResidualBlock) else block.kind


def _in_words(layers: Sequence[Layer], *, most: int = 8) -> str:
    """Layers as a person calls them, or how many there are."""
    return ", ".join(map(_word, layers)) if len(layers) <= most else f"{len(layers)} layers"


def _word(layer: Layer) -> str:
    """A layer in a word, with its window and stride."""
    if isinstance(layer, Conv):
        kind = "depthwise" if layer.groups == "depthwise" else "grouped" if layer.groups > 1 else "conv"
        return f"{kind} {layer.kernel}×{layer.kernel_width or layer.kernel}{_steps(layer.stride)}"
    if isinstance(layer, Pool):
        kind = "max pool" if layer.maximum else "average pool"
        return f"{kind} {layer.kernel}×{layer.kernel}{_steps(layer.stride or layer.kernel)}" if layer.kernel else kind
    if isinstance(layer, Join):
        return f"{len(layer.branches)} branches {'added' if layer.add else 'side by side'}"
    if isinstance(layer, OfGraph):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", type(layer.operator).__name__).lower()
    return {"dense": "linear", "se": "SE"}.get(layer.kind, layer.kind)


def _steps(stride: int) -> str:
    return f" /{stride}" if stride > 1 else ""


def _channels_of(blocks: Sequence[Block]) -> str:
    """What goes in and comes out."""
    into, out = getattr(blocks[0], "c_in", 0), _channels(blocks[-1])
    return f"{into}→{out}" if into != out else str(out)


def _skips(blocks: Sequence[Block]) -> str:
    """What how many of some blocks can skip."""
    found = Counter(name for block in blocks for name in block.paradigms)
    if not found:
        return "nothing"
    return ", ".join(name if number == len(blocks) else f"{name} ({number})" for name, number in found.items())


def reasons(network: PlacedNetwork) -> Iterator[str]:
    """Why blocks cannot skip what others of the network can, or nothing at all; and what was not understood."""
    found: Counter[tuple[str, str]] = Counter()
    for placed in network.blocks:
        for paradigm, reason in placed.block.obstacles.items():
            if paradigm in network.paradigms:
                found[paradigm, reason] += 1
    by_reason: dict[tuple[str, int], list[str]] = {}
    for (paradigm, reason), number in found.items():
        by_reason.setdefault((reason, number), []).append(paradigm)
    for (reason, number), paradigms in by_reason.items():
        blocks = f"{number} of {len(network.blocks)} blocks"
        yield f"{blocks} cannot skip by {', '.join(paradigms)}: {reason}"
    yield from network.own_notes()


def _transformer_table(network: VisionTransformer) -> FittedTable:
    """A row per property."""
    table = new_table(f"{network.name} {network.title}".rstrip(), ("", "value"))
    macs = sum(step.macs(1) for step in network.lower(Static(), PLAIN).steps)
    properties = {
        "embedding": network.embedding,
        "tokens": network.tokens,
        "channels": network.dim,
        "heads": f"{network.heads} of {network.head_dim}",
        "MLP ratio": network.mlp_ratio,
        "blocks": network.depth,
        "can skip": ", ".join(network.paradigms),
        "MACs": count(macs),
    }
    for name, value in properties.items():
        table.add_row(name, str(value))
    return table
