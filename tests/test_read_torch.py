"""Networks read from PyTorch modules: the models of `plain_models`, and modules that are written to be hard to read."""

import sys

import pytest

torch = pytest.importorskip("torch", reason="reading modules needs torch: pip install 'latpred[torch]'")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torch.nn.attention import SDPBackend, sdpa_kernel  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import latpred  # noqa: E402
from latpred import Conv, Dense, Norm, Pool, Stage  # noqa: E402
from latpred.workloads.reading.operators.table import graph_of  # noqa: E402
from latpred.workloads.reading.passes import understood  # noqa: E402
from latpred.workloads.reading.tracing import pytorch  # noqa: E402
from tests.plain_models import MODELS, TransformerBlock, convolution  # noqa: E402
from tests.reading import able, kinds, macs, operators  # noqa: E402

ALL = ("stem", "transitions", "head")


def counted(module, edge):
    """Multiply-adds by PyTorch's own counter, which counts each as two; it does not know the CPU's fused attention."""
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        module.eval()(torch.zeros(1, 3, edge, edge))
    return counter.get_total_flops() / 2


def read(module, edge=32, **settings):
    return latpred.from_torch(module, (edge, edge), **settings)


def around(*middle):
    """Some modules on eight channels of 16×16, between a stem and a head, for images of 32×32."""
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)]
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), *middle, *head)


class Added(nn.Module):
    """A body and its input, put together by a function of both."""

    def __init__(self, body, how=torch.add):
        super().__init__()
        self.body, self.how = body, how

    def forward(self, x):
        return self.how(x, self.body(x))


def two(**settings):
    """Two 3×3 convolutions, the first with a function behind it."""
    return nn.Sequential(convolution(8, 8, 3, activation=nn.ReLU()), convolution(8, 8, 3))


def in_place(x, body):
    body += x
    return body


# --- models


@pytest.mark.parametrize("name", MODELS)
def test_multiply_adds_are_those_that_pytorch_counts(name):
    make, edge = MODELS[name]
    module = make()
    network = read(module, edge)
    assert macs(network) == counted(module, edge)
    assert (network.unread, network.include) == ((), ALL)


@pytest.mark.parametrize("name", MODELS)
def test_every_way_of_tracing_sees_the_same_network(name):
    """The module as `torch.export` has it, as `torch.fx` has it, and as it ran: ATen at three depths."""
    make, edge = MODELS[name]
    module = make()
    found = []
    for trace in (pytorch._exported, pytorch._by_fx, pytorch._recorded):
        with pytorch._evaluating(module), pytorch._silence():
            calls = trace(module, torch.zeros(1, 3, edge, edge))
        network = understood(graph_of(calls), name="same", image_size=(edge, edge))
        found.append((operators(network), [stage.replace(before=()) for stage in network.stages]))
    assert found[0] == found[1] == found[2]


def test_a_resnet_is_what_a_person_would_write():
    network = read(MODELS["resnet"][0](), 64, name="mine")
    written = latpred.Network(
        name="mine",
        source=network.source,
        image_size=(64, 64),
        stem=[Conv(c_out=16, kernel=7, stride=2, norm=True, activation="relu"), Pool(kernel=3, stride=2, maximum=True)],
        stages=[Stage(c_in=16, c_out=64, blocks=2), Stage(c_in=64, c_out=128, blocks=2, stride=2)],
        head=[Pool(), Dense(c_out=10)],
        include=ALL,
    )
    assert network == written
    assert network.resized((96, 80)) == latpred.from_torch(MODELS["resnet"][0](), (96, 80), "mine")


def test_a_mobilenet_is_what_a_person_would_write():
    network = read(MODELS["mobilenet"][0](), 64)
    inverted = {"kind": "inverted-residual"}
    assert network.stages == (
        Stage(**inverted, c_in=32, c_out=16, blocks=1, expansion=1),
        Stage(**inverted, c_in=16, c_out=24, blocks=2, stride=2),
        Stage(**inverted, c_in=24, c_out=32, blocks=3, stride=2),
    )
    assert able(network) == 3 * ["inverted-residual"]
    assert network.head[0] == Conv(c_out=64, norm=True, activation="relu6")


def test_a_convnext_is_what_a_person_would_write():
    network = read(MODELS["convnext"][0](), 64)
    down = [Norm(over="layer"), Conv(c_out=64, kernel=2, stride=2, padding=0, bias=True)]
    assert network.stages == (
        Stage(kind="convnext", c_in=32, c_out=32, blocks=2),
        Stage(kind="convnext", c_in=64, c_out=64, blocks=1, before=down),
    )
    assert network.head == (Pool(), Norm(over="layer"), Dense(c_out=10))


