"""Networks read from ONNX files: the same as from the modules they were made of; and files that cannot be read."""

import contextlib
import io
import logging
import os
import warnings

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="reading ONNX files needs onnx: pip install 'latpred[onnx]'")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import latpred  # noqa: E402
from latpred import Conv, Dense, Pool, Stage  # noqa: E402
from tests.reading import able, kinds, macs, operators  # noqa: E402

#: A residual block of two 3×3 convolutions, once with its normalisations and once with these in the weights.
RESIDUAL = """
g ({image} image, float[8, 3, 3, 3] w0, float[8, 8, 3, 3] w1, float[8] s, float[10, 8] w2, float[10] b2)
    => (float scores)
{{
    x = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (image, w0)
    c1 = Conv <pads = [1, 1, 1, 1]> (x, w1{bias})
    {norm1}
    a1 = Relu (n1)
    c2 = Conv <auto_pad = "SAME_UPPER"> (a1, w1{bias})
    {norm2}
    sum = Add (n2, x)
    out = Relu (sum)
    mean = GlobalAveragePool (out)
    row = Flatten (mean)
    scores = Gemm <transB = 1> (row, w2, b2)
}}
"""
APART = {
    "bias": "",
    "norm1": "n1 = BatchNormalization (c1, s, s, s, s)",
    "norm2": "n2 = BatchNormalization (c2, s, s, s, s)",
}
FOLDED = {"bias": ", s", "norm1": "n1 = Identity (c1)", "norm2": "n2 = Identity (c2)"}
PLAIN = "g (float[1, 3, 8, 8] x, float[4, 3, 3, 3] w) => (float y) {{ {nodes} }}"


def model(text, opset=17):
    """A model by the text of its graph: what is given beside the first input are weights, in a file that is missing."""
    found = onnx.parser.parse_model(f'<ir_version: 8, opset_import: ["" : {opset}]> {text}')
    _, *weights = found.graph.input
    for each in weights:
        dims = [axis.dim_value for axis in each.type.tensor_type.shape.dim]
        tensor = onnx.TensorProto(name=each.name, dims=dims, data_type=1, data_location=onnx.TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="missing.bin")
        found.graph.initializer.append(tensor)
    del found.graph.input[1:]
    return found


@pytest.fixture
def saved(tmp_path):
    """Writes a model, or the text of one, to a file."""

    def saved(content, opset=17):
        path = tmp_path / "model.onnx"
        onnx.save(model(content, opset) if isinstance(content, str) else content, path)
        return path

    return saved


def residual(image="float[batch, 3, 16, 16]", folded=False):
    return RESIDUAL.format(image=image, **(FOLDED if folded else APART))


# --- files that are read


def test_a_file_without_its_weights_is_read(saved):
    network = latpred.from_onnx(saved(residual()))
    assert (network.name, network.image_size, network.unread) == ("model", (16, 16), ())
    assert network.stem == (Conv(c_out=8, kernel=3, stride=2),)
    assert network.stages == (Stage(kind="basic", c_in=8, c_out=8, blocks=1),)
    assert network.head == (Pool(), Dense(c_out=10))
    # By hand: 8×8 pixels behind the stem, two convolutions of 8 to 8 channels, a linear layer.
    assert macs(network) == 64 * 8 * 27 + 2 * 64 * 8 * 72 + 80


def test_a_block_is_the_same_with_its_normalisations_in_the_weights(saved):
    apart, folded = (latpred.from_onnx(saved(residual(folded=each))) for each in (False, True))
    assert apart.stages == folded.stages
    assert operators(apart) == operators(folded)


@pytest.mark.parametrize("batch", ["batch", "1", ""])
def test_any_batch_is_one_image(saved, batch):
    axis = batch or "N"
    assert latpred.from_onnx(saved(residual(f"float[{axis}, 3, 16, 16]"))).blocks[0].block.height == 8


def test_edges_that_are_open_are_those_that_are_asked_for(saved):
    path = saved(residual("float[N, 3, H, W]"))
    assert latpred.from_onnx(path).image_size == (224, 224)
    assert latpred.from_onnx(path, (32, 64)).maps == ((16, 32),)
    assert latpred.load_network(str(path), (32, 64)) == latpred.from_onnx(path, (32, 64))
    with pytest.raises(latpred.DataError, match="is for images of 16×16, not of 32×32; export the model again"):
        latpred.from_onnx(saved(residual()), (32, 32))


