"""How fast latpred is, as ratios and times measured in one run: `python benchmarks/speed.py`."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

import latpred
from latpred import Channel, Layer, Spatial, evaluate, grid, load_block, load_network, load_profile, predict, sweep
from tests import oracle

V100, BLOCK, NETWORK = load_profile("v100"), load_block("resnet50-stage1"), load_network("resnet101")
STAGES = [f"{network}-stage{stage}" for network in ("resnet50", "regnety-800mf") for stage in range(1, 5)]
#: Cost models, with their devices, and what is skipped.
MODELS = {"published": ("v100", {}), "calibrated": ("h200", {"model": "calibrated", "precision": "fp16"})}
PARADIGMS = (Spatial(S=[4, 4, 2, 1], r=1.0), Channel(G=2, r=1.0), Layer(r=1.0))
#: Settings of the rates that are evaluated, and how many of them are predicted one by one beside that.
SETTINGS, CHECKED = 1_000_000, 50
CACHE = type(lru_cache(lambda: None))

PREDICTION = "predict --device tx2 --block r50-stage1 --S 4 --r 0.6"
COMMAND = [sys.executable, "-m", "latpred", *PREDICTION.split()]
LIBRARIES = "import numpy, pydantic, click, yaml, rich.table"
Row = tuple[str, str, str, str]
MODEL = f"{LIBRARIES}\nfrom pydantic import BaseModel\nclass A(BaseModel): x: int\nA(x=1)"


def forget() -> None:
    """Clear every cache of latpred."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "latpred":
            for value in vars(module).values():
                if isinstance(value, CACHE):
                    value.cache_clear()


def seconds(function: Callable[[], object], repeats: int, before: Callable[[], object] = lambda: None) -> float:
    """Median time of a call on one core; what else runs on the machine does not count."""
    times = []
    for _ in range(repeats):
        before()
        start = time.process_time()
        function()
        times.append(time.process_time() - start)
    return median(times)


def loop() -> None:
    """The same block, and its static form, in plain loops: what `predict` answers."""
    machine = oracle.Machine(80, 64, 1.5e9, 700e9, 4.0)
    shape = {"c_in": 256, "c_out": 256, "bottleneck_ratio": 4, "height": 56, "width": 56}
    for settings in ({"paradigm": "spatial", "S": 4, "r": 0.6}, {"paradigm": "static"}):
        oracle.block(machine, 128, **shape, stride=1, groups=1, se=False, **settings)


def large_sweep() -> None:
    """100 rates × 6 S × 8 blocks × 5 devices: 24,000 predictions."""
    devices = [load_profile(name) for name in ("v100", "rtx3090", "rtx3060", "tx2", "nano")]
    settings = grid(Spatial, granularity=range(1, 7), r=[i / 100 for i in range(1, 101)])
    frame = sweep([load_block(name) for name in STAGES], devices, settings)
    assert len(frame) == 24_000


def budgets() -> list[Row]:
    """What fits, all S and G of all paradigms, and a front of a thousand settings with a rate for each block."""
    rows, limit = [], {"latency_s": 0.010}
    for more, text in (({}, ""), ({"per_stage": True}, ", a rate for each stage")):
        took = seconds(partial(latpred.budget, "resnet50", "tx2", **limit, **more), 5, before=forget)
        rows.append((f"budget of resnet50 on tx2, caches cleared{text}", f"{took:.2f} s", "", "≤ 2 s"))
    generator = np.random.default_rng(2)
    settings = [("spatial", "4-4-2-1"), ("channel", "2"), ("layer", "")]
    columns = ("name", "network", "paradigm", "granularity", "r", "accuracy")
    points = [
        dict(zip(columns, (number, "resnet50", *settings[number % 3], rates.tolist(), rates.mean()), strict=True))
        for number, rates in enumerate(generator.random((1000, 16)))
    ]
    forget()
    took = seconds(partial(latpred.pareto, points, latpred.list_profiles()), 1)
    return [*rows, ("pareto of 1,000 points on 11 devices, caches cleared", f"{took:.1f} s", "", "≤ 10 s")]


def cold_starts(pairs: int = 15) -> tuple[float, float, float]:
    """Median ratio of a command's cold start to imports alone and to imports with one model, and its time.

    Processor times: what else runs on the machine does not count.
    """
    # Byte code is written as in any installation; this run alone may have switched that off.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def run(command: list[str]) -> float:
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return used.ru_utime + used.ru_stime

    commands = (COMMAND, [sys.executable, "-c", LIBRARIES], [sys.executable, "-c", MODEL])
    for command in commands:
        run(command)
    times = [[run(command) for command in commands] for _ in range(pairs)]
    return median(a / b for a, b, _ in times), median(a / c for a, _, c in times), median(a for a, _, _ in times)


