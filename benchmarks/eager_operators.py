"""Gather the operators of networks of torchvision and timm in eager PyTorch: what `measure --library pytorch` times.

    pip install timm torchvision
    python benchmarks/eager_operators.py latpred/measuring/layers.csv

Networks run on PyTorch's meta device, which computes shapes only: no weights, no GPU. Every call of ATen becomes the
operators of `latpred.workloads.operators` that it is on a GPU: a convolution with bias is followed by a scaling (a pass
over the map with a number per channel), a norm of a permuted tensor by the copy that unfolds it. The networks of
`FITTED` give the shapes that are timed; none of them is among those that the model is judged by.
"""

import csv
import math
import random
import sys
from collections import Counter

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from latpred.errors import InputError
from latpred.measuring.columns import LAYER_COLUMNS, SHAPE_COLUMNS
from latpred.measuring.measurements import row_of
from latpred.workloads import operators as op
from latpred.workloads.paradigms import Static

FITTED = """
torchvision:alexnet torchvision:vgg16 torchvision:googlenet torchvision:squeezenet1_1 torchvision:densenet121
torchvision:resnext50_32x4d torchvision:wide_resnet50_2 torchvision:mobilenet_v2 torchvision:mobilenet_v3_large
torchvision:shufflenet_v2_x1_0 torchvision:efficientnet_b1 torchvision:efficientnet_v2_s timm:regnety_004
timm:regnetx_032 torchvision:convnext_small torchvision:maxvit_t timm:resnet18d timm:resnet50 timm:resnetv2_50
timm:seresnet33ts timm:res2net50_26w_4s timm:dpn68 timm:cspdarknet53 timm:hrnet_w18 timm:repvgg_a2 timm:ghostnet_100
timm:tf_efficientnetv2_b0 timm:nfnet_l0 timm:inception_resnet_v2 timm:mixer_s16_224 timm:deit_tiny_patch16_224
timm:vit_small_patch32_224 timm:swin_tiny_patch4_window7_224 timm:poolformer_s12 timm:levit_192
timm:xcit_tiny_12_p16_224 timm:mobilevit_s timm:twins_svt_small timm:convmixer_768_32 timm:beit_base_patch16_224
"""
#: Operators that are kept of each class, at random: enough for a fit of a dozen numbers.
KEPT = {"PlainConvolution": 330, "depthwise PlainConvolution": 90, "grouped PlainConvolution": 50, "Linear": 110}
KEPT_OF_OTHERS = 40
#: The batch that networks are run with.
BATCH = 2


def _words(text):
    return frozenset(text.split())


NOTHING = _words("""
empty new_empty empty_like zeros new_zeros ones full arange scalar_tensor _unsafe_view as_strided_ detach lift_fresh
linspace meshgrid _to_copy empty_strided zeros_like ones_like full_like new_ones fill_ _local_scalar_dense
""")
ONE_READ = _words("""
relu relu_ gelu silu silu_ sigmoid sigmoid_ hardswish hardswish_ hardsigmoid hardsigmoid_ hardtanh hardtanh_ clamp
clamp_ clamp_min clamp_min_ leaky_relu leaky_relu_ elu mish tanh exp neg rsqrt sqrt pow sin cos dropout softplus
reciprocal abs bitwise_not log erf square
""")
TWO_READ = _words("""
add add_ sub sub_ mul mul_ div div_ rsub addcmul where lerp maximum
""")
MOVED = _words("""
clone copy_ roll cat stack index index_select constant_pad_nd pixel_shuffle flip repeat _to_copy im2col
upsample_bilinear2d upsample_nearest2d reflection_pad2d upsample_bicubic2d
""")
AVERAGES = _words("""
mean sum adaptive_avg_pool2d _adaptive_avg_pool2d amax linalg_vector_norm var var_mean max
""")