def test_a_shape_that_follows_from_shapes_is_found(saved):
    """As exporters write `x.reshape(x.shape[0], -1)` with a dynamic batch."""
    nodes = """
        c = Conv (x, w) s = Shape (c) zero = Constant <value_int = 0> () batch = Gather (s, zero)
        axes = Constant <value_ints = [0]> () first = Unsqueeze (batch, axes) rest = Constant <value_ints = [-1]> ()
        shape = Concat <axis = 0> (first, rest) y = Reshape (c, shape)"""
    network = latpred.from_onnx(saved(PLAIN.format(nodes=nodes).replace("float[1,", "float[N,")))
    assert network.stem == (Conv(c_out=4, kernel=3, padding=0),)


def test_functions_that_a_file_spells_out_are_layers(saved):
    """GELU by its error function, and x·σ(x), as older versions have them."""
    nodes = """
        c = Conv <pads = [1, 1, 1, 1]> (x, w)
        root = Constant <value_float = 1.41421356> () one = Constant <value_float = 1.0> ()
        half = Constant <value_float = 0.5> ()
        d = Div (c, root) e = Erf (d) p = Add (e, one) m = Mul (c, p) g = Mul (m, half)
        sg = Sigmoid (g) y = Mul (g, sg)"""
    network = latpred.from_onnx(saved(PLAIN.format(nodes=nodes), opset=13))
    assert network.stem == (Conv(c_out=4, kernel=3, activation="gelu"), latpred.Activation(function="silu"))


def test_an_operation_that_is_not_understood_is_listed(saved):
    path = saved(PLAIN.format(nodes="c = Conv (x, w) y = CumSum (c, axis) axis = Constant <value_int = 1> ()"))
    graph = onnx.load(path, load_external_data=False)
    graph.graph.node.insert(0, graph.graph.node.pop())
    network = latpred.from_onnx(saved(graph))
    assert network.unread == ("y (CumSum in y)",)
    with pytest.raises(latpred.NetworkError, match=r"model: not understood: y \(CumSum in y\)"):
        latpred.from_onnx(path.parent / "model.onnx", strict=True)


def test_an_operation_of_another_domain_is_listed_where_the_file_says_its_shape(saved):
    found = model(PLAIN.format(nodes="c = Conv (x, w) y = mine.Own (c)").replace("float[1,", "float[N,"))
    found.opset_import.append(onnx.helper.make_opsetid("mine", 1))
    found.graph.output[0].type.tensor_type.ClearField("shape")
    with pytest.raises(latpred.DataError, match="the shapes of y do not follow from the file"):
        latpred.from_onnx(saved(found))
    found.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("y", 1, ["N", 4, 6, 6]))
    network = latpred.from_onnx(saved(found))
    assert network.unread == ("y (mine.Own in y)",)
    assert operators(network)[1:] == [latpred.ElementWise(groups=6, rows=6, channels=4)]


# --- files of torch


def exported(module, edge, path, **settings):
    """A module's file by torch's exporter, which talks much."""
    import torch

    logging.disable(logging.CRITICAL)
    out, err = contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO())
    try:
        with warnings.catch_warnings(), out, err:
            warnings.simplefilter("ignore")
            torch.onnx.export(module.eval(), (torch.zeros(1, 3, edge, edge),), path, **settings)
    finally:
        logging.disable(logging.NOTSET)
    return path


