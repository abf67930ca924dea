"""Inputs that somebody could give by mistake or malice: options, files made from shipped ones, objects of the API."""

from __future__ import annotations

import gzip
import inspect
import io
import random
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import click
import numpy as np

import latpred
from latpred.cli import cli
from latpred.records import Record
from latpred.studies.ablation import ablate_fusion
from latpred.studies.comparison import compare
from latpred.studies.distribution import predict_samples

ROOT = Path(__file__).parents[1]


class Attempt(NamedTuple):
    """A command line, or else a call; `file` is what an error has to name."""

    arguments: list[str] = []  # noqa: RUF012
    call: Callable[[], Any] | None = None
    file: str = ""
    what: str = ""


#: Commands that work, one or two for each; options are changed in them and added to them.
COMMAND_LINES = [
    "predict --device tx2 --block r50-stage1 --S 4 --r 0.6",
    "predict --device v100 --network resnet50 --S 4-4-2-1 --r 0.5",
    "predict --device tx2 --preset dynconv-resnet101 --r 0.5",
    "predict --device h200 --network resnet50 --S 4-4-2-1 --r 0.5 --model calibrated --precision fp16",
    "predict --device v100 --network deit-s --paradigm token --r 0.7",
    "predict --device tx2 --network resnet50 --S 4-4-2-1 --masks masks.npz",
    "predict --device tx2 --network resnet50 --S 4-4-2-1 --rates rates.csv",
    "explain --device h200 --block r50-stage2 --S 4 --r 0.6 --model calibrated",
    "predict --device tx2 --network resnet50 --S 4-4-2-1 --beta 0.5,0.2 --draws 50",
    "explain --device v100 --block r50-stage1 --S 4 --r 0.6",
    "sweep --device v100 --block r50-stage1 --S 1,2,4 --r 0.1:1.0:0.3",
    "recommend-granularity --device v100 --network resnet50 --r 0.6",
    "budget --device tx2 --network resnet50 --latency 10ms",
    "budget --device tx2,nano --block r50-stage1 --throughput 500/s --batch 1:4",
    "budget --device h200 --network resnet50 --latency 4ms --sure --model calibrated --precision fp16",
    "pareto --points points.csv --device tx2",
    "compare --network resnet50 --device v100 --target-macs 0.5",
    "ablate-fusion --device v100 --block r50-stage1 --S 4 --r 0.6",
    "rates-from-masks masks.npz",
    "lut --network resnet50 --device tx2 --S 4 --output lut.npz",
    "measure --suite quick -o rows.csv",
    "calibrate rows.csv --device h200",
    "validate rows.csv --device h200 --model published",
    "devices show tx2",
    "devices validate mine.yaml",
    "devices list",
    "networks list",
    "networks show resnet50",
]
_WORDS = r"""-1 0 00 1 2.5 nan inf -inf 1e309 1e-320 1e12 -0 + 1_000 0x10 ٣ é None true [] {} %s {0} \ ' " -- - . ..
/ /dev/null /proc/self/mem ~ missing.yaml missing.csv a.npz .csv 4-4 4-4-2-1 4--4 4,,2 ,4 0.5, 1:2 0:1:0 1:0:0.1
0:1:nan 0:1:1e-300 0:1e300:1 resnet50 resnet5 r50-stage1 r50-stage9 r50-stage1-first vit-b T2T-ViT-19 tx2 v10 v100,tx2
h200 fp16 fp64 int8 triton cudnn tensorrt roofline calibrated publishd spatial spatial+channel spatial+spatial static
stem head stem,head json csv table yaml png out.png out.svg out.xyz no/out.csv out.csv out.json dynconv-resnet101 masker
gather,x 0.5,0.2 0.5,0.6 1,1 224 224x 1x1 65537 99999999999x9 10ms"""
WORDS = _WORDS.split()
#: What a person who knows the commands would write; a stage, a size or a name may still not fit the rest.
SENSIBLE = {
    "--device": "tx2 v100 h200 nano orin v100,tx2 h200,h100,a100 mine.yaml",
    "--block": "r50-stage1 r101-stage4-first regnety-400mf-stage2 r50-stage1,r50-stage3",
    "--network": "resnet50 resnet101 regnety-800mf vit-b t2t-vit-19 deit-s resnet50,regnety-400mf",
    "--preset": "dynconv-resnet101 lasnet-resnet50 skipnet-resnet101 laudnet-resnet50",
    "--paradigm": "spatial channel layer token head static spatial+channel layer+channel token+head spatial+layer",
    "--S": "1 2 3 4 7 14 56 57 4-4-2-1 1-1-1 8-4-7-1 1,2,4 4-4-2-1,8-4-7-1 200",
    "--G": "1 2 3 4 64 100 2-2-2-2 1,2,4 1-2-4-8",
    "--r": "0 1 0.5 0.001 0.5,0.6,0.7,0.8 0.3,0.4 0.1:1.0:0.1 0:1:0.5 1e-9 0.999999",
    "--batch": "1 2 7 128 513 1,2,4 1000000000 1:8:1",
    "--model": "published roofline calibrated flops",
    "--precision": "fp32 tf32 fp16",
    "--library": "triton tensorrt",
    "--include": "stem head stem,head",
    "--image-size": "224 100 32 1x1 97x333 800x1333 2048 65536",
    "--unfuse": "masker gather scatter masker,gather gather,scatter,masker",
    "--beta": "0.5,0.2 0.1,0.05 0.9,0.29 0.5,0.49",
    "--draws": "1 50 1000",
    "--seed": "0 1 12345678901234567890",
    "--masks": "masks.npz",
    "--rates": "rates.csv",
    "--format": "table json csv",
    "--output": "out.csv out.json lut.npz out.yaml out.csv.gz",
    "-o": "out.csv out.yaml mine.yaml",
    "--x": "r granularity batch",
    "--latency": "10ms 850us 0.01 1e-9 0 -1ms ten",
    "--throughput": "500/s 1 1e9 0/s fast",
    "--points": "points.csv",
    "--target-macs": "0.5 0.01 1 0.999 1e-9",
    "--tolerance": "0 0.01 1 1e300",
    "--source": "somewhere",
    "--suite": "quick full",
    "--workload": "mine.yaml",
    "--time-budget": "8m 1s 0.5h",
    "--jobs": "1 2",
}
SENSIBLE |= {f"--{part}-r": "0.5 1" for part in ("spatial", "channel", "layer", "attention", "mlp", "token", "head")}
#: Pictures take a while, so that few are asked for.
_PICTURES = ("--plot", "--plot-rates")
#: Processes, and waiting for a cluster, cost seconds; tests of their own try them.
_HANDS = ("--workers", "--dask")
LONG = ("", " ", "\t\n", "9" * 400, "9" * 5_000, "x" * 10_000, "a," * 2_000, "1," * 5_000, "-" * 300, "[" * 3_000)


