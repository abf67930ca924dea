"""A prediction heeds every field of a block, a network and a paradigm, or refuses it, whatever the cost model."""

from functools import cache
from itertools import product
from types import NoneType
from typing import Literal, get_args, get_origin

import pytest

import latpred
from latpred import Channel, Head, Joint, Layer, Spatial, Static, Token, Width
from latpred.errors import InputError
from latpred.models.interface import MODELS
from latpred.records import Record
from latpred.workloads.networks import Stage, Stem
from latpred.workloads.paradigms import Paradigm

H200 = latpred.load_profile("h200")
BLOCK = latpred.Bottleneck(c_in=64, c_out=256, height=14, width=14)
NETWORK = latpred.Network(
    name="two-stages",
    image_size=(112, 96),
    stem=Stem(c_out=64, kernel=3, stride=2, pool=True),
    bottleneck_ratio=2,
    include=("stem", "head"),
    stages=(Stage(c_in=64, c_out=128, blocks=2), Stage(c_in=128, c_out=256, blocks=3, stride=2)),
)
FIRST, SECOND = NETWORK.stages
TRANSFORMER = latpred.VisionTransformer(name="small", image_size=(112, 96), dim=256, heads=4, depth=2)
#: One of each kind of target; a network's stem and head are included, which else count only where they are named.
TARGETS = {type(target): target for target in (BLOCK, NETWORK.stage(2), NETWORK, TRANSFORMER)}
#: What runs at a share of its width.
NARROW = (NETWORK, NETWORK.stage(2))
#: What a thing is called, where it comes from, and the network that a stage is cut out of.
NAMES = {"name", "title", "aliases", "source", "kind", "network", "unread", "remarks"}
#: Fields that no target takes another value of unless a second one changes, too.
TOGETHER = {
    type(NETWORK): {"stem c_out", "stages 1 c_in", "stages 1 c_out", "stages 2 c_in"},
    type(TRANSFORMER): {"dim", "heads", "head_dim"},
}
#: The paradigms to try a target under.
PARADIGMS = (Static(), Spatial(S=4, r=0.6), Channel(G=4, r=0.6), Layer(r=0.6), Token(r=0.6), Head(r=0.6))
#: Values of settings; every combination is tried.
SETTINGS = {
    "S": (4, 2, 7),
    "G": (4, 2, 8),
    "r": (0.6, 0.25, 1.0),
    "attention_r": (0.6, 0.25),
    "mlp_r": (0.6, 0.25),
    "powers": ((0, 1), (1, 1), (1, 2)),
    "hidden": (16, 5),
    "unfuse": ((), ("masker",), ("gather",), ("scatter",)),
    "members": (
        (Spatial(S=4, r=0.6),),
        (Layer(r=0.6), Spatial(S=4, r=0.6)),
        (Token(r=0.6),),
        (Token(r=0.6), Head(r=0.6)),
    ),
}


def kinds(kind):
    for found in kind.__subclasses__():
        yield found
        yield from kinds(found)


def widened(record, field):
    """Twice as many channels."""
    return record.replace(**{field: 2 * getattr(record, field)})


def own(kind):
    """Latpred's own classes that have a name, not those of tests that ran before."""
    named = (found for found in kinds(kind) if found.__module__.startswith("latpred.") and "name" in vars(found))
    return sorted(set(named), key=str)


def choices(name, field):
    """Values of a field of a paradigm by its name, else by its type."""
    kind = field.annotation
    kinds = get_args(kind) if NoneType in get_args(kind) else (kind,)
    if name in SETTINGS:
        return SETTINGS[name] + ((None,) if NoneType in kinds else ())
    return get_args(kind) if get_origin(kind) is Literal else {bool: (False, True)}[kind]


@cache
def predicted(target, paradigm, model):
    """The executions and times of every operator; None for what is refused."""
    try:
        report = latpred.predict(target, H200, paradigm, batch=6, model=model)
    except InputError:
        return None
    return tuple(row[3:8] for row in report.operators)


