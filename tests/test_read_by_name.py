"""Models by name, `latpred networks read`, and the files that networks are written to."""

import importlib
import sys

import pytest

pytest.importorskip("torch", reason="reading modules needs torch: pip install 'latpred[torch]'")

import latpred
from latpred.cli import main
from latpred.show.tables import verdict
from latpred.workloads import reading
from latpred.workloads.reading import sources
from latpred.workloads.reading.sources import read
from tests.plain_models import MODELS

#: A library in the way of timm: its models are those of `plain_models`; a transformer has images of one size.
TIMM = """
from tests import plain_models

NAMES = ["mobilenetv1", "mobilenetv2_100", "resnet18", "resnet50", "resnet50d", "vit_tiny"]


def is_model(name):
    return name in NAMES


def list_models():
    return NAMES


def create_model(name, pretrained, **settings):
    assert pretrained is False
    if "." in name:
        raise RuntimeError("Invalid pretrained tag")
    if name == "vit_tiny":
        height, width = settings.get("img_size", (64, 64))
        module = plain_models.VisionTransformer(image=height)
    else:
        if settings:
            raise TypeError("img_size")
        module = plain_models.resnet()
    module.pretrained_cfg = {"input_size": (3, height, width) if name == "vit_tiny" else (3, 96, 96)}
    return module
"""
TORCHVISION = """
from types import SimpleNamespace as models
from tests import plain_models


def build(weights=None, weights_backbone=None):
    assert weights is None
    return plain_models.mobilenet()


def weights(name):
    from types import SimpleNamespace
    return [SimpleNamespace(transforms=SimpleNamespace(keywords={"crop_size": 160}))]


models = models(
    list_models=lambda: ["mobilenet_v2", "resnet50"],
    get_model_builder=lambda name: build,
    get_model_weights=weights,
)
"""
OWN = """
import torch
from tests import plain_models

small = plain_models.resnet()
number = 3
def make(): return plain_models.mobilenet()
def fails(): raise RuntimeError("out of\\nluck")
def nothing(): return None
"""


@pytest.fixture
def libraries(tmp_path, monkeypatch):
    """timm, torchvision and a module of one's own, as far as they are asked."""
    sources._traced_once.cache_clear()
    for name, text in {"timm": TIMM, "torchvision": TORCHVISION, "own_models": OWN}.items():
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    yield tmp_path
    sources._traced_once.cache_clear()
    for name in ("timm", "torchvision", "own_models"):
        sys.modules.pop(name, None)


