"""Read models of torchvision and timm beside those that ship, and write docs/readers.md: python benchmarks/readers.py.

It needs a matched pair of torch and torchvision, and timm: pip install torch torchvision timm. No weights are
downloaded. With names it prints what it finds of those models, and writes nothing.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

import latpred
from latpred import LatpredError, Network, Spatial, Static
from latpred.workloads.lowering import PLAIN
from latpred.workloads.networks import PARTS
from latpred.workloads.operators import Operator
from latpred.workloads.reading.sources import module_of, read

ROOT = Path(__file__).parents[1]
MODELS = ROOT / "benchmarks" / "readers.txt"
TEMPLATE, PAGE = ROOT / "benchmarks" / "readers.template.md", ROOT / "docs" / "readers.md"


class Row(NamedTuple):
    """What was found of a model; `error` is the line, or the last of a traceback, where it was not read."""

    model: str
    macs: float = 0
    counted: float = 0
    blocks: int = 0
    dynamic: int = 0
    kinds: str = ""
    unread: int = 0
    path: str = ""
    seconds: float = 0
    loads_back: bool = True
    error: str = ""
    refused: bool = False

    def line(self) -> str:
        """A row of the table."""
        if self.error:
            return f"| {self.model} | {self.error} | | | | | |"
        macs = f"{self.macs / 1e6:,.1f} M"
        macs += "" if self.macs == self.counted else f" (PyTorch: {self.counted / 1e6:,.1f} M)"
        dynamic = f"{self.dynamic} of {self.blocks}" if self.blocks else "–"
        cells = (self.model, macs, dynamic, self.kinds, self.unread or "", self.path, f"{self.seconds:.1f} s")
        return f"| {' | '.join(map(str, cells))} |"


def multiply_adds(model: str) -> float:
    """By PyTorch's own counter, which counts each as two."""
    module, size = module_of(model)
    module = module.eval().requires_grad_(requires_grad=False)
    first = next(module.parameters())
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        module(torch.zeros(1, 3, *size, device=first.device, dtype=first.dtype))
    return counter.get_total_flops() / 2


def row(model: str) -> Row:
    """Read a model."""
    start = time.perf_counter()
    try:
        network = read(model)
        seconds = time.perf_counter() - start
        macs = sum(float(operator.macs(1)) for operator in operators(network))
        able = [placed.block for placed in network.blocks if placed.block.paradigms]
        kinds = ", ".join(f"{number} {kind}" for kind, number in Counter(block.kind for block in able).items())
        path = network.source.partition(", by ")[2]
        found: dict[str, Any] = {"blocks": len(network.blocks), "dynamic": len(able), "kinds": kinds}
        found["loads_back"] = written_and_loaded(network) == network
        return Row(model, macs, multiply_adds(model), **found, unread=len(network.unread), path=path, seconds=seconds)
    except LatpredError as problem:
        return Row(model, error=str(problem), refused=True)
    except Exception:
        return Row(model, error=traceback.format_exc().splitlines()[-1])


def operators(network: Any) -> list[Operator]:
    """What the static network runs, in order, with all that stands around its blocks."""
    whole = network.including(*PARTS) if isinstance(network, Network) else network
    return [step.operator for step in whole.lower(Static(), PLAIN).steps]


def written_and_loaded(network: Network) -> Any:
    """The network in the file that is written of it."""
    with tempfile.TemporaryDirectory() as folder:
        latpred.save_network(network, f"{folder}/written.yaml")
        return latpred.load_network(f"{folder}/written.yaml")


def shipped() -> dict[str, str]:
    """The shipped networks that torchvision has, by its names: signs and cases do not count."""
    from torchvision import models

    known = {re.sub(r"[^a-z0-9]", "", name.lower()): name for name in models.list_models(module=models)}
    found = {}
    for network in map(latpred.load_network, latpred.list_networks()):
        plain = (re.sub(r"[^a-z0-9]", "", name) for name in (network.name, *network.aliases))
        found[network.name] = next((known[name] for name in plain if name in known), "")
    return {name: model for name, model in found.items() if model}


def comparison() -> list[str]:
    """A row per shipped network: its operators beside those of torchvision's."""
    rows = []
    for name, model in shipped().items():
        own = latpred.load_network(name)
        ours, theirs = operators(own), operators(read(f"torchvision:{model}", own.image_size))
        said = "equal, in order" if ours == theirs else f"{len(ours)} of ours, {len(theirs)} of torchvision's"
        rows.append(f"| {name} | {model} | {said} |")
    return rows


def speeds() -> dict[str, str]:
    """ResNet-50: how long it takes to be read, and a prediction of it over one of the network that ships."""
    module, _ = module_of("torchvision:resnet50")
    start = time.perf_counter()
    network = latpred.from_torch(module)
    seconds = time.perf_counter() - start
    times = {True: 0.0, False: 0.0}
    for turn in range(1000):
        target = network if turn % 2 else latpred.load_network("resnet50").including(*PARTS)
        start = time.perf_counter()
        latpred.predict(target, "tx2", Spatial(S=[4, 4, 2, 1], r=0.3 + turn / 2000))
        times[bool(turn % 2)] += time.perf_counter() - start
    return {"resnet50": f"{seconds:.1f} s", "predicted": f"{times[True] / times[False]:.2f}"}


def page(rows: list[Row], compared: list[str], **measured: str) -> str:
    """The page with its tables and what they amount to."""
    good = [each for each in rows if not each.error]
    numbers = {
        "models": len(rows),
        "torchvision": sum(each.model.startswith("torchvision:") for each in rows),
        "timm": sum(each.model.startswith("timm:") for each in rows),
        "tracebacks": sum(bool(each.error) and not each.refused for each in rows),
        "refused": sum(each.refused for each in rows),
        "understood": sum(not each.unread for each in good),
        "equal": sum(each.macs == each.counted for each in good if not each.unread),
        "loads_back": sum(each.loads_back for each in good),
        "compared": len(compared),
        "alike": sum("equal" in line for line in compared),
        "comparison": "\n".join(compared),
        **measured,
        "dynamic": sum(each.dynamic > 0 for each in good),
        "exported": sum(each.path == "torch.export" for each in good),
        "versions": ", ".join(f"{name} {version(name)}" for name in ("torch", "torchvision", "timm")),
        "table": "\n".join(each.line() for each in rows),
    }
    text = TEMPLATE.read_text(encoding="utf-8")
    for name, number in numbers.items():
        text = text.replace(f"{{{{{name}}}}}", str(number))
    return text


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    wanted = sys.argv[1:] or MODELS.read_text(encoding="ascii").split()
    measured = speeds()
    found = []
    for model in wanted:
        found.append(row(model))
        print(found[-1].line(), flush=True)
    if not sys.argv[1:]:
        PAGE.write_text(page(found, comparison(), **measured), encoding="utf-8")