@pytest.mark.parametrize("attention", ["fused", "explicit", "module"])
def test_a_transformer_is_that_of_the_zoo_in_small(attention):
    """Operator by operator that of `VisionTransformer`, which MODEL §8 describes, but for its embedding."""
    network = read(MODELS[f"vit-{attention}"][0](), 64)
    block = {"kind": "transformer", "heads": 3, "head_dim": 16, "hidden": 192, "extra": 1}
    assert network.stages == (Stage(**block, c_in=48, c_out=48, blocks=3),)
    assert [placed.block.tokens for placed in network.blocks] == 3 * [65]
    zoo = latpred.VisionTransformer(
        name="vit", dim=48, heads=3, head_dim=16, depth=3, classes=10, image_size=(128, 128)
    )
    assert operators(network)[1:] == operators(zoo)[1:]


def test_queries_and_keys_that_are_normalised_take_a_pass_each():
    class Block(TransformerBlock):
        def __init__(self):
            super().__init__(48, 3, "fused")
            self.of_queries, self.of_keys = nn.LayerNorm(16), nn.LayerNorm(16)

        def attend(self, x):
            q, k, v = (each(x).view(1, -1, 3, 16).transpose(1, 2) for each in self.three)
            out = functional.scaled_dot_product_attention(self.of_queries(q), self.of_keys(k), v)
            return self.projection(out.transpose(1, 2).reshape(1, -1, 48))

    def vit(block):
        model = MODELS["vit-fused"][0]()
        model.blocks = nn.ModuleList([block])
        return read(model, 64)

    normalised, plain = vit(Block()), vit(TransformerBlock(48, 3, "fused"))
    assert (normalised.blocks[0].block.passes, plain.blocks[0].block.passes) == (2, 0)
    one_pass = latpred.ElementWise(rows=65, channels=48)
    assert operators(normalised).count(one_pass) == operators(plain).count(one_pass) + 2


# --- additions in many forms


@pytest.mark.parametrize(
    "how",
    [
        torch.add,
        in_place,
        lambda x, body: x + body,
        lambda x, body: body + x,
        lambda x, body: body.add_(x),
        lambda x, body: sum([x, body]),
        lambda x, body: torch.add(x, body, alpha=0.5),
        lambda x, body: x - body,
        lambda x, body: functional.relu(x + body),
        lambda x, body: (x + body).clamp(min=0),
        lambda x, body: functional.dropout(x + body, training=False).contiguous(),
    ],
)
def test_a_residual_addition_is_found_in_whatever_form(how):
    module = around(Added(two(), how), Added(two(), how))
    network = read(module)
    assert [placed.block.paradigms for placed in network.blocks] == 2 * [("spatial", "channel", "layer")]
    assert macs(network) == counted(module, 32)


def test_a_function_between_layers_may_be_functional():
    class Body(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(3))

        def forward(self, x):
            for layer in self.layers[:-1]:
                x = functional.relu(layer(x))
            return self.layers[-1](x)

    (stage,) = read(around(Added(Body()))).stages
    convolutions = 2 * [Conv(c_out=8, kernel=3, bias=True, activation="relu")] + [Conv(c_out=8, kernel=3, bias=True)]
    assert stage.body == tuple(convolutions)


def test_a_block_that_is_used_twice_is_two_blocks():
    shared = Added(two())
    assert able(read(around(shared, shared))) == ["body", "body"]


@pytest.mark.parametrize(
    ("activation", "name"),
    [
        (nn.SiLU(), "silu"),
        (nn.Hardswish(), "hardswish"),
        (nn.GELU(), "gelu"),
        (nn.ReLU6(), "relu6"),
        (nn.LeakyReLU(), "leaky_relu"),
        (nn.Mish(), "mish"),
        (nn.PReLU(8), "prelu"),
    ],
)
def test_an_activation_is_a_layer_of_its_name(activation, name):
    (stage,) = read(around(Added(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), activation)))).stages
    assert stage.body == (Conv(c_out=8, kernel=3, bias=True, activation=name),)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda x: x * torch.sigmoid(x), "silu"),
        (lambda x: x * functional.relu6(x + 3) / 6, "hardswish"),
        (lambda x: functional.relu6(x + 3) / 6, "hardsigmoid"),
        (lambda x: x * 0.5 * (1 + torch.erf(x / 2**0.5)), "gelu"),
        (lambda x: x * torch.tanh(functional.softplus(x)), "mish"),
    ],
)
def test_a_function_that_is_spelled_out_is_one_layer(function, name):
    class Spelled(nn.Module):
        def forward(self, x):
            return function(x)

    (stage,) = read(around(Added(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), Spelled())))).stages
    assert stage.body == (Conv(c_out=8, kernel=3, bias=True, activation=name),)