def run(*arguments):
    """The exit code of a command."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))
    return end.value.code


# --- by name


def test_a_model_of_a_library_is_read_at_the_size_it_is_for(libraries):
    network = latpred.load_network("timm:resnet50d")
    assert (network.name, network.image_size) == ("resnet50d", (96, 96))
    assert network.source == "timm:resnet50d, by torch.export"
    assert latpred.load_network("torchvision:mobilenet_v2").image_size == (160, 160)
    assert latpred.load_network("timm:resnet50d", (64, 96)).maps[0] == (16, 24)


def test_a_transformer_is_made_for_the_size_that_is_asked_for(libraries):
    assert latpred.load_network("timm:vit_tiny").blocks[0].block.tokens == 65
    assert latpred.load_network("timm:vit_tiny", (32, 32)).blocks[0].block.tokens == 17


def test_a_block_of_a_model_is_a_target(libraries):
    block = latpred.load_block("timm:resnet50-stage2")
    assert (block.kind, block.c_in, block.height) == ("bottleneck", 128, 12)
    assert latpred.predict("timm:resnet50-stage2", "tx2", latpred.Spatial(S=4, r=0.5)).ratio > 0


def test_a_network_that_was_read_counts_everything_and_says_so(libraries):
    read_one, shipped = (latpred.predict(name, "tx2") for name in ("timm:resnet50", "resnet50"))
    names = [row.name for row in read_one.operators if row.stage is None]
    assert names == ["stem convolution", "stem pool", "head pool", "classifier"]
    assert [row.name for row in shipped.operators if row.stage is None] == []
    assert (read_one.uncounted, shipped.uncounted) == ((), ("stem", "head"))
    assert "counted: the whole network" in verdict(read_one).splitlines()
    assert "counted: all but stem and head" in verdict(shipped).splitlines()
    assert read_one.to_dict()["uncounted"] == []


def test_an_image_size_is_checked_by_every_source(libraries):
    assert latpred.load_network("timm:resnet50d", [64, 96]).image_size == (64, 96)
    for source in ("timm:resnet50d", "own_models:make"):
        with pytest.raises(latpred.NetworkError, match="image_size is a height and a width in pixels"):
            read(source, 64)


def test_a_function_or_a_module_of_ones_own_is_read(libraries):
    assert read("own_models:make", (64, 64)).replace(name="x", source="") == latpred.from_torch(
        MODELS["mobilenet"][0](), (64, 64)
    ).replace(name="x", source="")
    assert [stage.kind for stage in read("own_models:small").stages] == ["bottleneck", "bottleneck"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("timm:resnet51", "timm has no model 'resnet51'; did you mean resnet50, resnet18, resnet50d?"),
        ("timm:", "timm has no model ''"),
        ("torchvision:resnet5", "torchvision has no model 'resnet5'; did you mean resnet50?"),
        ("timm:vit_tiny-stage9", "timm has no model|no stage 9"),
        ("own_models:absent", "own_models:absent: AttributeError: module 'own_models' has no attribute 'absent'"),
        ("own_models:fails", "own_models:fails: RuntimeError: out of$"),
        ("own_models:nothing", "own_models:nothing makes None, not a torch.nn.Module"),
        ("own_models:number", "own_models:number: TypeError: 'int' object is not callable"),
        ("no_such_package:make", "no_such_package:make: ModuleNotFoundError: No module named 'no_such_package'"),
        ("own_models", "'own_models' is no model to read; give model.onnx, timm:NAME, torchvision:NAME or package"),
        ("timm:resnet18.in1k", "timm does not make 'resnet18.in1k': Invalid pretrained tag"),
        (":make", "':make' is no model to read"),
        ("absent.onnx", "absent.onnx: cannot be read: No such file or directory"),
    ],
)
def test_a_source_that_is_none_is_refused_in_a_line_and_nothing_is_written(source, message, libraries, capsys):
    (libraries / "mine.yaml").write_text("name: precious")
    pytest.importorskip("onnx", reason="reading ONNX files needs onnx: pip install 'latpred[onnx]'")
    with pytest.raises(latpred.LatpredError, match=message) as problem:
        read(source)
    assert "\n" not in str(problem.value)
    assert run("networks", "read", source, "-o", "mine.yaml") in (1, 2)
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"latpred: {problem.value}\n")
    assert (libraries / "mine.yaml").read_text() == "name: precious"
    assert sorted(path.suffix for path in libraries.iterdir() if path.is_file()) == [".py", ".py", ".py", ".yaml"]


@pytest.mark.parametrize(
    ("source", "missing", "message"),
    [
        ("timm:resnet50", {"timm"}, "reading timm:NAME needs timm: pip install timm"),
        ("torchvision:x", {"torchvision"}, "reading torchvision:NAME needs torchvision: pip install torchvision"),
        ("timm:resnet50", {"timm", "torch"}, r"needs torch and timm: pip install 'latpred\[torch\]' timm"),
        ("own_models:make", {"torch"}, r"reading own_models:make needs torch: pip install 'latpred\[torch\]'"),
        ("model.onnx", {"onnx"}, r"reading an ONNX file needs onnx: pip install 'latpred\[onnx\]'"),
    ],
)
def test_what_is_not_installed_is_named_with_what_installs_it(source, missing, message, libraries, monkeypatch):
    monkeypatch.setattr(reading, "find_spec", lambda name: None if name in missing else name)
    with pytest.raises(latpred.NetworkError, match=f"{message}$"):
        read(source)


def test_a_library_that_does_not_load_is_told(libraries):
    (libraries / "timm.py").write_text("raise OSError('undefined symbol')")
    with pytest.raises(
        latpred.NetworkError, match=r"timm does not load beside the torch .*\(OSError: undefined symbol\)"
    ):
        latpred.load_network("timm:resnet50")


# --- files


@pytest.mark.parametrize("name", MODELS)
def test_what_is_written_loads_back_equal(name, tmp_path):
    make, edge = MODELS[name]
    network = latpred.from_torch(make(), (edge, edge))
    latpred.save_network(network, tmp_path / "mine.yaml")
    assert latpred.load_network(tmp_path / "mine.yaml") == network


def test_a_shipped_network_is_written_and_loads_back_equal(tmp_path):
    for name in latpred.list_networks():
        latpred.save_network(latpred.load_network(name), tmp_path / "mine.yaml")
        assert latpred.load_network(tmp_path / "mine.yaml") == latpred.load_network(name)


def test_a_file_is_edited_as_a_person_would(tmp_path):
    """By hand: another block of a stage adds its operators, and what was 10 classes is 20."""
    path = tmp_path / "mine.yaml"
    network = latpred.from_torch(MODELS["resnet"][0](), (64, 64), "mine")
    latpred.save_network(network, path)
    text = path.read_text()
    assert "- {kind: bottleneck, c_in: 16, c_out: 64, blocks: 2}" in text
    path.write_text(text.replace("c_out: 64, blocks: 2", "c_out: 64, blocks: 3").replace("c_out: 10", "c_out: 20"))
    edited = latpred.load_network(path)
    assert edited.blocks_per_stage == [3, 2]
    assert edited.head[-1] == latpred.Dense(c_out=20)


@pytest.mark.parametrize(
    ("network", "path", "message"),
    [
        ("resnet50", "mine.yaml", "a network is wanted, as load_network returns it, not 'resnet50'"),
        (None, "mine.txt", "mine.txt"),
        (None, 3, "a path is wanted, not 3"),
    ],
)
def test_what_cannot_be_written_is_refused(network, path, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(latpred.LatpredError, match=message):
        latpred.save_network(network or latpred.load_network("resnet50"), path)
    assert list(tmp_path.iterdir()) == []


# --- the command


def test_networks_read_prints_and_writes_what_it_found(libraries, capsys):
    assert run("networks", "read", "own_models:make", "--image-size", "64", "-o", "mine.yaml", "--name", "mine") == 0
    out, err = capsys.readouterr()
    assert err == "mine.yaml: written\n"
    (row,) = [line.split("   ") for line in out.splitlines() if line.startswith("  stage 3")]
    cells = [cell.strip() for cell in row if cell.strip()]
    # By hand: 3 blocks of 24 → 144 → 24·32 and 32 → 192 → 32 channels, the first filter on 8×8 of 16×16 pixels.
    macs = 256 * 24 * 144 + 64 * 144 * (9 + 32) + 2 * 64 * 192 * (32 + 9 + 32)
    assert cells[:-1] == ["stage 3", "8×8", "3", "inverted-residual", "24→32", "spatial (2), channel (2), layer (2)"]
    assert cells[-1] == f"{macs / 1e6:.2f} M"
    assert (
        "3 of 6 blocks cannot skip by spatial, channel, layer: output and input differ, and nothing leads past" in out
    )
    assert "read from own_models:make, by torch.export" in out
    assert latpred.load_network("mine.yaml") == read("own_models:make", (64, 64), "mine")
    assert run("predict", "--device", "tx2", "--network", "mine.yaml", "--S", "4-4-2", "--r", "0.5") == 0


def test_networks_read_refuses_a_file_of_another_kind_before_it_reads(libraries, capsys):
    assert run("networks", "read", "own_models:fails", "-o", "mine.onnx") == 2
    assert ".yaml" in capsys.readouterr().err
