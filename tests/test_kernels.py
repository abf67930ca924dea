"""Every kernel computes what plain PyTorch does, on the GPU or, without one, in Triton's interpreter."""

import pytest

torch = pytest.importorskip("torch", reason="the kernels need torch and triton: pip install 'latpred[gpu]'")
pytest.importorskip("triton", reason="the kernels need torch and triton: pip install 'latpred[gpu]'")

from hypothesis import given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from triton.runtime.errors import OutOfResources  # noqa: E402

import latpred  # noqa: E402
from latpred.measuring.gpu import blocks, check, launch, reference  # noqa: E402
from latpred.workloads.lowering import KERNELS  # noqa: E402

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
#: Every granularity on one shape, one of each paradigm on the others; `latpred measure` checks all of them.
COARSE = (latpred.Static(), latpred.Spatial(S=2, r=0.4), latpred.Channel(G=4, r=0.5), latpred.Layer(r=0.5))
CASES = [case for case in check.cases() if case[0].name == "odd, strided" or case[1] in COARSE]
#: All of them run in FP32; the other precisions differ in the types of the same code.
SAMPLE = [case for case in CASES if case[0].name == "odd, strided"][::2]


@pytest.mark.parametrize(("shape", "paradigm"), CASES, ids=lambda value: getattr(value, "name", ""))
def test_blocks_in_fp32(shape, paradigm):
    assert check.error_of(shape, paradigm, "fp32", DEVICE, batch=2) <= check.TOLERANCE["fp32"]


@pytest.mark.parametrize("precision", ["tf32", "fp16"])
@pytest.mark.parametrize(("shape", "paradigm"), SAMPLE, ids=lambda value: getattr(value, "name", ""))
def test_blocks_in_lower_precision(shape, paradigm, precision):
    assert check.error_of(shape, paradigm, precision, DEVICE, batch=2) <= check.TOLERANCE[precision]


@settings(max_examples=8)
@given(
    groups=st.sampled_from([1, 1, 3]),
    channels=st.integers(1, 40),
    columns=st.integers(1, 70),
    edges=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    kernel=st.sampled_from([1, 3]),
    stride=st.sampled_from([1, 2]),
    adjacent=st.booleans(),
)
def test_convolutions_of_random_shapes(groups, channels, columns, edges, kernel, stride, adjacent):
    x = torch.randn(2, *edges, groups * channels, device=DEVICE)
    weights = blocks.random_filters((groups, kernel**2, channels, columns), "fp32", DEVICE, adjacent)
    found = launch.convolution(x, weights, stride=stride)
    expected = reference.convolution(x, weights, stride)
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) < 1e-5 * max(float(expected.abs().max()), 1.0) * 10


def test_compaction_lists_the_items_above_their_thresholds_in_order():
    scores = torch.tensor([[[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 0.0, 9.0]], [[0.0, 0.0, 5.0, 0.0], [0.0, 0.0, 0.0, 0.0]]])
    active = launch.compact(scores.to(DEVICE), torch.tensor([[3.0, 8.0], [0.5, 4.0]], device=DEVICE), 2, (2, 2))
    assert active.ranks.tolist() == [[0, 1], [-1, 2]]
    assert active.items[0].tolist() == [0, 1]
    assert active.items[1, 0] == 3
    assert (active.per_map, active.across) == (2, 2)


@pytest.mark.parametrize(("active_in", "active_out"), [(2, 7), (7, 2)])
def test_groups_in_and_out_may_differ_in_number(active_in, active_out):
    """Two samples with 9 groups of 4 channels, of which some are in, and others out."""

    def listed(active):
        limits = blocks.forced(2, 9, active, DEVICE)
        return launch.compact(torch.zeros(2, 1, 9, device=DEVICE), limits, active, local=True)

    x, y = torch.randn(2, 5, 5, 36, device=DEVICE), listed(active_out)
    weights = blocks.random_filters((1, 9, 36, 36), "fp32", DEVICE, adjacent=True)
    on = listed(active_in)
    channels_in = (on.items[:, :, None] * 4 + torch.arange(4, device=DEVICE)).view(2, -1).long()
    channels_out = (y.items[:, :, None] * 4 + torch.arange(4, device=DEVICE)).view(2, -1).long()
    compact = torch.stack([x[sample][..., channels_in[sample]] for sample in range(2)])
    found = launch.convolution(compact, weights, groups_in=on, groups_out=y, group_size=4)
    for sample in range(2):
        some = weights[:, :, channels_in[sample]][..., channels_out[sample]]
        expected = reference.convolution(compact[sample : sample + 1], some)
        assert torch.allclose(found[sample : sample + 1].double(), expected, atol=1e-4)


