"""Multiply-adds on paper: of the workload alone, equal in every model, and as counted here by hand."""

import pytest

import latpred
from latpred import Channel, Head, Joint, Layer, Spatial, Static, Token

H200 = latpred.load_profile("h200")
NETWORKS = [latpred.load_network(name).replace(name=name) for name in latpred.list_networks()]
RESIDUAL = [network for network in NETWORKS if isinstance(network, latpred.Network)]
TRANSFORMERS = [network for network in NETWORKS if network not in RESIDUAL]
BATCH = 3
#: Every paradigm of residual blocks, with each setting, and those that go together.
SKIPPED = [
    Static(),
    Spatial(S=[8, 4, 7, 1], r=0.37),
    Spatial(S=3, r=[0.9, 0.6, 0.3, 0.0]),
    Spatial(S=4, r=0.5, unfuse=("masker", "gather", "scatter")),
    Channel(G=[2, 4, 1, 8], r=0.37),
    Channel(G=1, r=[0.25, 0.5, 0.75, 1.0], masker_layers=1, scaled=True),
    Layer(r=0.37),
    Layer(r=0.6, masker="pooled", hidden=10),
    Joint(Spatial(S=4, r=0.6), Layer(r=0.37)),
    Joint(Spatial(S=2, r=0.6, unfuse=("masker",)), Layer(r=0.37, masker="pooled")),
    Joint(Spatial(S=4, r=0.6), Channel(G=2, r=0.37)),
    Joint(Layer(r=0.37), Channel(G=2, r=0.6, scaled=True)),
]
#: Those that the calibrated model has kernels of; channels where convolutions have one group.
KERNELS = [SKIPPED[place] for place in (0, 1, 2, 4, 6, 8)]
#: And of transformers, whose seven, six or twelve heads and 197 tokens are kept in whole numbers.
KEPT = [
    Static(),
    Token(r=0.37),
    Head(r=0.61),
    Layer(r=0.37),
    Layer(attention_r=0.6, mlp_r=0.25),
    Joint(Token(r=0.6), Head(r=0.5), Layer(r=0.7)),
]