def settings(kind):
    """Every paradigm of a kind that can be made of the values."""
    for values in product(*(choices(*field) for field in kind.model_fields.items())):
        given = dict(zip(kind.model_fields, values, strict=True))
        if kind is Layer and given["masker"] != "pooled" and given["hidden"] == 16:
            given.pop("hidden")
        try:
            yield kind(**given)
        except InputError:
            continue


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: type(target).__name__)
@pytest.mark.parametrize("kind", own(Paradigm), ids=lambda kind: kind.__name__)
def test_a_paradigm(kind, target, model):
    found = {paradigm: answer for paradigm in settings(kind) if (answer := predicted(target, paradigm, model))}
    for name, paradigm in product(kind.model_fields, found):
        others = [
            answer
            for other, answer in found.items()
            if all(
                (getattr(other, field) == getattr(paradigm, field)) == (field != name) for field in kind.model_fields
            )
        ]
        assert not others or any(other != found[paradigm] for other in others), (name, paradigm)
    fits = kind in (Static, Joint) or kind.name in target.paradigms or (kind is Width and target in NARROW)
    assert bool(found) == (fits and has_equations(target, model))


def has_equations(target, model):
    return model != "calibrated" or target is not TRANSFORMER


def replaced(record, name, values):
    """The records that differ in a field, as far as they can be made."""
    for value in values:
        try:
            yield record.replace(**{name: value})
        except InputError:
            continue


def changes(record):
    """Every field that is more than a name, with records that differ in it; of the records inside it as well.

    Settings that a stage does not have, and layers, have tests of their own.
    """
    for name, field in type(record).model_fields.items():
        value = getattr(record, name)
        if name in NAMES or is_layers(value, field) or (isinstance(record, Stage) and value is None):
            continue
        if isinstance(value, Record):
            for inner, others in changes(value):
                yield f"{name} {inner}", list(replaced(record, name, others))
        elif isinstance(value, tuple) and value and isinstance(value[0], Record):
            for place, each in enumerate(value):
                for inner, others in changes(each):
                    put = [(*value[:place], other, *value[place + 1 :]) for other in others]
                    yield f"{name} {place + 1} {inner}", list(replaced(record, name, put))
        else:
            yield name, [other for other in replaced(record, name, others_of(value, field)) if other != record]


def is_layers(value, field):
    """Whether a field holds layers, or could: those have tests of their own."""
    return "Layer" in str(field.annotation) and not isinstance(value, Record)


def others_of(value, field):
    """Other values of a field that holds no records."""
    kinds = get_args(field.annotation) or (field.annotation,)
    if get_origin(field.annotation) is Literal:
        return kinds
    if isinstance(value, tuple) and isinstance(value[0], int):
        return [(value[0] * 2, *value[1:]), (*value[:-1], value[-1] * 2)]
    if isinstance(value, tuple):
        return [(), value[:1], value[1:]]
    if isinstance(value, bool):
        return [not value]
    if NoneType in kinds:
        return [None, 1, 16, 32]
    return [value * 2, value * 3, value // 2]


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: type(target).__name__)
def test_a_target(target, model):
    answered = {paradigm for paradigm in PARADIGMS if predicted(target, paradigm, model)}
    heeded = set()
    of_model = [change for change in changes(target) if model == "published" or "projects" not in change[0]]
    for paradigm, (name, others) in product(answered, of_model):
        tried = [answer for other in others if (answer := predicted(other, paradigm, model))]
        assert not tried or any(answer != predicted(target, paradigm, model) for answer in tried), (name, paradigm)
        heeded |= {name} if tried else set()
    names = {name for name, _ in of_model} if has_equations(target, model) else set()
    assert names - heeded == (TOGETHER.get(type(target), set()) if names else set())


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("target", "other"),
    [
        (NETWORK, NETWORK.replace(stem=widened(NETWORK.stem, "c_out"), stages=(widened(FIRST, "c_in"), SECOND))),
        (NETWORK, NETWORK.replace(stages=(widened(FIRST, "c_out"), widened(SECOND, "c_in")))),
        (TRANSFORMER, TRANSFORMER.replace(heads=8, head_dim=32)),
        (TRANSFORMER, TRANSFORMER.replace(heads=8, dim=512)),
        (TRANSFORMER, TRANSFORMER.replace(head_dim=128, dim=512)),
    ],
)
def test_fields_that_go_together(target, other, model):
    for paradigm in PARADIGMS:
        answer = predicted(target, paradigm, model)
        assert answer is None or answer != predicted(other, paradigm, model)