def test_a_norm_that_is_spelled_out_is_one_layer():
    class Spelled(nn.Module):
        def forward(self, x):
            centred = x - x.mean(1, keepdim=True)
            return centred / (centred.pow(2).mean(1, keepdim=True) + 1e-6).sqrt()

    (stage,) = read(around(Added(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), Spelled())))).stages
    assert stage.body == (Conv(c_out=8, kernel=3, bias=True), Norm(over="layer"))


@pytest.mark.parametrize("gate", [nn.Sigmoid(), nn.Hardsigmoid()])
@pytest.mark.parametrize("linear", [False, True])
def test_squeeze_and_excitation_is_one_layer(gate, linear):
    class Squeeze(nn.Module):
        def __init__(self):
            super().__init__()
            layers = (nn.Linear(8, 2), nn.Linear(2, 8)) if linear else (nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1))
            self.layers = nn.Sequential(layers[0], nn.ReLU(), layers[1], gate)

        def forward(self, x):
            mean = x.mean((2, 3)) if linear else functional.adaptive_avg_pool2d(x, 1)
            factors = self.layers(mean)
            return factors.view(x.shape[0], 8, 1, 1) * x

    module = around(Added(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), Squeeze(), nn.Conv2d(8, 8, 1))))
    network = read(module)
    assert kinds(network.stages[0].body) == ["conv", "se", "conv"]
    assert network.stages[0].body[1] == latpred.SE(squeezed=2)
    assert macs(network) == counted(module, 32)


# --- bodies that cannot skip all, or anything


@pytest.mark.parametrize(
    ("body", "paradigms", "reason"),
    [
        (nn.Sequential(nn.Conv2d(8, 8, 3, padding=2, dilation=2), nn.Conv2d(8, 8, 1)), (), "not square, undilated"),
        (nn.Sequential(nn.Conv2d(8, 8, (1, 7), padding=(0, 3)), nn.Conv2d(8, 8, 1)), (), "not square, undilated"),
        (nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(8, 8, 2)), (), "not square, undilated"),
        (nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.GroupNorm(2, 8)), ("layer",), "the whole map"),
        (nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.InstanceNorm2d(8)), ("layer",), "the whole map"),
        (nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8, track_running_stats=False)), ("layer",), "map"),
        (nn.Conv2d(8, 8, 3, padding=1), ("spatial", "layer"), "one convolution has no inner channels"),
        (
            nn.Sequential(nn.Conv2d(8, 6, 3, padding=1, groups=2), nn.Conv2d(6, 8, 1)),
            ("spatial", "channel", "layer"),
            "",
        ),
    ],
)
def test_a_body_says_what_it_cannot_skip_by(body, paradigms, reason):
    module = around(Added(body))
    network = read(module)
    (placed,) = network.blocks
    assert placed.block.paradigms == paradigms
    assert reason in " ".join(placed.block.obstacles.values())
    assert macs(network) == counted(module, 32)


class Split(nn.Module):
    def __init__(self):
        super().__init__()
        self.filter = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        one, other = x.chunk(2, 1)
        return torch.cat([self.filter(one), other], 1)


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.filter, self.gate = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)

    def forward(self, x):
        x = self.filter(x)
        return x * self.gate(x).sigmoid()


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 3, padding=1)

    def forward(self, x):
        return torch.cat([self.one(x), self.other(x)], 1)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (Split(), "a split in 1"),
        (Gate(), "a gate in 1"),
        (
            nn.Sequential(nn.Conv2d(8, 8, 2, 2), nn.ConvTranspose2d(8, 8, 2, 2)),
            "a transposed convolution of another form",
        ),
        (nn.Sequential(nn.Conv2d(8, 32, 2, 2), nn.PixelShuffle(2)), "a copy in 1"),
        (Branches(), "branches side by side in 1"),
        (nn.AvgPool2d(3, 1, 1), "layers of another form in 1"),
    ],
)
def test_a_body_that_is_no_chain_is_static_and_the_reason_is_told(body, reason):
    module = around(Added(body), Added(two()))
    network = read(module)
    assert able(network) == ["body"]
    assert network.remarks == (
        f"1 residual body stays static, being no chain of layers: {reason.removesuffix(' in 1')} in 1",
    )
    assert macs(network) == counted(module, 32)
    assert f"{network.name}: {network.remarks[0]}" in latpred.predict(network, "tx2").notes


