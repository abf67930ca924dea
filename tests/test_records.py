"""Records: always checked, never with a value left over from before a change, and errors that stay short."""

import copy

import pytest

import latpred
from latpred import Bottleneck, Channel, Layer, Spatial, Token

BLOCK = latpred.load_block("r50-stage1")
TX2 = latpred.load_profile("tx2")


def test_nothing_computed_of_the_old_record_survives_a_change():
    network = latpred.load_network("resnet50")
    small = latpred.predict(network, TX2)  # computes the blocks and maps of 224×224
    large = network.replace(image_size=(448, 448))
    assert large.maps == ((112, 112), (56, 56), (28, 28), (14, 14))
    assert (
        latpred.predict(large, TX2).latency_s
        == latpred.predict(latpred.load_network("resnet50", image_size=(448, 448)), TX2).latency_s
    )
    assert latpred.predict(large, TX2).latency_s > 3 * small.latency_s  # four times the pixels


@pytest.mark.parametrize(
    "change",
    [
        lambda record, **fields: record.replace(**fields),
        lambda record, **fields: record.model_copy(update=fields),
    ],
)
def test_a_change_is_checked(change):
    with pytest.raises(latpred.NetworkError, match=r"^hight: unknown field; did you mean height\?$"):
        change(BLOCK, hight=3)
    with pytest.raises(latpred.ProfileError, match=r"^pes: must be at least 1, got -1$"):
        change(TX2, pes=-1)
    with pytest.raises(latpred.NetworkError, match=r"^c_out=30 is no multiple of bottleneck_ratio=4$"):
        change(BLOCK, c_out=30)
    assert change(BLOCK, stride=2) == Bottleneck(**{**dict(BLOCK), "stride": 2})


def test_a_change_keeps_what_was_given_and_no_more():
    gate = Layer(r=0.5, masker="pooled", hidden=8)
    assert gate.replace(r=0.25) == Layer(r=0.25, masker="pooled", hidden=8)
    assert Layer(r=0.5).replace(r=0.25).model_fields_set == {"r"}  # `hidden` was never given, so it needs no gate
    assert copy.copy(BLOCK) == BLOCK == BLOCK.replace()


def test_settings_by_position():
    assert (Spatial(4, 0.5), Channel(2, 0.5)) == (Spatial(S=4, r=0.5), Channel(G=2, r=0.5))
    assert (Layer(0.5), Token(0.5)) == (Layer(r=0.5), Token(r=0.5))
    assert Spatial([4, 4, 2, 1], r=0.5) == Spatial(S=(4, 4, 2, 1), r=0.5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: latpred.HardwareProfile("v100"),
            "HardwareProfile: takes fields by name, as in field=value; got 'v100'",
        ),
        (
            lambda: Spatial(4, 0.5, ("masker",)),
            "Spatial: S, r may come first without names, then fields by name, as in field=value; got ('masker',)",
        ),
        (lambda: Spatial(4, S=4, r=0.5), "Spatial: S given twice, with and without the name"),
        (lambda: Spatial(S=None, r=0.5), "S: must be a whole number, got nothing"),
        (
            lambda: TX2.replace(title="x" * 10_000, pes="y" * 10_000),
            f"pes: must be a whole number, got '{'y' * 55}… (10,000 characters)",
        ),
        (lambda: TX2.replace(pes=10**5000), "pes: must be at most 1e+15, got a number of about 5,000 digits"),
        (
            lambda: TX2.replace(datasheet={"clock": 1e9, "source": ""}),
            "datasheet clock: unknown field; did you mean clock_hz?",
        ),
        (
            lambda: latpred.load_network("resnet50").replace(stages=[{"c_in": 64, "c_out": 64, "blocs": 3}]),
            "stages 1 blocks: missing; stages 1 blocs: unknown field; did you mean blocks?",
        ),
        (lambda: BLOCK.replace(**{"x" * 10_000: 1}), f"{'x' * 60}…: unknown field"),
    ],
)
def test_what_is_wrong_is_one_short_line(make, message):
    with pytest.raises(latpred.InputError) as caught:
        make()
    assert str(caught.value) == message


def test_of_many_problems_some_are_told_and_the_rest_counted():
    with pytest.raises(latpred.InputError) as caught:
        BLOCK.replace(**{f"key{number}": 1 for number in range(500)})
    assert str(caught.value).startswith("key0: unknown field; key1: unknown field; ")
    assert str(caught.value).endswith("; key11: unknown field; and 488 more problems")


def test_a_record_is_not_changed_in_place():
    for change in (lambda: setattr(TX2, "pes", 4), lambda: delattr(TX2, "pes")):
        with pytest.raises(latpred.ProfileError, match=r"^HardwareProfile is not changed in place; replace\(pes=…\)"):
            change()
    with pytest.raises(latpred.InputError, match=r"^Spatial is not changed in place; replace\(S=…\)"):
        Spatial(4, 0.5).S = 2


def test_lists_nested_without_end():
    nested = []
    for _ in range(100_000):
        nested = [nested]
    with pytest.raises(latpred.InputError, match="nested too deeply"):
        Spatial(S=nested, r=0.5)
