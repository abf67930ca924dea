"""Multiply-adds on paper: of the workload alone, equal in every model, and as counted here by hand."""

import pytest

import latpred
from latpred import Channel, Head, Joint, Layer, Spatial, Static, Token

H200 = latpred.load_profile("h200")
#: Networks of every kind of block. Those with seven stages take one setting for all.
RESIDUAL = [
    latpred.load_network(name)
    for name in (
        *("resnet50", "resnet101", "regnety-400mf", "regnety-800mf", "resnext50-32x4d", "wide-resnet50-2"),
        *("resnet18", "mobilenetv2", "efficientnet-b0", "mobilenetv3-large", "convnext-tiny"),
    )
]
TRANSFORMERS = [latpred.load_network(name) for name in ("t2t-vit-19", "deit-ti", "deit-s", "deit-b", "vit-b")]
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


def part(paradigm, kind, stage, stages):
    """A part of a paradigm with its settings in a stage, counted from 0; None where it is off."""
    found = next((each for each in paradigm.parts if type(each) is kind), None)
    settings = dict(found or {})
    return {name: x[stage] if type(x) is tuple and len(x) == stages else x for name, x in settings.items()} or None


class Counted:
    """MODEL §6 and BLOCKS: what a block skips, and the maskers that know what they switch."""

    def __init__(self, paradigm, stage, stages, c_in, height, width, stride):
        self.c_in, self.height, self.width = c_in, height, width
        self.out = (up(height, stride), up(width, stride))
        parts = (part(paradigm, kind, stage, stages) for kind in (Spatial, Channel, Layer))
        self.spatial, self.channel, self.layer = parts
        self.rho = self.channel["r"] if self.channel else 1.0
        self.runs = self.layer["r"] if self.layer else 1.0
        self.pixels_in, self.pixels = height * width, self.out[0] * self.out[1]

    def computed(self, edge=None, of=None):
        """Pixels of the active patches, which may have a border; without patches those of the map."""
        if not self.spatial:
            return self.pixels
        S, (rows, columns) = self.spatial["S"], of or self.out
        return on(self.spatial["r"], up(rows, S) * up(columns, S)) * (edge or S) ** 2

    def before_gather(self, c_out):
        """The first, dense 1×1 convolution, with the mask beside it or, where that is a kernel, of patches alone."""
        per_pixel = self.c_in * c_out * self.rho
        if not self.spatial:
            return self.pixels_in * per_pixel
        active = self.computed(of=(self.height, self.width))
        return per_pixel * (min(active, self.pixels_in) if self.fuses_masker else active)

    @property
    def fuses_masker(self):
        return "masker" not in self.spatial["unfuse"]

    def maskers(self, switched, *, first_is_dense):
        """Beside the body, whether or not it runs; `switched` are the channels decided on."""
        c_in, found = self.c_in, 0.0
        if self.spatial:
            fused = first_is_dense and self.fuses_masker
            # Two channels where it is decided on its own, one beside the first convolution.
            found += c_in * self.pixels_in * (2 * (1 - self.runs) + self.runs if fused else 2)
        if self.channel:
            groups = max(switched // self.channel["G"], 1)
            hidden = max(groups // 16, 1)
            found += c_in * groups if self.channel["masker_layers"] == 1 else c_in * hidden + hidden * groups
        if self.layer:
            pooled = (c_in + 1) * self.layer["hidden"]
            found += {"fused": c_in * self.pixels_in, "pooled": pooled, "none": 0}[self.layer["masker"]]
        return found

    def projection(self, c_out):
        return self.pixels * self.c_in * c_out if self.pixels != self.pixels_in or self.c_in != c_out else 0


def of_bottleneck(b, run, w, g, se):
    body = b.before_gather(w) + b.computed() * w * (9 * (w // g) * b.rho**2 + run.c_out * b.rho)
    squeeze = 2 * w * round(0.25 * b.c_in) * se
    return b.maskers(w, first_is_dense=True) + b.projection(run.c_out) + b.runs * (body + squeeze)


def of_basic(b, run):
    """The first convolution computes a pixel more on every side of a patch, which the second reads; none twice."""
    c, border = run.c_out, min(b.computed(edge=b.spatial["S"] + 2 if b.spatial else None), b.pixels)
    body = 9 * c * b.rho * (b.c_in * border + c * b.computed())
    return b.maskers(c, first_is_dense=False) + b.projection(c) + b.runs * body


def of_inverted(b, run, skips):
    """One mask switches a depthwise convolution, so that it costs ρ and not ρ²."""
    hidden = run.hidden or b.c_in * run.expansion
    squeeze = run.squeeze and (run.squeeze if run.squeeze >= 1 else int(run.squeeze * b.c_in))
    widens = hidden != b.c_in
    body = b.computed() * hidden * b.rho * ((run.kernel or 3) ** 2 + run.c_out)
    body += b.before_gather(hidden) if widens else 0
    body += 2 * hidden * squeeze if squeeze else 0
    return b.runs * body + (b.maskers(hidden, first_is_dense=widens) if skips else 0)


def of_convnext(b, run):
    c = run.c_out
    body = b.computed() * c * b.rho * (49 + 4 * c * (b.rho + 1))
    return b.maskers(c, first_is_dense=False) + b.runs * body


def of_residual(network, paradigm):
    """Blocks alone, as the papers count."""
    shrink = network.stem.stride * (1 + network.stem.pool) if isinstance(network.stem, latpred.Stem) else 1
    for layer in () if isinstance(network.stem, latpred.Stem) else network.stem:
        shrink *= getattr(layer, "stride", None) or 1
    height, width = (up(edge, shrink) for edge in network.image_size)
    total, stages = 0, len(network.stages)
    for number, stage in enumerate(network.stages):
        for layer in stage.before:
            height, width = (up(edge, getattr(layer, "stride", 1)) for edge in (height, width))
        for run in stage.runs:
            for block in range(run.blocks):
                c_in, stride = (run.c_in, run.stride) if block == 0 else (run.c_out, 1)
                skips = run.kind != "inverted-residual" or (stride == 1 and c_in == run.c_out)
                b = Counted(paradigm if skips else Static(), number, stages, c_in, height, width, stride)
                if run.kind == "bottleneck":
                    w = run.c_out // network.bottleneck_ratio
                    g = run.groups or (w // network.group_width if network.group_width else 1)
                    total += of_bottleneck(b, run, w, g, network.se)
                elif run.kind == "inverted-residual":
                    total += of_inverted(b, run, skips)
                else:
                    total += {"basic": of_basic, "convnext": of_convnext}[run.kind](b, run)
                height, width = b.out
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
    H, d_h = int(heads * r_h + 1e-9), round(d * r_h)
    policies = 2 * d * ("layer" in parts) + heads * d * ("head" in parts)
    powers = "token" in parts and parts["token"].powers
    blocks, before = 0, 0
    for number in range(network.depth):
        # Where tokens are gone for good, the queries, keys and values of the rest alone are computed.
        L = int(tokens * (r_t ** powers[number] if powers else r_t) + 1e-9)
        read, decided = (L, 0) if powers else (tokens, tokens * d_h * ("token" in parts))
        if powers and powers[number] > before:
            policy, before = d * int(tokens * r_t**before + 1e-9), powers[number]
        else:
            policy = 0
        attention = 3 * read * d * d_h + decided + 2 * H * L * L * network.head_dim + L * d_h**2
        blocks += policies + policy + r_a * attention + r_m * L * hidden * (d_h + d)
    if network.embedding == "patch":
        front = (tokens - 1) * 3 * 16**2 * d
    else:
        front = of_performer(56**2, 3 * 49, 64) + of_performer(28**2, 64 * 9, 64) + (tokens - 1) * 64 * 9 * d
    return front + blocks + d * network.classes


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
    count = of_residual if isinstance(network, latpred.Network) else of_transformer
    assert found == pytest.approx(dict.fromkeys(found, BATCH * count(network, paradigm)), rel=1e-9)
    return found


def kernels_of(network, paradigm):
    """Whether the calibrated model has kernels for all blocks: of 1×1 and 3×3, without channels of groups or of SE."""
    runs = [run for stage in network.stages for run in stage.runs]
    kernels = all(run.kind in ("bottleneck", "basic") or run.kernel in (None, 3) for run in runs)
    mixing = network.group_width is None and all(run.kind != "inverted-residual" and not run.groups for run in runs)
    return (
        kernels
        and network.name != "convnext-tiny"
        and paradigm in KERNELS
        and (mixing or "channel" not in paradigm.label)
    )


def takes(network, paradigm):
    """Whether a paradigm has settings for each of four stages, and the network as many."""
    of_stages = any(type(value) is tuple and len(value) == 4 for each in paradigm.parts for _, value in each)
    return len(network.stages) == 4 or not of_stages


@pytest.mark.parametrize(
    ("network", "paradigm"),
    [(network, paradigm) for network in RESIDUAL for paradigm in SKIPPED if takes(network, paradigm)],
    ids=lambda given: given.name if isinstance(given, latpred.Network) else str(given),
)
def test_residual_networks(network, paradigm):
    assert ("calibrated" in check(network, paradigm)) == kernels_of(network, paradigm)


@pytest.mark.parametrize("paradigm", KEPT, ids=str)
@pytest.mark.parametrize("network", TRANSFORMERS, ids=lambda network: network.name)
def test_transformers(network, paradigm):
    check(network, paradigm)


@pytest.mark.parametrize("r", [0.2, 1.0])
@pytest.mark.parametrize("name", latpred.list_presets())
def test_presets(name, r):
    preset = latpred.load_preset(name)
    paradigm = preset.at_rates(r)
    if isinstance(paradigm, latpred.Width):
        check(preset.network.narrowed(r), Static())
    else:
        check(preset.network, paradigm)


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
