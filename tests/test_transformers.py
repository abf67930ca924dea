"""Vision transformers: MACs of the papers, shapes by hand, and MODEL §7 from the plain loops of the oracle."""

import math

import pytest

import latpred
from latpred import Head, Joint, Layer, Token, predict
from latpred.models.interface import cost_model
from latpred.workloads import operators as tok
from latpred.workloads.lowering import PUBLISHED
from tests import oracle

V100, TX2 = latpred.load_profile("v100"), latpred.load_profile("tx2")
T2T = latpred.load_network("t2t-vit-19")


def machine(profile):
    p = profile
    return oracle.Machine(p.pes, p.fp32_lanes_per_pe, p.clock_hz, p.dram_bandwidth, p.l2_bandwidth_ratio, p.kernel_s)


@pytest.mark.parametrize(
    ("name", "published"), [("deit-s", 4.6e9), ("deit-b", 17.5e9), ("vit-b", 17.5e9), ("t2t-vit-19", 8.5e9)]
)
def test_macs_of_the_papers(name, published):
    """Within 0.5 %: the papers give two or three digits."""
    assert predict(latpred.load_network(name), TX2).macs == pytest.approx(published, rel=0.005)


@pytest.mark.parametrize(("name", "d"), [("deit-s", 384), ("deit-b", 768)])
def test_macs_by_hand(name, d):
    """Embedding 196·768·d; per block 4·197·d² + 2·197²·d + 2·197·d·4d; classifier 1000·d."""
    block = 4 * 197 * d**2 + 2 * 197**2 * d + 2 * 197 * d * 4 * d
    assert predict(latpred.load_network(name), TX2).macs == 196 * 768 * d + 12 * block + 1000 * d


def t2t_macs_by_hand():
    """MODEL §8, line by line, o = 64 and m = 32."""

    def performer(L, i):
        features = 2 * L * 64 * 32 + L * 32
        return L * i * 192 + features + 64 * L * 32 + L * 32 * 64 + 3 * L * 64 * 64

    d = 448
    block = 4 * 197 * d**2 + 2 * 7 * 197**2 * 64 + 2 * 197 * d * 3 * d
    return performer(3136, 147) + performer(784, 576) + 196 * 576 * d + 19 * block + 1000 * d


def test_t2t_macs_by_hand():
    assert predict(T2T, TX2).macs == t2t_macs_by_hand()


def operators(network, paradigm, number=1):
    return {step.name: step.operator for step in network.lower(paradigm, PUBLISHED).steps if step.block == number}


def test_kept_tokens_and_heads_by_hand():
    """⌊197·0.5⌋ = 98 tokens; ⌊7·3/7 + 1e-9⌋ = 3 heads, round(448·3/7) = 192 channels."""
    found = operators(T2T, Joint(Token(r=0.5), Head(r=3 / 7)))
    assert found["scores"] == tok.MatrixProduct(groups=3, rows=98, inner=64, columns=98)
    assert found["mixing"] == tok.MatrixProduct(groups=3, rows=98, inner=98, columns=64)
    assert (found["query"].tokens, found["query"].kept_in, found["query"].kept_out) == (197, 448, 192)
    assert (found["projection"].tokens, found["projection"].kept_in, found["projection"].kept_out) == (98, 192, 192)
    assert (found["fc1"].tokens, found["fc1"].kept_in, found["fc1"].kept_out) == (98, 192, 1344)
    assert found["add1"] == tok.TokenAdd(rows=98, channels=192)
    assert found["add2"] == tok.TokenAdd(rows=98, channels=448)
    assert (found["token policy"].tokens, found["token policy"].kept_in) == (197, 192)
    assert found["head policy"] == tok.Linear(tokens=1, c_in=448, c_out=7)
    assert "layer policy" not in found


@pytest.mark.parametrize("heads", range(1, 8))
def test_a_rate_of_sevenths_keeps_as_many_heads(heads):
    for rate in (heads / 7, heads * (1 / 7), 1 - (7 - heads) / 7):
        assert operators(T2T, Head(r=rate))["scores"].groups == heads
    just_below = heads / 7 - 1e-6
    if heads > 1:
        assert operators(T2T, Head(r=just_below))["scores"].groups == heads - 1


def test_layer_rates_weight_the_two_halves():
    skipped = predict(T2T, TX2, Layer(attention_r=0.6, mlp_r=0.8))
    rows = {row.name: row.executions for row in skipped.operators if row.block == 1}
    assert {rows[name] for name in ("norm1", "query", "scores", "softmax", "projection", "add1")} == {0.6}
    assert {rows[name] for name in ("norm2", "fc1", "gelu", "fc2", "add2")} == {0.8}
    assert rows["layer policy"] == 1.0
    assert predict(T2T, TX2, Layer(r=0.6)).operators == predict(T2T, TX2, Layer(attention_r=0.6, mlp_r=0.6)).operators


def test_a_layer_part_at_rate_one_adds_its_policy_and_nothing_else():
    for other in (Token(r=0.5), Head(r=0.5), Joint(Token(r=0.5), Head(r=0.5))):
        joint, without = (predict(T2T, TX2, paradigm) for paradigm in (Joint(*other.parts, Layer(r=1.0)), other))
        policy = [row for row in joint.operators if row.name == "layer policy"]
        assert len(policy) == 19
        assert [row for row in joint.operators if row.name != "layer policy"] == list(without.operators)


