"""Write masks.npz: 40 made-up images whose active pixels are one blob each, at the maps of ResNet-50's four stages."""

from pathlib import Path

import numpy as np

SAMPLES, EDGES, SHARE = 40, (56, 28, 14, 7), 0.3

generator = np.random.default_rng(0)
centre = generator.uniform(0.3, 0.7, size=(SAMPLES, 2, 1, 1))
radius = np.sqrt(SHARE / np.pi) * generator.uniform(0.7, 1.2, size=(SAMPLES, 1, 1))
masks = {}
for stage, edge in enumerate(EDGES, start=1):
    y, x = np.meshgrid(*2 * [(np.arange(edge) + 0.5) / edge], indexing="ij")
    masks[f"stage{stage}"] = (y - centre[:, 0]) ** 2 + (x - centre[:, 1]) ** 2 < radius**2
np.savez_compressed(Path(__file__).with_name("masks.npz"), **masks)