def word(rng: random.Random) -> str:
    """Something to write where a value belongs; NUL cannot be given on a command line."""
    return rng.choice(LONG) if rng.random() < 0.15 else rng.choice(WORDS)


def value(rng: random.Random, option: str) -> str:
    """Something to write after an option: mostly what may belong there."""
    sensible = SENSIBLE.get(option, "").split()
    return rng.choice(sensible) if sensible and rng.random() < 0.85 else word(rng)


def options(rng: random.Random, folder: Path) -> Attempt:
    """A command with one to three options changed, added, doubled or bare."""
    line = rng.choice(COMMAND_LINES).split()
    command: Any = cli.get_command(click.Context(cli), line[0])
    if isinstance(command, click.Group):
        command = command.commands[line[1]]
    known = [option for parameter in command.params for option in parameter.opts if option.startswith("-")]
    flags = {name for parameter in command.params if getattr(parameter, "is_flag", False) for name in parameter.opts}
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        places = [place for place, part in enumerate(line) if place > 0 and not part.startswith("--")]
        action = rng.random()
        if action < 0.4 and places:
            place = rng.choice(places)
            line[place] = value(rng, line[place - 1])
        elif action < 0.85 and known:
            option = rng.choice([option for option in known if option not in (*_PICTURES, *_HANDS)] or known)
            if option in _PICTURES or (rng.random() < 0.02 and "--plot" in known):
                line += ["--plot", rng.choice(["out.png", "out.svg", "out.xyz"])]
            elif option in line[:-1] and rng.random() < 0.9:
                line[line.index(option) + 1] = value(rng, option)
            else:
                line += [option] if option in flags else [option, value(rng, option)]
        elif action < 0.9:
            line.append(word(rng))
        elif action < 0.95:
            del line[rng.randrange(len(line))]
        else:
            line[rng.randrange(len(line))] += rng.choice("x-=,")
    for name, make in (
        ("masks.npz", _masks),
        ("rates.csv", _rates),
        ("points.csv", _points),
        ("rows.csv", rows_of_one_kind),
        ("mine.yaml", _device),
    ):
        if name in line:
            (folder / name).write_bytes(make(rng))
    return Attempt(line)


