"""The operators of static networks, as eager PyTorch runs them: what `latpred measure --library pytorch` times."""

from itertools import groupby

import pytest

torch = pytest.importorskip("torch", reason="measuring needs torch and triton: pip install 'latpred[gpu]'")
pytest.importorskip("triton", reason="measuring needs torch and triton: pip install 'latpred[gpu]'")

from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import latpred  # noqa: E402
from latpred.measuring.gpu import eager, session  # noqa: E402
from latpred.measuring.gpu.timing import Timing  # noqa: E402
from latpred.measuring.measurements import read_measurements  # noqa: E402
from latpred.measuring.suites import LAYER_BATCHES, Point, layers, suite  # noqa: E402
from latpred.workloads import operators as op  # noqa: E402

OPERATORS = sorted({point.target for point in layers("full")}, key=repr)
#: A few of each class that a CPU computes in no time.
SMALL = [
    operator
    for _, members in groupby(sorted(OPERATORS, key=op.operator_class), key=op.operator_class)
    for operator in [each for each in members if each.macs(1) < 3e7 and each.elements(1) < 3e6][:6]
]
CONVOLUTION = {"c_in": 192, "c_out": 224, "height": 17, "width": 17}


def elements(tensors):
    return sum(tensor.numel() for tensor in tensors)


@pytest.mark.parametrize("operator", SMALL, ids=op.operator_class)
def test_pytorch_multiplies_and_writes_what_the_operator_says(operator):
    """Multiply-adds by PyTorch's own counter, which counts each as two; the output's size by shape arithmetic."""
    batch = 2
    job = eager.operator_job(operator, batch, "fp32", "cpu")
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        out = job.step(0)
    assert counter.get_total_flops() == 2 * operator.macs(batch)
    written = {
        op.PlainConvolution: lambda o: o.c_out * o.out_height * o.out_width,
        op.Pool: lambda o: o.channels * o.out_height * o.out_width,
        op.GlobalPool: lambda o: o.channels,
        op.Linear: lambda o: o.tokens * o.c_out,
        op.MatrixProduct: lambda o: o.groups * o.rows * o.columns,
        op.Attention: lambda o: o.heads * o.queries * o.channels,
    }
    same = lambda o: o.size if hasattr(o, "size") else o.groups * o.rows * o.channels  # noqa: E731
    assert out.numel() == batch * written.get(type(operator), same)(operator)


def test_every_class_of_operators_is_tried():
    assert {type(operator) for operator in SMALL} == set(eager.BUILDERS) - {op.Add}


def test_maps_and_filters_have_their_channels_last():
    operator = op.PlainConvolution(**CONVOLUTION, kernel_height=3, kernel_width=3)
    weights, _ = eager.BUILDERS[op.PlainConvolution](operator, new := eager.Tensors(2, "fp16", "cpu"))
    assert all(each.is_contiguous(memory_format=torch.channels_last) for each in (*weights, new.map(3, 4, 5)))
    assert (weights[0].shape, weights[0].dtype) == ((224, 192, 3, 3), torch.float16)


@pytest.mark.parametrize(
    ("changes", "out", "weights"),
    [
        ({"kernel_width": 7, "padding_width": 3}, (17, 17), 224 * 192 * 7),  # Inception's 1×7
        ({"kernel_height": 3, "kernel_width": 3, "stride": 2}, (8, 8), 224 * 192 * 9),  # no border: (17 − 3)/2 + 1
        ({"kernel_height": 3, "kernel_width": 3, "stride": 2, "padding_height": 1}, (9, 8), 224 * 192 * 9),
        ({"groups": 32}, (17, 17), 224 * 6),
    ],
)
def test_a_convolution_is_as_the_graph_has_it(changes, out, weights):
    """By hand."""
    operator = op.PlainConvolution(**CONVOLUTION, **changes)
    assert (operator.out_height, operator.out_width) == out
    assert operator.macs(3) == 3 * out[0] * out[1] * weights
    assert operator.elements(3) == weights + 3 * (192 * 17 * 17 + 224 * out[0] * out[1])


def test_the_bytes_of_the_other_operators():
    """By hand: what is read and what is written, each once."""
    assert op.BatchNorm(channels=8, height=3, width=5).elements(2) == 2 * (120 + 120) + 4 * 8
    assert op.Pool(channels=8, height=7, width=7, kernel=3, stride=2, padding=1).elements(2) == 2 * 8 * (49 + 16)
    assert op.Attention(heads=3, queries=10, keys=4, channels=5).elements(2) == 2 * 3 * 5 * (10 + 4 + 4 + 10)
    assert op.Copy(groups=3, rows=10, channels=5).elements(2) == 2 * 2 * 150


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: op.PlainConvolution(**CONVOLUTION, groups=5), "192 → 224 channels cannot be split into 5 groups"),
        (lambda: op.PlainConvolution(**CONVOLUTION, kernel_height=19), "a 17×17 map is too small for a 19×1 kernel"),
        (
            lambda: op.Pool(channels=1, height=2, width=9, kernel=3, stride=1),
            "a 2×9 map is too small for a window of 3",
        ),
        (
            lambda: op.Pool(channels=1, height=9, width=9, kernel=3, stride=1, padding=2),
            "padding of 2 pixels is more than half a window of 3",
        ),
        (
            lambda: eager.operator_job(op.MaskCompaction(height=7, width=7, items=49), 1, "fp32", "cpu"),
            "PyTorch has no operator MaskCompaction of its own",
        ),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(latpred.InputError, match=message):
        make()


def test_the_suite_has_every_operator_in_every_precision_at_two_batches():
    full, quick = suite("full", "pytorch"), suite("quick", "pytorch")
    assert len({point.key for point in full}) == len(full) == 6 * len(OPERATORS)
    assert {(point.target, point.precision) for point in full} == {
        (operator, precision) for operator in OPERATORS for precision in ("fp32", "tf32", "fp16")
    }
    assert {point.batch for point in full} == set(LAYER_BATCHES)
    assert {point.library for point in full} == {"pytorch"}
    assert set(quick) < set(full)


def test_the_host_is_timed_where_it_decides_and_rows_are_resumed(monkeypatch, tmp_path):
    """Without a GPU: every step takes the device 1 ms and the host 9 µs."""
    here = {"device": "NVIDIA Test"}
    monkeypatch.setattr(session, "environment", lambda: here)
    monkeypatch.setattr(session, "verify", lambda precision: pytest.fail("latpred's own kernels are not timed"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda index: here["device"])
    monkeypatch.setattr(session.eager, "operator_job", lambda *given: given)
    monkeypatch.setattr(session.eager, "host_seconds", lambda job: 9e-6)
    monkeypatch.setattr(session, "timed", lambda job, budget: Timing(1e-3, 0.9e-3, 1.1e-3, 15, 4))
    points, path = suite("full", "pytorch")[:200], tmp_path / "a.csv"
    assert session.run(points, path, report=lambda text: None) == 200
    rows = read_measurements(path)
    assert [Point(row.target, row.paradigm, row.batch, row.precision, row.library) for row in rows] == points
    assert {(row.batch == 1, row.host_s) for row in rows} == {(True, 9e-6), (False, None)}
    assert session.run(points, path, resume=True, report=lambda text: None) == 0
