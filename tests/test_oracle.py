"""The vectorised published model equals plain loops over the same equations (tests/oracle.py), tile for tile."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

import latpred
from latpred.models.interface import cost_model
from tests import oracle
from tests.strategies import batches, blocks, paradigms, profiles, rates

channels, edges, patch_edges = st.integers(1, 40), st.integers(1, 18), st.integers(1, 6)
maps = {"channels": channels, "height": edges, "width": edges}
patches = {**maps, "S": patch_edges, "r": rates}


def convolutions(**more):
    """Arguments of a convolution: channels that its groups divide, a map that its stride fits."""
    shape = st.tuples(st.sampled_from([1, 2, 4]), st.integers(1, 10), st.integers(1, 10), st.sampled_from([1, 2]))

    def arguments(drawn):
        groups, inputs, outputs, stride = drawn
        fixed = {"groups": groups, "c_in": groups * inputs, "c_out": groups * outputs, "stride": stride}
        pixels = edges.map(lambda edge: edge + stride - 1)
        drawn_too = {"height": pixels, "width": pixels, "kernel": st.sampled_from([1, 3]), **more}
        return st.fixed_dictionaries(drawn_too).map(lambda others: {**fixed, **others})

    return shape.flatmap(arguments)


NAMES = {"input_rate": "r_in", "output_rate": "r_out"}
CASES = {
    latpred.Convolution: (oracle.channel_conv, convolutions(input_rate=rates, output_rate=rates)),
    latpred.PatchConvolution: (
        oracle.dynamic_conv,
        convolutions(S=patch_edges, r=rates, indexed=st.booleans(), input_rate=rates, output_rate=rates),
    ),
    latpred.MaskerConvolution: (
        oracle.masker_conv1,
        st.fixed_dictionaries(
            {"c_in": channels, "c_out": channels, "height": edges, "width": edges, "S": patch_edges, "r": rates}
        ),
    ),
    latpred.Add: (oracle.add, st.fixed_dictionaries(maps)),
    latpred.ChannelScale: (oracle.multiply, st.fixed_dictionaries(maps)),
    latpred.ScatterAdd: (oracle.scatter_add, st.fixed_dictionaries(patches)),
    latpred.Gather: (oracle.gather, st.fixed_dictionaries({**patches, "pad": st.integers(0, 2)})),
    latpred.Scatter: (oracle.gather, st.fixed_dictionaries({**patches, "pad": st.integers(0, 2)})),
    latpred.AveragePool: (
        oracle.avg_pool,
        st.fixed_dictionaries({**maps, "out_height": st.integers(1, 4), "out_width": st.integers(1, 4)}),
    ),
    latpred.GlobalPool: (oracle.global_pool, st.fixed_dictionaries(maps)),
    latpred.PatchGlobalPool: (oracle.dynamic_pool, st.fixed_dictionaries(patches)),
    latpred.FullyConnected: (oracle.fc, st.fixed_dictionaries({"c_in": channels, "c_out": channels})),
}


def machine(profile):
    return oracle.Machine(
        pes=profile.pes,
        lanes=profile.fp32_lanes_per_pe,
        clock_hz=profile.clock_hz,
        dram_bandwidth=profile.dram_bandwidth,
        l2_ratio=profile.l2_bandwidth_ratio,
        kernel_s=profile.kernel_s,
        cycles_in_flight=profile.cycles_in_flight,
        transaction=profile.transaction_elements,
        overlap=profile.overlap,
    )


def exactly(value):
    return pytest.approx(value, rel=1e-9, abs=0)


@pytest.mark.parametrize("kind", CASES, ids=lambda kind: kind.__name__)
@given(data=st.data(), profile=profiles, batch=batches)
def test_an_operator_costs_what_the_loops_say(kind, data, profile, batch):
    slow, arguments = CASES[kind]
    fields = data.draw(arguments)
    if "input_rate" in fields and fields["groups"] == fields.get("c_in") == fields.get("c_out"):
        fields["output_rate"] = fields["input_rate"]  # one mask for every channel's own filter
    expected = slow(machine(profile), batch, **{NAMES.get(name, name): value for name, value in fields.items()})
    found = cost_model("published", profile).cost(kind(**fields), batch)
    assert found.latency_s == exactly(expected.latency_s)
    assert found.compute_s == exactly(expected.compute_s)
    assert found.memory_s == exactly(expected.memory_s)
    if expected.tile and found.tiling:  # where nothing is active no tile is told
        assert found.tiling.tile == expected.tile


def oracle_block(profile, batch, block, paradigm):
    shape = ("c_in", "c_out", "bottleneck_ratio", "height", "width", "stride", "groups", "se")
    settings = {name: value for name, value in paradigm if name in ("S", "G", "r")} | {"paradigm": paradigm.name}
    return oracle.block(machine(profile), batch, **{name: getattr(block, name) for name in shape}, **settings)


@given(data=st.data(), profile=profiles, batch=batches, block=blocks())
def test_a_block_costs_what_the_loops_say(data, profile, batch, block):
    paradigm = data.draw(paradigms(block, rates))
    report = latpred.predict(block, profile, paradigm, batch=batch)
    assert report.latency_s == exactly(oracle_block(profile, batch, block, paradigm))
    assert report.static_latency_s == exactly(oracle_block(profile, batch, block, latpred.Static()))


def test_large_batches_of_a_transformer_are_no_mistake():
    network, v100 = latpred.load_network("t2t-vit-19"), latpred.load_profile("v100")
    times = [latpred.predict(network, v100, batch=batch).latency_s for batch in (128, 4096)]
    assert 24 < times[1] / times[0] < 33  # 32 times the images


def test_channels_are_skipped_among_a_hundred_thousand_at_most():
    with pytest.raises(latpred.InputError, match="channels can be skipped among 100,000, not among 1,000,000"):
        latpred.Convolution(c_in=64, c_out=10**6, height=8, width=8, output_rate=0.5)


def test_large_operators_do_not_overflow():
    shape = {"c_in": 10**5, "c_out": 10**5, "height": 10**4, "width": 10**4, "kernel": 3}  # 9e18 multiply-adds a row
    profile = latpred.load_profile("v100")
    expected = oracle.conv(machine(profile), 128, **shape, groups=1, stride=1)
    assert latpred.predict(latpred.Convolution(**shape), profile, batch=128).latency_s == exactly(expected.latency_s)