# --- files, as bytes


def _masks(rng: random.Random) -> bytes:
    masks = np.random.default_rng(rng.randrange(9)).random((3, 8, 8)) < 0.3
    arrays = (masks, masks[:, ::2, ::2], masks[:, ::4, ::4], masks[:, ::8, ::8])
    file = io.BytesIO()
    (np.savez if rng.random() < 0.5 else np.savez_compressed)(file, *arrays)
    return file.getvalue()


def _rates(rng: random.Random) -> bytes:
    rows = [[round(rng.random(), 2) for _ in range(rng.choice((16, 16, 16, 4)))] for _ in range(rng.choice((1, 1, 3)))]
    return "\n".join(",".join(map(str, row)) for row in rows).encode()


def _points(rng: random.Random) -> bytes:
    header, *rows = (ROOT / "examples" / "paper_points.csv").read_bytes().splitlines(keepends=True)
    return b"".join([header, *rng.sample(rows, 5)])


_ROWS = gzip.decompress((ROOT / "measurements" / "h200.csv.gz").read_bytes()).splitlines(keepends=True)


def rows_of_one_kind(rng: random.Random) -> bytes:
    """A measurement file of sixty rows of the H200's."""
    of_one_kind = [row for row in _ROWS[1:] if b",fp16,triton," in row]
    return _ROWS[0] + b"".join(rng.sample(of_one_kind, 60))


def _shipped(folder: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((ROOT / folder).glob("*.yaml"))]


_DEVICES, _NETWORKS = _shipped("hardware"), _shipped("latpred/workloads/zoo")
_BLOCK = b"c_in: 256\nc_out: 256\nheight: 56\nwidth: 56\nstride: 1\ngroups: 1\nse: false\n"
_SUITE = b"blocks: [resnet50-stage1, {c_in: 64, c_out: 64, height: 8, width: 8}]\nS: [1, 4]\nr: [0.5]\nbatch: [1, 8]\n"


def _device(rng: random.Random) -> bytes:
    return rng.choice(_DEVICES)


_TABLE = io.BytesIO()
VALUES = [
    b"",
    b"null",
    b"~",
    b"[]",
    b"{}",
    b"-1",
    b"0",
    b"1e9",
    b"1e400",
    b".nan",
    b".inf",
    b"'x'",
    b"yes",
    b"2026-13-01",
]
VALUES += [
    b"!!bool maybe",
    b"!!int x",
    b"!!python/object/apply:os.system [ls]",
    b"!!binary =",
    b"&a [*a]",
    b"*b",
    b"!x y",
]
VALUES += [b"9" * 5_000, b"x" * 10_000, b"[" * 2_000, b"[" * 2_000 + b"]" * 2_000, b"{a: " * 500 + b"1" + b"}" * 500]
VALUES += [
    b"? [a, b] : c",
    b"{[1]: 2}",
    b"[1, 2",
    b"|",
    b">-\n  text",
    b"- 1\n- 2",
    b"0x1F",
    b"1_000",
    b"12:30:45",
    b"@",
    b"%",
]
VALUES += [
    b"{stem: 3}",
    b"[[1, 2], [3]]",
    b"[-5, 224]",
    b"1000000000",
    b"10000000000000000000",
    b"\x00",
    b"\xff\xfe",
    b"\t",
]
#: Nine lists of nine aliases each: four hundred million elements.
BOMB = b"a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 10)
)


def yaml_changed(rng: random.Random, text: bytes) -> bytes:
    """A YAML text with one to three lines, values or bytes changed."""
    for _ in range(rng.randint(1, 3)):
        lines = text.splitlines(keepends=True) or [b"a: 1\n"]
        at, action = rng.randrange(len(lines)), rng.random()
        key = lines[at].partition(b":")[0]
        if action < 0.55:
            lines[at] = key + b": " + rng.choice(VALUES) + b"\n"
        elif action < 0.65:
            lines[at] = rng.choice(VALUES) + b": 1\n"
        elif action < 0.75:
            lines.insert(at, rng.choice(lines))
        elif action < 0.85:
            del lines[at]
        elif action < 0.88:
            lines.insert(0, BOMB)
        elif action < 0.91:
            lines += [b"field%d: 1\n" % number for number in range(500)]
        text = b"".join(lines)
        if action >= 0.91:
            text = bytes_changed(rng, text)
    return text