def peak_memory() -> str:
    """The most that this process has held."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB at most"


def new_rates() -> list[Row]:
    """ResNet-50 at new rates for every block, warm: a prediction each."""
    rows, network = [], load_network("resnet50")
    generator = np.random.default_rng(0)
    for model, (device, kernels) in MODELS.items():
        profile = load_profile(device)
        for paradigm in PARADIGMS:
            drawn = [paradigm.replace(r=tuple(rates)) for rates in generator.random((52, 16))]
            asked = map(partial(predict, network, profile, **kernels), drawn)
            next(asked)
            row = f"resnet50 at new rates per block, warm: {model}, {paradigm.name}"
            rows.append((row, f"{seconds(partial(next, asked), 50) * 1e3:.2f} ms", "", "≤ 1.5 ms"))
    return rows


def many_settings() -> list[Row]:
    """`evaluate` at a million settings of sixteen rates, and how far it is from `predict` at some of them."""
    rows, network = [], load_network("resnet50")
    rates = np.random.default_rng(1).random((SETTINGS, 16))
    for model, (device, kernels) in MODELS.items():
        for paradigm in PARADIGMS:
            forget()
            start = time.process_time()
            found = evaluate(network, device, paradigm, rates, **kernels)
            took = time.process_time() - start
            each = [
                predict(network, device, paradigm.replace(r=tuple(row)), **kernels).latency_s for row in rates[:CHECKED]
            ]
            off = float(np.max(np.abs(found[:CHECKED] / each - 1)))
            row = f"evaluate, 10⁶ × 16 rates of resnet50, caches cleared: {model}, {paradigm.name}"
            wanted = f"≤ {60 if paradigm.name == 'channel' else 10} s, ≤ 2048 MB, 1e-9"
            rows.append((row, f"{took:.1f} s", f"{peak_memory()}, {off:.0e} off predict", wanted))
    return rows


def dictionaries() -> list[Row]:
    """`to_dict` of a new report of ResNet-101, with its break-even rate."""
    rows = []
    for model, (device, kernels) in MODELS.items():
        for paradigm in PARADIGMS:
            reports = [predict(NETWORK, device, paradigm.replace(r=0.5 + n / 100), **kernels) for n in range(10)]
            asked = map(latpred.Report.to_dict, reports)
            next(asked)
            took = seconds(partial(next, asked), 9)
            rows.append(
                (f"to_dict of resnet101, warm: {model}, {paradigm.name}", f"{took * 1e3:.1f} ms", "", "≤ 20 ms")
            )
    return rows


def main() -> None:
    def predict_block() -> None:
        predict(BLOCK, V100, Spatial(S=4, r=0.6))

    def predict_network() -> None:
        predict(NETWORK, V100, Spatial(S=[4, 4, 2, 1], r=0.6))

    predict_block()
    predict_network()
    rows: list[Row] = []
    rounds = [
        (seconds(predict_block, 9, before=forget), seconds(loop, 1, oracle.density.cache_clear)) for _ in range(5)
    ]
    fast, ratio = median(fast for fast, _ in rounds), median(slow / fast for fast, slow in rounds)
    rows.append(("one block, cold caches", f"{fast * 1e3:.2f} ms", f"{ratio:.0f} × as fast as the loop", "≥ 50 ×"))
    for paradigm in (Channel(G=2, r=0.6), Layer(r=0.6)):
        took = seconds(partial(predict, BLOCK, V100, paradigm), 9, before=forget)
        rows.append((f"one block, cold caches: {paradigm.name}", f"{took * 1e3:.2f} ms", "", ""))
    cold = seconds(predict_network, 9, before=forget)
    rows.append(("resnet101, cold caches", f"{cold * 1e3:.1f} ms", "", ""))
    warm = seconds(predict_network, 25)
    rows.append(("resnet101, warm", f"{warm * 1e3:.1f} ms", "", "≤ 20 ms"))
    forget()
    swept = seconds(large_sweep, 1)
    rows.append(("24,000 predictions, cold caches", f"{swept:.2f} s", peak_memory(), "≤ 2 s, ≤ 300 MB"))
    rows += [*new_rates(), *dictionaries(), *budgets(), *many_settings()]
    to_imports, to_model, start = cold_starts()
    rows.append(
        ("latpred predict from a cold start", f"{start * 1e3:.0f} ms", f"{to_imports:.2f} × the imports", "≤ 1.5 ×")
    )
    rows.append(("", "", f"{to_model:.2f} × the imports and one pydantic model", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    print(f"latpred {latpred.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
