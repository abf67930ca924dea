"""A cost model heeds every field of an operator, or refuses it: what is accepted and ignored is a wrong answer."""

from dataclasses import fields
from itertools import combinations

import numpy as np
import pytest

import latpred
from latpred.models.interface import cost_model
from latpred.workloads import operators as op

V100, H200 = latpred.load_profile("v100"), latpred.load_profile("h200")
MODELS = {
    "published": cost_model("published", V100),
    "roofline": cost_model("roofline", V100),
    "triton": cost_model("calibrated", H200, library="triton"),
    "triton, fp16": cost_model("calibrated", H200, library="triton", precision="fp16"),
    "tensorrt": cost_model("calibrated", V100, library="tensorrt"),
    "tensorrt, fp16": cost_model("calibrated", V100, library="tensorrt", precision="fp16"),
}
#: Values of a field by its name, else by its type; the first is that of the plain operator, the others are all tried.
#: Three tenths of four groups are two, of sixteen five.
VALUES = {
    "kernel": (1, 3, 5),
    "stride": (1, 2),
    "groups": (1, 2, 64),
    "input_rate": (1.0, 0.3),
    "output_rate": (1.0, 0.3),
    "channel_group": (None, 16, 4),
    "S": (4, 3, 7),
    "edge": (6, 8, 5),
    "count": (40, 30, 17),
    "dilation": (1, 2),
    "r": (0.6, 1.0, 0.05),
    "rate": (1.0, 0.3),
    "kernel_height": (1, 3, 5),
    "kernel_width": (1, 3, 5),
    "Border": (0, 1),
    "Count": (64, 128, 100),
    "bool": (False, True),
}
BATCHES = (1, 6)
#: What a model rightly does not heed, and why.
BY_MEANING = {
    (
        "LayerMasker",
        "c_out",
        "roofline",
    ): "one channel of mask; the convolution that it is fused into is a row of its own",
    ("HaloConvolution", "indexed", "roofline"): "as of patches without a border",
    **{
        ("HaloConvolution", edge, library): "the patches are what is read; their map is a bound that few reach"
        for edge in ("height", "width")
        for library in ("roofline", "triton")
    },
    ("PatchConvolution", "indexed", "roofline"): "a bound for any kernels, those that read no pixel twice among them",
    ("Pool", "maximum", "roofline"): "as many bytes, and no multiply-adds",
    ("MaskerConvolution", "S", "triton"): "the kernel computes every pixel, whatever is active",
    ("MaskerConvolution", "r", "triton"): "the kernel computes every pixel, whatever is active",
}


def _one_border_for_all(operator):
    """A pixel alone has no border, and patches that are all on are the map."""
    return (operator.kernel, operator.stride) == (1, 1) or operator.r == 1


def _patches_are_all_it_reads(operator):
    """Of the map it was cut out of, only a bound on what is counted is left."""
    return not operator.indexed or (operator.kernel, operator.stride) == (1, 1)


def _fused_is_cheaper(operator):
    """The fused kernel computes every pixel (MODEL §5)."""
    return costs(MODELS["published"], operator) == costs(MODELS["published"], operator.fused)


#: When a field has no meaning.
NO_MEANING = {
    ("PatchConvolution", "indexed"): _one_border_for_all,
    ("HaloConvolution", "height"): _patches_are_all_it_reads,
    ("HaloConvolution", "width"): _patches_are_all_it_reads,
    ("HaloConvolution", "stride"): _patches_are_all_it_reads,
    ("HaloConvolution", "indexed"): lambda operator: (operator.kernel, operator.stride) == (1, 1),
    ("PlainConvolution", "dilation"): lambda operator: operator.kernel_height == operator.kernel_width == 1,
    ("MaskerConvolution", "S"): _fused_is_cheaper,
    ("MaskerConvolution", "r"): _fused_is_cheaper,
}
#: Operators that each model has equations for; the other models have them for all.
TRITON = (
    "Convolution PatchConvolution HaloConvolution MaskerConvolution FullyConnected Add ScatterAdd PatchGlobalPool "
    "PatchChannelScale AveragePool GlobalPool ChannelScale MaskCompaction"
)
KNOWN = {"triton": TRITON.split(), "tensorrt": ["Convolution"]}
#: Those of static networks.
LAYERS = ["BatchNorm", "Pool", "Attention", "Copy"]
UNKNOWN_TO_THE_PAPERS = ["PatchChannelScale", "MaskCompaction", *LAYERS]


