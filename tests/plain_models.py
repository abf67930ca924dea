"""Networks as people write them, in plain torch: what the readers are tested on."""

import torch
from torch import nn
from torch.nn import functional


def convolution(c_in, c_out, kernel=1, stride=1, groups=1, activation=None):
    """Normalised, and maybe with a function behind it."""
    layers = [nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(c_out)]
    return nn.Sequential(*layers, *([activation] if activation else []))


class Bottleneck(nn.Module):
    def __init__(self, c_in, width, stride):
        super().__init__()
        self.reduce = convolution(c_in, width, activation=nn.ReLU(inplace=True))
        self.filter = convolution(width, width, 3, stride, activation=nn.ReLU(inplace=True))
        self.widen = convolution(width, 4 * width)
        self.shortcut = nn.Identity()
        if stride > 1 or c_in != 4 * width:
            self.shortcut = convolution(c_in, 4 * width, stride=stride)

    def forward(self, x):
        out = self.widen(self.filter(self.reduce(x)))
        out += self.shortcut(x)
        return functional.relu(out)


def resnet(width=16, blocks=(2, 2)):
    """A ResNet of bottlenecks."""
    layers = [convolution(3, width, 7, 2, activation=nn.ReLU()), nn.MaxPool2d(3, 2, 1)]
    channels = width
    for stage, count in enumerate(blocks):
        for place in range(count):
            layers.append(Bottleneck(channels, width << stage, 2 if stage and not place else 1))
            channels = 4 * (width << stage)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10))


class InvertedResidual(nn.Module):
    def __init__(self, c_in, c_out, stride, expansion):
        super().__init__()
        inner = c_in * expansion
        widen = [convolution(c_in, inner, activation=nn.ReLU6())] if expansion > 1 else []
        filters = convolution(inner, inner, 3, stride, groups=inner, activation=nn.ReLU6())
        self.body = nn.Sequential(*widen, filters, convolution(inner, c_out))
        self.adds = stride == 1 and c_in == c_out

    def forward(self, x):
        return x + self.body(x) if self.adds else self.body(x)


def mobilenet():
    """A MobileNetV2 of six blocks, three of which end where they began."""
    shapes = [(16, 16, 1, 1), (16, 24, 2, 6), (24, 24, 1, 6), (24, 32, 2, 6), (32, 32, 1, 6), (32, 32, 1, 6)]
    blocks = [InvertedResidual(*shape) for shape in shapes[1:]]
    first = InvertedResidual(32, 16, 1, 1)
    stem, last = convolution(3, 32, 3, 2, activation=nn.ReLU6()), convolution(32, 64, activation=nn.ReLU6())
    return nn.Sequential(stem, first, *blocks, last, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.filter = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.widen, self.narrow = nn.Linear(channels, 4 * channels), nn.Linear(4 * channels, channels)
        self.scale = nn.Parameter(1e-6 * torch.ones(channels))

    def forward(self, x):
        out = self.norm(self.filter(x).permute(0, 2, 3, 1))
        out = self.scale * self.narrow(functional.gelu(self.widen(out)))
        return x + out.permute(0, 3, 1, 2)


class ChannelNorm(nn.LayerNorm):
    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def convnext(channels=32):
    """A ConvNeXt of two stages."""
    first = [nn.Conv2d(3, channels, 4, 4), ChannelNorm(channels), ConvNeXtBlock(channels), ConvNeXtBlock(channels)]
    down = [ChannelNorm(channels), nn.Conv2d(channels, 2 * channels, 2, 2), ConvNeXtBlock(2 * channels)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.LayerNorm(2 * channels), nn.Linear(2 * channels, 10)]
    return nn.Sequential(*first, *down, *head)


class TransformerBlock(nn.Module):
    """Attention is fused, explicit, or torch's own module."""

    def __init__(self, dim, heads, attention):
        super().__init__()
        self.heads, self.attention = heads, attention
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.three = nn.ModuleList(nn.Linear(dim, dim) for _ in range(3))
        self.own = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.projection = nn.Linear(dim, dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def attend(self, x):
        if self.attention == "module":
            return self.own(x, x, x, need_weights=False)[0]
        batch, tokens, dim = x.shape
        if self.attention == "fused":
            q, k, v = self.qkv(x).reshape(batch, tokens, 3, self.heads, -1).permute(2, 0, 3, 1, 4).unbind(0)
            out = functional.scaled_dot_product_attention(q, k, v)
        else:
            q, k, v = (each(x).view(batch, tokens, self.heads, -1).transpose(1, 2) for each in self.three)
            out = ((q @ k.transpose(-2, -1)) * q.shape[-1] ** -0.5).softmax(-1) @ v
        return self.projection(out.transpose(1, 2).reshape(batch, tokens, dim))

    def forward(self, x):
        x = x + self.attend(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class VisionTransformer(nn.Module):
    def __init__(self, dim=48, heads=3, depth=3, patch=8, image=64, attention="fused"):
        super().__init__()
        self.patches = nn.Conv2d(3, dim, patch, patch)
        self.token = nn.Parameter(torch.zeros(1, 1, dim))
        self.positions = nn.Parameter(torch.zeros(1, (image // patch) ** 2 + 1, dim))
        self.blocks = nn.ModuleList(TransformerBlock(dim, heads, attention) for _ in range(depth))
        self.norm, self.head = nn.LayerNorm(dim), nn.Linear(dim, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.positions
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x)[:, 0])


#: The models, with the edge of the images that they are read at.
MODELS = {
    "resnet": (resnet, 64),
    "mobilenet": (mobilenet, 64),
    "convnext": (convnext, 64),
    **{
        f"vit-{attention}": (lambda attention=attention: VisionTransformer(attention=attention), 64)
        for attention in ("fused", "explicit", "module")
    },
}