MODELS = ["resnet", "mobilenet", "convnext", "vit-fused", "vit-explicit"]
#: Ways of torch's to write a file: as it is and optimised; and of old, in which batches are dynamic.
WAYS = {
    "plain": {"dynamo": True, "optimize": False},
    "optimised": {"dynamo": True},
    "old": {"dynamo": False, "input_names": ["x"], "dynamic_axes": {"x": {0: "batch"}}},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", MODELS)
def test_a_module_and_its_file_are_the_same_network(name, way, tmp_path):
    """The optimised files have their normalisations in the weights, which only the layers around blocks tell."""
    pytest.importorskip("torch", reason="files are made with torch")
    pytest.importorskip("onnxscript", reason="torch writes files with onnxscript")
    from tests import plain_models

    make, edge = plain_models.MODELS[name]
    module = make()
    of_module = latpred.from_torch(module, (edge, edge))
    of_file = latpred.from_onnx(exported(module, edge, tmp_path / "model.onnx", **WAYS[way]))
    assert operators(of_file) == operators(of_module)
    assert able(of_file) == able(of_module)
    plain = [stage.replace(before=()) for stage in of_file.stages]
    assert plain == [stage.replace(before=()) for stage in of_module.stages]
    if way == "plain":
        named = of_file.replace(name=of_module.name, source=of_module.source)
        assert kinds(named.stem) == kinds(of_module.stem)
        assert name.startswith("vit") or named == of_module


# --- files that are refused


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is no ONNX model: it has no graph"),
        (b"not a model at all, but some text", "is no ONNX model"),
        (bytes(range(256)) * 40, "is no ONNX model"),
        (None, "cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_is_no_model_is_refused_in_a_line(content, message, tmp_path):
    path = tmp_path / "model.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(latpred.DataError, match=message) as problem:
        latpred.from_onnx(path)
    assert "\n" not in str(problem.value)


QUANTISED = "s = Constant <value_float = 0.1> () q = QuantizeLinear (x, s) d = DequantizeLinear (q, s) y = Conv (d, w)"
BRANCH = """
    flag = Constant <value = bool {1}> ()
    y = If (flag) <then_branch = t () => (float a) { a = Relu (x) }, else_branch = e () => (float b) { b = Abs (x) }>"""


@pytest.mark.parametrize(
    ("text", "opset", "message"),
    [
        (PLAIN.format(nodes=QUANTISED), 17, r"is quantised \(DequantizeLinear, QuantizeLinear\); read the model"),
        (PLAIN.format(nodes=BRANCH), 17, r"has control flow \(If\); no one graph says what it runs"),
        (PLAIN.format(nodes="y = Relu (x)"), 99, "has opset 99; the installed onnx .* knows 1 to"),
        (PLAIN.format(nodes="y = Relu (x)").replace("1, 3, 8, 8", "8, 3, 8, 8"), 17, "is for batches of 8; export it"),
        (
            PLAIN.format(nodes="y = Relu (x)").replace("1, 3, 8, 8", "1, 1, 8, 8"),
            17,
            "is 1×1×8×8, not a batch of images",
        ),
        (
            PLAIN.format(nodes="y = Relu (x)").replace("1, 3, 8, 8", "1, 128"),
            17,
            "is 1×128, not a batch of images of 3",
        ),
        (
            PLAIN.format(nodes="y = Conv (x, w)").replace("8, 8] x", "2, 2] x"),
            17,
            "an image of 2×2 is too small: y puts out nothing",
        ),
        (PLAIN.format(nodes="y = Unheard (x)"), 17, "the shapes of y do not follow from the file"),
    ],
)
def test_a_model_that_cannot_be_read_is_refused_in_a_line(text, opset, message, saved):
    with pytest.raises(latpred.DataError, match=message) as problem:
        latpred.from_onnx(saved(text, opset))
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    "nodes",
    [
        "y = Shape ()",
        "y = Identity ()",
        "s = Constant <value_ints = [1000000000, 1000]> () z = ConstantOfShape (s) y = Add (x, z)",
        """one = Constant <value_int = 1> () n = Constant <value_int = 9000000000> ()
        r = Range (one, n, one) y = Add (x, r)""",
        "y = Conv (x)",
        "y = Relu (nowhere)",
    ],
)
def test_a_model_that_makes_no_sense_ends_in_a_line(nodes, saved):
    """And soon: numbers of constants that are larger than any network's are not computed."""
    with pytest.raises(latpred.LatpredError) as problem:
        latpred.predict(latpred.from_onnx(saved(PLAIN.format(nodes=nodes))), "tx2")
    assert "\n" not in str(problem.value)


def test_a_file_is_read_anew_each_time(saved):
    """Another may have taken its place."""
    path = str(saved(residual()))
    assert latpred.load_network(path).image_size == (16, 16)
    saved(residual().replace("16, 16", "24, 24"))
    assert latpred.load_network(path).image_size == (24, 24)


def test_what_is_no_file_is_refused(tmp_path):
    for make in (os.mkdir, os.mkfifo):
        path = tmp_path / f"{make.__name__}.onnx"
        make(path)
        with pytest.raises(latpred.DataError, match=r"\.onnx: is no file$"):
            latpred.from_onnx(path)


def test_a_model_of_two_inputs_is_refused(saved):
    text = "g (float[1, 3, 8, 8] x) => (float y) { y = Add (x, z) }"
    found = model(text)
    found.graph.input.append(onnx.helper.make_tensor_value_info("z", 1, [1, 3, 8, 8]))
    with pytest.raises(latpred.DataError, match="takes x, z; one image is wanted"):
        latpred.from_onnx(saved(found))


@pytest.mark.parametrize("path", [3, None, ["model.onnx"]])
def test_a_path_that_is_none_is_refused(path):
    with pytest.raises(latpred.NetworkError, match="the path of an ONNX file is wanted"):
        latpred.from_onnx(path)


@settings(max_examples=150)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(data, tmp_path_factory):
    content = bytearray(model(residual()).SerializeToString())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "model.onnx"
    path.write_bytes(bytes(content[: data.draw(st.integers(1, len(content)))]))
    with contextlib.suppress(latpred.LatpredError):
        assert np.isfinite(macs(latpred.from_onnx(path)))