@pytest.mark.parametrize(
    ("paradigm", "message"),
    [
        (Head(r=0.14), "a head rate of 0.14 keeps no head of 7; give at least 0.1429"),
        (Head(r=0.0), "keeps no head"),
        (Token(r=0.005), "keeps no token of 197"),
        (Token(r=(0.5, 0.6)), r"r has 2 values; give one, 1 \(per stage\) or 19 \(per block\)"),
    ],
)
def test_rates_that_keep_nothing(paradigm, message):
    with pytest.raises(latpred.InputError, match=message):
        predict(T2T, TX2, paradigm)


def test_break_even_stays_where_something_is_kept():
    assert 1 / 7 <= (predict(T2T, TX2, Head(r=0.5)).break_even_rate or 1 / 7) <= 1
    assert 0 < predict(T2T, TX2, Token(r=0.5)).break_even_rate < 1


@pytest.mark.parametrize(("size", "tokens"), [((224, 224), 197), ((384, 384), 577), ((800, 1333), 50 * 84 + 1)])
@pytest.mark.parametrize("name", ["deit-s", "t2t-vit-19"])
def test_other_image_sizes(name, size, tokens):
    """⌈H/16⌉·⌈W/16⌉ + 1 tokens; edges that 16 does not divide are noted."""
    network = latpred.load_network(name, size)
    assert network.tokens == tokens
    notes = predict(network, TX2).notes
    assert bool(notes) == (size == (800, 1333))
    assert all("50×84 are counted" in note for note in notes)


# --- MODEL §7: the oracle's loops with shapes by hand


def matmul(m, R, K, L):
    """A dense 1×1 convolution on h × w pixels, h = round(√R), w = round(R/h)."""
    h = round(math.sqrt(R))
    return oracle.conv(m, 1, c_in=K, c_out=L, height=h, width=round(R / h), kernel=1, stride=1, groups=1).latency_s


def reduced(m, rows, n):
    """The global pool of SE with h = w = ⌈√n⌉ and a channel per row, without its launch."""
    edge = math.ceil(math.sqrt(n))
    return oracle.global_pool(m, 1, channels=rows, height=edge, width=edge).latency_s - m.kernel_s


def elementwise(m, c, h, w):
    return oracle.add(m, 1, channels=c, height=h, width=w).latency_s


CASES = {
    "linear": (tok.Linear(tokens=197, c_in=48, c_out=7), lambda m, B: matmul(m, B * 197, 48, 7)),
    "rates": (
        tok.Linear(tokens=20, c_in=49, c_out=7, input_rate=0.5, output_rate=0.5),
        lambda m, B: matmul(m, B * 20, 24, 4),  # 24.5 and 3.5, half to even
    ),
    "product": (
        tok.MatrixProduct(groups=3, rows=11, inner=16, columns=13),
        lambda m, B: matmul(m, B * 3 * 11, 16, 13),
    ),
    "element-wise": (tok.ElementWise(rows=11, channels=24), lambda m, B: elementwise(m, 24, B, 11)),
    "token add": (tok.TokenAdd(rows=11, channels=24), lambda m, B: elementwise(m, B, 11, 24)),
    "layer norm": (
        tok.LayerNorm(rows=11, channels=24),
        lambda m, B: 2 * reduced(m, B * 11, 24) + 2 * (elementwise(m, 24, B, 11) - m.kernel_s) + m.kernel_s,
    ),
    "softmax": (
        tok.Softmax(groups=3, rows=11, channels=11),
        lambda m, B: 2 * reduced(m, B * 33, 11) + 2 * (elementwise(m, 11, 3 * B, 11) - m.kernel_s) + m.kernel_s,
    ),
    "unfold": (
        tok.Unfold(elements_in=150, elements_out=700),
        lambda m, B: B * (850 / m.beta + 2 * 700 / m.beta2) + m.kernel_s,
    ),
}


@pytest.mark.parametrize("profile", [V100, TX2], ids=lambda profile: profile.name)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_operators_are_those_of_the_loops(name, batch, profile):
    operator, by_hand = CASES[name]
    found = cost_model("published", profile).cost(operator, batch)
    assert found.latency_s == pytest.approx(by_hand(machine(profile), batch), rel=1e-9)
    assert found.launch_s == profile.kernel_s
    assert found.compute_s + found.memory_s + found.launch_s == pytest.approx(found.latency_s, rel=1e-12)


@pytest.mark.parametrize(
    ("network", "device", "milliseconds"),
    [("deit-b", "v100", 3.420), ("deit-s", "v100", 1.155), ("deit-b", "rtx3060", 4.903), ("deit-s", "rtx3060", 1.776)],
)
def test_deit_takes_what_the_papers_figure_shows(network, device, milliseconds):
    # LAUDNet (arXiv 2308.15949), static DeiT points of the main figure, digitised to half a pixel (0.0016 ms on V100).
    report = latpred.predict(latpred.load_network(network), latpred.load_profile(device), batch=128)
    assert report.latency_per_image_s * 1e3 == pytest.approx(milliseconds, rel=2e-3)


def test_additions_of_tokens_are_cut_in_their_own_order():
    """The batch's sequences, tokens and channels of a sum; channels, sequences and rows of all else (MODEL §7)."""
    model = cost_model("published", latpred.load_profile("v100"))
    shape = {"groups": 3, "rows": 5, "channels": 7}
    assert model.cost(tok.TokenAdd(**shape), 2).tiling.extents == (2 * 3, 5, 7)
    assert model.cost(tok.ElementWise(**shape), 2).tiling.extents == (7, 2 * 3, 5)