def test_a_map_of_more_scores_than_a_step_takes():
    """112×112 single pixels; every third is on, and the list ends at the budget."""
    scores = torch.zeros(1, 112, 112, device=DEVICE)
    limits = torch.where(torch.arange(112 * 112) % 3 == 0, -1.0, 1.0)[None].to(DEVICE)
    active = launch.compact(scores, limits, 4000)
    assert active.items[0].tolist() == list(range(0, 12000, 3))
    assert active.ranks[0, :7].tolist() == [0, -1, -1, 1, -1, -1, 2]
    assert int(active.ranks[0, 12000:].max()) == -1


@pytest.mark.parametrize(("c_in", "pixels"), [(600, 3000), (40, 300)])
def test_a_linear_layer_on_a_pool_of_many_parts(c_in, pixels):
    """Twenty-four and three parts of 128 pixels, added up; many channels leave room for sixteen."""
    x, weights = torch.randn(2, pixels, 1, c_in, device=DEVICE), torch.randn(9, c_in, device=DEVICE)
    found = launch.linear(launch.pool(x, 2), weights, "relu")[:, 0]
    expected = torch.relu(x.double().mean((1, 2)) @ weights.double().T)
    assert torch.allclose(found.double(), expected, atol=1e-5)


def test_a_device_of_little_shared_memory_is_told_so(monkeypatch):
    class Full:
        def __getitem__(self, grid):
            raise OutOfResources(100_000, 65_536, "shared memory")

    monkeypatch.setattr(launch.kernels, "convolution_kernel", Full())
    x, weights = torch.ones(1, 4, 4, 16, device=DEVICE), torch.ones(1, 1, 16, 16, device=DEVICE)
    with pytest.raises(latpred.InputError, match="this device has too little shared memory for the tf32 kernels"):
        launch.convolution(x, weights, precision="tf32")


def test_a_wrong_kernel_is_found_before_anything_is_timed(monkeypatch):
    monkeypatch.setattr(reference, "block", lambda *given: torch.full((1,), 7.0, device=DEVICE))
    with pytest.raises(latpred.DataError, match=r"the fp32 kernels of static are wrong by .* nothing was timed"):
        check.verify("fp32", DEVICE)


@pytest.mark.parametrize(
    "paradigm",
    [latpred.Static(), latpred.Spatial(S=2, r=0.5), latpred.Channel(G=4, r=0.5), latpred.Layer(r=0.5)],
    ids=lambda paradigm: paradigm.name,
)
@pytest.mark.parametrize("stride", [1, 2])
def test_the_predicted_kernels_are_the_ones_that_run(paradigm, stride, monkeypatch):
    shape = latpred.Bottleneck(c_in=32, c_out=32, height=8, width=8, stride=stride)
    kernel_of = {
        "Convolution": "convolution",
        "PatchConvolution": "convolution",
        "MaskerConvolution": "convolution",
        "MaskCompaction": "compact",
        "GlobalPool": "pool",
        "FullyConnected": "linear",
        "Add": "scatter_add",
        "ScatterAdd": "scatter_add",
    }
    launched = []
    for name in set(kernel_of.values()):
        function = getattr(launch, name)
        monkeypatch.setattr(launch, name, lambda *a, _f=function, _n=name, **k: (launched.append(_n), _f(*a, **k))[1])
    weights = blocks.random_weights(shape, paradigm, "fp32", DEVICE)
    x = blocks.random_input(shape, "fp32", 2, DEVICE)
    blocks.run(shape, paradigm, x, weights, blocks.thresholds(shape, paradigm, 2, DEVICE), "fp32")
    steps = shape.lower(paradigm, KERNELS).steps
    assert launched == [kernel_of[type(step.operator).__name__] for step in steps]


@pytest.mark.parametrize(
    ("shape", "paradigm", "message"),
    [
        ({"groups": 2}, latpred.Channel(G=1, r=0.5), "take neither grouped convolutions nor SE"),
        ({}, latpred.Channel(G=3, r=0.5), "G=3 does not divide the 8 inner channels"),
    ],
)
def test_what_the_kernels_do_not_compute(shape, paradigm, message):
    with pytest.raises(latpred.InputError, match=message):
        blocks.check(latpred.Bottleneck(c_in=32, c_out=32, height=8, width=8, **shape), paradigm)