def up(a, b):
    return -(-a // b)


def on(rate, n):
    """Patches that are on, with the guard of MODEL §1."""
    return up(rate * n - 1e-9, 1)


def part(paradigm, kind, stage):
    """A part of a paradigm with its settings in a stage, counted from 0; None where it is off."""
    found = next((each for each in paradigm.parts if type(each) is kind), None)
    settings = dict(found or {})
    return {name: x[stage] if type(x) is tuple and len(x) == 4 else x for name, x in settings.items()} or None


def of_block(paradigm, stage, c_in, c_out, w, g, height, width, stride, se):
    """MODEL §6, with a projection wherever channels or resolution change, and maskers that know what they switch."""
    spatial, channel, layer = (part(paradigm, kind, stage) for kind in (Spatial, Channel, Layer))
    rho, runs, rest = channel["r"] if channel else 1.0, layer["r"] if layer else 1.0, 0.0
    pixels_in, out = height * width, (height // stride, width // stride)
    first = then = (pixels_in, out[0] * out[1])
    if spatial:
        S, r = spatial["S"], spatial["r"]
        active_in = on(r, up(height, S) * up(width, S)) * S**2
        active_out = on(r, up(out[0], S) * up(out[1], S)) * S**2
        fused = "masker" not in spatial["unfuse"]
        # As a kernel of its own the first convolution computes whole patches of its own map.
        first, then = min(active_in, pixels_in) if fused else active_in, active_out
        # The mask: two channels where it is decided on its own, one beside the first convolution.
        rest += c_in * pixels_in * (2 * (1 - runs) + runs if fused else 2)
    else:
        first, then = first[0], first[1]
    if channel:
        groups = w // channel["G"]
        hidden = max(groups // 16, 1)
        rest += c_in * groups if channel["masker_layers"] == 1 else c_in * hidden + hidden * groups
    if layer:
        rest += c_in * pixels_in if layer["masker"] == "fused" else (c_in + 1) * layer["hidden"]
    if stride > 1 or c_in != c_out:
        rest += out[0] * out[1] * c_in * c_out
    body = first * c_in * w * rho + then * 9 * w * (w // g) * rho**2 + then * w * c_out * rho
    return rest + runs * (body + 2 * w * round(0.25 * c_in) * se)


def of_residual(network, paradigm):
    shrink, total = network.stem.stride * (1 + network.stem.pool), 0
    height, width = (up(edge, shrink) for edge in network.image_size)
    for number, stage in enumerate(network.stages):
        w = stage.c_out // network.bottleneck_ratio
        g = w // network.group_width if network.group_width else 1
        for block in range(stage.blocks):
            c_in, stride = (stage.c_in, stage.stride) if block == 0 else (stage.c_out, 1)
            total += of_block(paradigm, number, c_in, stage.c_out, w, g, height, width, stride, network.se)
            height, width = up(height, stride), up(width, stride)
    return total


def of_performer(L, i, o):
    m = o // 2
    return L * (i * 3 * o + 2 * o * m + m + 3 * o * o) + 2 * o * L * m


def of_transformer(network, paradigm):
    """MODEL §8."""
    parts = {each.name: each for each in paradigm.parts}
    d, heads, hidden = network.dim, network.heads, network.mlp_ratio * network.dim
    height, width = (up(edge, 16) for edge in network.image_size)
    tokens = height * width + 1
    r_t, r_h = (parts[name].r if name in parts else 1.0 for name in ("token", "head"))
    layer = parts.get("layer")
    r_a, r_m = (layer.r or layer.attention_r, layer.r or layer.mlp_r) if layer else (1.0, 1.0)
    L, H, d_h = int(tokens * r_t + 1e-9), int(heads * r_h + 1e-9), round(d * r_h)
    policies = 2 * d * ("layer" in parts) + heads * d * ("head" in parts)
    attention = 3 * tokens * d * d_h + tokens * d_h * ("token" in parts) + 2 * H * L * L * network.head_dim + L * d_h**2
    block = policies + r_a * attention + r_m * L * hidden * (d_h + d)
    if network.embedding == "patch":
        front = (tokens - 1) * 3 * 16**2 * d
    else:
        front = of_performer(56**2, 3 * 49, 64) + of_performer(28**2, 64 * 9, 64) + (tokens - 1) * 64 * 9 * d
    return front + network.depth * block + d * network.classes


def macs_by_model(network, paradigm):
    """Those of every model that has the paradigm."""
    found = {}
    for model in ("published", "roofline", "calibrated"):
        try:
            report = latpred.predict(network, H200, paradigm, batch=BATCH, model=model)
        except latpred.InputError as error:
            assert model == "calibrated", error  # noqa: PT017
            continue
        found[model] = report.macs
    return found


def check(network, paradigm):
    found = macs_by_model(network, paradigm)
    count = of_residual if network in RESIDUAL else of_transformer
    assert found == pytest.approx(dict.fromkeys(found, BATCH * count(network, paradigm)), rel=1e-9)
    return found


@pytest.mark.parametrize("paradigm", SKIPPED, ids=str)
@pytest.mark.parametrize("network", RESIDUAL, ids=lambda network: network.name)
def test_residual_networks(network, paradigm):
    found = check(network, paradigm)
    assert ("calibrated" in found) == (
        paradigm in KERNELS and (network.group_width is None or "channel" not in paradigm.label)
    )


@pytest.mark.parametrize("paradigm", KEPT, ids=str)
@pytest.mark.parametrize("network", TRANSFORMERS, ids=lambda network: network.name)
def test_transformers(network, paradigm):
    check(network, paradigm)


@pytest.mark.parametrize("r", [0.2, 1.0])
@pytest.mark.parametrize("name", latpred.list_presets())
def test_presets(name, r):
    preset = latpred.load_preset(name)
    check(preset.network, preset.at_rates(r))


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        ("resnet50", 4.09),
        ("resnet101", 7.80),
        ("regnety-400mf", 0.40),
        ("regnety-800mf", 0.83),
        ("vit-b", 17.56),
        ("deit-s", 4.6),
        ("t2t-vit-19", 8.5),
    ],
)
def test_networks_as_published(name, billions):
    """By torchvision's tables of weights, for the last two by their papers' repositories."""
    network = latpred.load_network(name)
    whole = network.including("stem", "head") if isinstance(network, latpred.Network) else network
    assert latpred.predict(whole, H200, batch=1).macs == pytest.approx(billions * 1e9, rel=0.01)