def operators(kind=op.Operator):
    """Every class of operators that can be made."""
    for found in kind.__subclasses__():
        if not found.__name__.startswith("_") and found is not op.ActivePatches:
            yield found
        yield from operators(found)


KINDS = sorted(set(operators()), key=lambda kind: kind.__name__)


def values(field):
    return VALUES[field.name] if field.name in VALUES else VALUES[field.type]


def made(kind, changes):
    """An operator with plain values and some others; None where they make none."""
    try:
        return kind(**{field.name: changes.get(field.name, values(field)[0]) for field in fields(kind)})
    except latpred.InputError:
        return None


def examples(kind):
    """The plain operator, and those that differ from it in one field or two."""
    others = [(field.name, value) for field in fields(kind) for value in values(field)[1:]]
    pairs = [dict(pair) for count in (0, 1, 2) for pair in combinations(others, count)]
    return {operator for changes in pairs if (operator := made(kind, changes))}


def costs(model, operator):
    """The times in a batch of one and of several; None for what is refused."""
    try:
        return [tuple(map(float, model.cost(operator, batch)[:5])) for batch in BATCHES]
    except latpred.InputError:
        return None


def changed(operator, field):
    """The operators that differ in one field."""
    for value in values(field):
        if value != getattr(operator, field.name):
            try:
                yield operator.replace(**{field.name: value})
            except latpred.InputError:
                continue


def library(model):
    return model.partition(",")[0]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_model_heeds_a_field_or_refuses_it(kind, model):
    found = {operator: cost for operator in examples(kind) if (cost := costs(MODELS[model], operator))}
    name = kind.__name__
    for field in fields(kind):
        if (name, field.name, library(model)) in BY_MEANING:
            continue
        has_no_meaning = NO_MEANING.get((name, field.name), lambda operator: False)
        meant = [operator for operator in found if not has_no_meaning(operator)]
        assert bool(meant) == bool(found)
        for operator in meant:
            others = list(filter(None, (costs(MODELS[model], other) for other in changed(operator, field))))
            assert not others or any(other != found[operator] for other in others), (field.name, operator)
    known = KNOWN.get(library(model), [each.__name__ for each in KINDS])
    refused = UNKNOWN_TO_THE_PAPERS if model == "published" else []
    assert bool(found) == (name in known and name not in refused)


@pytest.mark.parametrize(("name", "field", "model"), BY_MEANING)
def test_what_is_said_not_to_matter_does_not(name, field, model):
    kind = getattr(op, name)
    (field,) = (each for each in fields(kind) if each.name == field)
    for operator in (made(kind, {}), made(kind, {"height": 100})):
        for other in changed(operator, field):
            assert costs(MODELS[model], other) == costs(MODELS[model], operator)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_stack_costs_what_its_operators_do(kind, model):
    """Stacks have rates and groups of channels in common; everything else differs."""
    common = ("rate", "input_rate", "output_rate", "r", "channel_group")
    stacks = {}
    for operator in examples(kind):
        if costs(MODELS[model], operator):
            stacks.setdefault(tuple(getattr(operator, name, None) for name in common), []).append(operator)
    for members in (sorted(stack, key=str) for stack in stacks.values()):
        for batch in BATCHES:
            found = MODELS[model].cost(op.stack(members), batch)
            single = [MODELS[model].cost(each, batch) for each in members]
            for part in range(5):
                expected = [float(cost[part]) for cost in single]
                assert np.broadcast_to(found[part], len(members)) == pytest.approx(expected, rel=1e-12)