def bytes_changed(rng: random.Random, content: bytes) -> bytes:
    """Bytes cut off, doubled, put in or changed."""
    if not content:
        return rng.randbytes(9)
    at, action = rng.randrange(len(content)), rng.random()
    if action < 0.3:
        return content[:at]
    if action < 0.5:
        return content[:at] + rng.randbytes(rng.randint(1, 8)) + content[at:]
    if action < 0.7:
        return content[:at] + content[at + rng.randint(1, 40) :]
    return content[:at] + rng.randbytes(1) + content[at + 1 :]


def cells_changed(rng: random.Random, text: bytes) -> bytes:
    """A CSV with one to three cells, lines or bytes changed."""
    odd = [*VALUES, b"nan", b"inf", b"-0.5", b"1e309", b'"', b'"a', b"0.5;0.2", b"#N/A", b"0,5", b"\xef\xbb\xbf0.1"]
    for _ in range(rng.randint(1, 3)):
        lines = text.splitlines() or [b"0.5"]
        at, action = rng.randrange(len(lines)), rng.random()
        cells = lines[at].split(b",")
        if action < 0.6:
            cells[rng.randrange(len(cells))] = rng.choice(odd)
        elif action < 0.7:
            cells += [b"1"] * rng.randint(1, 3)
        elif action < 0.8:
            cells = cells[: rng.randrange(len(cells))]
        lines[at] = b",".join(cells)
        text = b"\n".join(lines) + b"\n"
        if action >= 0.8:
            text = bytes_changed(rng, text)
    return text