class _Attention(TorchFunctionMode):
    """Takes fused attention as one call, whatever it is made of on the meta device."""

    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is not torch.nn.functional.scaled_dot_product_attention:
            return function(*args, **(kwargs or {}))
        q, k, v = args[:3]
        self.calls.append(("attention", [q, k, v], [], args))
        with torch.utils._python_dispatch._disable_current_modes():
            *lead, heads, rows, _ = q.shape
            return torch.empty(*lead, rows, heads, v.shape[-1], device="meta").transpose(-2, -3)


class _Calls(TorchDispatchMode):
    """Every call of ATen that computes something."""

    def __init__(self, calls):
        super().__init__()
        self.calls = calls

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        name = function._schema.name.removeprefix("aten::")
        if name == "convolution":
            out = out.contiguous(memory_format=torch.channels_last)  # as cuDNN leaves it
        views = any(each.alias_info and not each.alias_info.is_write for each in function._schema.returns)
        if not views and name not in NOTHING:
            self.calls.append((name, _tensors((args, kwargs or {})), _tensors(out), args))
        return out


def _tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        return _tensors(list(value.values()))
    return [each for item in value for each in _tensors(item)] if isinstance(value, list | tuple) else []


def load(name):
    library, _, model = name.partition(":")
    with torch.device("meta"):
        if library == "timm":
            import timm

            return timm.create_model(model)
        import torchvision

        return torchvision.models.get_model(model, weights=None)


def operators(module, image_size=224):
    """The operators of a network, in order, and the names of calls that are none."""
    calls = []
    module = module.eval().to(memory_format=torch.channels_last)
    image = torch.empty(BATCH, 3, image_size, image_size, device="meta").to(memory_format=torch.channels_last)
    with torch.no_grad(), _Attention(calls), _Calls(calls):
        module(image)
    found, unknown = [], Counter()
    for name, inputs, outputs, args in calls:
        try:
            found += _operators(name, inputs, outputs, args)
        except (InputError, KeyError, ZeroDivisionError) as reason:
            unknown[f"{name}: {reason}"] += 1
    return found, unknown


