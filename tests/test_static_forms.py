"""What static networks run, by how much a library takes into one kernel; counts as PyTorch has them."""

from collections import Counter

import pytest

import latpred
from latpred.workloads.lowering import EAGER, FOLDED, FUSED
from latpred.workloads.networks import PARTS

RESNET = latpred.load_network("resnet50").including(*PARTS)


def names(target, form):
    return [step.name for step in target.lower(latpred.Static(), form).steps]


def kinds(target, form):
    return Counter(type(step.operator).__name__ for step in target.lower(latpred.Static(), form).steps)


def test_resnet50_runs_as_many_kernels_as_the_modules_of_torchvision():
    """53 convolutions, as many norms, 49 activations behind 33 of them and 16 sums, two pools and a layer."""
    assert kinds(RESNET, EAGER) == {
        "PlainConvolution": 53,
        "BatchNorm": 53,
        "ElementWise": 49,
        "Add": 16,
        "Pool": 1,
        "GlobalPool": 1,
        "Linear": 1,
    }


def test_folded_norms_leave_a_bias():
    found = kinds(RESNET, FOLDED)
    assert (found["BatchNorm"], found["ChannelScale"], found["ElementWise"]) == (0, 53, 49)


def test_an_engine_takes_in_norms_activations_and_sums():
    """A sum is there for the map that is read once more; it is no kernel."""
    assert kinds(RESNET, FUSED) == {"Convolution": 53, "Add": 16, "Pool": 1, "GlobalPool": 1, "FullyConnected": 1}


def test_a_bottleneck_in_order():
    block = latpred.load_block("resnet50-stage1")
    assert names(block, EAGER) == [
        *("conv1", "conv1 norm", "conv1 relu"),
        *("conv2", "conv2 norm", "conv2 relu"),
        *("conv3", "conv3 norm", "add", "add relu"),
    ]
    assert names(block, FUSED) == ["conv1", "conv2", "conv3", "add"]


def test_squeeze_and_excitation():
    """Two convolutions of a pixel with bias and function in PyTorch; in an engine two layers and a product."""
    block = latpred.load_block("regnety-400mf-stage1")
    eager = [name for name in names(block, EAGER) if name.startswith("SE")]
    of_layers = [f"SE {layer}{part}" for layer in ("squeeze", "excite") for part in ("", " bias", " function")]
    assert eager == ["SE pool", *of_layers, "SE scale"]
    assert [name for name in names(block, FUSED) if name.startswith("SE")] == [
        *("SE pool", "SE squeeze", "SE excite", "SE scale")
    ]


def test_attention_in_one_kernel_or_explicit():
    """Eager PyTorch has one kernel for it; an engine lays out, multiplies and takes a softmax."""
    block = latpred.load_network("deit-s").blocks[0].block
    assert names(block, EAGER) == [
        *("norm1", "query, key, value", "attention", "projection", "add1"),
        *("norm2", "fc1", "gelu", "fc2", "add2"),
    ]
    explicit = names(block, FUSED)
    assert [name for name in explicit if name in ("scores", "softmax", "mixing")] == ["scores", "softmax", "mixing"]
    assert explicit[-5:] == ["norm2", "fc1", "gelu", "fc2", "add2"]


@pytest.mark.parametrize("form", [EAGER, FOLDED, FUSED], ids=lambda form: form.name)
@pytest.mark.parametrize("name", ["resnet50", "regnety-400mf", "mobilenetv2", "convnext-tiny", "deit-s"])
def test_multiply_adds_are_those_on_paper(name, form):
    """But for squeeze-and-excitation's product, which counts none here and one per element on paper."""
    network = latpred.load_network(name)
    network = network.including(*PARTS) if hasattr(network, "including") else network
    steps = network.lower(latpred.Static(), form).steps
    found = sum(float(step.executions) * step.macs(1) for step in steps if not step.omitted)
    expected = latpred.predict(network, "v100", batch=1).static_macs
    assert found == pytest.approx(expected, rel=2e-3)
