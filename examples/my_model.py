"""A network in plain torch, to be read: latpred networks show examples.my_model:tiny."""

from torch import nn


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        first, second = (nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2))
        self.body = nn.Sequential(first, nn.BatchNorm2d(channels), nn.ReLU(), second, nn.BatchNorm2d(channels))

    def forward(self, x):
        return nn.functional.relu(x + self.body(x))


def tiny():
    stages = Block(64), Block(64), nn.Conv2d(64, 128, 2, 2), Block(128), Block(128), Block(128)
    head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10)
    return nn.Sequential(nn.Conv2d(3, 64, 7, 4, 3), *stages, *head)
