"""The shipped networks against PyTorch's own counter, their papers' tables, and what of them can skip."""

import pytest

import latpred
from latpred.workloads.networks import PARTS

#: Multiply-adds of an image: half of what torch.utils.flop_counter.FlopCounterMode of torch 2.14 counts, with attention
#: as its matrix products, for the models of torchvision 0.29 (below, of timm 1.0) of these names.
COUNTED = {
    "resnet18": ("resnet18", 1_814_073_344),
    "resnet34": ("resnet34", 3_663_761_408),
    "resnet50": ("resnet50", 4_089_184_256),
    "resnet101": ("resnet101", 7_801_405_440),
    "resnet152": ("resnet152", 11_513_626_624),
    "wide-resnet50-2": ("wide_resnet50_2", 11_398_021_120),
    "resnext50-32x4d": ("resnext50_32x4d", 4_230_479_872),
    "regnetx-1.6gf": ("regnet_x_1_6gf", 1_602_849_792),
    "regnetx-3.2gf": ("regnet_x_3_2gf", 3_176_621_952),
    "regnety-400mf": ("regnet_y_400mf", 401_842_848),
    "regnety-800mf": ("regnet_y_800mf", 833_856_256),
    "regnety-1.6gf": ("regnet_y_1_6gf", 1_612_076_160),
    "regnety-3.2gf": ("regnet_y_3_2gf", 3_176_482_752),
    "mobilenetv2": ("mobilenet_v2", 300_774_272),
    "mobilenetv3-large": ("mobilenet_v3_large", 216_589_760),
    "efficientnet-b0": ("efficientnet_b0", 385_814_752),
    "efficientnet-b1": ("efficientnet_b1", 686_802_832),
    "efficientnet-b2": ("efficientnet_b2", 1_087_529_456),
    "efficientnet-b3": ("efficientnet_b3", 1_827_141_392),
    "convnext-tiny": ("convnext_tiny", 4_455_531_264),
    "convnext-small": ("convnext_small", 8_683_712_256),
    "densenet121": ("densenet121", 2_834_161_664),
    "vgg16": ("vgg16", 15_470_264_320),
    "vit-b": ("vit_b_16", 17_563_828_224),
    "swin-tiny": ("swin_t", 4_490_566_656),
    "seresnet50": ("timm: seresnet50", 4_091_699_200),
    "deit-ti": ("timm: deit_tiny_patch16_224", 1_253_683_200),
    "deit-s": ("timm: deit_small_patch16_224", 4_598_882_304),
    "deit-b": ("timm: deit_base_patch16_224", 17_563_828_224),
}
#: ResNets for images of 32×32 pixels, with n blocks of two 3×3 convolutions in each of three stages. In every stage a
#: convolution of its own channels is 16·16·9·32² = 2,359,296.
CIFAR = {"resnet32": 5, "resnet38": 6, "resnet74": 12, "resnet110": 18}
#: Networks whose numbers nobody else has counted: the token-to-token module has performers.
UNCOUNTED = {"t2t-vit-19"}


def macs(network):
    """Of the whole network, an image."""
    whole = network.including(*PARTS) if isinstance(network, latpred.Network) else network
    return {latpred.predict(whole, "tx2", batch=1, model=model).macs for model in ("published", "roofline")}


def test_every_network_is_counted():
    assert set(latpred.list_networks()) == {*COUNTED, *CIFAR, *UNCOUNTED}


@pytest.mark.parametrize("name", COUNTED)
def test_multiply_adds_are_those_that_pytorch_counts(name):
    assert macs(latpred.load_network(name)) == {COUNTED[name][1]}


def test_transitions_that_are_none_are_noted():
    (note,) = latpred.predict(latpred.load_network("resnet18").including("transitions"), "tx2").notes
    assert note == "resnet18: nothing stands between its stages: it has no transitions to include"
    assert not latpred.predict(latpred.load_network("convnext-tiny").including("transitions"), "tx2").notes


def test_who_counts_everything_has_asked_for_no_transitions():
    """As of a network that was read, or one that is validated."""
    whole = latpred.load_network("resnet18").including("stem", "transitions", "head")
    assert not latpred.predict(whole, "tx2").notes


@pytest.mark.parametrize("name", CIFAR)
def test_multiply_adds_of_cifar_networks(name):
    n, conv = CIFAR[name], 16 * 16 * 9 * 32**2
    stem, strided, projections = 3 * 16 * 9 * 32**2, 2 * conv // 2, 16 * 32 * 16**2 + 32 * 64 * 8**2
    assert macs(latpred.load_network(name)) == {stem + (6 * n - 2) * conv + strided + projections + 64 * 10}
    assert len(latpred.load_network(name).blocks) == 3 * n