def header_changed(rng: random.Random, array: np.ndarray) -> bytes:
    """NumPy's file of an array, with another type, order or shape in its header."""
    shape = rng.choice(
        [array.shape, (10**12, 16), (10**9, 10**9), (-1, 4), (0,), (), (1, 10**9, 10**9), (2**63,), (True,)]
    )
    kind = rng.choice(["<f8", "|b1", "|O", "<U9", "<c16", "nonsense", "[" * 50, "<M8[s]", "|V9", "<i4", "<f2", "<U0"])
    header = f"{{'descr': {kind!r}, 'fortran_order': {rng.random() < 0.3}, 'shape': {shape!r}}}".encode()
    version = rng.choice([b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x09\x00"])
    return b"\x93NUMPY" + version + (len(header) + 1).to_bytes(2, "little") + header + b"\n" + array.tobytes()


def array_changed(rng: random.Random) -> bytes:
    """NumPy's file of rates, changed."""
    shape = rng.choice([(16,), (4,), (5, 16), (5, 4), (3, 5), (1, 1), (2, 2, 2), (0, 16)])
    rates = np.random.default_rng(rng.randrange(9)).random(shape)
    if rates.size and rng.random() < 0.3:
        rates.flat[rng.randrange(rates.size)] = rng.choice([np.nan, np.inf, -0.1, 1.5, 1e300])
    if rng.random() < 0.4:
        return header_changed(rng, rates)
    file = io.BytesIO()
    with np.errstate(all="ignore"):
        np.save(file, rates.astype(rng.choice(["<f8", "<f4", ">f8", "<i8", "<c16", "<U9", "|b1"])))
    return bytes_changed(rng, file.getvalue())


def archive_changed(rng: random.Random, content: bytes) -> bytes:
    """A `.npz` file with bytes changed, or with members left out, doubled, renamed or of other content."""
    if rng.random() < 0.4:
        return bytes_changed(rng, content)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    for _ in range(rng.randint(1, 2)):
        at, action = rng.randrange(len(members)), rng.random()
        name, data = members[at]
        if action < 0.35:
            members[at] = (name, header_changed(rng, np.ones((2, 8, 8), bool)))
        elif action < 0.65:
            members[at] = (name, bytes_changed(rng, data))
        elif action < 0.8 and len(members) > 1:
            del members[at]
        else:
            members.append((rng.choice([name, "x.npy", "../x.npy", "readme.txt", "x" * 300]), data))
    file = io.BytesIO()
    packing = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", packing) as archive:
        warnings.simplefilter("ignore")  # of a name that is there twice
        for name, data in members:
            archive.writestr(name, data)
    return file.getvalue()


def of_device(rng: random.Random, folder: Path) -> Attempt:
    """A device file."""
    (folder / "mine.yaml").write_bytes(yaml_changed(rng, _device(rng)))
    line = rng.choice(
        ["devices validate mine.yaml", "devices show mine.yaml", "predict --device mine.yaml --block r50-stage1"]
    )
    return Attempt(line.split(), file="mine.yaml")


def of_network(rng: random.Random, folder: Path) -> Attempt:
    """A network's file."""
    (folder / "mine.yaml").write_bytes(yaml_changed(rng, rng.choice(_NETWORKS)))
    line = rng.choice(["networks show mine.yaml", "predict --device tx2 --network mine.yaml --paradigm layer --r 0.5"])
    return Attempt(line.split(), file="mine.yaml")


def of_block(rng: random.Random, folder: Path) -> Attempt:
    """A block's file, or a workload file."""
    if rng.random() < 0.5:
        (folder / "mine.yaml").write_bytes(yaml_changed(rng, _SUITE))
        from latpred.measuring.suites import load_suite

        return Attempt(call=lambda: load_suite(Path("mine.yaml")), file="mine.yaml", what="load_suite")
    (folder / "mine.yaml").write_bytes(yaml_changed(rng, _BLOCK))
    return Attempt(["predict", "--device", "tx2", "--block", "mine.yaml", "--S", "1", "--r", "0.5"], file="mine.yaml")


def of_rows(rng: random.Random, folder: Path) -> Attempt:
    """A measurement file."""
    content = cells_changed(rng, rows_of_one_kind(rng))
    name = "mine.csv"
    if rng.random() < 0.2:
        name, content = "mine.csv.gz", bytes_changed(rng, gzip.compress(content))
    (folder / name).write_bytes(content)
    what = "calibrate" if rng.random() < 0.1 else "validate --model calibrated"
    return Attempt([*what.split(), name, "--device", "h200"], file=name)


def of_rates(rng: random.Random, folder: Path) -> Attempt:
    """A file of rates."""
    kind = rng.choice(["csv", "json", "npy"])
    rates = [[round(rng.random(), 2) for _ in range(16)] for _ in range(rng.choice([1, 3]))]
    text = "\n".join(",".join(map(str, row)) for row in rates).encode()
    made = {"csv": lambda: cells_changed(rng, text), "npy": lambda: array_changed(rng)}
    made["json"] = lambda: cells_changed(rng, str(rates).encode())
    (folder / f"mine.{kind}").write_bytes(made[kind]())
    line = f"predict --device tx2 --network resnet50 --S 4-4-2-1 --rates mine.{kind} --format json"
    return Attempt(line.split(), file=f"mine.{kind}")


def of_points(rng: random.Random, folder: Path) -> Attempt:
    """Trained settings."""
    (folder / "mine.csv").write_bytes(cells_changed(rng, _points(rng)))
    return Attempt(["pareto", "--points", "mine.csv", "--device", "tx2", "--format", "csv"], file="mine.csv")


def of_masks(rng: random.Random, folder: Path) -> Attempt:
    """Pixel masks."""
    (folder / "mine.npz").write_bytes(archive_changed(rng, _masks(rng)))
    return Attempt(["rates-from-masks", "mine.npz"], file="mine.npz")


def of_table(rng: random.Random, folder: Path) -> Attempt:
    """A latency table."""
    (folder / "mine.npz").write_bytes(archive_changed(rng, _table()))

    def call() -> None:
        table = latpred.LatencyTable.load("mine.npz")
        table.lookup(range(len(table.entries)), 0.5)

    return Attempt(call=call, file="mine.npz", what="LatencyTable.load")


def _table() -> bytes:
    if not _TABLE.getvalue():
        block, device = latpred.load_block("r50-stage4"), latpred.load_profile("tx2")
        path = Path("table.npz")
        latpred.latency_table([block], device, S=[7], G=[64]).save(path)
        _TABLE.write(path.read_bytes())
        path.unlink()
    return _TABLE.getvalue()


# --- the API

OBJECTS: list[Callable[[], Any]] = [
    *(
        lambda value=value: value
        for value in (None, True, 0, -1, 1, 2, 4, 10**9, 10**400, 0.5, -0.5, 1.5, float("nan"))
    ),
    *(
        lambda value=value: value
        for value in (float("inf"), "", "tx2", "v10", "resnet50", "r50-stage1", "vit-b", "x" * 10_000)
    ),
    *(
        lambda value=value: value
        for value in (b"tx2", 1j, [], [4, 4, 2, 1], [0.5] * 16, (4, "a"), {}, {"r": 0.5}, {1, 2})
    ),
    *(lambda value=value: value for value in (object(), int, len, Path("missing.yaml"), "fp16", "published", "triton")),
    lambda: np.full((3, 16), 0.5),
    lambda: np.array([], dtype=object),
    lambda: np.nan * np.ones(16),
    lambda: np.float32(0.5),
    lambda: np.int8(4),
    lambda: latpred.load_profile("v100"),
    lambda: latpred.load_network("resnet50"),
    lambda: latpred.load_network("deit-s"),
    lambda: latpred.load_block("r50-stage1"),
    lambda: latpred.Spatial(S=4, r=0.5),
    lambda: latpred.Joint(latpred.Layer(r=0.5), latpred.Channel(r=0.5)),
    lambda: latpred.Token(r=0.5),
    lambda: latpred.Convolution(c_in=8, c_out=8, height=8, width=8),
]
#: What belongs where, by the name of the argument.
RIGHT: dict[str, Callable[[], Any]] = {
    "target": lambda: latpred.load_block("r50-stage1"),
    "targets": lambda: [latpred.load_block("r50-stage1")],
    "network": lambda: latpred.load_network("resnet50"),
    "profile": lambda: latpred.load_profile("tx2"),
    "profiles": lambda: [latpred.load_profile("tx2")],
    "paradigm": lambda: latpred.Spatial(S=4, r=0.5),
    "paradigms": lambda: [latpred.Spatial(S=4, r=0.5)],
    "rates": lambda: np.full((3, 16), 0.5),
    "model": lambda: "published",
    "precision": lambda: "fp32",
    "r": lambda: 0.5,
    "target_macs": lambda: 0.5,
    "name": lambda: "resnet50",
    "name_or_path": lambda: "resnet50",
}


#: What a person calls: all that the package names, and the studies that stand beside it.
PUBLIC: dict[str, Any] = {name: getattr(latpred, name) for name in latpred.__all__ if not name.endswith("Error")}
PUBLIC |= {"predict_samples": predict_samples, "ablate_fusion": ablate_fusion, "compare": compare}
_NETWORK, _TABLE_OF_ONE = (
    latpred.load_network("resnet50"),
    latpred.latency_table([latpred.load_block("r50-stage4")], "tx2"),
)
PUBLIC |= {f"network.{name}": getattr(_NETWORK, name) for name in ("stage", "block", "resized", "including")}
PUBLIC |= {f"table.{name}": getattr(_TABLE_OF_ONE, name) for name in ("index", "indices")}
PUBLIC |= {f"profile.{name}": getattr(latpred.load_profile("h200"), name) for name in ("peak_macs", "calibration")}


def of_api(rng: random.Random, folder: Path) -> Attempt:
    """A public function or record with one to three arguments that do not belong there."""
    name, target = rng.choice([*PUBLIC.items()])
    if isinstance(target, type) and issubclass(target, Record):
        names = list(target.model_fields)
        given = {field: rng.choice(OBJECTS)() for field in rng.sample(names, min(len(names), rng.randint(1, 6)))}
    else:
        parameters = inspect.signature(target).parameters.values()
        required = [
            p.name for p in parameters if p.default is p.empty and p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)
        ]
        named = (p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))
        free = [p.name for p in named if p.name not in ("progress", "executor")]  # a program's own, not a person's
        given = {name: RIGHT.get(name, lambda: 4)() for name in required}
        given |= {name: rng.choice(OBJECTS)() for name in rng.sample(free, min(len(free), rng.randint(1, 3)))}
    return Attempt(
        call=lambda: target(**given), what=f"{name}({', '.join(f'{k}={str(v)[:40]}' for k, v in given.items())})"
    )


#: Kinds of input, and how many of a hundred are of each.
KINDS: dict[str, tuple[Callable[[random.Random, Path], Attempt], int]] = {
    "options": (options, 27),
    "device YAML": (of_device, 10),
    "network YAML": (of_network, 10),
    "block, workload YAML": (of_block, 8),
    "measurements CSV": (of_rows, 8),
    "rates CSV, JSON, NPY": (of_rates, 8),
    "points CSV": (of_points, 5),
    "masks NPZ": (of_masks, 5),
    "table NPZ": (of_table, 5),
    "API": (of_api, 14),
}