def test_a_shortcut_of_another_form_leaves_a_body_static():
    """As in the ResNets for CIFAR, where channels of zeros are laid beside every second pixel."""

    class Strided(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(convolution(8, 16, 3, 2, activation=nn.ReLU()), convolution(16, 16, 3))

        def forward(self, x):
            return functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 4, 4)) + self.body(x)

    (remark,) = read(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), Strided())).remarks
    assert remark == "1 residual body stays static, being no chain of layers: a shortcut of another form in 1"


# --- what is static


@pytest.mark.parametrize(
    "module",
    [
        nn.ConvTranspose2d(8, 8, 4, 2, 1),
        nn.ConvTranspose2d(8, 8, 3, 2, 1, output_padding=1, groups=4),
        nn.Conv2d(8, 8, 3, stride=(1, 2), padding=(0, 1)),
        nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(8, 8, 4, padding="same"),
        nn.Sequential(nn.Flatten(2), nn.Conv1d(8, 8, 3, 2), nn.Unflatten(2, (127, 1))),
        nn.Sequential(nn.Unflatten(1, (2, 4)), nn.Conv3d(2, 2, 3, padding=1), nn.Flatten(1, 2)),
        nn.Upsample(scale_factor=2, mode="bilinear"),
        nn.utils.parametrizations.weight_norm(nn.Conv2d(8, 8, 3)),
        nn.utils.parametrizations.spectral_norm(nn.Conv2d(8, 8, 3)),
        nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=True), nn.AvgPool2d(2, count_include_pad=False)),
        nn.Softmax(1),
        nn.Identity(),
    ],
    ids=lambda module: type(module).__name__,
)
def test_static_parts_multiply_and_add_what_pytorch_counts(module):
    module = around(module)
    network = read(module)
    assert macs(network) == counted(module, 32)
    assert network.unread == ()
    assert network.stages == ()


def test_a_transposed_convolution_moves_what_it_makes():
    """By hand: 16×16 pixels, each made 8 channels of 4×4 taps, added into 32×32."""
    (spread, overlap) = operators(read(around(nn.ConvTranspose2d(8, 8, 4, 2, 1))))[1:3]
    assert spread == latpred.MatrixProduct(rows=256, inner=8, columns=128)
    assert overlap == latpred.Unfold(elements_in=256 * 128, elements_out=8 * 32 * 32)


def test_branches_that_are_laid_side_by_side_are_a_layer():
    """As in a DenseNet: each layer reads all that were before it."""

    class Dense(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.ModuleList(convolution(8 + 4 * place, 4, 3) for place in range(3))

        def forward(self, x):
            found = [x]
            for layer in self.layers:
                found.append(layer(torch.cat(found, 1)))
            return torch.cat(found, 1)

    network = read(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), Dense()))
    conv = Conv(c_out=4, kernel=3, norm=True)
    assert network.stem[1:] == 3 * (latpred.Join(branches=[[], [conv]]),)


def test_weights_that_are_computed_are_weights():
    """A convolution standardised at every run, as in normaliser-free networks."""

    class Standardised(nn.Conv2d):
        def forward(self, x):
            weight = (self.weight - self.weight.mean((1, 2, 3), keepdim=True)) / self.weight.std(
                (1, 2, 3), keepdim=True
            )
            return self._conv_forward(x, weight, self.bias)

    assert able(read(around(Added(nn.Sequential(Standardised(8, 8, 3, padding=1), nn.Conv2d(8, 8, 1)))))) == ["body"]


def test_an_operation_that_is_not_understood_is_listed_and_counted_as_a_pass():
    class Warped(nn.Module):
        def forward(self, x):
            grid = functional.affine_grid(torch.eye(2, 3)[None], x.shape, align_corners=False)
            return functional.grid_sample(x, grid, align_corners=False)

    module = around(Warped())
    network = read(module, name="warped")
    assert network.unread == ("grid_sampler (grid_sampler in 1)",)
    assert latpred.ElementWise(groups=16, rows=16, channels=8) in operators(network)
    assert any("grid_sampler" in note for note in latpred.predict(network, "tx2").notes)
    with pytest.raises(latpred.NetworkError, match=r"warped: not understood: grid_sampler \(grid_sampler in 1\)"):
        read(module, name="warped", strict=True)


# --- how it is read