@pytest.mark.parametrize(
    ("name", "able", "blocks"),
    [
        ("resnet18", 8, 8),
        ("resnet34", 16, 16),
        ("resnet50", 16, 16),
        ("mobilenetv2", 10, 17),
        ("mobilenetv3-large", 10, 15),
        ("efficientnet-b0", 9, 16),
        ("convnext-tiny", 18, 18),
        ("densenet121", 0, 0),
        ("vgg16", 0, 0),
        ("deit-s", 12, 12),
        ("swin-tiny", 12, 12),
    ],
)
def test_blocks_that_can_skip(name, able, blocks):
    found = latpred.load_network(name).blocks
    assert (sum(bool(placed.block.paradigms) for placed in found), len(found)) == (able, blocks)


@pytest.mark.parametrize(
    ("name", "maps"),
    [
        ("mobilenetv2", [112, 56, 28, 14, 14, 7, 7]),
        ("mobilenetv3-large", [112, 56, 28, 14, 7]),
        ("efficientnet-b1", [120, 60, 30, 15, 15, 8, 8]),
        ("efficientnet-b3", [150, 75, 38, 19, 19, 10, 10]),
        ("convnext-tiny", [56, 28, 14, 7]),
        ("swin-tiny", [56, 28, 14, 7]),
        ("resnet110", [32, 16, 8]),
        ("regnetx-1.6gf", [56, 28, 14, 7]),
    ],
)
def test_maps_of_the_stages(name, maps):
    """Halved where a stage is strided, rounded up, as padding does."""
    assert latpred.load_network(name).maps == tuple((edge, edge) for edge in maps)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("ResNet-18", "resnet18"),
        ("r34", "resnet34"),
        ("mbv2", "mobilenetv2"),
        ("mobilenet_v3_large", "mobilenetv3-large"),
        ("EfficientNet B0", "efficientnet-b0"),
        ("wide_resnet50_2", "wide-resnet50-2"),
        ("regnety-1600mf", "regnety-1.6gf"),
        ("vit_b_16", "vit-b"),
    ],
)
def test_names_as_people_type_them(typed, name):
    assert latpred.load_network(typed) is latpred.load_network(name)
    if latpred.load_network(name).stage_blocks:
        assert latpred.load_block(f"{typed}-stage1") == latpred.load_block(f"{name}-stage1")


def test_a_dot_in_a_name_counts():
    with pytest.raises(latpred.NetworkError, match=r"unknown network 'regnety-16gf'; did you mean regnety-1.6gf"):
        latpred.load_network("regnety-16gf")


@pytest.mark.parametrize("name", latpred.list_networks())
def test_aliases_and_sources(name):
    network = latpred.load_network(name)
    assert all(latpred.load_network(alias) is network for alias in network.aliases)
    assert " 20" in network.source
    assert network.title


def test_numbers_in_names_are_in_order():
    names = latpred.list_networks()
    assert names.index("resnet18") < names.index("resnet50") < names.index("resnet101")


def test_a_static_network_says_so():
    report = latpred.predict("densenet121", "tx2")
    assert report.notes == ("densenet121 has no residual blocks: it is static, and nothing of it can be skipped",)
    with pytest.raises(latpred.InputError, match="densenet121 is static: nothing of it can be skipped"):
        latpred.predict("densenet121", "tx2", latpred.Spatial(4, 0.5))


def test_vgg16_takes_images_of_any_size():
    """By hand: convolutions on 96×96 pixels instead of 224×224; linear layers on 7×7 of them, whatever the image."""
    linear = 49 * 512 * 4096 + 4096 * 4096 + 4096 * 1000
    convolutions = (COUNTED["vgg16"][1] - linear) * 96**2 // 224**2
    assert macs(latpred.load_network("vgg16", (96, 96))) == {convolutions + linear}


def test_a_window_that_is_the_whole_map_is_none():
    """As in the last stage of Swin-T, whose tokens PyTorch lays out nowhere else."""
    (*_, last) = latpred.load_network("swin-tiny").blocks
    assert (last.block.window, last.block.height) == (7, 7)
    assert last.block.paradigms == ("layer", "token", "head")
    static = [latpred.predict(block, "tx2").operators for block in (last.block, last.block.replace(window=None))]
    assert static[0] == static[1]
    assert "token" in last.block.replace(height=14).obstacles