def _rows(shape, whole=1):
    """Rows × channels of a sample; where the batch is not in front, of as much as a sample has on average."""
    size = math.prod(shape)
    channels = shape[-1] if shape else 1
    return {"rows": max(size // channels // BATCH, 1) // whole, "channels": channels}


def _map(shape):
    channels, height, width = (*shape, 1, 1)[1:4] if len(shape) < 5 else (shape[1], shape[2], math.prod(shape[3:]))
    return {"channels": channels, "height": height, "width": width}


def _element_wise(kind, tensor):
    """As rows of channels, which are last in memory."""
    shape = tuple(tensor.shape)
    if len(shape) == 4 and tensor.stride(1) == 1:
        shape = (shape[0], shape[2], shape[3], shape[1])
    return kind(**_rows(shape))


def _unfolded(tensor, out=None):
    """The copy of a tensor into the order that `out` has it in, or none where that is its own."""
    order = (
        sorted(range(tensor.dim()), key=lambda d: -(out if out is not None else tensor).stride(d))
        if out is not None
        else range(tensor.dim())
    )
    sizes = [(tensor.shape[d], tensor.stride(d)) for d in order if tensor.shape[d] > 1]
    run = 1
    while sizes and sizes[-1][1] == run:
        run *= sizes.pop()[0]
    if not sizes:
        return []
    per_sample = max(math.prod(size for size, _ in sizes) // BATCH, 1)
    rows = sizes[-1][0] if per_sample % sizes[-1][0] == 0 else per_sample
    return [op.Copy(groups=per_sample // rows, rows=rows, channels=run)]


def _operators(name, inputs, outputs, args):  # noqa: PLR0911, PLR0912
    x = inputs[0] if inputs else outputs[0]
    shape = tuple(x.shape)
    out = outputs[0] if outputs else x
    if out.numel() < BATCH and name != "attention":
        return []
    if name == "convolution":
        (c_out, per_group, kernel_height, kernel_width), groups = inputs[1].shape, args[8]
        if max(args[5]) > 1 or args[3][0] != args[3][1]:
            raise InputError("dilated, or two strides")
        convolution = op.PlainConvolution(
            c_in=per_group * groups, c_out=c_out, height=shape[2], width=shape[3], kernel_height=kernel_height,
            kernel_width=kernel_width, stride=args[3][0], padding_height=args[4][0], padding_width=args[4][1],
            groups=groups,
        )  # fmt: skip
        return [convolution, *([op.ChannelScale(**_map(out.shape))] if len(inputs) > 2 else [])]
    if name in ("native_batch_norm", "cudnn_batch_norm", "_native_batch_norm_legit_no_training"):
        return [op.BatchNorm(**_map(shape))]
    if name in ("max_pool2d_with_indices", "avg_pool2d"):
        kernel, stride, padding = args[1], (args[2:3] or [None])[0] or args[1], (args[3:4] or [[0]])[0]
        return [op.Pool(**_map(shape), kernel=kernel[0], stride=stride[0], padding=padding[0], maximum=name[0] == "m")]
    if name in ("addmm", "mm"):
        a, b = inputs[-2:]
        if a.shape[0] % BATCH:
            raise InputError("rows are no samples")
        return [op.Linear(tokens=a.shape[0] // BATCH, c_in=a.shape[1], c_out=b.shape[1])]
    if name in ("bmm", "baddbmm"):
        a, b = inputs[-2:]
        return [
            op.MatrixProduct(groups=max(a.shape[0] // BATCH, 1), rows=a.shape[1], inner=a.shape[2], columns=b.shape[2])
        ]
    if name == "attention":
        q, k = inputs[0].shape, inputs[1].shape
        return [op.Attention(heads=math.prod(q[:-2]) // BATCH, queries=q[-2], keys=k[-2], channels=q[-1])]
    if name == "native_layer_norm":
        return [*_unfolded(x), op.LayerNorm(**_rows(shape))]
    if name == "native_group_norm":
        return [op.LayerNorm(rows=1, channels=max(x.numel() // BATCH, 1)), *_unfolded(x)]
    if name in ("_softmax", "_safe_softmax"):
        return [op.Softmax(**_rows(shape))]
    if name in AVERAGES:
        return [op.GlobalPool(**_map(shape if len(shape) == 4 else (shape[0], shape[-1], math.prod(shape[1:-1]), 1)))]
    if name in ONE_READ or (name in TWO_READ and len([t for t in inputs if t.dim()]) < 2):
        return [_element_wise(op.ElementWise, out)]
    if name in TWO_READ:
        same = [t for t in inputs if t.numel() == out.numel()]
        if len(same) > 1:
            return [_element_wise(op.TokenAdd, out)]
        form = (
            tuple(out.shape)
            if out.dim() == 4 and out.stride(1) == 1
            else (out.shape[0], out.shape[-1], math.prod(out.shape[1:-1]))
        )
        return [op.ChannelScale(**_map(form))]
    if name in MOVED:
        copy = _unfolded(x, out) if name in ("clone", "copy_") else []
        return copy or [op.Copy(**_rows(tuple(out.shape)))]
    raise InputError("is no operator that is timed")


def main(path):
    unique = {}
    for name in FITTED.split():
        try:
            found, unknown = operators(load(name))
        except Exception as problem:
            print(f"{name}: {type(problem).__name__}: {problem}", file=sys.stderr)
            continue
        print(name, len(found), dict(unknown))
        unique |= dict.fromkeys(found)
    classes = {}
    for each in sorted(unique, key=repr):
        classes.setdefault(op.operator_class(each), []).append(each)
    draw, kept = random.Random(0), []
    for name, members in classes.items():
        most = KEPT.get(name, KEPT_OF_OTHERS)
        kept += draw.sample(members, min(most, len(members)))
        print(f"{name}: {min(most, len(members))} of {len(members)}")
    rows = [row_of(each, Static()) for each in kept]
    columns = [
        name
        for name in ("target", *SHAPE_COLUMNS, *LAYER_COLUMNS)
        if any(row.get(name) not in (None, "", 1.0) for row in rows)
    ]
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore", restval="")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main(sys.argv[1])