def test_the_module_is_left_as_it_was():
    class Remembers(nn.Module):
        def __init__(self):
            super().__init__()
            self.norm, self.seen, self.layers = (
                nn.BatchNorm2d(3),
                None,
                nn.ModuleList([nn.Dropout(), nn.Conv2d(3, 8, 3)]),
            )

        def forward(self, x):
            self.seen = x.shape
            self.layers.append(nn.Identity())
            return self.layers[1](self.layers[0](self.norm(x)))

    module = Remembers()
    module.layers[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    read(module)
    assert module.seen is None
    assert len(module.layers) == 2
    assert [part.training for part in module.modules()] == [True, True, True, True, False]
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(parameter.requires_grad for parameter in module.parameters())


def test_a_module_that_is_not_exported_is_read_otherwise_and_that_is_told():
    class Scripted(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = torch.jit.script(nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 1)))

        def forward(self, x):
            return x + self.body(x)

    with pytest.warns(DeprecationWarning, match="script"):
        module = around(Scripted())
    network = read(module)
    assert network.source == "a PyTorch module, by torch.fx"
    assert network.remarks[0].startswith("torch.export refused it (")
    assert able(network) == ["body"]


def test_a_program_that_was_exported_is_read():
    module = MODELS["resnet"][0]().eval()
    program = torch.export.export(module, (torch.zeros(1, 3, 64, 64),))
    assert read(program.module(), 64, name="same") == read(module, 64, name="same")


def test_a_run_is_recorded_where_no_tracer_follows():
    class Leaves(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = two()

        def forward(self, x):
            torch.from_numpy(x.detach().numpy() + 1)
            return x + self.body(x)

    network = read(around(Leaves()))
    assert network.source == "a PyTorch module, by a recorded run"
    assert able(network) == ["body"]


def test_a_model_is_read_without_numbers_and_in_other_precisions():
    with torch.device("meta"):
        shapes = MODELS["resnet"][0]()
    networks = [read(each, 64) for each in (shapes, MODELS["resnet"][0]().half(), MODELS["resnet"][0]())]
    assert networks[0] == networks[1] == networks[2]


def test_a_network_that_was_read_at_one_size_is_not_resized():
    network = read(MODELS["vit-fused"][0](), 64)
    with pytest.raises(latpred.NetworkError, match="was read from a model at 64×64; read the model again"):
        network.resized((96, 96))
    flat = read(nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.Flatten(), nn.Linear(2048, 5)))
    with pytest.raises(latpred.NetworkError, match="a linear layer reads a whole map, whose size its weights fix"):
        flat.resized((64, 64))


# --- bad input


class Decides(nn.Module):
    def __init__(self, how):
        super().__init__()
        self.layer, self.how = nn.Conv2d(3, 3, 3, padding=1), how

    def forward(self, x):
        return self.how(self.layer, x)


class Two(nn.Module):
    def forward(self, image, depth):
        return image + depth


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Two(), "Two takes image, depth; a module that takes one batch of images is wanted"),
        (nn.Conv2d(1, 8, 3), "Conv2d does not run on an image of 3×32×32: RuntimeError: Given groups=1"),
        (
            nn.Sequential(*(nn.Conv2d(3, 3, 3, 2) for _ in range(6))),
            "does not run on an image of 3×32×32: RuntimeError",
        ),
        (Decides(lambda layer, x: layer(x) if x.sum() > 0 else x), "decides by numbers that it computes"),
        (Decides(lambda layer, x: [layer(x) for _ in range(int(layer(x).max()) + 1)]), "in layer|decides by numbers"),
        (Decides(lambda layer, x: x[x > 0]), "decides by numbers that it computes"),
        (
            Decides(lambda layer, x: torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,))),
            r"decides by numbers that it computes \(cond\); no one graph says what it runs",
        ),
        (Decides(lambda layer, x: sys.exit("enough")), "does not run on an image of 3×32×32: SystemExit: enough"),
        (Decides(lambda layer, x: 3), "Decides computes nothing of its image"),
        (nn.Sequential(), "Sequential computes nothing of its image"),
        (nn.Sequential(nn.LazyConv2d(8, 3)), "Sequential has lazy layers, whose sizes are open; run it once"),
        (Decides(lambda layer, x: {}["key"]), "Decides does not run on an image of 3×32×32: KeyError"),
        ("resnet50", "a torch.nn.Module is wanted, not 'resnet50'"),
        (nn.Conv2d, "a torch.nn.Module is wanted"),
    ],
)
def test_a_module_that_cannot_be_read_is_refused_in_a_line(module, message):
    with pytest.raises(latpred.NetworkError, match=message) as problem:
        read(module)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize("size", [(0, 32), 224, (32,), "224", (32.0, 32), (True, 32), None])
def test_an_image_size_that_is_none_is_refused(size):
    with pytest.raises(latpred.NetworkError, match="image_size is a height and a width in pixels"):
        latpred.from_torch(nn.Conv2d(3, 8, 3), size)
